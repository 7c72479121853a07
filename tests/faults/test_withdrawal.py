"""With real processes: a patch is stopped in the middle, an emergency overtakes, the same bytes are published again."""

import json
import os
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, is_connected, is_verified, open_fleet
from bench.fleet_processes import run_command

pytestmark = pytest.mark.processes

FILE_BYTES = 8_000_003
WITHIN_SECONDS = 90.0  # each takes seconds; a machine may be busy
OBEY_SECONDS = 10.0  # the promise, for all PCs that are connected
LINE_MBIT = 16.0  # the file takes 4 s: time to do something in the middle


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(os.urandom(FILE_BYTES))
    return path


async def start(fleet: Fleet, *numbers: int) -> None:
    await fleet.init_server()
    network = fleet.server.address.rpartition(".")[0]
    site = f'[[site]]\nname = "branch"\nnetworks = ["{network}.0/24"]\nline_mbit = {LINE_MBIT}\n'
    (fleet.server.home / "sites.toml").write_text(site)
    await fleet.start_server()
    async with trio.open_nursery() as nursery:
        for k in numbers:
            nursery.start_soon(fleet.start_endpoint, k)


async def on_server(fleet: Fleet, command: str, *arguments: str) -> str:
    return await run_command("seed-server", command, "--home", fleet.server.home, *arguments)


def has_nothing_of_it(member: Member) -> bool:
    known = member.latest is not None and "patch" not in {patch.id for patch in member.latest.patches}
    return known and not list((member.home / "cache").iterdir()) and not list((member.home / "patches").iterdir())


async def why(member: Member) -> str:
    answer = await run_command("p2pdist", "why", "patch", "--home", member.home, "--json")
    (row,) = json.loads(answer)["patches"]
    return f"{row['state']}: {row['reason']}"


async def says_withdrawn(member: Member) -> None:
    """Wait for the answer of `why`: the part that fetches obeys before the part that installs has heard of it."""
    with trio.fail_after(OBEY_SECONDS):
        while await why(member) != "withdrawn: withdrawn: crashes on start":  # noqa: ASYNC110
            await trio.sleep(0.1)


async def told_by_pcs(fleet: Fleet) -> list[str]:
    """Return what PCs have told the server of the withdrawal; the one that is away may have told anything before."""
    (patch,) = json.loads(await on_server(fleet, "status", "--json"))["patches"]
    return [row["install_reason"] for row in patch["endpoints"] if row["install"] == "not_applicable"]


@pytest.mark.slow
async def test_a_patch_is_stopped_in_the_middle_and_offered_again(tmp_path: Path, payload: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.84", endpoints=3) as fleet:
        await start(fleet, 1, 2, 3)
        here, away = [fleet.endpoints[1], fleet.endpoints[2]], fleet.endpoints[3]
        await fleet.publish(payload, "patch")
        await fleet.wait_until(
            lambda: all(0.3 < member.patch("patch").progress < 0.9 for member in fleet.endpoints.values()),
            WITHIN_SECONDS,
            "half of the file",
        )
        await fleet.stop(away)
        assert list((away.home / "cache").iterdir()), "it has a part of the file, and was told nothing"

        printed = await on_server(fleet, "withdraw", "patch", "--reason", "crashes on start")
        assert "patch@1.0 is withdrawn" in printed
        await fleet.wait_until(lambda: all(map(has_nothing_of_it, here)), OBEY_SECONDS, "stopping, and the file's end")
        for member in here:
            await says_withdrawn(member)
        assert "withdrawn: crashes on start" in await on_server(fleet, "status")
        with trio.fail_after(WITHIN_SECONDS):
            while await told_by_pcs(fleet) != ["withdrawn: crashes on start"] * 2:  # noqa: ASYNC110
                await trio.sleep(0.5)
        (listed,) = json.loads(await on_server(fleet, "list", "--json"))
        assert (listed["state"], listed["reason"]) == ("withdrawn", "crashes on start")

        await fleet.start_endpoint(3)
        await fleet.wait_until(lambda: has_nothing_of_it(away), WITHIN_SECONDS, "obeying after an absence")
        await says_withdrawn(away)

        assert "offered again" in await on_server(fleet, "offer", "patch")
        await fleet.wait_until(
            lambda: all(is_verified(member, "patch") for member in fleet.endpoints.values()), WITHIN_SECONDS, "the end"
        )
        for member in fleet.endpoints.values():
            assert Path(member.patch("patch").path or "").read_bytes() == payload.read_bytes()


@pytest.mark.slow
async def test_an_emergency_overtakes_a_big_patch_that_is_under_way(tmp_path: Path, payload: Path) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(os.urandom(1_000))
    async with open_fleet(tmp_path, network="127.0.84", endpoints=2) as fleet:
        await start(fleet, 1, 2)
        await fleet.publish(payload, "big", "1.0", "--severity", "low")
        members = list(fleet.endpoints.values())
        await fleet.wait_until(
            lambda: all(member.patch("big").progress > 0.1 for member in members), WITHIN_SECONDS, "a start"
        )
        before = {member.name: member.patch("big").progress for member in members}
        await fleet.publish(small, "urgent", "1.0", "--severity", "critical", "--emergency")
        await fleet.wait_until(
            lambda: all(is_verified(member, "urgent") for member in members), OBEY_SECONDS, "the emergency"
        )
        assert any(member.patch("big").progress < 1.0 for member in members), "it did not wait for the big one"
        await fleet.wait_until(
            lambda: all(is_verified(member, "big") for member in members), WITHIN_SECONDS, "the rest of the big one"
        )
        assert all(before[member.name] <= member.patch("big").progress for member in members)
        assert sum(member.patch("big").bytes_from_origin for member in members) <= 1.03 * FILE_BYTES


@pytest.mark.slow
async def test_the_same_bytes_published_again_cross_no_line(tmp_path: Path) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(2_000_000))
    async with open_fleet(tmp_path, network="127.0.84", endpoints=2) as fleet:
        await start(fleet, 1, 2)
        members = list(fleet.endpoints.values())

        async def everywhere(patch_id: str, version: str) -> None:
            await fleet.wait_until(
                lambda: all(
                    is_verified(member, patch_id) and member.patch(patch_id).version == version for member in members
                ),
                WITHIN_SECONDS,
                f"{patch_id} {version}",
            )

        await fleet.publish(payload, "patch", "1.0")
        await everywhere("patch", "1.0")
        for patch_id, version, options in (
            ("patch", "1.1", ()),
            ("patch", "1.1", ("--title", "corrected")),
            ("second", "7", ()),
        ):
            assert "fetch nothing" in await fleet.publish(payload, patch_id, version, *options)
            await everywhere(patch_id, version)
        sites = json.loads(await on_server(fleet, "sites", "--json"))["sites"]
        assert sum(site["wan_bytes"] for site in sites) <= 1.01 * 2_000_000
        assert all(is_connected(member) for member in members)
