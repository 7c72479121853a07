"""Release 0.2.0 and the present one in one fleet: its server's home, and its daemons, go on with the new server."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, Place, is_verified, open_fleet_at
from bench.fleet_processes import run_command
from tests.helpers.previous_release import place_of_previous_release

pytestmark = pytest.mark.processes

NETWORK = "127.0.43"
OLD, NEW = (1, 2), 3  # endpoints: two of the previous release, and one of this
FILE_BYTES = 3_000_000  # twelve pieces: enough to swap
WITHIN_SECONDS = 90.0  # each step takes seconds; a machine may be busy
MOST_TIMES = 1.5  # of a file's size, over the line: who comes late gets most of it from neighbours
OBEY_SECONDS = 10.0  # the promise of the stop button


def archive(path: Path) -> Path:
    """Write an archive of one file that nobody can compress."""
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("tool/data")
        member.size = FILE_BYTES
        tar.addfile(member, io.BytesIO(os.urandom(FILE_BYTES)))
    return path


def installs(name: str) -> tuple[str, ...]:
    return ("--install", "archive", "--directory", f"/opt/{name}")


def installed(fleet: Fleet, patch_id: str, *numbers: int) -> bool:
    return all(fleet.endpoints[k].install_state(patch_id, "1.0") == "installed" for k in numbers)


def from_origin(fleet: Fleet, patch_id: str) -> int:
    return sum(member.patch(patch_id).bytes_from_origin for member in fleet.endpoints.values())


def has_nothing_of_it(member: Member, patch_id: str) -> bool:
    return member.latest is not None and patch_id not in {patch.id for patch in member.latest.patches}


async def on_server(fleet: Fleet, command: str, *arguments: str) -> str:
    return await run_command("seed-server", command, "--home", fleet.server.home, *arguments)


async def reported(fleet: Fleet, patch_id: str) -> list[str]:
    """Return what PCs have told the server of an installation."""
    patches = json.loads(await on_server(fleet, "status", "--json"))["patches"]
    return [row["install"] for patch in patches if patch["id"] == patch_id for row in patch["endpoints"]]


async def old_server(fleet: Fleet, command: str, *arguments: str | Path | int, old: Place) -> str:
    return await run_command("seed-server", command, "--home", fleet.server.home, *arguments, prefix=old.prefix)


@pytest.mark.slow
async def test_a_fleet_of_the_previous_release_goes_on_with_the_new_server(tmp_path: Path) -> None:
    old = place_of_previous_release(f"{NETWORK}.1")
    places = [place_of_previous_release(f"{NETWORK}.{10 + k}") for k in OLD] + [Place(f"{NETWORK}.{10 + NEW}")]
    async with open_fleet_at(tmp_path, Place(f"{NETWORK}.1"), places) as fleet:
        await old_server(
            fleet, "init", "--name", "fleet", "--address", f"{NETWORK}.1", "--web-port", fleet.web_port,
            "--origin-port", fleet.origin_port, old=old,
        )  # fmt: skip
        first = archive(tmp_path / "first.tar")
        await old_server(
            fleet, "publish", first, "--patch-id", "first", "--version", "1.0", *installs("first"), old=old
        )

        await fleet.start_server()  # the new one, in the old one's home
        await fleet.start_endpoint(NEW)
        await fleet.wait_until(lambda: installed(fleet, "first", NEW), WITHIN_SECONDS, "the old publication")
        async with trio.open_nursery() as nursery:
            for k in OLD:
                nursery.start_soon(fleet.start_endpoint, k)
        await fleet.wait_until(lambda: installed(fleet, "first", *OLD), WITHIN_SECONDS, "it, from the new PC")
        assert from_origin(fleet, "first") <= MOST_TIMES * first.stat().st_size, "most of it came from the new PC"

        await fleet.stop(fleet.endpoints[NEW])
        second = archive(tmp_path / "second.tar")
        await fleet.publish(second, "second", "1.0", *installs("second"))
        await fleet.wait_until(lambda: installed(fleet, "second", *OLD), WITHIN_SECONDS, "a new publication")
        await fleet.start_endpoint(NEW)
        await fleet.wait_until(lambda: installed(fleet, "second", NEW), WITHIN_SECONDS, "it, from the old PCs")
        assert from_origin(fleet, "second") <= MOST_TIMES * second.stat().st_size
        for patch_id in ("first", "second"):
            with trio.fail_after(WITHIN_SECONDS):
                while await reported(fleet, patch_id) != ["installed"] * len(places):  # noqa: ASYNC110
                    await trio.sleep(0.5)

        await on_server(fleet, "withdraw", "first", "--reason", "crashes on start")
        members = fleet.endpoints.values()
        await fleet.wait_until(
            lambda: all(has_nothing_of_it(member, "first") for member in members), OBEY_SECONDS, "obeying"
        )
        assert all(is_verified(member, "second") for member in members)
