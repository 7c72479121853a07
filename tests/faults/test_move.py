"""With real processes: the server moves to another address and ports with a patch half out; nobody enrols again."""

import json
import os
import shutil
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, Place, is_connected, is_verified, open_fleet
from bench.fleet_processes import FleetError, free_ports, run_command

pytestmark = [pytest.mark.processes, pytest.mark.slow]

NETWORK = "127.0.86"
NEW_ADDRESS = f"{NETWORK}.2"
FILE_BYTES = 8_000_003
LINE_MBIT = 16.0  # the file takes 4 s: time to do something in the middle
WITHIN_SECONDS = 90.0  # each takes seconds; a machine may be busy


async def move(fleet: Fleet, *arguments: str | int) -> str:
    return await run_command("seed-server", "move", "--home", fleet.server.home, *arguments)


async def informed(fleet: Fleet) -> int:
    known: int = json.loads(await move(fleet, "--json"))["informed"]
    return known


async def start(fleet: Fleet) -> None:
    await fleet.init_server()
    site = f'[[site]]\nname = "branch"\nnetworks = ["{NETWORK}.0/24"]\nline_mbit = {LINE_MBIT}\n'
    (fleet.server.home / "sites.toml").write_text(site)
    await fleet.start_server()
    async with trio.open_nursery() as nursery:
        for k in fleet.endpoints:
            nursery.start_soon(fleet.start_endpoint, k)


def copy_home(old: Path, new: Path, ports: tuple[int, int], before: tuple[int, int]) -> None:
    """Put the home where the new server is, as a backup does, and say its new address."""
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("moved", "*.lock"))
    say_address(new, ports, before)


def say_address(home: Path, ports: tuple[int, int], before: tuple[int, int]) -> None:
    settings = (home / "server.toml").read_text().replace(f"{NETWORK}.1", NEW_ADDRESS)
    for was, becomes in zip(before, ports, strict=True):
        settings = settings.replace(f"port = {was}", f"port = {becomes}")
    (home / "server.toml").write_text(settings)


async def serve_there(fleet: Fleet, home: Path, ports: tuple[int, int]) -> None:
    fleet.server = Member(f"server of {home.name}", home, Place(NEW_ADDRESS))
    fleet.web_port, fleet.origin_port = ports
    await fleet.start_server()


async def wait_until_known(fleet: Fleet, pcs: int) -> None:
    with trio.fail_after(WITHIN_SECONDS):
        while await informed(fleet) < pcs:  # noqa: ASYNC110 - another process's word
            await trio.sleep(0.2)


def has(fleet: Fleet, patch: str, *numbers: int) -> bool:
    return all(is_verified(fleet.endpoints[k], patch) for k in numbers)


