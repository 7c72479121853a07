"""A company whose pages are worth looking at: PCs in three sites, patches in every state, people with second factors.

Time is real: a server serves it, and browsers look at it.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyotp

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.automation.webhook_operations import add_webhook
from seed_server.fleet import exception_operations, legal_holds, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person, set_second_factor
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_operations import halt_rollout, start_rollout
from seed_server.fleet.rollout_queries import ring_template
from seed_server.fleet.second_factor import TOTP_STEP_SECONDS
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.reporting.follow_up_operations import follow_up
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow
from tests.helpers.fake_clock import FakeClock
from tests.helpers.large_fleet import endpoint_id
from tests.helpers.told_inventories import debian, tell

ROOT = Actor.local_user("root")
ADA = Actor.local_user("ada")
DAY = 86_400.0
PUBLISHED_DAYS = 20
PASSWORD = "correct horse battery"
PEOPLE = {
    "ada": "operator", "bob": "approver", "eve": "viewer", "nora": "network-admin", "zoe": "auditor",
    "root": "administrator",
}  # fmt: skip
SITES, PCS = ("leeds", "osaka", "oslo"), 42
TESTERS = 6  # the first PCs, with the tag "test"
HOSTILE = "<script>alert(1)</script>"
HOSTS = {7: HOSTILE, 8: 'pc"onmouseover=alert(2)', 9: "経理部のパソコン九号", 10: "\u202egpj.exe", 11: "x" * 60}
PATCHES = {
    "acme-reader": "Acme Reader 2026", "office-ja": "事務用ソフトウェアの更新", "browser": "Browser, security update",
    "driver": "<b>Driver</b> & 'firmware'", "fonts": "Fonts",
}  # fmt: skip
RINGS = """title = "Three rings within seconds"
approvals = 1

[[ring]]
name = "test"
who = '"test" in tags'
soak = "1s"
success = 90
failure = 0

[[ring]]
name = "office"
who = 'site == "osaka"'
soak = "1s"
success = 90
failure = 0
approval = true

[[ring]]
name = "all"
soak = "1h"
success = 90
failure = 0
"""
DIAGNOSIS = """title = "OpenSSL of December"
[[item]]
label = "openssl below 3.0.17"
applies_to = 'os.family == "debian"'
expression = 'package("openssl") < version("3.0.17")'
"""
SITE_MAP = "".join(
    f'[[site]]\nname = "{name}"\nnetworks = ["10.{number}.0.0/16"]\nline_mbit = {20 + 10 * number}\n'
    f'contact = "Store IT of {name}"\n'
    for number, name in enumerate(SITES)
)
MORE = """
[[sla]]
name = "two weeks"
share_percent = 95
days = 14

