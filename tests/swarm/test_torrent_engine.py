"""The LAN leg with real engines, real TLS, real files and a real full disk."""

import contextlib
import datetime
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
import trio

from bench.fleet_processes import free_ports
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.manifest.documents import MAX_TORRENT_BYTES
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.transfer.faults import TransferFaultKind
from p2pdist.transfer.torrent_engine import (
    EngineError,
    PeerConnected,
    PeerGone,
    PeerRefused,
    SwarmIdentity,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
)
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from p2pdist.transfer.torrent_engine.session import open_torrent_engine
from tests.helpers.piece_sets import pieces_of
from tests.helpers.pki import TestCA
from tests.helpers.swarm_endpoints import PIECE_BYTES, WITHIN_SECONDS, Payload, make_identity

MIB = 1 << 20


def only_error(group: BaseException) -> BaseException:
    """Return the one error inside nested exception groups."""
    while isinstance(group, BaseExceptionGroup):
        (group,) = group.exceptions
    return group


# --- swapping -----------------------------------------------------------------------


async def test_two_engines_swap_and_the_file_is_whole_when_complete_is_said(open_endpoint, payload_of):
    payload = payload_of(8 * MIB + 12_345)
    async with open_endpoint() as a, open_endpoint() as b:
        for endpoint in (a, b):
            await endpoint.add(payload)
            await endpoint.checked(payload)
        await a.put(payload, range(0, payload.count, 2))
        await b.put(payload, range(1, payload.count, 2))
        a.connect(payload, b)
        for endpoint in (a, b):
            await endpoint.completed(payload)
            assert endpoint.path(payload).read_bytes() == payload.data
        for endpoint in (a, b):
            snapshot = await endpoint.until(payload, lambda s: s.bytes_to_peers > 0)
            assert snapshot.phase == "complete"
            assert snapshot.have == all_pieces(payload.count)
            assert snapshot.progress == 1.0
        received = [e.engine.snapshot(payload.torrent_hash) for e in (a, b)]
        assert sum(s.bytes_from_peers - s.bytes_wasted for s in received) == len(payload.data)


async def test_three_engines_and_what_the_lan_holds(open_endpoint, payload_of):
    payload = payload_of(4 * MIB)
    async with open_endpoint() as seed, open_endpoint() as a, open_endpoint() as b:
        await seed.add(payload)
        await seed.checked(payload)
        await seed.put(payload, [0, 3])
        for endpoint in (a, b):
            await endpoint.add(payload)
            await endpoint.checked(payload)
            endpoint.connect(payload, seed)
        for endpoint in (a, b):
            await endpoint.event(PeerConnected, torrent_hash=payload.torrent_hash, address=seed.address)
            snapshot = await endpoint.until(payload, lambda s: s.have == pieces_of([0, 3]))
            assert snapshot.lan_have == pieces_of([0, 3])
            assert [peer.address for peer in snapshot.peers] == [seed.address]
            assert [(peer.opened_here, peer.lacks) for peer in snapshot.peers] == [(True, True)]
        snapshot = await seed.until(payload, lambda s: len(s.peers) == 2)
        assert [(peer.opened_here, peer.lacks) for peer in snapshot.peers] == [(False, True)] * 2
        await a.put(payload, range(8))
        await seed.until(payload, lambda s: s.lan_have & pieces_of(range(8)) == pieces_of(range(8)))
        await b.put(payload, range(8, payload.count))
        for endpoint in (seed, a, b):
            await endpoint.completed(payload)


async def test_the_last_piece_ends_no_connection_before_it_is_passed_on(open_endpoint, payload_of):
    # at the word of the last piece a neighbour that had all others is not interested in anything, for a moment
    payload = payload_of(2 * MIB)
    last = payload.count - 1
    async with open_endpoint() as fetcher, open_endpoint() as a, open_endpoint() as b:
        for endpoint in (fetcher, a, b):
            await endpoint.add(payload)
            await endpoint.checked(payload)
        for neighbour in (a, b):
            neighbour.connect(payload, fetcher)
            await neighbour.event(PeerConnected, torrent_hash=payload.torrent_hash, address=fetcher.address)
        await fetcher.put(payload, range(last))
        for neighbour in (a, b):
            await neighbour.until(payload, lambda s: s.have == pieces_of(range(last)))
        await fetcher.put(payload, [last])
        for neighbour in (a, b):
            seen: list[Any] = []
            with trio.fail_after(WITHIN_SECONDS):
                while not seen or not isinstance(seen[-1], TorrentCompleted):
                    seen.append(await neighbour.engine.events.receive())
            assert not [event for event in seen if isinstance(event, PeerGone)]


