"""The company whose pages are looked at: its PCs, patches and rollouts, and what its people have done. Blocking."""

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bandwidth.core.states import Reason
from bench.fleet_size.company import Company
from bench.fleet_size.connecting import record_all
from bench.fleet_size.state import fill_standing
from bench.pages.users import PASSWORD
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.automation.webhook_operations import add_webhook
from seed_server.fleet import exception_operations, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.rollout_operations import start_rollout
from seed_server.fleet.rollout_queries import ring_template
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.audit_entry import AuditEntry, encode_entry
from seed_server.store.database import Database
from seed_server.store.minute_rows import LineSlot, WatchedSlot, slot_of
from seed_server.store.rows import SeenRow

ROOT = Actor.local_user("bench")
LOOKER = "nora"
DAY = 86_400.0
DAY_SLOTS, WEEK_SLOTS = 144, 7 * 144
PUBLISHED = 4  # patches that no PC has heard of: rollouts of all but the first one have begun
ACCOUNTS = 300
ENTRIES_AT_A_TIME = 2_000
DEEDS = ("log in", "log in", "log in", "enrol", "enrol", "enrol", "confirm", "set roles", "deny", "approve rollout")
SETTINGS = """
[[sla]]
name = "month"
share_percent = 95
days = 30

[webhooks]
allow = ["127.0.0.0/8"]
"""
TEMPLATE = "december"
ITEMS = """
title = "What the old libraries need"
[[item]]
label = "openssl 3.0.17"
expression = 'package("openssl") < version("3.0.17")'
[[item]]
label = "curl 8"
expression = 'package("curl") < version("8")'
"""
LABELS = ("openssl 3.0.17", "curl 8")


def fill(company: Company, entries: int) -> dict[str, str]:
    """Fill the home, its audit log up to ``entries``; return what stands for each name in the addresses of pages."""
    home, now = company.home, time.time()
    context = Context(home, SystemClock())
    with home.settings.open("a") as file:
        file.write(SETTINGS)
    record_all(company)
    with context.database() as database:
        database.save_seen({
            pc.endpoint: SeenRow(f"branch-{pc.number % _sites(company):04}", pc.address, "p2pdist bench", True, now)
            for pc in company.pcs
        })  # fmt: skip
        numbers = [head.number for head in database.patch_heads()]
        fill_standing(database, numbers, now - 30 * DAY, now)
        _lines(database, _sites(company), now)
    bundle = _started(context, company.directory)
    exception_operations.add_exception(
        context, ROOT, who='site == "branch-0001"', until=now + 9 * DAY, reason="stocktaking", owner="Store IT"
    )
    add_person(context, ROOT, LOOKER, roles=["administrator"], password=PASSWORD)
    _diagnosed(context, company)
    _logged(context, company, entries, now)
    for number in range(ACCOUNTS):
        add_person(context, ROOT, f"person-{number}", roles=["viewer"], sites=[f"branch-{number % 50:04}"])
    add_webhook(context, ROOT, LOOKER, "https://127.0.0.1:9/hooks", events=["rollout"])
    first = company.patches[0]
    return {
        "patch": f"{first.patch_id}@{first.version}",
        "number": "1",
        "site": "branch-0001",
        "endpoint": company.pcs[1].endpoint,
        "name": LOOKER,
        "id": bundle,
        "profile.name": "branch-0001",
        "diagnosis.name": TEMPLATE,
        "diagnosis_pcs.name": TEMPLATE,
        "template.name": "rings",
        "template_file.name": "rings",
        "audit_entry.number": "0",
        "audit_proof.number": "0",
    }


def _sites(company: Company) -> int:
    return len({pc.address for pc in company.pcs})


def _lines(database: Database, sites: int, now: float) -> None:
    """Write what each line did in a day, and of one that is looked at in a week: all of them are busy all the time."""
    last = slot_of(now)
    for slot in range(last - WEEK_SLOTS, last):
        names = range(sites) if slot >= last - DAY_SLOTS else range(1, 2)
        rows = [
            LineSlot(
                f"branch-{number:04}", slot, active=600.0, sent=10**7 + number * (slot % 97), allowed=5e8,
                cause=Reason.CEILING.value if slot % 7 else Reason.QUEUE.value, cause_seconds=500.0,
                business=slot % 31 * 10**6, business_seconds=590.0, harm_seconds=float(slot % 41 == 0), queue=0.011,
            )
            for number in names
        ]  # fmt: skip
        database.add_line_minutes(rows, [WatchedSlot(slot, 1, 600.0)])


