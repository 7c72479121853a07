"""`p2pdist.origin.client` against a real TLS server on loopback that follows a script."""

import contextlib
import functools
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
import structlog.testing
import trio
import trio.testing

from bandwidth.core.units import SAFE_PACKET_BYTES
from p2pdist.origin import client as origin_client
from p2pdist.origin import opening
from p2pdist.origin.client import OriginClient, open_origin_client
from p2pdist.origin.connection import Disconnected
from p2pdist.origin.opening import OriginAddress
from p2pdist.origin.retry_pace import REFUSED_SECONDS
from p2pdist.shared.clock import Clock, SystemClock
from p2pdist.shared.wire import channels, codec, messages
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.data_messages import DataHello, Piece
from p2pdist.shared.wire.features import INVITES
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES, MAX_DATA_FRAME_BYTES
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
from p2pdist.shared.wire.messages import (
    PROTOCOL_VERSION,
    ControlHello,
    DataWanted,
    Goodbye,
    OtherPc,
    RepositoryChanged,
    Welcome,
)
from p2pdist.shared.wire.pings import Echo, ping_frame, read_echo
from tests.helpers.deaf_socket import deafen, hear_again
from tests.helpers.pki import TestCA, client_context, server_context

ADDRESS = "127.0.9.1"
CA = TestCA()
SERVER = CA.issue(ADDRESS)
CLIENT = CA.issue("endpoint")
TORRENT = "ab" * 32
WELCOME = Welcome(
    server_name="hq",
    site="branch",
    timestamp_version=3,
    packet_bytes=1_500,
    large_packets_lost=False,
    at=1_790_000_000.0,
)
DEADLINE_SECONDS = 10

Stream = trio.SSLStream[trio.SocketStream]


def hello() -> ControlHello:
    return ControlHello(
        protocol=PROTOCOL_VERSION,
        software="test",
        hostname="pc",
        addresses=["127.0.9.2"],
        lan_port=7691,
        on_mains=True,
        wired=True,
        uptime_seconds=1,
        instance="0" * 32,
    )


