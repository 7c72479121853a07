"""The endpoint's two connections to the seed server's origin port: control and data.

The client reconnects with backoff and jitter. While the server acknowledges nothing,
because the line is down, it tries a fresh connection beside the silent one: TCP doubles
its waits, so the old one would rest long after the line is back.

What it receives goes into two bounded channels, `OriginClient.events` and
`OriginClient.pieces`. While the daemon is busy storing pieces, the data socket is not
read, and TCP's flow control stops the sender. The control connection does not wait for that.
"""

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from bandwidth.core.units import LARGEST_PACKET_BYTES
from p2pdist.origin.connection import Disconnected, OriginEvent
from p2pdist.origin.large_packets import LargePackets
from p2pdist.origin.opening import (
    ConnectionLostError,
    HandshakeStalledError,
    OriginAddress,
    Stream,
    cause,
    first_message,
    open_beside,
    open_first,
)
from p2pdist.origin.outgoing import Outgoing, frame_of
from p2pdist.origin.retry_pace import EAGER_CONNECT_SECONDS, EAGER_LOOK_SECONDS, RetryPace
from p2pdist.origin.unanswered import timeouts_in_a_row
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.channels import (
    UnknownKind,
    decode_from_server,
    decode_on_data_connection,
)
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.data_messages import CodedPiece, DataHello, Piece
from p2pdist.shared.wire.features import INVITES
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES, MAX_DATA_FRAME_BYTES, MAX_TEXT_CHARS
from p2pdist.shared.wire.frames import SEND_SECONDS, FrameDecoder, FrameError
from p2pdist.shared.wire.messages import (
    PROTOCOL_VERSION,
    ControlHello,
    DataWanted,
    FromEndpoint,
    Goodbye,
    News,
    Welcome,
)
from p2pdist.shared.wire.pings import echo_frame, ping_number

WELCOME_SECONDS = 15.0
SILENCE_SECONDS = 150.0  # the server pings once a minute, and soon again who does not answer: so long, it is gone
DATA_IDLE_SECONDS = 120.0  # with no piece under way: the server asks again for the next patch, and has memory for few
SLEPT_SECONDS = 60.0  # the clock has gained so much on the steady one: the PC slept, and the server has given it up
FIRST_BACKOFF_SECONDS = 0.5
SILENT_TIMEOUTS = 3  # of the kernel in a row: some 2 s on a usual line; fewer are a few lost packets
RECEIVE_BYTES = 256 << 10
PIECES_BUFFERED = 2  # whole pieces that may wait in memory
EVENTS_BUFFERED = 64  # a burst of notices while the daemon is busy

log = lazy_log()