[webhooks]
allow = ["127.0.0.0/8"]
"""


@dataclass
class PageCompany:
    """A home, and what there is in it."""

    context: Context
    seeds: dict[str, str] = field(default_factory=dict)
    """Of the authenticator apps of `PEOPLE`."""
    bundle: str = ""
    """What waits to be signed, by its id."""
    used: dict[str, int] = field(default_factory=dict)
    """The step of the last code that was given of each."""

    @property
    def pcs(self) -> list[str]:
        return [endpoint_id(number) for number in range(PCS)]

    @property
    def testers(self) -> list[str]:
        return self.pcs[:TESTERS]

    def code(self, name: str) -> str:
        """Return a code that this person has not used; waits for the next one where there is none yet."""
        step = max(int(time.time() // TOTP_STEP_SECONDS), self.used.get(name, 0) + 1)
        while step > int(time.time() // TOTP_STEP_SECONDS) + 1:  # the server takes the one that is next
            time.sleep(0.5)
        self.used[name] = step
        return pyotp.TOTP(self.seeds[name]).at(step * TOTP_STEP_SECONDS)

    def say(
        self,
        pcs: list[str],
        patch: str,
        state: PatchState,
        install: InstallState = "",
        *,
        error: str = "",
        why: str = "",
        days_ago: float = 0.0,
    ) -> None:
        """Have PCs report on a patch."""
        report = PatchReport(
            patch_id=patch, version="1", state=state, progress=1.0 if state == "verified" else 0.4,
            bytes_from_origin=4_000_000, bytes_from_peers=36_000_000, seconds=90.0, bytes_wasted=0, error=error,
            install=install, install_reason=why,
        )  # fmt: skip
        with self.context.database() as database:
            database.save_reports({pc: [report] for pc in pcs}, self.context.clock.now() - days_ago * DAY)

    def known(self) -> Mapping[str, str]:
        """Return what stands for each name in the addresses of pages."""
        return {
            "patch": "acme-reader@1",
            "number": "1",
            "site": "osaka",
            "endpoint": self.pcs[9],
            "name": "ada",
            "template.name": "rings",
            "template_file.name": "rings",
            "diagnosis.name": "december",
            "diagnosis_pcs.name": "december",
            "id": self.bundle,
            "profile.name": "osaka",
            "audit_entry.number": "3",
            "audit_proof.number": "3",
        }


def page_company(folder: Path, settings: ServerSettings) -> PageCompany:
    """Make the home of the company in ``folder``."""
    home, clock = ServerHome(folder / "home"), SystemClock()
    initialise(home, settings, passphrase=None, now=clock.now())
    rings = folder / "quick.toml"
    rings.write_text(RINGS)
    written = home.settings.read_text().replace("rollout_template", "# rollout_template")
    # a key of the file's first table stands before all others
    home.settings.write_text(f'rollout_template = "{rings}"\n{written}{MORE}')
    home.sites.write_text(SITE_MAP)
    company = PageCompany(Context(home, clock))
    _enrol(company)
    _publish(company, folder)
    _people(company)
    _events(company)
    return company


def _enrol(company: PageCompany) -> None:
    now = company.context.clock.now()
    with company.context.database() as database:
        for number, pc in enumerate(company.pcs):
            database.add_endpoint(pc, _host(number), now - 30 * DAY, ["test"] if number < TESTERS else ["office"])
        database.save_facts({
            pc: {"hostname": _host(number), "site": SITES[number % 3]} for number, pc in enumerate(company.pcs)
        })  # fmt: skip
        database.save_seen({
            pc: SeenRow(
                SITES[number % 3], f"10.{number % 3}.0.{number + 1}", "p2pdist 0.3", number % 5 != 4,
                now - (20 * DAY if number == 13 else 60),
            )
            for number, pc in enumerate(company.pcs)
        })  # fmt: skip
        for number, pc in enumerate(company.pcs[:12]):
            tell(database, pc, debian(openssl=f"3.0.{number % 4 + 14}", bash="5.2", nginx="1.26"), now)


def _host(number: int) -> str:
    return HOSTS.get(number, f"pc-{SITES[number % 3]}-{number:02}")


def _publish(company: PageCompany, folder: Path) -> None:
    then = FakeClock(company.context.clock.now() - PUBLISHED_DAYS * DAY)
    context, keys = Context(company.context.home, then), OfflineKeys(company.context.home.offline_keys, None)
    for patch, title in PATCHES.items():
        (folder / f"{patch}.msi").write_text(f"payload of {patch}")
        recipe = Recipe(
            patch_id=patch, version="1", title=title, severity="critical" if patch == "browser" else "medium",
            payload=(PayloadFile(f"{patch}.msi"),),
        )  # fmt: skip
        operations.publish(context, ADA, Publication(recipe, folder), keys, offered=patch == "acme-reader")
    for day in range(10):
        company.say(company.pcs[3 * day : 3 * day + 3], "acme-reader", "verified", "installed", days_ago=17.0 - day)
    company.say(company.pcs[30:34], "acme-reader", "verified", "waiting", why="for a window: 22:00 to 05:00")
    company.say(company.pcs[34:36], "acme-reader", "verified", "failed", why=f"exit code 1603 {HOSTILE}", days_ago=4.0)
    company.say(company.pcs[36:37], "acme-reader", "failed", error='The disk is "full": 12 MB are free & 40 needed')
    company.say(company.pcs[37:39], "acme-reader", "fetching")


def _people(company: PageCompany) -> None:
    context = company.context
    for name, role in PEOPLE.items():
        add_person(context, ROOT, name, roles=[role], password=PASSWORD)
        company.seeds[name] = seed = pyotp.random_base32()
        before = int(time.time() // TOTP_STEP_SECONDS) - 1
        set_second_factor(context, ROOT, name, seed, pyotp.TOTP(seed).at(before * TOTP_STEP_SECONDS))
        company.used[name] = before
    add_person(context, ROOT, "here", roles=["operator"], sites=["osaka"], password=PASSWORD)
    make_api_token(context, ROOT, label="nightly figures", seconds=86_400, permissions=["look"], owner="ada")


def _events(company: PageCompany) -> None:
    context, now = company.context, company.context.clock.now()
    start_rollout(context, ADA, "office-ja", ring_template("rings"))
    start_rollout(context, ADA, "fonts", ring_template("rings"))
    halt_rollout(context, ROOT, 2, 'printers are "silent" after it')
    approve_rollout(context, Actor.local_user("bob"), 1)
    exception_operations.add_exception(
        context, ROOT, who='site == "oslo"', until=now + 20 * DAY, reason="trade fair & <i>demo</i>", owner="店舗IT"
    )
    legal_holds.hold_history(context, ROOT, "case 17")
    copy = context.home.root.parent / "copy.bundle"
    company.bundle = preparing.prepare_withdrawal(context, ROOT, "driver", "not needed", copy).bundle_id
    follow_up(context, ROOT, company.pcs[34], next(iter(FollowUp)), note="ticket 4711, with Sato")
    operations.make_token(context, ROOT, uses=2, seconds=3_600, tags=("office",))
    file = context.home.root.parent / "december.toml"
    file.write_text(DIAGNOSIS)
    operations.set_template(context, ROOT, "december", file, OfflineKeys(context.home.offline_keys, None))
    add_webhook(context, ROOT, "ada", "https://127.0.0.1:9/hooks/7", events=["rollout"])


def hostile_texts() -> Iterator[str]:
    """Yield what nobody should call a PC, a patch or a reason."""
    yield HOSTILE
    yield "\"'><img src=x onerror=alert(3)>"
    yield "\u202egpj.exe\u2066"
    yield "</textarea></title><svg onload=alert(4)>"
    yield "{{ 7 * 7 }}{% raw %}"
    yield "x" * 4_000