@dataclass
class Side:
    """The server's end of one connection."""

    stream: Stream
    decoder: FrameDecoder = field(default_factory=lambda: FrameDecoder(max_bytes=MAX_CONTROL_FRAME_BYTES))
    bodies: list[bytes] = field(default_factory=list)

    async def receive(self) -> bytes:
        while not self.bodies:
            data = await self.stream.receive_some()
            if not data:
                raise trio.BrokenResourceError("the client closed the connection")
            self.bodies = self.decoder.feed(bytes(data))
        return self.bodies.pop(0)

    async def send(self, message: Message) -> None:
        await self.stream.send_all(encode_frame(channels.encode_message(message), max_bytes=MAX_DATA_FRAME_BYTES))

    async def closed(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while await self.stream.receive_some():
                pass


Script = Callable[[Side], Awaitable[None]]


@asynccontextmanager
async def client_of(
    handle: Callable[[trio.SocketStream], Awaitable[None]],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Clock | None = None,
    **options: float,
) -> AsyncIterator[OriginClient]:
    """Run a server that handles each connection so, and a client of it."""
    with trio.fail_after(deadline_seconds):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(functools.partial(trio.serve_tcp, handle, 0, host=ADDRESS))
            port = listeners[0].socket.getsockname()[1]
            address = OriginAddress(ADDRESS, port, client_context(CA, CLIENT), "127.0.9.2")
            clock = clock or SystemClock()
            options = {"first_backoff_seconds": 0.01} | options
            async with open_origin_client(lambda: address, hello, clock, **options) as client:
                yield client
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(
    control: Script, data: Script | None = None, *, clock: Clock | None = None, **options: float
) -> AsyncIterator[OriginClient]:
    """Run a server whose control and data connections follow the scripts, and a client of it."""

    async def idle(side: Side) -> None:
        await side.closed()

    async def handle(tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, server_context(CA, SERVER), server_side=True, https_compatible=True)
        side = Side(stream)
        try:
            first = channels.decode_hello(await side.receive())
            await (control if isinstance(first, ControlHello) else data or idle)(side)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async with client_of(handle, clock=clock, **options) as client:
        yield client


async def test_says_hello_and_hands_on_what_the_server_says() -> None:
    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await side.send(RepositoryChanged(timestamp_version=4))
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        assert client.connected
        assert client.status == "connected"
        assert await client.events.receive() == RepositoryChanged(timestamp_version=4)


async def test_what_a_newer_server_says_ends_nothing_and_is_logged_once() -> None:
    async def control(side: Side) -> None:
        await side.send(WELCOME)
        newer = encode_frame(codec.encode({"t": "launch", "x": 1}), max_bytes=1_000)
        await side.stream.send_all(2 * newer)
        changed = codec.encode({"t": "changed", "timestamp_version": 4, "newer": [1]})
        await side.stream.send_all(encode_frame(changed, max_bytes=1_000))
        await side.closed()

    with structlog.testing.capture_logs() as logged:
        async with connected(control) as client:
            assert await client.events.receive() == WELCOME
            assert await client.events.receive() == RepositoryChanged(timestamp_version=4)
            assert client.ignored_messages == 2
    assert [line["kind"] for line in logged if "the server is newer" in line["event"]] == ["launch"]


async def test_answers_a_ping_before_what_came_with_it() -> None:
    answered = trio.Event()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        changed = encode_frame(channels.encode_message(RepositoryChanged(timestamp_version=4)), max_bytes=1_000)
        await side.stream.send_all(changed * (origin_client.EVENTS_BUFFERED + 1) + ping_frame(7))
        echo = read_echo(await side.receive())
        assert echo is not None
        assert echo.number == 7
        answered.set()
        await side.closed()

    async with connected(control):
        await answered.wait()


async def test_data_connection_has_packets_of_the_size_that_the_server_asks_for() -> None:
    segment: list[int] = []
    seen = trio.Event()

    async def control(side: Side) -> None:
        await side.send(msgspec.structs.replace(WELCOME, packet_bytes=1_000))
        await side.closed()

    async def data(side: Side) -> None:
        segment.append(side.stream.transport_stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        seen.set()
        await side.closed()

    async with connected(control, data):
        await seen.wait()
    assert 900 <= segment[0] <= 960


async def test_answers_a_ping_at_once_although_nobody_takes_the_pieces() -> None:
    answered = trio.Event()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        for number in range(20):
            await side.stream.send_all(ping_frame(number))
            echo = read_echo(await side.receive())
            assert echo is not None
            assert echo.number == number
        answered.set()
        await side.closed()

    async def data(side: Side) -> None:
        while True:
            await side.send(Piece(torrent=TORRENT, piece=0, data=bytes(100_000)))

    async with connected(control, data):
        await answered.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a ping came in")
async def test_an_echo_says_how_late_the_pc_has_read_the_ping() -> None:
    waited: list[Echo | None] = []
    answered = trio.Event()

    class BusyPc(SystemClock):
        def now(self) -> float:
            return super().now() + 0.5

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        while len(waited) < 3 or not any(echo and echo.read_late_seconds for echo in waited):
            await side.stream.send_all(ping_frame(7))
            waited.append(read_echo(await side.receive()))
        answered.set()
        await side.closed()

    async with connected(control, clock=BusyPc()):
        await answered.wait()
    assert all(echo and echo.number == 7 for echo in waited)
    known = [
        echo.read_late_seconds for echo in waited if echo and echo.read_late_seconds
    ]  # Linux may stamp none at first
    assert 0.5 <= min(known) < 0.7
    first, *later = (echo.last_sent_late_seconds for echo in waited if echo)
    assert first == 0.0
    assert min(later) < 0.1


async def test_an_echo_says_how_late_the_last_one_was_sent() -> None:
    late = []
    held, answered = trio.Event(), trio.Event()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await held.wait()
        for _ in range(3):
            await side.stream.send_all(ping_frame(7))
            late.append(read_echo(await side.receive()))
        answered.set()
        await side.closed()

    async with connected(control) as client:
        await client.events.receive()
        async with client._send_lock:
            held.set()
            await trio.sleep(0.06)
        await answered.wait()
    first, second, third = (echo.last_sent_late_seconds for echo in late if echo)
    assert first == 0.0
    assert 0.03 < second < 0.5
    assert third < second


async def test_pieces_wait_in_the_socket_when_nobody_takes_them() -> None:
    sent = 0

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await side.closed()

    async def data(side: Side) -> None:
        nonlocal sent
        while True:
            await side.send(Piece(torrent=TORRENT, piece=sent, data=bytes(4_000_000)))
            sent += 1

    async with connected(control, data) as client:
        for piece in range(5):
            assert (await client.pieces.receive()).piece == piece
            assert client.piece_bytes >= (piece + 1) * 4_000_000
        await trio.testing.wait_all_tasks_blocked(0.2)
        assert sent <= 5 + origin_client.PIECES_BUFFERED + 4, "memory must stay bounded"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            Goodbye(reason="this endpoint is denied", cause="", others=[]), "this endpoint is denied", id="goodbye"
        ),
        pytest.param(RepositoryChanged(timestamp_version=1), "RepositoryChanged out of order", id="no welcome"),
        pytest.param(
            DataHello(protocol=1, instance="0" * 32, large_packets_lost=False),
            "malformed message",
            id="message of the other direction",
        ),
    ],
)
async def test_reason_of_a_refusal_reaches_the_person(answer: Message, reason: str) -> None:
    async def control(side: Side) -> None:
        await side.send(answer)
        await side.closed()

    async with connected(control) as client:
        event = await client.events.receive()
        assert isinstance(event, Disconnected)
        assert reason in event.reason
        assert reason in client.status
        assert not client.connected


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"\0\0\0\0", id="empty frame"),
        pytest.param(b"\xff\xff\xff\xff", id="oversized frame"),
        pytest.param(b"\0\0\0\x01\xc1", id="no msgpack"),
        pytest.param(b"\0\0\0\x03\x81\xa1t", id="truncated msgpack"),
    ],
)
async def test_malformed_bytes_end_the_connection_and_it_comes_back(nonsense: bytes) -> None:
    attempts = 0

    async def control(side: Side) -> None:
        nonlocal attempts
        attempts += 1
        await side.send(WELCOME)
        if attempts == 1:
            await side.stream.send_all(nonsense)
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        event = await client.events.receive()
        assert isinstance(event, Disconnected)
        assert "malformed" in event.reason
        assert await client.events.receive() == WELCOME


