"""Cases that schemathesis makes of the API's own description, against a real server on loopback with a filled home.

python -m tests.api.cases [--cases 20000] [--seconds 1500] [--seed 1]

Whatever is sent, the answer is none of 5xx, and what the description says. Ends with 1 where it is not, or where fewer
cases were sent.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trio

from bench.fleet_processes import free_ports
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.wire.messages import PatchReport
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.fleet import exception_operations, legal_holds, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import ROLES
from seed_server.fleet.rollout_operations import start_rollout
from seed_server.fleet.rollout_queries import ring_template
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow
from tests.helpers.large_fleet import endpoint_id

ROOT = Actor.local_user("root")
PCS, SITES, PATCHES = 40, ("leeds", "osaka", "oslo"), 4
SERVE = [sys.executable, "-c", "from seed_server.commands.main import main; main()", "serve", "--home"]
START_SECONDS = 60.0
CASES_OF_AN_OPERATION = 80  # by chance; others follow from the description
ACCEPTED = ["2xx", "304", "401", "403", "404", "409", "412", "413", "415", "422", "429", "431"]
"""What may become of a request of the right form: of names and numbers that are not there, nothing else can."""


ENDING = ("removePerson", "revokeApiToken", "setDisabled", "setRoles", "setScope")
"""What may end the token by which cases are sent: these come last."""


@dataclass(frozen=True)
class Filled:
    """A home in which there is something of each kind."""

    context: Context
    token: str
    known: dict[str, list[str | int]]
    """Names, ids and numbers that are there, by the parameter that takes them."""


def filled_home(folder: Path, settings: ServerSettings) -> Filled:
    """Make the home of a company."""
    home, clock = ServerHome(folder / "home"), SystemClock()
    initialise(home, settings, passphrase=None, now=clock.now())
    context, keys = Context(home, clock), OfflineKeys(home.offline_keys, None)
    for number in range(PATCHES):
        (folder / f"p{number}.msi").write_text(f"payload {number}")
        recipe = Recipe(patch_id=f"acme-{number}", version="1", payload=(PayloadFile(f"p{number}.msi"),))
        operations.publish(context, ROOT, Publication(recipe, folder), keys, offered=number < 2)
    pcs = [endpoint_id(number) for number in range(PCS)]
    with context.database() as database:
        now = clock.now()
        for number, pc in enumerate(pcs):
            database.add_endpoint(pc, f"pc-{number}", now, ["test"] if number % 8 == 0 else [])
        database.save_facts({pc: {"hostname": f"pc-{number}"} for number, pc in enumerate(pcs)})
        database.save_seen({
            pc: SeenRow(SITES[number % 3], "10.0.0.1", "p2pdist/1", number % 2 == 0, now)
            for number, pc in enumerate(pcs)
        })  # fmt: skip
        report = PatchReport(
            patch_id="acme-0", version="1", state="verified", progress=1.0, bytes_from_origin=1, bytes_from_peers=2,
            seconds=3.0, bytes_wasted=0, error="", install="installed",
        )  # fmt: skip
        database.save_reports({pc: [report] for pc in pcs[:20]}, now)
    start_rollout(context, ROOT, "acme-2", ring_template("rings"))
    exception_operations.add_exception(
        context, ROOT, who='site == "oslo"', until=clock.now() + 9e5, reason="Christmas", owner="Store IT"
    )
    legal_holds.hold_history(context, ROOT, "case 17")
    for name, role in (("ada", "operator"), ("bob", "approver"), ("eve", "viewer"), ("zoe", "auditor")):
        add_person(context, ROOT, name, roles=[role])
    add_person(context, ROOT, "machine", roles=["administrator"])
    ids = [operations.make_token(context, ROOT, uses=2, seconds=3_600, tags=()).token_id for _ in range(3)]
    made = [make_api_token(context, ROOT, label="x", seconds=9, permissions=["look"], owner="ada") for _ in range(3)]
    bundle = preparing.prepare_withdrawal(context, ROOT, "acme-3", "unneeded", folder / "copy.bundle").bundle_id
    rights = ROLES["administrator"]
    token = make_api_token(context, ROOT, label="cases", seconds=86_400, permissions=rights, owner="machine").text
    return Filled(
        context,
        token,
        {
            "endpoint": ["pc-1", "pc-2", "pc-9", *pcs[3:12]], "patch": ["acme-0", "acme-1@1", "acme-2", "acme-3"],
            "site": [*SITES], "number": [0, 1, 2], "name": ["ada", "bob", "eve", "zoe"],
            "id": [*ids, *(one.row.token_id for one in made), bundle],
        },
    )  # fmt: skip


def config_of(filled: Filled) -> str:
    """Return the configuration of schemathesis: which names there are, and what may become of a request."""
    parts = ["[checks.positive_data_acceptance]", f"expected-statuses = {json.dumps(ACCEPTED)}", ""]
    parts += ["[checks.negative_data_rejection]", 'expected-statuses = ["4xx"]', ""]
    for name, values in filled.known.items():
        parts += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}", ""]
    parts += ["[parameters]"]
    parts += [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.6 }}' for name in filled.known]
    return "\n".join([*parts, ""])


def run_cases(folder: Path, filled: Filled, url: str, options: argparse.Namespace, chosen: list[str]) -> int:
    """Send cases to the ``chosen`` operations; return how many were."""
    ca = folder / "ca.pem"
    ca.write_text(CertificateAuthority.open(filled.context.home.ca).control_ca_pem)
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(config_of(filled))
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}/api/v1/openapi.json",
        "--tls-verify", str(ca), "--header", f"Authorization: Bearer {filled.token}", "--workers", "2",
        "--max-examples", str(options.examples), "--max-time", str(options.seconds), "--seed", str(options.seed),
        "--no-shrink", *chosen, "--report-json-path", str(report), "--continue-on-failure",
        "--request-timeout", "60", "--suppress-health-check", "all", "--generation-database", "none",
    ]  # fmt: skip
    if options.phases:
        command += ["--phases", options.phases]
    ended = subprocess.run(command, check=False, cwd=folder)
    found = json.loads(report.read_text())
    (Path(options.report) if options.report else report).write_text(json.dumps(found))
    if ended.returncode:
        raise SystemExit(1)
    return int(found["test_cases"]["generated"])


def main() -> None:
    """Make a home, serve it, send cases, and say what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--examples", type=int, default=CASES_OF_AN_OPERATION, help="by chance, of each operation")
    parser.add_argument("--seconds", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="")
    parser.add_argument("--report", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="api-cases-") as name:
        folder = Path(name)
        web, origin, api = free_ports(3)
        settings = ServerSettings(name="hq", address="127.0.72.1", web_port=web, origin_port=origin, api_port=api)
        filled = filled_home(folder, settings)
        with (folder / "server.log").open("w+b") as log:
            process = subprocess.Popen([*SERVE, str(filled.context.home.root)], stdout=log, stderr=log)
            try:
                trio.run(_serving, folder / "server.log", process)
                url = f"https://127.0.0.1:{api}"
                most = [word for name in (*ENDING, "listenToEvents") for word in ("--exclude-operation-id", name)]
                few = [word for name in ENDING for word in ("--include-operation-id", name)]
                count = run_cases(folder, filled, url, options, most)
                options.seconds //= 5  # for a twentieth of the operations
                count += run_cases(folder, filled, url, options, few)
            finally:
                process.terminate()
                process.wait()
        said = (folder / "server.log").read_text()
        failed = [line for line in said.splitlines() if "request failed" in line]
        sys.stdout.write("\n".join([f"{count} cases; {len(failed)} failed by the server's log", *failed[:20], ""]))
        raise SystemExit(bool(failed) or count < options.cases)


async def _serving(log: Path, process: "subprocess.Popen[bytes]") -> None:
    with trio.fail_after(START_SECONDS):
        while "serving hq" not in log.read_text():
            assert process.poll() is None, log.read_text()
            await trio.sleep(0.1)


if __name__ == "__main__":
    main()
