"""With real processes: PCs with room for a third of the patches, and a disk that is full.

How the order is chosen: `tests/property/test_eviction.py`; what the server lets go: `tests/property/test_spares.py`.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, open_fleet
from bench.fleet_processes import run_command
from p2pdist.daemon.disk_keeper import MB
from tests.helpers import small_disk as disks

pytestmark = pytest.mark.processes

PATCHES = [f"app-{letter}" for letter in "abcdef"]
FILE_BYTES = 4_000_000
QUOTA_MB = 10  # two of six fit
MOST_RATIO = 1.02  # of what crosses the line; see `Site.wan_bytes`
WITHIN_SECONDS = 150.0


def recipe_of(directory: Path, patch_id: str) -> Path:
    """Write an archive of random bytes and its recipe."""
    archive = directory / f"{patch_id}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        data = os.urandom(FILE_BYTES)
        member = tarfile.TarInfo("bin/app")
        member.size, member.mode = len(data), 0o755
        tar.addfile(member, io.BytesIO(data))
    recipe = directory / f"{patch_id}.toml"
    recipe.write_text(
        f"""
patch_id = "{patch_id}"
version = "1.0"
[install]
kind = "archive"
directory = "/opt/{patch_id}"
[[payload]]
file = "{archive.name}"
[[detect]]
kind = "file"
path = "/opt/{patch_id}/current/bin/app"
"""
    )
    return recipe


async def start(fleet: Fleet, *numbers: int) -> None:
    await fleet.init_server()
    network = fleet.server.address.rpartition(".")[0]
    (fleet.server.home / "sites.toml").write_text(f'[[site]]\nname = "branch"\nnetworks = ["{network}.0/24"]\n')
    await fleet.start_server()
    for k in numbers:
        await start_pc(fleet, k)


async def start_pc(fleet: Fleet, k: int, quota_mb: int = QUOTA_MB) -> None:
    await fleet.enrol(k)
    with (fleet.endpoints[k].home / "config.toml").open("a") as config:
        config.write(f"cache_mb = {quota_mb}\n")
    await fleet.start_endpoint(k)


def has_installed_all(member: Member) -> bool:
    return all(member.install_state(patch_id, "1.0") == "installed" for patch_id in PATCHES)


def used_bytes(member: Member) -> int:
    return sum(path.stat().st_blocks * 512 for path in (member.home / "cache").iterdir() if path.is_file())


def kept_copies(*members: Member) -> dict[str, int]:
    """Return how many of ``members`` have each patch, by what they say."""
    return {
        patch_id: sum(not member.patch(patch_id).left and bool(member.patch(patch_id).path) for member in members)
        for patch_id in PATCHES
    }


async def wan_bytes(fleet: Fleet) -> int:
    status = json.loads(await run_command("seed-server", "status", "--home", fleet.server.home, "--json"))
    return sum(site["wan_bytes"] for patch in status["patches"] for site in patch["sites"])


@pytest.mark.slow
async def test_with_a_quota_for_a_third_every_pc_installs_all_and_each_piece_crosses_the_line_once(
    tmp_path: Path,
) -> None:
    async with open_fleet(tmp_path, network="127.0.91", endpoints=4) as fleet:
        await start(fleet, 1, 2, 3)
        early = [fleet.endpoints[k] for k in (1, 2, 3)]
        for patch_id in PATCHES:
            await fleet.publish_recipe(recipe_of(tmp_path, patch_id))
        await fleet.wait_until(
            lambda: all(map(has_installed_all, early)), WITHIN_SECONDS, "all being installed on the first three"
        )
        # 24 MB on three PCs of 10 MB: all that may leave has left, and of each patch one copy has stayed
        await fleet.wait_until(
            lambda: sum(map(used_bytes, early)) < 3 * QUOTA_MB * MB + FILE_BYTES, WITHIN_SECONDS, "room being made"
        )
        copies = kept_copies(*early)
        assert all(copies.values()), copies
        assert any(count < len(early) for count in copies.values()), copies
        # one that comes late gets all of it from them
        await start_pc(fleet, 4)
        await fleet.wait_until(
            lambda: has_installed_all(fleet.endpoints[4]), WITHIN_SECONDS, "all being installed on the late one"
        )
        sizes = sum((tmp_path / f"{patch_id}.tar.gz").stat().st_size for patch_id in PATCHES)
        for member in fleet.endpoints.values():
            await fleet.stop(member)
        ratio = await wan_bytes(fleet) / sizes
        assert ratio <= MOST_RATIO, copies


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The home of endpoint 1, on a file system of 96 MiB: 64 of them have to stay free."""
    with disks.small_disk(tmp_path / "endpoint1", 96, "0700") as path:
        yield path


@pytest.mark.slow
async def test_a_full_disk_is_said_once_and_all_goes_on_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.92", endpoints=1) as fleet:
        await start(fleet, 1)
        member = fleet.endpoints[1]
        filler = small_disk / "filler"  # another program's
        filler.write_bytes(bytes(40 << 20))
        for patch_id in PATCHES[:3]:
            file = tmp_path / f"{patch_id}.bin"
            file.write_bytes(os.urandom(FILE_BYTES))
            await fleet.publish(file, patch_id)

        def waiting() -> list[str]:
            return [patch.id for patch in member.patches if patch.waits_for_room]

        await fleet.wait_until(lambda: waiting() == PATCHES[:3], WITHIN_SECONDS, "all three waiting for room")
        assert member.latest is not None
        assert member.latest.problem_codes.count("disk") == 1
        shown = await run_command("p2pdist", "status", "--home", member.home)
        assert shown.count("too full") == 1, shown
        why = json.loads(await run_command("p2pdist", "why", PATCHES[1], "--home", member.home, "--json"))
        assert why["patches"][0]["reason"] == "the disk is full"
        await trio.sleep(12.0)  # two more looks at the disk
        assert member.log.read_text().count("transfer failed") == 1
        filler.unlink()
        await fleet.wait_until(
            lambda: all(member.patch(patch_id).state == "verified" for patch_id in PATCHES[:3]),
            WITHIN_SECONDS,
            "going on by itself",
        )
        await fleet.wait_until(
            lambda: member.latest is not None and "disk" not in member.latest.problem_codes, 30.0, "being well"
        )