async def test_pcs_follow_a_server_that_moves_and_one_that_missed_it_is_told(tmp_path: Path) -> None:
    early, late = tmp_path / "early.bin", tmp_path / "late.bin"
    early.write_bytes(os.urandom(100_000))
    late.write_bytes(os.urandom(FILE_BYTES))
    async with open_fleet(tmp_path, network=NETWORK, endpoints=3) as fleet:
        await start(fleet)
        await fleet.publish(early, "early")
        await fleet.wait_until(lambda: has(fleet, "early", 1, 2, 3), WITHIN_SECONDS, "the first patch")
        absent = fleet.endpoints[3]
        ids = {k: member.latest.endpoint_id for k, member in fleet.endpoints.items() if member.latest}
        keys = {k: (member.home / "identity/key.pem").read_bytes() for k, member in fleet.endpoints.items()}
        await fleet.stop(absent)

        ports = free_ports(2)
        said = await move(fleet, "--to", NEW_ADDRESS, "--web-port", ports[0], "--origin-port", ports[1])
        assert NEW_ADDRESS in said
        await wait_until_known(fleet, 2)
        with pytest.raises(FleetError, match="1 of 3 PCs do not know"):
            await move(fleet, "--finish")
        with pytest.raises(FleetError, match="PCs would not look there any more"):
            await move(fleet, "--finish", "--even-if", 3)

        await fleet.publish(late, "late")
        await fleet.wait_until(
            lambda: all(0.2 < fleet.endpoints[k].patch("late").progress < 0.9 for k in (1, 2)), WITHIN_SECONDS, "half"
        )
        before = (fleet.web_port, fleet.origin_port)
        with pytest.raises(FleetError, match="already|running"):
            await move(fleet, "--leave")
        await fleet.stop(fleet.server)
        await move(fleet, "--leave")
        with pytest.raises(FleetError, match="has moved"):
            await run_command("seed-server", "serve", "--home", fleet.server.home)
        with pytest.raises(FleetError, match="reaches no PC"):
            await fleet.publish(late, "lost")
        copy_home(fleet.server.home, tmp_path / "new", (ports[0], ports[1]), before)
        await serve_there(fleet, tmp_path / "new", (ports[0], ports[1]))
        here = [fleet.endpoints[1], fleet.endpoints[2]]
        await fleet.wait_until(lambda: all(map(is_connected, here)), WITHIN_SECONDS, "connecting at the new address")
        await fleet.wait_until(lambda: has(fleet, "late", 1, 2), WITHIN_SECONDS, "the rest of the patch")
        assert "1 of 3" in await move(fleet) or "2 of 3" in await move(fleet)
        await move(fleet, "--finish", "--even-if", 1)

        await fleet.launch_endpoint(3)
        with trio.fail_after(WITHIN_SECONDS):
            while not (problem := await looked_for(absent))["addresses"][0]["problem"]:  # noqa: ASYNC110 - likewise
                await trio.sleep(0.2)
        assert [(one["host"], one["used"]) for one in problem["addresses"]] == [(f"{NETWORK}.1", False)]
        with pytest.raises(FleetError, match="Nothing was changed"):
            await run_command("p2pdist", "server", "set", f"{NETWORK}.3", "--home", absent.home)
        await run_command(
            "p2pdist", "server", "set", NEW_ADDRESS, "--web-port", ports[0], "--origin-port", ports[1],
            "--home", absent.home,
        )  # fmt: skip
        await fleet.wait_until(lambda: has(fleet, "late", 3), WITHIN_SECONDS, "the one that missed it")
        await wait_until_known(fleet, 3)

        assert ids == {k: member.latest.endpoint_id for k, member in fleet.endpoints.items() if member.latest}
        assert keys == {k: (member.home / "identity/key.pem").read_bytes() for k, member in fleet.endpoints.items()}
        entries = json.loads(await run_command("seed-server", "audit", "list", "--home", fleet.server.home, "--json"))
        assert [one["operation"] for one in entries].count("enrol") == 3
        for member in fleet.endpoints.values():
            assert Path(member.patch("late").path or "").read_bytes() == late.read_bytes()
            assert member.patch("early").bytes_from_origin <= 100_000 + 16_384, "what was here is not fetched again"


async def test_a_backup_of_before_a_move_is_restored_where_the_server_was_last(tmp_path: Path) -> None:
    """The backup knows nothing of the move: PCs hand in the list, and find the server at the restored one's address."""
    early = tmp_path / "early.bin"
    early.write_bytes(os.urandom(100_000))
    async with open_fleet(tmp_path, network=NETWORK, endpoints=2) as fleet:
        await start(fleet)
        await fleet.publish(early, "early")
        await fleet.wait_until(lambda: has(fleet, "early", 1, 2), WITHIN_SECONDS, "the first patch")
        old, before = fleet.server.home, (fleet.web_port, fleet.origin_port)
        await run_command("seed-server", "backup", tmp_path / "backup", "--home", old, "--without-keys")

        first, second = free_ports(2)
        ports = (first, second)
        await move(fleet, "--to", NEW_ADDRESS, "--web-port", first, "--origin-port", second)
        await wait_until_known(fleet, 2)
        await fleet.stop(fleet.server)
        await move(fleet, "--leave")
        copy_home(old, tmp_path / "new", ports, before)
        await serve_there(fleet, tmp_path / "new", ports)
        here = [fleet.endpoints[1], fleet.endpoints[2]]
        await fleet.wait_until(lambda: all(map(is_connected, here)), WITHIN_SECONDS, "connecting at the new address")
        await move(fleet, "--finish")
        await wait_until_known(fleet, 2)
        listed = json.loads(await move(fleet, "--json"))

        await fleet.stop(fleet.server)
        again = tmp_path / "again"
        await run_command("seed-server", "restore", tmp_path / "backup", "--home", again, "--keys", old / "keys")
        say_address(again, ports, before)
        await serve_there(fleet, again, ports)
        await fleet.wait_until(lambda: all(map(is_connected, here)), WITHIN_SECONDS, "connecting to the restored one")
        with trio.fail_after(WITHIN_SECONDS):
            while json.loads(await move(fleet, "--json"))["addresses"] != listed["addresses"]:  # noqa: ASYNC110
                await trio.sleep(0.2)
        await wait_until_known(fleet, 2)
        assert json.loads(await move(fleet, "--json"))["list"] == listed["list"]
        assert all(member.patch("early").bytes_from_origin <= 100_000 + 16_384 for member in here)


async def looked_for(member: Member) -> dict[str, list[dict[str, object]]]:
    try:
        answer: dict[str, list[dict[str, object]]] = json.loads(
            await run_command("p2pdist", "server", "--home", member.home, "--json")
        )
    except FleetError:  # it is starting
        return {"addresses": [{"problem": None}]}
    return answer
