"""p2pdist upgrades itself over itself: from release 0.2.0 to the present one, from that on, and back from a bad one."""

import hashlib
import sys
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Place, open_fleet_at
from p2pdist.identity.store import load_identity
from p2pdist.install.supervisor import UpgradeSupervisor
from tests.helpers.previous_release import python_of_previous_release
from tests.helpers.replaced_program import OLD, THERE
from tests.helpers.sources import ROOT

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts"),
    pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd's units would leave the mount namespace"),
]

NETWORK = "127.0.44"
PCS = (1, 2)
WITHIN_SECONDS = 90.0
GOES_BACK_SECONDS = 200.0  # a minute until it does; a machine may be busy

RECIPE = """
patch_id = "p2pdist"
version = "{version}"
title = "p2pdist {version}"
applies_to = 'os.family != "windows"'

[[payload]]
file = "upgrade-{version}.sh"

[install]
kind = "script"
interpreter = "sh"
{more}
[[detect]]
kind = "file"
path = "{there}/release"
sha256 = "{sha256}"
"""
OF_ITSELF = 'rollback_arguments = ["undo"]\n[install.self_upgrade]\ncontact_within_minutes = 1\n'


async def publish(fleet: Fleet, directory: Path, version: str, release: str, script: str, more: str) -> None:
    (directory / f"upgrade-{version}.sh").write_text(f"#!/bin/sh\n{script}\n")
    recipe = directory / f"{version}.toml"
    sha256 = hashlib.sha256(f"{release}\n".encode()).hexdigest()
    recipe.write_text(RECIPE.format(version=version, more=more, there=THERE, sha256=sha256))
    await fleet.publish_recipe(recipe)


def upgrade(release: str, former: str) -> str:
    """Return a script that replaces the release and restarts the daemon at once, or goes back in the same way."""
    return (
        f'echo run "$1" >> {THERE}/runs\n'
        f'if [ "$1" = undo ]; then echo {former} > {THERE}/release; else echo {release} > {THERE}/release; fi\n'
        f"kill $(cat {THERE}/daemon.pid) || true"
    )


async def test_from_the_previous_release_to_this_one_and_on_and_back_from_a_bad_one(tmp_path: Path) -> None:
    python = str(python_of_previous_release())
    pcs = {k: tmp_path / f"pc{k}" for k in PCS}
    runner = str(ROOT / "tests" / "helpers" / "replaced_program.py")
    for pc in pcs.values():
        pc.mkdir()
        (pc / "release").write_text(f"{OLD}\n")
    places = [
        Place(f"{NETWORK}.{10 + k}", prefix=("/usr/bin/unshare", "--mount", sys.executable, runner, str(pc), python))
        for k, pc in pcs.items()
    ]

    def releases() -> list[str]:
        return [(pc / "release").read_text().strip() for pc in pcs.values()]

    def all_are(version: str, state: str) -> bool:
        return all(member.install_state("p2pdist", version) == state for member in fleet.endpoints.values())

    async with open_fleet_at(tmp_path, Place(f"{NETWORK}.1"), places) as fleet:
        await fleet.init_server()
        await fleet.start_server()
        for k in PCS:
            await fleet.enrol(k)
            home = fleet.endpoints[k].home  # scripts change the running system, whose part this PC is by its mounts
            (home / "config.toml").write_text("lan_port = 0\nserve_up_to_cpu_percent = 100\n")
            await fleet.start_endpoint(k)

        # a daemon of 0.2.0 has to come to the end of the installation: it is restarted by a process of its own
        first = f"echo one > {THERE}/release\nsetsid sh -c 'sleep 3; kill $(cat {THERE}/daemon.pid)' >/dev/null 2>&1 &"
        await publish(fleet, tmp_path, "1", "one", first, "")
        await fleet.wait_until(lambda: all_are("1", "installed"), WITHIN_SECONDS, "the first upgrade")
        with trio.fail_after(WITHIN_SECONDS):
            while not all("one" in (pc / "starts").read_text() for pc in pcs.values()):  # noqa: ASYNC110
                await trio.sleep(0.2)

        await publish(fleet, tmp_path, "2", "two", upgrade("two", "one"), OF_ITSELF)
        await fleet.wait_until(lambda: all_are("2", "installed"), WITHIN_SECONDS, "the second, of itself")
        assert releases() == ["two", "two"]
        assert [(pc / "runs").read_text() for pc in pcs.values()] == ["run \n"] * len(pcs), "once"

        await publish(fleet, tmp_path, "3", "broken", upgrade("broken", "two"), OF_ITSELF)
        await fleet.wait_until(lambda: all_are("3", "rolled_back"), GOES_BACK_SECONDS, "back from the bad one")
        assert releases() == ["two", "two"]
        told = await fleet.on_server("status", "--patch", "p2pdist@3", "--json")
        assert told.count("not healthy: no daemon runs") >= len(pcs), "an operator sees it"


async def test_a_supervisor_reaches_the_server_and_notices_when_that_is_gone(tmp_path: Path) -> None:
    async with open_fleet_at(tmp_path, Place(f"{NETWORK}.1"), [Place(f"{NETWORK}.11")]) as fleet:
        await fleet.init_server()
        await fleet.start_server()
        await fleet.enrol(1)
        identity = load_identity(fleet.endpoints[1].home)
        server = {"address": identity.server_address, "port": identity.origin_port, "authority": identity.control_ca}
        order = {"id": "1-install-x", "pace": {"poll_seconds": 1.0, "probe_seconds": 0.0}, "server": server}
        supervisor = UpgradeSupervisor(tmp_path, order)
        assert await trio.to_thread.run_sync(supervisor._server_answers)
        await fleet.stop(fleet.server)
        assert not await trio.to_thread.run_sync(supervisor._server_answers)
