"""Faults with real processes: kill -9, restarts, full and damaged disks, addresses in use, a server that is away."""

import contextlib
import json
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, is_connected, is_verified, open_fleet
from bench.fleet_processes import run_command
from p2pdist.settings import EndpointHome
from p2pdist.shared.console import ExitCode
from p2pdist.shared.wire import codec
from p2pdist.transfer.files import MAX_RECORDS_BYTES
from p2pdist.transfer.states import TransferRecords
from tests.helpers import small_disk as disks

pytestmark = pytest.mark.processes

FILE_BYTES = 16_000_003
WITHIN_SECONDS = 90.0  # each takes seconds; a machine may be busy
SLOW_LINE_MBIT = 32.0  # four seconds for the file: time to break something in the middle


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(os.urandom(FILE_BYTES))
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The home of endpoint 1, on a file system of 128 MiB that really fills up."""
    with disks.small_disk(tmp_path / "endpoint1", 128, "0700") as path:
        yield path


async def start(fleet: Fleet, *numbers: int, line_mbit: float | None = None) -> None:
    await fleet.init_server()
    if line_mbit is not None:
        network = fleet.server.address.rpartition(".")[0]
        site = f'[[site]]\nname = "branch"\nnetworks = ["{network}.0/24"]\nline_mbit = {line_mbit}\n'
        (fleet.server.home / "sites.toml").write_text(site)
    await fleet.start_server()
    async with trio.open_nursery() as nursery:
        for k in numbers:
            nursery.start_soon(fleet.start_endpoint, k)


def progress(member: Member, patch_id: str = "patch") -> float:
    share: float = member.patch(patch_id).progress
    return share


async def all_verified(fleet: Fleet, *numbers: int, patch_id: str = "patch") -> None:
    members = [fleet.endpoints[k] for k in numbers]
    await fleet.wait_until(
        lambda: all(is_verified(member, patch_id) for member in members), WITHIN_SECONDS, f"{patch_id} being verified"
    )


def has_written_down_its_proof(member: Member) -> bool:
    """Whether the daemon's records say that a file is proven: they are saved every few seconds."""
    path = EndpointHome(member.home).records
    if not path.exists():
        return False
    stored: TransferRecords = codec.decode(path.read_bytes(), TransferRecords, max_bytes=MAX_RECORDS_BYTES)
    return any(record.verified_mtime_ns for record in stored.records)


def assert_same_bytes(member: Member, payload: Path) -> None:
    assert Path(member.patch("patch").path or "").read_bytes() == payload.read_bytes()


def from_origin(fleet: Fleet) -> int:
    return sum(member.patch("patch").bytes_from_origin for member in fleet.endpoints.values())


