"""The company whose pages are looked at: its PCs, patches and rollouts, and what its people have done. Blocking."""

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.fleet_size.company import Company
from bench.fleet_size.connecting import record_all
from bench.fleet_size.state import fill_standing
from bench.pages.users import PASSWORD
from p2pdist.shared.clock import SystemClock
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
from seed_server.store.rows import SeenRow

ROOT = Actor.local_user("bench")
LOOKER = "nora"
DAY = 86_400.0
PUBLISHED = 4  # patches that no PC has heard of: rollouts of all but the first one have begun
AUDIT_ENTRIES = 300  # beside those of the publications
SETTINGS = """
[[sla]]
name = "month"
share_percent = 95
days = 30

[webhooks]
allow = ["127.0.0.0/8"]
"""
DIAGNOSIS = """title = "Disks"
[[item]]
label = "small disk"
expression = 'disk.free_mb < 1000'
"""


def fill(company: Company) -> dict[str, str]:
    """Fill the home; return what stands for each name in the addresses of pages."""
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
    bundle = _started(context, company.directory)
    exception_operations.add_exception(
        context, ROOT, who='site == "branch-0001"', until=now + 9 * DAY, reason="stocktaking", owner="Store IT"
    )
    add_person(context, ROOT, LOOKER, roles=["administrator"], password=PASSWORD)
    for number in range(AUDIT_ENTRIES):
        add_person(context, ROOT, f"person-{number}", roles=["viewer"], sites=[f"branch-{number % 50:04}"])
    add_webhook(context, ROOT, LOOKER, "https://127.0.0.1:9/hooks", events=["rollout"])
    disks = company.directory / "disks.toml"
    disks.write_text(DIAGNOSIS)
    operations.set_template(context, ROOT, "disks", disks, OfflineKeys(home.offline_keys, None))
    first = company.patches[0]
    return {
        "patch": f"{first.patch_id}@{first.version}",
        "number": "1",
        "site": "branch-0001",
        "endpoint": company.pcs[1].endpoint,
        "name": LOOKER,
        "id": bundle,
        "profile.name": "branch-0001",
        "diagnosis.name": "disks",
        "template.name": "rings",
        "template_file.name": "rings",
        "audit_entry.number": "0",
        "audit_proof.number": "0",
    }


def _sites(company: Company) -> int:
    return len({pc.address for pc in company.pcs})


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


def filtered(addresses: Sequence[str], known: dict[str, str]) -> list[str]:
    """Return further looks of those pages that there are: with filters in the address, and their other parts.

    The plan of a patch is none of them: it is computed when somebody asks for it, as `seed-server plan` does.
    """
    patch = quote(known["patch"])
    more = {
        "/pcs": (f"site={known['site']}", f"patch={patch}&patch_state=failed", "begins=pc-00", "sort=seen"),
        f"/pcs/{known['endpoint']}": ("show=patches", "show=history", "show=inventory"),
        "/missing": (f"patch={patch}", f"site={known['site']}", f"patch={patch}&reason=failed"),
        "/patches": ("text=live-02", "state=offered", "sort=priority"),
        f"/patches/{quote(known['patch'], safe='@')}": ("part=priority", "part=files"),
        "/patches/ringed-0@1": ("part=start",),
        "/sites": ("sort=name", "q=branch-01"),
        f"/sites/{known['site']}": ("span=week", "show=profile", "show=plans", "show=findings"),
        "/rollouts": ("show=all",),
        "/inventory": ("package=openssl",),
        "/audit": ("deed=add%20account",),
    }
    there = {"/patches/ringed-0@1", *addresses}
    return [f"{page}?{query}" for page, queries in more.items() if page in there for query in queries]
