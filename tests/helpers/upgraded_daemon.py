"""A daemon that installs p2pdist's own package: the real loop, journal, installer and supervisor in real processes.

``python upgraded_daemon.py DIRECTORY`` reads what is offered from ``DIRECTORY/offer.json``. What is installed below the
root decides how this daemon is: the version ``…-dead`` ends at once, ``…-mute`` never speaks with its server.
"""

import json
import os
import signal
import sys
import time
from datetime import UTC
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate
from p2pdist.install.supervision import Order, ServerPlace, SupervisorPace
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.manifest.recipe import DebInstall, SelfUpgrade
from tests.helpers.install_place import manifest

PACE = SupervisorPace(poll_seconds=0.05, probe_seconds=0.3, steady_seconds=0.4, said_seconds=30.0)
CONTACT_SECONDS = 2.5
STEP_SECONDS = 0.1


def version_there(directory: Path) -> str:
    """Return which version is installed."""
    try:
        return (directory / "root/opt/p2pdist/version").read_text().strip()
    except OSError:
        return "none"


async def main(directory: Path) -> None:
    """Run until SIGTERM."""
    version = version_there(directory)
    with (directory / "starts").open("a") as starts:
        starts.write(f"{version}\n")
    if version.endswith("-dead"):
        sys.exit(1)
    offer = json.loads((directory / "offer.json").read_text())
    own = SelfUpgrade() if offer["own"] else None
    install = DebInstall(package="p2pdist", timeout_seconds=60, self_upgrade=own)
    made = manifest(offer["version"], install)
    payload = replace(made.payloads[0], sha256=offer["sha256"], file_name=Path(offer["file"]).name)
    candidate = Candidate(replace(made, payloads=[payload], number=offer["number"]), 1, payload, offer["file"])

    async def damaged(_torrent_hash: str) -> None:
        raise AssertionError("nothing is damaged")

    server = None if offer["server"] is None else ServerPlace(**offer["server"])
    hooks = DaemonHooks(lambda: None, damaged, lambda: None)
    if own is not None:
        hooks = DaemonHooks(
            lambda: None, damaged, lambda: None,
            spoken=lambda: not version.endswith("-mute") and (directory / "network").exists(), server=lambda: server,
        )  # fmt: skip
    root = directory / "root"
    installer = Installer(root, directory / "scratch", scripts_on_host=True)
    installs = Installs(
        EndpointHome(directory / "home"), installer, lambda: [candidate], hooks, SystemClock(),
        may_restart=False, zone=lambda _now: UTC,
    )  # fmt: skip
    if own is not None:
        quicken(installs, directory, offer)
    await installs.load()
    (directory / "pid").write_text(str(os.getpid()))
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(step, installs)
            nursery.start_soon(tell, installs, directory)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


def quicken(installs: Installs, directory: Path, offer: dict[str, object]) -> None:
    """Let the supervisor look often, wait briefly, and be started by the test's manager of services."""
    supervision = installs.supervision
    supervision.pace = PACE
    hand_over = supervision.hand_over

    async def handed(order: Order) -> None:
        await hand_over(replace(order, contact_seconds=CONTACT_SECONDS))

    supervision.hand_over = handed  # type: ignore[method-assign]
    if offer["manager"]:

        async def start(program: Path, directory: Path, unit: str) -> str:
            client = [str(word) for word in offer["manager"]]  # type: ignore[attr-defined]
            command = [*client, f"run={unit}", sys.executable, "-I", "-S", str(program), str(directory)]
            await trio.run_process(command)
            return ""

        supervision._starter.start_supervisor = start  # type: ignore[method-assign]


async def step(installs: Installs) -> None:
    """Look more often than a daemon does."""
    while True:
        wait = await installs.step()
        if any(record.supervised for record in installs.journal.records):
            await installs.supervision.say()
        await trio.sleep(min(wait, STEP_SECONDS))


async def tell(installs: Installs, directory: Path) -> None:
    """Write down what the plan says, for the test to look at."""
    while True:
        rows = [
            {
                "state": row.state,
                "reason": row.reason,
                "at": time.time(),
                "decision": row.record and row.record.decision,
            }
            for row in installs.plan()
        ]
        place = directory / "plan.json"
        place.with_suffix(".new").write_text(json.dumps(rows))
        place.with_suffix(".new").replace(place)
        await trio.sleep(0.1)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
