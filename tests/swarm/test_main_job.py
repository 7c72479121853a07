"""The main job with real parts: processes, TLS, mDNS, libtorrent."""

import os
from pathlib import Path

import psutil
import pytest
import trio

from bench.fleet import Fleet, Member, is_verified, open_fleet
from p2pdist.shared.priority import NICE

pytestmark = pytest.mark.processes

NETWORK = "127.0.2"
FILE_BYTES = 24_000_007  # no whole number of pieces: the last one is short
VERIFIED_WITHIN_SECONDS = 90.0  # takes about 5 s; a machine may be busy


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(os.urandom(FILE_BYTES))
    return path


async def start_all(fleet: Fleet) -> None:
    await fleet.start_server()
    async with trio.open_nursery() as nursery:
        for k in fleet.endpoints:
            nursery.start_soon(fleet.start_endpoint, k)


@pytest.mark.slow  # `make test` shows it by the demo; this one also what PCs say of each other, and their exit codes
async def test_four_endpoints_get_one_file_from_the_origin_once(tmp_path: Path, payload: Path) -> None:
    async with open_fleet(tmp_path, network=NETWORK, endpoints=4) as fleet:
        await start_all(fleet)
        await fleet.publish(payload, "main-job", "1.0")
        members = fleet.endpoints.values()
        await fleet.wait_until(
            lambda: all(is_verified(member, "main-job") for member in members), VERIFIED_WITHIN_SECONDS, "the main job"
        )

        from_origin, ids = 0, {}
        for k, member in fleet.endpoints.items():
            status = await fleet.status(k)
            ids[k] = status.endpoint_id
            (patch,) = status.patches
            assert (patch.id, patch.version, patch.state) == ("main-job", "1.0", "verified")
            assert patch.progress == 1.0
            assert not patch.error
            assert patch.seconds > 0
            assert patch.bytes_wasted <= 0.05 * FILE_BYTES
            verified = Path(patch.path or "")
            assert verified.is_relative_to(member.home / "patches" / "main-job" / "1.0")
            assert verified.name == payload.name
            assert verified.read_bytes() == payload.read_bytes()
            assert patch.bytes_from_origin + patch.bytes_from_peers >= FILE_BYTES
            from_origin += patch.bytes_from_origin
        assert FILE_BYTES <= from_origin <= 1.02 * FILE_BYTES

        assert len(set(ids.values())) == 4
        for member in members:  # the daemon and its network part
            assert member.process is not None
            both = [psutil.Process(member.process.pid), *psutil.Process(member.process.pid).children()]
            assert [process.nice() for process in both] == [NICE, NICE]
        for k, own in ids.items():
            peers = (await fleet.peers(k)).peers
            # mDNS also hears fleets that other tests run on this machine; they are told apart, and left alone
            strangers = [peer for peer in peers if peer.endpoint_id not in ids.values()]
            assert {peer.reason for peer in strangers} <= {"in another company's swarm", "not announced any more"}
            peers = [peer for peer in peers if peer not in strangers]
            assert {peer.endpoint_id for peer in peers} == set(ids.values()) - {own}
            for peer in peers:
                assert set(peer.sources) <= {"mdns", "server"}
                assert peer.sources
                assert peer.connected or peer.reason

        async def stop(member: Member) -> None:
            assert await fleet.stop(member) == 0, member.log_tail()

        async with trio.open_nursery() as nursery:
            for member in members:
                nursery.start_soon(stop, member)
        await stop(fleet.server)