async def test_a_copy_of_another_pc_is_told_who_that_is_and_asks_again_in_a_minute() -> None:
    calls = 0

    async def control(side: Side) -> None:
        nonlocal calls
        calls += 1
        await side.send(Goodbye(reason="one at a time", cause="shared_identity", others=[OtherPc("pc-2", "10.0.0.2")]))

    async with connected(control) as client:
        event = await client.events.receive()
        assert event == Disconnected(
            "the server said: one at a time", "shared_identity", (OtherPc("pc-2", "10.0.0.2"),)
        )
        assert int(client.status.rpartition("within ")[2].removesuffix(" s")) >= REFUSED_SECONDS[0]
        await trio.sleep(0.1)
    assert calls == 1


async def test_the_data_connection_says_which_control_connection_it_belongs_to() -> None:
    hellos: list[object] = []
    seen = trio.Event()

    async def handle(tcp: trio.SocketStream) -> None:
        side = Side(trio.SSLStream(tcp, server_context(CA, SERVER), server_side=True, https_compatible=True))
        hellos.append(channels.decode_hello(await side.receive()))
        if len(hellos) == 1:
            await side.send(WELCOME)
        else:
            seen.set()
        await side.closed()

    async with client_of(handle):
        await seen.wait()
    assert hellos[1] == DataHello(protocol=PROTOCOL_VERSION, instance="0" * 32, large_packets_lost=False)


