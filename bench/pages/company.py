"""The company whose pages are looked at: its PCs, patches and rollouts, and what its people have done. Blocking."""

import time
from collections.abc import Sequence
from pathlib import Path

from bench.fleet_size.company import Company
from bench.fleet_size.connecting import record_all
from bench.fleet_size.state import fill_standing
from bench.pages.users import PASSWORD
from p2pdist.shared.clock import SystemClock
from seed_server.fleet import exception_operations, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.rollout_operations import start_rollout
from seed_server.fleet.rollout_queries import ring_template
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow

ROOT = Actor.local_user("bench")
LOOKER = "nora"
DAY = 86_400.0
STARTED = 3  # rollouts, of patches that no PC has heard of
AUDIT_ENTRIES = 300  # beside those of the publications
SLA = '[[sla]]\nname = "month"\nshare_percent = 95\ndays = 30\n'


def fill(company: Company) -> dict[str, str]:
    """Fill the home; return what stands for each name in the addresses of pages."""
    home, now = company.home, time.time()
    context = Context(home, SystemClock())
    with home.settings.open("a") as file:
        file.write(SLA)
    record_all(company)
    with context.database() as database:
        database.save_seen({
            pc.endpoint: SeenRow(f"branch-{pc.number % _sites(company):04}", pc.address, "p2pdist bench", True, now)
            for pc in company.pcs
        })  # fmt: skip
        numbers = [head.number for head in database.patch_heads()]
        fill_standing(database, numbers, now - 30 * DAY, now)
    _started(context, company.directory)
    exception_operations.add_exception(
        context, ROOT, who='site == "branch-0001"', until=now + 9 * DAY, reason="stocktaking", owner="Store IT"
    )
    add_person(context, ROOT, LOOKER, roles=["administrator"], password=PASSWORD)
    for number in range(AUDIT_ENTRIES):
        add_person(context, ROOT, f"person-{number}", roles=["viewer"], sites=[f"branch-{number % 50:04}"])
    first = company.patches[0]
    return {
        "patch": f"{first.patch_id}@{first.version}",
        "number": "1",
        "site": "branch-0001",
        "endpoint": company.pcs[1].endpoint,
        "name": LOOKER,
        "template.name": "rings",
        "template_file.name": "rings",
        "audit_entry.number": "0",
        "audit_proof.number": "0",
    }


def _sites(company: Company) -> int:
    return len({pc.address for pc in company.pcs})


def _started(context: Context, folder: Path) -> None:
    keys = OfflineKeys(context.home.offline_keys, None)
    for number in range(STARTED):
        name = f"ringed-{number}"
        (folder / name).write_text(name)
        recipe = Recipe(patch_id=name, version="1", payload=(PayloadFile(name),))
        operations.publish(context, ROOT, Publication(recipe, folder), keys, offered=False)
        start_rollout(context, ROOT, name, ring_template("rings"))


def filtered(addresses: Sequence[str], known: dict[str, str]) -> list[str]:
    """Return addresses with filters in them, of those pages that there are."""
    more = {
        "/pcs": (f"site={known['site']}", f"patch={known['patch']}&patch_state=failed", "begins=pc-00", "sort=seen"),
        "/missing": (f"patch={known['patch']}", f"site={known['site']}", "reason=silent"),
        "/inventory": ("expression=ram_mb%20%3C%208000", "package=openssl"),
        "/patches": ("text=live-02",),
        "/sites": ("sort=name",),
        "/audit": ("deed=add%20account",),
    }
    return [f"{page}?{query}" for page, queries in more.items() if page in addresses for query in queries]