def _started(context: Context, folder: Path) -> str:
    """Publish patches and start their rollouts; return the id of what waits to be signed."""
    keys = OfflineKeys(context.home.offline_keys, None)
    for number in range(PUBLISHED):
        name = f"ringed-{number}"
        (folder / name).write_text(name)
        recipe = Recipe(patch_id=name, version="1", payload=(PayloadFile(name),))
        operations.publish(context, ROOT, Publication(recipe, folder), keys, offered=False)
        if number:
            start_rollout(context, ROOT, name, ring_template("rings"))
    return preparing.prepare_withdrawal(context, ROOT, "ringed-0", "not needed", folder / "copy.bundle").bundle_id


def _diagnosed(context: Context, company: Company) -> None:
    """Ask all PCs something, and have nine of ten answer."""
    (company.directory / "december.toml").write_text(ITEMS)
    keys = OfflineKeys(context.home.offline_keys, None)
    operations.set_template(context, ROOT, TEMPLATE, company.directory / "december.toml", keys)
    now = context.clock.now()
    with context.database() as database, database.batch():
        for pc in company.pcs:
            if pc.number % 10:
                needed = pc.number % 3 == 0
                answers = tuple(
                    DiagnosisAnswer(label=label, applies=True, needed=needed, reason="openssl is 3.0.15")
                    for label in LABELS
                )
                database.save_diagnosis(pc.endpoint, Diagnosis(template=TEMPLATE, answers=answers), now)


def _logged(context: Context, company: Company, entries: int, now: float) -> None:
    """Let the audit log have ``entries``, of the last year; the next one that is audited makes the checkpoint."""
    with context.database() as database:
        while (size := database.audit_size()) < entries:
            with database.batch():
                for number in range(size, min(size + ENTRIES_AT_A_TIME, entries)):
                    entry = AuditEntry(
                        number=number, at=now - 365 * DAY * (1 - number / entries), actor=f"person-{number % ACCOUNTS}",
                        known_by="password", role="administrator", address="10.1.2.3", request=f"{number:016x}",
                        operation=DEEDS[number % len(DEEDS)], subject=company.pcs[number % len(company.pcs)].endpoint,
                        reason="stolen from a car", details={"session": "5f0c6a1b92d4", "by": "code"},
                    )  # fmt: skip
                    encoded = encode_entry(entry)
                    database.append_audit(lambda _, encoded=encoded: encoded)  # type: ignore[misc]


def filtered(addresses: Sequence[str], known: dict[str, str]) -> list[str]:
    """Return further looks of those pages that there are: with filters in the address, and their other parts.

    The plan of a patch is none of them: it is computed when somebody asks for it, as `seed-server plan` does.
    """
    patch = quote(known["patch"])
    more = {
        "/pcs": (f"site={known['site']}", f"patch={patch}&patch_state=failed", "begins=pc-00", "sort=seen"),
        f"/pcs/{known['endpoint']}": ("show=patches", "show=history", "show=inventory"),
        "/missing": (
            f"patch={patch}",
            f"site={known['site']}",
            "reason=silent",
            f"patch={patch}&reason=install_failed",
        ),
        "/inventory": ("expression=ram_mb%20%3C%208000", "package=openssl"),
        "/patches": ("text=live-02", "state=offered", "sort=priority"),
        f"/patches/{quote(known['patch'], safe='@')}": ("part=priority", "part=files"),
        "/patches/ringed-0@1": ("part=start",),
        "/sites": ("sort=name", "state=sending", "q=branch-01"),
        f"/sites/{known['site']}": ("span=week", "show=profile", "show=plans", "show=findings"),
        "/rollouts": ("show=all",),
        "/audit": ("deed=add%20account", "deed=approve", "who=person-7", "subject=nothing", "rollout=1"),
    }
    there = {"/patches/ringed-0@1", *addresses}
    return [f"{page}?{query}" for page, queries in more.items() if page in there for query in queries]