async def data_after_a_stall(mock_clock: trio.testing.MockClock, sites: list[str]) -> list[tuple[bool, bool]]:
    """Return whether each data connection has small packets, and whether it says that full ones are lost.

    ``sites``: what the welcomes name, one for each. The first data connection's handshake never ends.
    """
    mock_clock.rate = 30.0  # the handshake's time limit is long for a test
    connections = 0
    found: list[tuple[bool, bool]] = []
    seen = trio.Event()

    async def handle(tcp: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        if connections == 2:  # what the server says there does not arrive
            async with tcp:
                while await tcp.receive_some():
                    pass
            return
        side = Side(trio.SSLStream(tcp, server_context(CA, SERVER), server_side=True, https_compatible=True))
        first = channels.decode_hello(await side.receive())
        if isinstance(first, ControlHello):
            site = sites[min(connections // 2, len(sites) - 1)]
            await side.send(msgspec.structs.replace(WELCOME, site=site))
            await side.closed()
        else:
            segment_bytes = tcp.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            found.append((segment_bytes <= SAFE_PACKET_BYTES - 40, first.large_packets_lost))
            if len(found) == len(sites) - 1:
                seen.set()
        await trio.aclose_forcefully(side.stream)

    async with client_of(handle, deadline_seconds=300.0):
        await seen.wait()
    return found[: len(sites) - 1]


async def test_a_handshake_that_never_ends_makes_the_next_packets_small_and_proves_nothing(
    mock_clock: trio.testing.MockClock,
) -> None:
    found = await data_after_a_stall(mock_clock, ["branch", "branch", "branch"])
    assert found == [(True, False), (False, False)]


async def test_where_the_kernel_sees_that_only_full_packets_are_missing_packets_stay_small_and_the_server_is_told(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "large_packets_missing", lambda _: True)
    found = await data_after_a_stall(mock_clock, ["branch", "branch", "branch"])
    assert found == [(True, True), (True, True)]


async def test_what_was_found_about_packets_at_one_site_is_not_said_at_another(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "large_packets_missing", lambda _: True)
    found = await data_after_a_stall(mock_clock, ["branch", "branch", "home", "home"])
    assert found == [(True, True), (False, False), (False, False)]


async def test_lost_data_connection_takes_the_control_connection_with_it() -> None:
    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await side.closed()

    async def data(side: Side) -> None:
        pass  # close at once

    async with connected(control, data) as client:
        assert await client.events.receive() == WELCOME
        event = await client.events.receive()
        assert isinstance(event, Disconnected)
        assert "closed the connection" in event.reason


async def test_server_with_a_foreign_certificate_gets_no_hello() -> None:
    got = b"nothing yet"
    other = TestCA("other")

    async def handle(tcp: trio.SocketStream) -> None:
        nonlocal got
        stream = trio.SSLStream(tcp, server_context(other, other.issue(ADDRESS)), server_side=True)
        try:
            got = bytes(await stream.receive_some())
        except trio.BrokenResourceError:
            got = b""
        await trio.aclose_forcefully(stream)

    with trio.fail_after(DEADLINE_SECONDS):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(functools.partial(trio.serve_tcp, handle, 0, host=ADDRESS))
            port = listeners[0].socket.getsockname()[1]
            address = OriginAddress(ADDRESS, port, client_context(CA, CLIENT), None)
            async with open_origin_client(lambda: address, hello, SystemClock(), first_backoff_seconds=0.01) as client:
                event = await client.events.receive()
                assert isinstance(event, Disconnected)
                assert "certificate verify failed" in event.reason
            nursery.cancel_scope.cancel()
    assert got == b""


async def test_server_that_is_away_is_tried_again_and_again() -> None:
    with trio.fail_after(DEADLINE_SECONDS):
        address = OriginAddress(ADDRESS, 9, client_context(CA, CLIENT), None)
        async with open_origin_client(lambda: address, hello, SystemClock(), first_backoff_seconds=0.01) as client:
            for _ in range(3):
                assert isinstance(await client.events.receive(), Disconnected)
            assert "next attempt within" in client.status


async def test_another_address_of_a_server_that_is_away_is_tried_without_the_wait() -> None:
    addresses = [OriginAddress(ADDRESS, port, client_context(CA, CLIENT), None) for port in (9, 10)]
    tried: list[int] = []

    def address() -> OriginAddress:
        tried.append(len(tried) % 2)
        return addresses[tried[-1]]

    with trio.fail_after(DEADLINE_SECONDS):
        async with open_origin_client(address, hello, SystemClock(), first_backoff_seconds=600.0) as client:
            client.try_elsewhere()  # while an attempt is under way it changes nothing
            assert isinstance(await client.events.receive(), Disconnected)
            await trio.testing.wait_all_tasks_blocked()
            client.try_elsewhere()
            assert isinstance(await client.events.receive(), Disconnected)
            await trio.testing.wait_all_tasks_blocked()
            assert tried == [0, 1], "then it rests"


async def test_reconnect_uses_the_new_address_at_once() -> None:
    connections = 0

    async def control(side: Side) -> None:
        nonlocal connections
        connections += 1
        await side.send(WELCOME)
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        client.reconnect()
        assert isinstance(await client.events.receive(), Disconnected)
        assert await client.events.receive() == WELCOME
        assert connections == 2


async def test_a_failed_send_ends_its_connection_and_does_not_cut_the_wait_before_the_next() -> None:
    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        assert client._control is not None
        await trio.aclose_forcefully(client._control)
        await client.send(messages.PieceStored(torrent=TORRENT, piece=0))
        assert not client._reconnect.is_set(), "only a new certificate or address is a reason to call again at once"
        assert isinstance(await client.events.receive(), Disconnected)
        assert await client.events.receive() == WELCOME


async def test_what_is_here_and_the_report_of_it_leave_together_and_nothing_waits_for_them() -> None:
    came: list[list[str]] = []
    report = messages.Report(patches=[], refuses="")
    done = trio.Event()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        while len(came) < 2:
            data = await side.stream.receive_some()
            came.append([type(channels.decode_from_endpoint(body)).__name__ for body in side.decoder.feed(bytes(data))])
        done.set()
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, messages.Holdings(torrents=b"\0" * 8))
            nursery.start_soon(client.send, report)
        await client.send(messages.PieceStored(torrent=TORRENT, piece=0))
        await done.wait()
    assert [sorted(kinds) for kinds in came] == [["Holdings", "Report"], ["PieceStored"]]


async def test_what_waits_to_leave_ends_with_its_connection() -> None:
    came: list[bytes] = []
    again, done = trio.Event(), trio.Event()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        if again.is_set():
            came.append(await side.receive())
            done.set()
        await side.closed()

    async with connected(control) as client:
        assert await client.events.receive() == WELCOME
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, messages.Report(patches=[], refuses=""))
            await trio.testing.wait_all_tasks_blocked()
            again.set()
            client.reconnect()
        assert isinstance(await client.events.receive(), Disconnected)
        assert await client.events.receive() == WELCOME
        await client.send(messages.PieceStored(torrent=TORRENT, piece=0))
        await done.wait()
    assert isinstance(channels.decode_from_endpoint(came[0]), messages.PieceStored)


async def test_a_server_that_asks_for_it_gets_a_data_connection_then_and_as_long_as_pieces_come() -> None:
    asked, closed = trio.Event(), [trio.Event(), trio.Event()]
    opened: list[bool] = []

    async def control(side: Side) -> None:
        await side.send(msgspec.structs.replace(WELCOME, features=(INVITES,)))
        await asked.wait()
        for each in closed:
            await side.send(DataWanted())
            await each.wait()
        await side.closed()

    async def data(side: Side) -> None:
        opened.append(asked.is_set())
        for _ in range(3):
            await side.send(Piece(torrent=TORRENT, piece=len(opened), data=b"bytes"))
            await trio.sleep(0.1)
        await side.closed()
        closed[len(opened) - 1].set()

    async with connected(control, data, data_idle_seconds=0.25) as client:
        assert isinstance(await client.events.receive(), Welcome)
        await trio.sleep(0.1)
        asked.set()
        assert [(await client.pieces.receive()).piece for _ in range(6)] == [1, 1, 1, 2, 2, 2]
        await closed[1].wait()
        assert client.connected, "that the data connection was of no use ends no other"
    assert opened == [True, True]


async def test_a_piece_of_which_a_part_has_come_is_waited_for_until_the_server_asks_anew() -> None:
    opened: list[Side] = []
    ask_anew, closed = trio.Event(), trio.Event()

    async def control(side: Side) -> None:
        await side.send(msgspec.structs.replace(WELCOME, features=(INVITES,)))
        await side.send(DataWanted())
        await side.send(DataWanted())  # it has not come at once
        await ask_anew.wait()
        await side.send(DataWanted())
        await side.closed()

    async def data(side: Side) -> None:
        opened.append(side)
        piece = Piece(torrent=TORRENT, piece=len(opened), data=bytes(1_000))
        frame = encode_frame(channels.encode_message(piece), max_bytes=MAX_DATA_FRAME_BYTES)
        await side.stream.send_all(frame[:500])
        await trio.sleep(0.5)  # in a blackout, hours
        await side.stream.send_all(frame[500:] + frame[:500])
        if len(opened) == 1:
            await trio.sleep(0.5)
            ask_anew.set()  # the server has lost this connection, and the PC has not heard of it
            await side.closed()
            closed.set()
        await trio.sleep_forever()

    async with connected(control, data, data_idle_seconds=0.1) as client:
        assert [(await client.pieces.receive()).piece for _ in range(2)] == [1, 2]
        assert closed.is_set()
        assert client.connected
    assert len(opened) == 2


async def test_a_pc_that_has_slept_connects_again_for_the_server_has_given_it_up() -> None:
    class Sleeper(SystemClock):
        slept_seconds = 0.0

        def now(self) -> float:
            return super().now() + self.slept_seconds

    clock = Sleeper()

    async def control(side: Side) -> None:
        await side.send(WELCOME)
        await side.closed()

    async with connected(control, clock=clock) as client:
        assert await client.events.receive() == WELCOME
        clock.slept_seconds = 3_600.0
        assert isinstance(await client.events.receive(), Disconnected)
        assert await client.events.receive() == WELCOME


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that nothing is acknowledged")
async def test_a_fresh_connection_takes_over_from_a_silent_one() -> None:
    controls = 0
    silent_ended = trio.Event()

    async def control(side: Side) -> None:
        nonlocal controls
        controls += 1
        await side.send(WELCOME)
        if controls > 1:
            await side.receive()
            return
        await side.receive()  # what the client says while it is heard
        deafen(side.stream.transport_stream.socket)
        await trio.sleep_forever()

    async def data(side: Side) -> None:
        await side.send(Piece(torrent=TORRENT, piece=controls, data=b"bytes"))
        await side.closed()
        silent_ended.set()

    async with connected(control, data) as client:
        assert await client.events.receive() == WELCOME
        assert (await client.pieces.receive()).piece == 1
        stored = messages.PieceStored(torrent=TORRENT, piece=1)
        await client.send(stored)
        await trio.sleep(0.05)
        await client.send(stored)
        event = await client.events.receive()
        assert isinstance(event, Disconnected)
        assert "answers stopped" in event.reason
        assert await client.events.receive() == WELCOME
        assert controls == 2
        await silent_ended.wait()
        assert (await client.pieces.receive()).piece == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that nothing is acknowledged")
async def test_a_fresh_connection_is_not_used_when_the_old_one_is_answered_again() -> None:
    controls = 0
    fresh_ended, heard = trio.Event(), trio.Event()

    async def control(side: Side) -> None:
        nonlocal controls
        controls += 1
        await side.send(WELCOME)
        await side.receive()
        deafen(side.stream.transport_stream.socket)
        await tried.wait()
        hear_again(side.stream.transport_stream.socket)
        await side.receive()
        heard.set()
        await side.closed()

    tried = trio.Event()

    async def handle(tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, server_context(CA, SERVER), server_side=True, https_compatible=True)
        side = Side(stream)
        if controls and data_there.is_set():
            tried.set()
            await heard.wait()  # the handshake takes longer than the outage
        with contextlib.suppress(trio.BrokenResourceError):
            first = channels.decode_hello(await side.receive())
            if isinstance(first, ControlHello):
                await control(side)
            data_there.set()
            await side.send(Piece(torrent=TORRENT, piece=0, data=b"bytes"))
            await side.closed()
        fresh_ended.set()

    data_there = trio.Event()
    async with client_of(handle) as client:
        assert await client.events.receive() == WELCOME
        await client.pieces.receive()
        stored = messages.PieceStored(torrent=TORRENT, piece=1)
        await client.send(stored)
        await trio.sleep(0.05)
        await client.send(stored)
        await fresh_ended.wait()
        assert client.connected
        assert controls == 1
