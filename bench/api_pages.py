"""How long the API takes for pages of lists in a large company: over TLS on loopback, from a running server.

python -m bench.api_pages [--pcs 25000] [--patches 300] [--requests 40]
"""

import argparse
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import text

from bench.fleet_processes import free_ports
from bench.fleet_size.bulk import PATTERN, copy_patches
from bench.fleet_size.state import percentile
from p2pdist.shared.clock import SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import ROLES
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow, ServedPayload
from seed_server.store.tables import STANDING, said_code

ROOT = Actor.local_user("root")
SITES = 200
SERVE = [sys.executable, "-c", "from seed_server.commands.main import main; main()", "serve", "--home"]
PAGES = (
    "status", "progress", "patches", "endpoints", "endpoints?site=site-007", "endpoints?sort=seen",
    "standing?lacking=true", f"standing?patch={PATTERN}", "standing?state=failed&limit=1000", "sites", "rollouts",
    "exceptions", "people", "tokens", "audit", "history", "inventory", "disk",
)  # fmt: skip
"""What is asked for; the last two look at all PCs, or at the disk."""


def company(folder: Path, settings: ServerSettings, pcs: int, patches: int) -> tuple[Context, str]:
    """Make the home of a company; return it, and a token that may look at all of it."""
    home, clock = ServerHome(folder / "home"), SystemClock()
    initialise(home, settings, passphrase=None, now=clock.now())
    context = Context(home, clock)
    (folder / "p.msi").write_bytes(b"payload")
    recipe = Recipe(patch_id=PATTERN, version="1", payload=(PayloadFile("p.msi"),))
    operations.publish(context, ROOT, Publication(recipe, folder), OfflineKeys(home.offline_keys, None))
    copy_patches(home, patches - 1, patches)
    with context.database() as database:
        _rows(database, context, pcs, clock.now())
    add_person(context, ROOT, "machine", roles=["administrator"])
    rights = ROLES["administrator"]
    made = make_api_token(context, ROOT, label="pages", seconds=86_400, permissions=rights, owner="machine")
    return context, made.text


def _rows(database: Database, context: Context, pcs: int, now: float) -> None:
    (pattern,) = database.payloads()
    with database.batch():
        for place, manifest in enumerate(context.repository().manifests()):
            if manifest.patch_id != PATTERN:
                database.add_patch(_as(pattern, manifest.patch_id, manifest.payloads[0].torrent_hash, place))
        names = [f"pc{number:024d}" for number in range(pcs)]
        for number, name in enumerate(names):
            database.add_endpoint(name, f"pc-{number:05d}", now - number, ["test"] if number % 50 == 0 else [])
        database.save_seen({
            name: SeenRow(f"site-{number % SITES:03d}", "10.0.0.1", "p2pdist/1", number % 3 > 0, now - number)
            for number, name in enumerate(names)
        })  # fmt: skip
    installed, failed = said_code("verified", "installed"), said_code("verified", "failed")
    with database.batch(), database._writing() as connection:  # noqa: SLF001 - millions of rows, in seconds
        failing = "(e.number + p.number) % 40 = 0"
        said = f"CASE WHEN {failing} THEN {failed} ELSE {installed} END"
        done = f"CASE WHEN {failing} THEN 0 ELSE 50000000 END"
        rows = f"SELECT 5, 7, p.number, e.number, 9, 50000000, 0, {said}, 1000, {done} FROM patches p, endpoints e"
        columns = ", ".join(column.name for column in STANDING.columns)
        connection.execute(text(f"INSERT INTO standing ({columns}) {rows} WHERE (e.number * 7 + p.number) % 20 > 0"))
        counted = (
            "SELECT s.patch, e.site, 0, s.said, count(*) FROM standing s JOIN endpoints e ON e.number = s.endpoint"
        )
        connection.execute(text(f"INSERT INTO tallies {counted} GROUP BY s.patch, e.site, s.said"))


def _as(pattern: ServedPayload, patch_id: str, torrent: str, place: int) -> ServedPayload:
    values = {name: getattr(pattern, name) for name in pattern.__struct_fields__}
    return type(pattern)(**values | {"patch_id": patch_id, "torrent_hash": torrent, "sequence": place + 2})


def main() -> None:
    """Measure each page, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--pcs", type=int, default=25_000)
    parser.add_argument("--patches", type=int, default=300)
    parser.add_argument("--requests", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="api-pages-") as name:
        folder = Path(name)
        web, origin, api = free_ports(3)
        settings = ServerSettings(name="hq", address="127.0.75.1", web_port=web, origin_port=origin, api_port=api)
        context, token = company(folder, settings, options.pcs, options.patches)
        with (folder / "server.log").open("w+b") as log:
            process = subprocess.Popen([*SERVE, str(context.home.root)], stdout=log, stderr=log)
            try:
                while "serving hq" not in (folder / "server.log").read_text():
                    time.sleep(0.1)
                _measure(context, f"https://127.0.0.1:{api}", token, options.requests)
            finally:
                process.terminate()
                process.wait()


def _measure(context: Context, url: str, token: str, requests: int) -> None:
    trust = ssl.create_default_context(cadata=CertificateAuthority.open(context.home.ca).control_ca_pem)
    headers = {"Authorization": f"Bearer {token}"}
    say = sys.stdout.write
    say("| GET /api/v1/… | p50 | p95 | bytes |\n|---|---|---|---|\n")
    with httpx.Client(base_url=url, verify=trust, headers=headers, trust_env=False, timeout=120) as client:
        for page in PAGES:
            took, size = [], 0
            for _ in range(requests + 1):
                began = time.perf_counter()
                answer = client.get(f"/api/v1/{page}")
                answer.raise_for_status()
                took.append(1_000 * (time.perf_counter() - began))
                size = len(answer.content)
            say(f"| {page} | {percentile(took[1:], 50):.0f} ms | {percentile(took[1:], 95):.0f} ms | {size:,} |\n")


if __name__ == "__main__":
    main()