async def test_two_that_have_all_do_not_stay_connected_and_a_third_can_connect(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as a, open_endpoint() as b, open_endpoint() as c:
        await a.add(payload, complete=True)
        for endpoint in (b, c):
            await endpoint.add(payload)
            await endpoint.checked(payload)
        b.connect(payload, a)
        await b.completed(payload)
        for endpoint in (a, b):  # places for connections are few, and patches are many
            await endpoint.until(payload, lambda s: not s.peers)
            assert await endpoint.engine.connected_peers() == set()
        c.connect(payload, a)
        await c.completed(payload)
        assert [e.engine.snapshot(payload.torrent_hash).phase for e in (a, b)] == ["complete", "complete"]


async def test_connections_opened_by_both_sides_at_once_settle(open_endpoint, payload_of):
    payload = payload_of(2 * MIB)
    (port,) = free_ports(1)
    # equal ports are what a fleet has: libtorrent then drops one of two connections at random, on each side
    async with open_endpoint(port=port) as a, open_endpoint(port=port) as b:
        for endpoint in (a, b):
            await endpoint.add(payload)
            await endpoint.checked(payload)
        await a.put(payload, range(payload.count))
        a.connect(payload, b)
        b.connect(payload, a)
        await b.completed(payload)


async def test_removing_ends_connections_and_deletes_the_file(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        b.connect(payload, a)
        await b.completed(payload)
        await b.engine.remove(payload.torrent_hash, delete_files=False)
        assert b.path(payload).exists()
        await a.engine.remove(payload.torrent_hash, delete_files=True)
        assert not a.path(payload).exists(), "another thread deletes it, and that is waited for"
        await a.engine.remove(payload.torrent_hash, delete_files=True)
        with pytest.raises(EngineError):
            a.engine.snapshot(payload.torrent_hash)


async def test_a_refused_connect_is_told_with_its_reason(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.add(payload)
        await a.checked(payload)
        a.engine.connect_peer(payload.torrent_hash, "127.0.1.251", 9)
        event = await a.event(PeerRefused, address="127.0.1.251", port=9)
        assert event.reason is PeerReason.CONNECTION_REFUSED
        a.connect(payload, b)  # b runs but does not have the torrent
        event = await a.event(PeerRefused, address=b.address, port=b.engine.listen_port)
        assert event.reason is PeerReason.NOT_SHARED
        await b.add(payload, complete=True)
        a.connect(payload, b)  # and now it does: no minute of waiting
        await a.completed(payload)


async def test_a_neighbour_that_dies_is_gone(open_endpoint, payload_of):
    payload = payload_of(2 * MIB)
    async with open_endpoint() as a:
        await a.add(payload)
        await a.checked(payload)
        async with open_endpoint() as b:
            await b.add(payload)
            await b.checked(payload)
            a.connect(payload, b)
            await a.event(PeerConnected, address=b.address)
        event = await a.event(PeerGone, address=b.address)
        assert event.reason in (PeerReason.CONNECTION_LOST, PeerReason.OTHER)
        assert a.engine.snapshot(payload.torrent_hash).peers == ()


# --- pieces from the origin -----------------------------------------------------------


@pytest.mark.parametrize("size", [1, 16_384, 40_000, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 5])
async def test_add_piece_of_every_shape(open_endpoint, payload_of, size):
    payload = payload_of(size)
    async with open_endpoint() as a:
        await a.add(payload)
        await a.checked(payload)
        add = a.engine.add_piece
        for index in range(payload.count):
            piece = payload.piece(index)
            wrong = bytes([piece[0] ^ 1]) + piece[1:]
            assert await add(payload.torrent_hash, PieceIndex(index), wrong) == "rejected"
            assert await add(payload.torrent_hash, PieceIndex(index), piece + b"\0") == "rejected"
            assert await add(payload.torrent_hash, PieceIndex(index), piece[:-1]) == "rejected"
            assert await add(payload.torrent_hash, PieceIndex(index), piece) == "stored"
            assert await add(payload.torrent_hash, PieceIndex(index), piece) == "had_already"
        assert await add(payload.torrent_hash, PieceIndex(payload.count), payload.piece(0)) == "rejected"
        assert await add(payload.torrent_hash, PieceIndex(-1), payload.piece(0)) == "rejected"
        await a.completed(payload)
        assert a.path(payload).read_bytes() == payload.data
        snapshot = await a.until(payload, lambda s: s.phase == "complete")
        assert (snapshot.bytes_from_peers, snapshot.bytes_wasted) == (0, 0)


async def test_add_piece_while_a_neighbour_delivers_the_same(open_endpoint, payload_of):
    payload = payload_of(16 * MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await b.add(payload, complete=True)
        await a.add(payload)
        await a.checked(payload)
        a.connect(payload, b)
        await a.event(PeerConnected, address=b.address)
        async with trio.open_nursery() as nursery:
            for part in range(4):
                nursery.start_soon(a.put, payload, range(part, payload.count, 4))
        # it may be complete before the connection is told, and the news of that dropped with the others
        await a.until(payload, lambda seen: seen.phase == "complete")
        assert a.path(payload).read_bytes() == payload.data


async def test_add_piece_for_an_unknown_torrent(open_endpoint):
    async with open_endpoint() as a:
        with pytest.raises(EngineError, match="no torrent"):
            await a.engine.add_piece(TorrentHash("a" * 64), PieceIndex(0), b"x")


# --- what is on disk --------------------------------------------------------------------

CHILD = """
import sys, trio
from pathlib import Path
from tests.helpers.pki import TestCA
from tests.helpers.swarm_endpoints import load_payload, make_identity, open_test_endpoint
payload, identity = load_payload(Path(sys.argv[2])), make_identity(TestCA())
async def main():
    async with open_test_endpoint(Path(sys.argv[1]), identity) as endpoint:
        await endpoint.add(payload)
        await endpoint.checked(payload)
        await endpoint.put(payload, range(0, payload.count, 2))
        print("stored", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


def on_disk(directory: Path, payload: Payload, piece: int) -> bool:
    path = directory / payload.name
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.seek(piece * PIECE_BYTES)
        return file.read(PIECE_BYTES) == payload.piece(piece)


async def test_pieces_outlive_a_killed_process(open_endpoint, payload_of, ca, tmp_path):
    payload = payload_of(6 * MIB)
    directory = tmp_path / "killed"
    payload.save(tmp_path / "payload")
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-c", CHILD, str(directory), str(tmp_path / "payload")]
        child = await nursery.start(partial(trio.run_process, command, stdout=subprocess.PIPE, check=False))
        with trio.fail_after(20):
            said = b""
            while not said.endswith(b"\n"):
                said += await child.stdout.receive_some()
            assert said == b"stored\n"
            early = range(0, payload.count - 8, 2)  # the others may be on their way to a busy disk
            while not all(on_disk(directory, payload, piece) for piece in early):  # noqa: ASYNC110 - another process
                await trio.sleep(0.01)
        child.kill()
    async with open_endpoint(directory=directory) as a:
        await a.add(payload)
        snapshot = await a.checked(payload)
        stored = pieces_of(range(0, payload.count, 2))
        lost = stored & ~snapshot.have
        assert snapshot.have & ~stored == 0
        assert lost & pieces_of(early) == 0
        await a.put(payload, range(payload.count))
        await a.completed(payload)
        assert a.path(payload).read_bytes() == payload.data


async def test_a_complete_file_is_found_by_the_check(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as a:
        payload.write(a.directory)
        await a.add(payload)
        await a.completed(payload)
        assert a.engine.snapshot(payload.torrent_hash).phase == "complete"
        await a.engine.recheck(payload.torrent_hash)
        snapshot = a.engine.snapshot(payload.torrent_hash)
        assert snapshot.phase == "checking" or snapshot.have == all_pieces(payload.count)
        await a.completed(payload)


async def test_whoever_looks_at_what_has_changed_alone_misses_nothing(open_endpoint, payload_of):
    payload, untouched = payload_of(8 * MIB), payload_of(MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        for endpoint in (a, b):
            await endpoint.add(payload)
            await endpoint.checked(payload)
        untouched.write(a.directory)
        await a.add(untouched)
        await a.completed(untouched)
        seen = {each: a.engine.snapshot(each) for each in (payload.torrent_hash, untouched.torrent_hash)}

        async def look() -> int:
            await a.engine.refresh()
            changed = a.engine.changed()
            seen.update({each: a.engine.snapshot(each) for each in changed})
            assert seen == {each: a.engine.snapshot(each) for each in seen}
            return len(changed)

        await b.put(payload, range(payload.count))
        a.connect(payload, b)
        with trio.fail_after(WITHIN_SECONDS):
            while seen[payload.torrent_hash].phase != "complete":
                await look()
                await trio.sleep(0.02)
            number = 1
            while number:  # in the end nothing is said of any: most torrents are whole, and stay so
                await trio.sleep(0.1)
                number = await look()
        assert not seen[payload.torrent_hash].peers
        await a.engine.recheck(payload.torrent_hash)
        assert a.engine.changed() == [payload.torrent_hash]


async def test_damage_in_an_assumed_file_is_found_when_a_neighbour_asks(open_endpoint, payload_of):
    payload = payload_of(2 * MIB)
    async with open_endpoint() as seed, open_endpoint() as a:
        payload.write(seed.directory)
        with seed.path(payload).open("r+b") as file:
            file.seek(3 * PIECE_BYTES + 17)
            file.write(b"damage")
        await seed.engine.add(payload.torrent, expected_hash=payload.torrent_hash, assume_complete=True)
        await seed.until(payload, lambda s: s.phase == "complete")
        await a.add(payload)
        await a.checked(payload)
        a.connect(payload, seed)
        await seed.event(TorrentDamaged, torrent_hash=payload.torrent_hash)
        snapshot = await seed.until(payload, lambda s: s.phase == "downloading")
        assert snapshot.have == all_pieces(payload.count) & ~pieces_of([3])
        await seed.put(payload, [3])
        await seed.completed(payload)
        assert seed.path(payload).read_bytes() == payload.data
        a.connect(payload, seed)
        await a.completed(payload)


@contextlib.contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[Path]:
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs root for a small tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


async def keep_connecting(endpoint, payload, other):
    """Connect again and again, as a PC does: libtorrent itself gives up after one failed try."""
    while True:
        endpoint.connect(payload, other)
        await trio.sleep(1.0)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a small tmpfs needs root on Linux")
@pytest.mark.parametrize("from_neighbour", [False, True])
async def test_a_full_disk_stops_the_torrent_and_resume_goes_on(open_endpoint, payload_of, tmp_path, from_neighbour):
    payload = payload_of(4 * MIB)
    with small_disk(tmp_path / "small", 6 * MIB) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(4 * MIB))
        async with open_endpoint(directory=disk) as a, open_endpoint() as seed:
            await seed.add(payload, complete=True)
            await a.add(payload)
            await a.checked(payload)
            if from_neighbour:
                a.connect(payload, seed)
            else:
                with contextlib.suppress(EngineError):
                    await a.put(payload, range(payload.count))
            event = await a.event(TorrentFailed, torrent_hash=payload.torrent_hash)
            assert event.fault.kind is TransferFaultKind.DISK_FULL
            assert "disk is full" in event.fault.text
            snapshot = await a.until(payload, lambda s: s.phase == "error")
            assert snapshot.fault == event.fault
            with pytest.raises(EngineError, match="disk is full") as caught:
                await a.engine.add_piece(
                    payload.torrent_hash, PieceIndex(payload.count - 1), payload.piece(payload.count - 1)
                )
            assert caught.value.kind is FaultKind.STORAGE
            ballast.unlink()
            # as the daemon resumes it
            await a.engine.remove(payload.torrent_hash, delete_files=False)
            await a.add(payload)
            assert a.engine.snapshot(payload.torrent_hash).fault is None
            await a.checked(payload)
            async with trio.open_nursery() as nursery:
                if from_neighbour:
                    nursery.start_soon(keep_connecting, a, payload, seed)
                else:
                    await a.put(payload, range(payload.count))
                await a.completed(payload)
                nursery.cancel_scope.cancel()
            assert a.path(payload).read_bytes() == payload.data


# --- identity and listening ---------------------------------------------------------------


async def test_renewed_certificates_are_used_at_once(open_endpoint, payload_of, ca):
    payload = payload_of(MIB)
    old = ca.issue("*", valid_from=-datetime.timedelta(hours=2), valid_to=-datetime.timedelta(hours=1))
    expired = SwarmIdentity(ca_pem=ca.pem, certificate_pem=old.certificate, key_pem=old.key)
    assert old.key not in repr(expired)
    async with open_endpoint() as seed, open_endpoint(identity=expired) as a:
        await seed.add(payload, complete=True)
        await a.add(payload)
        await a.checked(payload)
        a.connect(payload, seed)
        event = await seed.event(PeerRefused, address=a.address)
        assert (event.torrent_hash, event.reason) == (None, PeerReason.CERTIFICATE_REFUSED)
        event = await a.event(PeerRefused, address=seed.address, port=seed.engine.listen_port)
        assert event.reason is PeerReason.REFUSED_OUR_CERTIFICATE
        a.engine.set_identity(make_identity(ca))
        a.connect(payload, seed)
        await a.completed(payload)


async def test_a_taken_port_is_an_error_that_says_so(tmp_path):
    identity = make_identity(TestCA())
    with socket.socket() as taken:
        taken.bind(("127.0.1.252", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match="in use") as caught:
            async with open_torrent_engine(
                directory=tmp_path, listen_address="127.0.1.252", listen_port=port, identity=identity
            ):
                raise AssertionError("unreachable")
    assert caught.value.kind is FaultKind.BUSY
    with pytest.raises(UserError, match="cannot listen") as caught:
        async with open_torrent_engine(
            directory=tmp_path, listen_address="192.0.2.1", listen_port=0, identity=identity
        ):
            raise AssertionError("unreachable")
    assert caught.value.kind is FaultKind.BAD_INPUT


async def test_ipv6_works_too(tmp_path):
    identity = make_identity(TestCA())
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        assert error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # noqa: PT017
        pytest.skip("this machine has no IPv6 loopback")
    async with open_torrent_engine(
        directory=tmp_path, listen_address="::1", listen_port=0, identity=identity
    ) as engine:
        assert engine.listen_port > 0


async def test_closing_does_not_hold_up_the_event_loop(open_endpoint, payload_of):
    payload = payload_of(16 * MIB)
    longest = 0.0

    async def measure() -> None:
        nonlocal longest
        before = trio.current_time()
        while True:
            await trio.sleep(0.001)
            now = trio.current_time()
            longest, before = max(longest, now - before), now

    async with trio.open_nursery() as nursery:
        async with open_endpoint() as a:
            await a.add(payload)
            await a.checked(payload)
            async with trio.open_nursery() as adding:
                adding.start_soon(a.put, payload, range(payload.count))
                await trio.sleep(0.03)
                adding.cancel_scope.cancel()
            nursery.start_soon(measure)
        nursery.cancel_scope.cancel()
    assert longest < 1.0


# --- hostile torrents -----------------------------------------------------------------------


def hostile(torrent: bytes) -> dict[str, bytes]:
    def changed(*path: bytes, value: object) -> bytes:
        decoded: Any = lt.bdecode(torrent)
        at = decoded
        for key in path[:-1]:
            at = at[key]
        if value is None:
            at.pop(path[-1], None)
        else:
            at[path[-1]] = value
        return lt.bencode(decoded)

    return {
        "empty": b"",
        "no bencoding": b"\0" * 100,
        "deep": b"l" * 100_000,
        "cut": torrent[:-10],
        "huge": b"d1:a" + str(MAX_TORRENT_BYTES).encode() + b":" + bytes(MAX_TORRENT_BYTES) + b"e",
        "no info": b"d12:piece layersdee",
        "other hash": changed(b"info", b"piece length", value=512 << 10),
        "no layers": changed(b"piece layers", value=None),
        "tracker": changed(b"announce", value=b"http://tracker.example/announce"),
        "web seed": changed(b"url-list", value=[b"http://seed.example/"]),
        "nodes": changed(b"nodes", value=[[b"127.0.0.1", 1]]),
    }


async def test_hostile_torrents_are_refused(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as a:
        for torrent in hostile(payload.torrent).values():
            with pytest.raises(EngineError, match="not acceptable"):
                await a.engine.add(torrent, expected_hash=payload.torrent_hash, assume_complete=False)
        await a.add(payload)  # the engine is none the worse
        await a.add(payload)
        await a.checked(payload)
        assert not any(isinstance(e, TorrentCompleted) for e in drained(a))


def drained(endpoint) -> list:
    events = []
    with contextlib.suppress(trio.WouldBlock):
        while True:
            events.append(endpoint.engine.events.receive_nowait())
    return events


async def test_two_adds_of_one_torrent_at_a_time_are_one(payload_of: Any, open_endpoint: Any) -> None:
    """As when the daemon adds one while it tells a new network part of all."""
    payload = payload_of(100_000)
    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(endpoint.add, payload)