async def fails_with(code: ExitCode, program: str, *arguments: object) -> str:
    """Run a command that must fail; return its error text, which names no Python."""
    result = await trio.run_process(
        [Path(sysconfig.get_path("scripts"), program), *map(str, arguments)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    text = result.stderr.decode()
    assert result.returncode == code, text
    assert text.startswith("error: ") or "\nerror: " in text
    assert "Traceback" not in text
    return text


@pytest.mark.slow
async def test_server_killed_and_restarted_in_the_middle(tmp_path: Path, payload: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.31", endpoints=3) as fleet:
        await start(fleet, 1, 2, 3, line_mbit=SLOW_LINE_MBIT)
        await fleet.publish(payload, "patch")
        await fleet.wait_until(
            lambda: any(progress(member) > 0.25 for member in fleet.endpoints.values()), WITHIN_SECONDS, "a start"
        )
        await fleet.kill9(fleet.server)
        await fleet.wait_until(
            lambda: not any(is_connected(member) for member in fleet.endpoints.values()), WITHIN_SECONDS, "noticing"
        )
        await fleet.start_server()
        await all_verified(fleet, 1, 2, 3)
        for member in fleet.endpoints.values():
            assert_same_bytes(member, payload)
        assert from_origin(fleet) <= 1.05 * FILE_BYTES


async def test_fetcher_killed_in_the_middle_fetches_nothing_again_that_is_on_disk(
    tmp_path: Path, payload: Path
) -> None:
    async with open_fleet(tmp_path, network="127.0.32", endpoints=2) as fleet:
        await start(fleet, 1, line_mbit=SLOW_LINE_MBIT)
        await fleet.publish(payload, "patch")
        first = fleet.endpoints[1]
        await fleet.wait_until(lambda: progress(first) > 0.5, WITHIN_SECONDS, "half of the file")
        before = fleet.endpoints[1].patch("patch").progress
        await fleet.kill9(first)
        half_written = first.home / "state" / ".transfers.msgpack.0123456789ab.tmp"
        half_written.write_bytes(b"half")  # as if it had been killed a moment earlier
        wan_before = await wan_bytes_without(fleet, first)
        await fleet.start_endpoint(1)
        assert not half_written.exists()
        await all_verified(fleet, 1)
        assert_same_bytes(first, payload)
        await fleet.stop(first)
        again = await wan_bytes_without(fleet, first) - wan_before
        pieces_in_flight = 4 * 256 * 1024
        assert again <= (1 - before) * FILE_BYTES + pieces_in_flight


async def wan_bytes_without(fleet: Fleet, gone: Member) -> int:
    """Wait until the server knows that this endpoint has gone: all that it was sent is counted by then."""
    assert gone.latest is not None
    with trio.fail_after(WITHIN_SECONDS):
        while True:
            status = json.loads(await run_command("seed-server", "status", "--home", fleet.server.home, "--json"))
            connected = {endpoint["id"] for endpoint in status["endpoints"] if endpoint["connected"]}
            if gone.latest.endpoint_id not in connected:
                return sum(site["wan_bytes"] for patch in status["patches"] for site in patch["sites"])


@pytest.mark.slow
async def test_endpoint_killed_right_after_its_proof_fetches_nothing_again(tmp_path: Path, payload: Path) -> None:
    """The file is published, and no record says so yet."""
    async with open_fleet(tmp_path, network="127.0.46", endpoints=1) as fleet:
        await start(fleet, 1)
        await fleet.publish(payload, "patch")
        await all_verified(fleet, 1)
        member = fleet.endpoints[1]
        await fleet.kill9(member)
        (member.home / "state" / "transfers.msgpack").unlink(missing_ok=True)
        inode = next((member.home / "cache").iterdir()).stat().st_ino
        await fleet.start_endpoint(1)
        await all_verified(fleet, 1)
        assert_same_bytes(member, payload)
        assert member.patch("patch").bytes_from_origin == 0
        assert Path(member.patch("patch").path or "").stat().st_ino == inode, "it is the same file"


@pytest.mark.slow
async def test_killed_fetcher_is_replaced(tmp_path: Path, payload: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.33", endpoints=3) as fleet:
        await start(fleet, 1, 2, 3, line_mbit=SLOW_LINE_MBIT)
        await fleet.publish(payload, "patch")

        def fetcher() -> int | None:
            shares = {k: member.patch("patch").bytes_from_origin for k, member in fleet.endpoints.items()}
            best = max(shares, key=lambda k: shares[k])
            return best if shares[best] > 0.25 * FILE_BYTES else None

        await fleet.wait_until(lambda: fetcher() is not None, WITHIN_SECONDS, "a fetcher at work")
        killed = fetcher()
        assert killed is not None
        await fleet.kill9(fleet.endpoints[killed])
        others = [k for k in fleet.endpoints if k != killed]
        await all_verified(fleet, *others)
        for k in others:
            assert_same_bytes(fleet.endpoints[k], payload)


@pytest.mark.slow
async def test_lan_goes_on_while_the_server_is_away_and_a_late_comer_costs_the_line_nothing(
    tmp_path: Path, payload: Path
) -> None:
    async with open_fleet(tmp_path, network="127.0.34", endpoints=3) as fleet:
        await start(fleet, 1, 2, line_mbit=SLOW_LINE_MBIT)
        await fleet.publish(payload, "patch")
        late, first = fleet.endpoints[2], fleet.endpoints[1]
        await fleet.wait_until(lambda: progress(late) > 0.1, WITHIN_SECONDS, "knowing the patch")
        await fleet.stop(late)
        await all_verified(fleet, 1)

        await fleet.start_endpoint(3)
        await all_verified(fleet, 3)
        assert fleet.endpoints[3].patch("patch").bytes_from_origin == 0

        await fleet.kill9(fleet.server)
        await fleet.launch_endpoint(2)
        await all_verified(fleet, 2)
        assert_same_bytes(late, payload)
        assert not is_connected(late)
        assert not is_connected(first)
        await fleet.wait_until(
            lambda: late.latest is not None and bool(late.latest.problems), WITHIN_SECONDS, "saying that it is away"
        )


@pytest.mark.slow
async def test_damaged_bytes_on_an_endpoints_disk_are_found_and_fetched_from_the_neighbour(
    tmp_path: Path, payload: Path
) -> None:
    async with open_fleet(tmp_path, network="127.0.35", endpoints=2) as fleet:
        await start(fleet, 1, 2)
        await fleet.publish(payload, "patch")
        await all_verified(fleet, 1, 2)
        await fleet.stop(fleet.endpoints[1])
        wan_before = await wan_bytes_without(fleet, fleet.endpoints[1])
        (cached,) = (fleet.endpoints[1].home / "cache").iterdir()
        with cached.open("r+b") as file:
            file.seek(FILE_BYTES // 2)
            byte = file.read(1)[0]
            file.seek(FILE_BYTES // 2)
            file.write(bytes([byte ^ 1]))
        await fleet.start_endpoint(1)
        await all_verified(fleet, 1)
        assert_same_bytes(fleet.endpoints[1], payload)
        await fleet.stop(fleet.endpoints[1])
        assert await wan_bytes_without(fleet, fleet.endpoints[1]) == wan_before


async def test_payload_tampered_with_on_the_server_never_leaves_it(tmp_path: Path, payload: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.36", endpoints=1) as fleet:
        await start(fleet)
        await fleet.publish(payload, "patch")
        (stored,) = [path for path in (fleet.server.home / "content").iterdir() if path.stat().st_size == FILE_BYTES]
        stored.chmod(0o644)
        with stored.open("r+b") as file:
            file.write(b"evil")
        await fleet.start_endpoint(1)
        endpoint = fleet.endpoints[1]
        await fleet.wait_until(lambda: bool(endpoint.patch("patch").error), WITHIN_SECONDS, "a reason")
        assert "damaged" in str(endpoint.patch("patch").error)
        assert endpoint.patch("patch").state != "verified"
        other = tmp_path / "other.bin"
        other.write_bytes(os.urandom(1_000_000))
        await fleet.publish(other, "other")
        await all_verified(fleet, 1, patch_id="other")
        # the operator's way out: publish the same file again
        await fleet.publish(payload, "patch")
        await all_verified(fleet, 1)
        assert_same_bytes(endpoint, payload)


@pytest.mark.slow
async def test_endpoint_whose_disk_fills_up_in_the_middle_says_so_and_goes_on_later(
    tmp_path: Path, payload: Path, small_disk: Path
) -> None:
    async with open_fleet(tmp_path, network="127.0.37", endpoints=1) as fleet:
        await start(fleet, line_mbit=SLOW_LINE_MBIT)
        endpoint = fleet.endpoints[1]
        await fleet.enrol(1)
        await fleet.start_endpoint(1)
        await fleet.publish(payload, "patch")
        await fleet.wait_until(lambda: progress(endpoint) > 0.2, WITHIN_SECONDS, "a start")
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                pass
        await fleet.wait_until(lambda: bool(endpoint.patch("patch").error), WITHIN_SECONDS, "a reason")
        assert "disk is" in str(endpoint.patch("patch").error)
        assert is_connected(endpoint)
        filler.unlink()
        await all_verified(fleet, 1)
        assert_same_bytes(endpoint, payload)


@pytest.mark.slow
async def test_endpoint_killed_and_restarted_on_a_full_disk_still_knows_its_patches_and_shares_them(
    tmp_path: Path, payload: Path, small_disk: Path
) -> None:
    async with open_fleet(tmp_path, network="127.0.63", endpoints=2) as fleet:
        await start(fleet, 1)
        endpoint, neighbour = fleet.endpoints[1], fleet.endpoints[2]
        await fleet.publish(payload, "patch")
        await all_verified(fleet, 1)
        await fleet.wait_until(lambda: has_written_down_its_proof(endpoint), WITHIN_SECONDS, "a record of the proof")
        await fleet.kill9(endpoint)
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        assert os.statvfs(small_disk).f_bavail == 0
        await fleet.kill9(fleet.server)  # what it knows is what is on its disk
        await fleet.launch_endpoint(1)
        await fleet.wait_until(lambda: is_verified(endpoint, "patch"), WITHIN_SECONDS, "the patch being listed")
        plan = json.loads(await run_command("p2pdist", "plan", "--home", endpoint.home, "--json"))
        assert [patch["id"] for patch in plan["patches"]] == ["patch"]
        await run_command("p2pdist", "posture", "--home", endpoint.home, "--json")
        await fleet.start_server()
        await fleet.wait_until(lambda: is_connected(endpoint), WITHIN_SECONDS, "the server knowing it again")
        await fleet.start_endpoint(2)
        await all_verified(fleet, 2)
        assert neighbour.patch("patch").bytes_from_peers > FILE_BYTES / 2


async def test_addresses_and_homes_in_use(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.38", endpoints=1) as fleet:
        await start(fleet, 1)
        text = await fails_with(ExitCode.BUSY, "seed-server", "serve", "--home", fleet.server.home)
        assert "already running" in text
        endpoint = fleet.endpoints[1]
        text = await fails_with(ExitCode.BUSY, "p2pdist", "run", "--home", endpoint.home, "--address", endpoint.address)
        assert "already running" in text

        second = tmp_path / "second"
        await run_command(
            "seed-server", "init", "--home", second, "--name", "second", "--address", fleet.server.address,
            "--web-port", fleet.web_port, "--origin-port", fleet.origin_port, "--api-port", 0,
        )  # fmt: skip
        text = await fails_with(ExitCode.BUSY, "seed-server", "serve", "--home", second)
        assert f"{fleet.server.address}:{fleet.web_port}" in text


async def test_tokens_that_do_not_work(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.39", endpoints=1) as fleet:
        await start(fleet)
        address = ("--address", fleet.endpoints[1].address)
        once = await fleet.token("--uses", "1")
        await run_command("p2pdist", "enrol", "--home", tmp_path / "a", once, *address)
        text = await fails_with(ExitCode.REFUSED, "p2pdist", "enrol", "--home", tmp_path / "b", once, *address)
        assert "used up" in text
        text = await fails_with(ExitCode.BAD_INPUT, "p2pdist", "enrol", "--home", tmp_path / "b", once[:-3], *address)
        assert "whole enrolment token" in text
        text = await fails_with(ExitCode.NOT_SET_UP, "p2pdist", "status", "--home", tmp_path / "b")
        assert "not enrolled" in text
        text = await fails_with(ExitCode.NOT_RUNNING, "p2pdist", "status", "--home", tmp_path / "a")
        assert "not running" in text

        other_home = tmp_path / "other"
        await run_command(
            "seed-server", "init", "--home", other_home, "--name", "other", "--address", fleet.server.address,
            "--web-port", fleet.web_port, "--origin-port", fleet.origin_port,
        )  # fmt: skip
        foreign = (await run_command("seed-server", "token", "--home", other_home)).strip()
        text = await fails_with(ExitCode.REFUSED, "p2pdist", "enrol", "--home", tmp_path / "b", foreign, *address)
        assert "not the one that this token is for" in text
        assert not (tmp_path / "b" / "daemon.lock").exists()