class OriginClient:
    """Keeps an endpoint connected to the seed server. Made by `open_origin_client`."""

    def __init__(
        self,
        address: Callable[[], OriginAddress],
        hello: Callable[[], ControlHello],
        clock: Clock,
        first_backoff_seconds: float,
        data_idle_seconds: float,
    ) -> None:
        self._address = address
        self._clock = clock
        self._pace = RetryPace(first_backoff_seconds)
        self._hello = hello
        self._events_in, self.events = trio.open_memory_channel[OriginEvent | News](EVENTS_BUFFERED)
        self._pieces_in, self.pieces = trio.open_memory_channel[Piece | CodedPiece](PIECES_BUFFERED)
        self._control: Stream | None = None
        self._fresh: Stream | None = None
        """Made beside a silent connection, to be used next."""
        self._send_lock = trio.Lock()
        self._reconnect = trio.Event()
        self._resting: trio.CancelScope | None = None
        """Between two attempts."""
        self._data_wanted = trio.Event()
        """The server asks for a data connection; one that does not know how to ask wants one at once."""
        self._data_idle_seconds = data_idle_seconds
        self._invites = False
        self._send_problem = ""
        self._outgoing = Outgoing(self._send_frames)
        self._goodbye: Goodbye | None = None
        """The last thing that the server said on this connection."""
        self._ahead_seconds = 0.0
        """The clock's before the steady one, as this connection was begun."""
        self._sent_late_seconds = 0.0
        """How long the last echo waited to be sent."""
        self._packet_bytes = LARGEST_PACKET_BYTES
        self._large_packets = LargePackets()
        self.status = "not connected yet"
        """One line on the connection, for people; "connected" when it is."""
        self.piece_bytes = 0
        """What has come over the site's line in pieces, of all patches."""
        self.ignored_messages = 0
        """Of kinds that are not known here; the first one is logged."""

    @property
    def connected(self) -> bool:
        """Whether the server has welcomed us and the connection is up."""
        return self._control is not None

    def reconnect(self) -> None:
        """Drop the connection, if any, and connect again at once: for a new certificate or address."""
        self._reconnect.set()

    def try_elsewhere(self) -> None:
        """Make the next attempt now, and both count as one; without effect where one is under way."""
        if self._resting is not None:
            self._pace.goes_on()
            self._resting.cancel()

    async def send(self, message: FromEndpoint) -> None:
        """Send a control message; while there is no connection it is dropped.

        That is safe for every message: all of them are repeated or rebuilt after a `Welcome`.
        """
        await self.put(message)()

    def put(self, message: FromEndpoint) -> Callable[[], Awaitable[None]]:
        """As `send`, by what is returned: messages leave in the order of these calls, whoever is awaited first."""
        return self._outgoing.put(message)

    async def _send_frames(self, stream: Stream, frames: bytes) -> None:
        try:
            await self._send_frame(stream, frames)
        except ConnectionLostError as error:
            # closing the stream ends this connection, not a later one: its reader meets the closed stream and reports
            # this problem, and the usual backoff follows
            self._send_problem = str(error)
            await trio.aclose_forcefully(stream)

    async def _send_frame(self, stream: Stream, frame: bytes) -> float:
        """Send; return when the kernel got it, in trio's time."""
        with trio.move_on_after(SEND_SECONDS):
            async with self._send_lock:
                try:
                    await stream.send_all(frame)
                    return stream.transport_stream.sent_at
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    raise ConnectionLostError(cause(error)) from error
        raise ConnectionLostError(f"the server took no control message for {SEND_SECONDS:.0f} s")

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                await self._connect_once()
        finally:
            if self._fresh is not None:
                self._fresh.transport_stream.socket.close()

    async def _connect_once(self) -> None:
        """Use one connection to its end, then wait until the next one is due."""
        self._reconnect = trio.Event()
        self._data_wanted = trio.Event()
        self._goodbye = None
        started = trio.current_time()
        reason = await self._one_connection()
        now = trio.current_time()
        wanted = self._reconnect.is_set()
        delay = self._pace.lost(now - started, now, random.random(), wanted=wanted)  # noqa: S311 - jitter
        if self._fresh is not None:
            delay = 0.0
        said: Goodbye | None = self._goodbye
        goodbye = said or Goodbye(reason=reason[:MAX_TEXT_CHARS], cause="", others=[])
        if goodbye.cause == "shared_identity":
            delay = self._pace.refused(random.random())  # noqa: S311 - jitter
        self.status = f"{reason}; next attempt within {math.ceil(delay)} s"
        log.info("origin connection is down", reason=reason, retry_seconds=round(delay, 1))
        await self._events_in.send(Disconnected(reason[:MAX_TEXT_CHARS], goodbye.cause, tuple(goodbye.others)))
        if delay:
            with trio.move_on_after(delay) as self._resting:
                await self._reconnect.wait()
            self._resting = None

    async def _one_connection(self) -> str:
        """Connect, serve until something breaks, and return why it ended."""
        reason = "connection closed by the daemon itself"
        try:
            address = self._address()
            self._ahead_seconds = self._clock.now() - self._clock.monotonic()
            tcp_seconds = self._pace.connect_seconds(trio.current_time())
            control = self._take_fresh() or await open_first(address, tcp_seconds)
            async with control:
                control.transport_stream.stamp_arrivals()  # for pings; pieces come on another connection
                hello = self._hello()
                await self._send_frame(control, frame_of(hello))
                decoder = FrameDecoder(max_bytes=MAX_CONTROL_FRAME_BYTES)
                waiting: list[bytes] = []
                with trio.fail_after(WELCOME_SECONDS):
                    while not waiting:
                        waiting = await self._receive(control, decoder)
                await self._handle(control, waiting[0], welcome=True)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._wait_for_reconnect, nursery.cancel_scope)
                    nursery.start_soon(self._watch_for_silence, address, control, nursery.cancel_scope)
                    nursery.start_soon(self._fetch, address, control, hello)
                    await self._read_control(control, decoder, waiting[1:])
                if self._fresh is not None:
                    reason = "the server's answers stopped, and a fresh connection stands"
        except* ConnectionLostError as group:
            reason = first_message(group)
        except* UserError as group:  # our own certificate is unusable, or the disk is full
            reason = first_message(group)
        except* trio.TooSlowError:
            reason = "the server did not answer in time"
        except* OSError as group:  # ssl.SSLError among them
            reason = cause(group)
        finally:
            self._control = None
            self._outgoing.use(None)
        return reason

    def _take_fresh(self) -> Stream | None:
        fresh, self._fresh = self._fresh, None
        return fresh

    async def _wait_for_reconnect(self, scope: trio.CancelScope) -> None:
        await self._reconnect.wait()
        scope.cancel()

    async def _watch_for_silence(self, address: OriginAddress, control: Stream, scope: trio.CancelScope) -> None:
        """While the server acknowledges nothing, try fresh connections; cancel ``scope`` when one stands."""
        sock = control.transport_stream.socket
        silent_since: float | None = None
        while True:
            if self._clock.now() - self._clock.monotonic() - self._ahead_seconds >= SLEPT_SECONDS:
                self.reconnect()
            if timeouts_in_a_row(sock) < SILENT_TIMEOUTS:
                silent_since = None
                await trio.sleep(self._pace.look_seconds(trio.current_time()))
                continue
            silent_since = trio.current_time() if silent_since is None else silent_since
            delay = self._pace.beside_silent(silent_since, random.random())  # noqa: S311 - jitter
            await trio.sleep(max(EAGER_LOOK_SECONDS, delay))
            if timeouts_in_a_row(sock) < SILENT_TIMEOUTS:
                continue
            try:
                fresh = await open_beside(control, address, EAGER_CONNECT_SECONDS)
            except (OSError, trio.TooSlowError, ConnectionLostError):
                continue
            if timeouts_in_a_row(sock) >= SILENT_TIMEOUTS:
                self._fresh = fresh
                scope.cancel()
                return
            await trio.aclose_forcefully(fresh)  # the old one is answered again

    async def _receive(self, stream: Stream, decoder: FrameDecoder) -> list[bytes]:
        try:
            data = await stream.receive_some(RECEIVE_BYTES)
        except trio.ClosedResourceError as error:  # `send` has closed it
            raise ConnectionLostError(self._send_problem) from error
        except trio.BrokenResourceError as error:
            raise ConnectionLostError(cause(error)) from error
        if not data:
            raise ConnectionLostError("the server closed the connection")
        try:
            return decoder.feed(bytes(data))
        except FrameError as error:
            raise ConnectionLostError(f"the server sent a malformed frame: {error}") from error

    async def _read_control(self, stream: Stream, decoder: FrameDecoder, bodies: list[bytes]) -> None:
        while True:
            await self._handle_all(stream, bodies)
            with trio.move_on_after(SILENCE_SECONDS) as scope:
                bodies = await self._receive(stream, decoder)
            if scope.cancelled_caught:
                raise ConnectionLostError(f"the server was silent for {SILENCE_SECONDS:.0f} s")

    async def _handle_all(self, stream: Stream, bodies: list[bytes]) -> None:
        # answer pings before anything that can block: the server measures the line with them
        for body in bodies:
            if (number := ping_number(body)) is not None:
                self._pace.pinged(trio.current_time())
                read_late = stream.transport_stream.waited_seconds(self._clock)
                made_at = trio.current_time()
                sent_at = await self._send_frame(stream, echo_frame(number, read_late, self._sent_late_seconds))
                self._sent_late_seconds = sent_at - made_at
        for body in bodies:
            if ping_number(body) is None:
                await self._handle(stream, body)

    async def _handle(self, stream: Stream, body: bytes, *, welcome: bool = False) -> None:
        try:
            message = decode_from_server(body)
        except DecodeError as error:
            raise ConnectionLostError(f"the server sent a malformed message: {error}") from error
        if isinstance(message, Goodbye):
            self._goodbye = message
            raise ConnectionLostError(f"the server said: {message.reason}")
        if isinstance(message, UnknownKind) and not welcome:
            self._ignore(message)
            return
        if isinstance(message, UnknownKind) or welcome is not isinstance(message, Welcome):
            raise ConnectionLostError(f"the server sent {type(message).__name__} out of order")
        if isinstance(message, DataWanted):
            self._data_wanted.set()
            return
        if isinstance(message, Welcome):
            self._invites = INVITES in message.features
            if not self._invites:
                self._data_wanted.set()
            # before the event is sent: its receiver may call `send` at once
            self._control = stream
            self._outgoing.use(stream)
            self._packet_bytes = message.packet_bytes
            self._large_packets.welcomed(message.site)
            self.status = "connected"
        await self._events_in.send(message)

    def _ignore(self, unknown: UnknownKind) -> None:
        self.ignored_messages += 1
        if self.ignored_messages == 1:
            log.info("the server is newer, and says what this PC does not know", kind=unknown.name)

    async def _fetch(self, address: OriginAddress, control: Stream, hello: ControlHello) -> None:
        """Keep a data connection from when the server wants one until it is of no use."""
        while True:
            await self._data_wanted.wait()
            self._data_wanted = trio.Event()
            await self._read_data(address, control, hello)

    async def _read_data(self, address: OriginAddress, control: Stream, hello: ControlHello) -> None:
        packets = self._large_packets
        packet_bytes = min(self._packet_bytes, packets.most_bytes(trio.current_time()))
        try:
            stream = await open_beside(control, address, packet_bytes=packet_bytes)
        except HandshakeStalledError as error:
            packets.stalled(packet_bytes, trio.current_time(), missing=error.large_packets_missing)
            raise
        packets.opened()
        lost = packets.are_lost(trio.current_time())
        first = DataHello(protocol=PROTOCOL_VERSION, instance=hello.instance, large_packets_lost=lost)
        async with stream:
            await self._send_frame(stream, frame_of(first))
            decoder = FrameDecoder(max_bytes=MAX_DATA_FRAME_BYTES)
            while True:
                with trio.move_on_after(self._data_idle_seconds if self._invites else math.inf) as idle:
                    bodies = await self._receive(stream, decoder)
                if idle.cancelled_caught:
                    # a site that may not fetch now has the rest of its piece later, unless the server asks anew
                    if decoder.is_inside_frame and not self._data_wanted.is_set():
                        continue
                    return
                self._data_wanted = trio.Event()  # what was asked before this came, came before the server knew of it
                self._pace.fetched(trio.current_time())
                for body in bodies:
                    try:
                        message = decode_on_data_connection(body)
                    except DecodeError as error:
                        raise ConnectionLostError(f"the server sent a malformed piece: {error}") from error
                    if isinstance(message, Goodbye):
                        raise ConnectionLostError(f"the server said: {message.reason}")
                    self.piece_bytes += len(message.data)
                    await self._pieces_in.send(message)


@asynccontextmanager
async def open_origin_client(
    address: Callable[[], OriginAddress],
    hello: Callable[[], ControlHello],
    clock: Clock,
    *,
    first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    data_idle_seconds: float = DATA_IDLE_SECONDS,
) -> AsyncIterator[OriginClient]:
    """Keep an endpoint connected to its seed server while the context is open.

    ``address`` and ``hello`` are called at each attempt. The caller must keep
    reading ``events``: a full channel stops the control connection. ``clock``: the system's.
    """
    client = OriginClient(address, hello, clock, first_backoff_seconds, data_idle_seconds)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        try:
            yield client
        finally:
            nursery.cancel_scope.cancel()
