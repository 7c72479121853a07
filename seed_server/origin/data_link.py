"""The data connection of an endpoint: how it ends, and how much may be written to it now."""

import trio

from bandwidth.core.sensors import SEGMENT_BYTES
from bandwidth.core.token_bucket import TokenBucket
from bandwidth.core.units import BytesPerSecond
from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.line.control_budget import TLS_RECORD_BYTES
from seed_server.line.pacing import PacingResult, pace, use_known_control
from seed_server.line.site_sample import LinkView
from seed_server.line.socket_look import SocketLook
from seed_server.line.tcp_info import read_tcp_info
from seed_server.origin.connection import OriginConnection

SLICE_BYTES = 32 << 10  # progress of a lease is seen in such steps
METERED_BELOW = BytesPerSecond(100_000)  # below it, each of the kernel's bursts of two packets would last over 30 ms
BURST_BYTES = 64 << 10  # that Linux sends at once to a peer that is near …
BURST_HALVES_MICROSECONDS = 1 << 9  # … halved for each of these in the least round trip (tcp_tso_rtt_log)
COARSE_SECONDS = 0.04  # between its bursts: pacing is then too coarse to measure by, and we meter
KERNEL_LEAST_RATE = BytesPerSecond(64_000)  # while we meter: a packet that is scheduled goes within 24 ms
KERNEL_SHARE = 2  # while we meter: times the rate, so that a rising one is not held back
DRAIN_RATE = BytesPerSecond(16_000)  # at least, for what is in the kernel when the rate falls: it drains in seconds
METER_SECONDS = 0.003  # of data at the rate are written at a time, or one segment: a burst that makes no queue
EARNED_PARTS = 4  # may be written at once after a busy moment
RESTING_TIMEOUTS, LONG_RESTING_TIMEOUTS = 3, 5  # of TCP in a row: some 2 s on a usual line, and 7 s
BACKLOG_SECONDS = 0.01  # between checks whether the kernel has sent what it has
PACE_AGAIN_SHARE = 0.01  # a smaller change is not worth a system call


class Ending:
    """How a connection is told to end; the first reason counts."""

    __slots__ = ("_ended", "_scope", "reason")

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self.reason: str | None = None
        """For the `Goodbye`; None: the other side is gone."""
        self._ended = False

    def end(self, reason: str | None) -> None:
        """End it. Returns at once."""
        if not self._ended:
            self._ended = True
            self.reason = reason
            if self._scope is not None:
                self._scope.cancel()

    def cancels(self, scope: trio.CancelScope) -> None:
        """Let the end cancel ``scope``: at once, if it has come already."""
        self._scope = scope
        if self._ended:
            scope.cancel()


class DataLink:
    """The data connection of a session.

    Its rate is kept by the kernel's pacing. Slow rates, and all rates where the
    kernel cannot pace, are kept by writing a segment at a time.
    """

    def __init__(self, connection: OriginConnection) -> None:
        self.connection = connection
        self.ending = Ending()
        self.writing: LeasedPiece | None = None
        """The piece that is being sent."""
        self.written_bytes = 0
        self.rate: BytesPerSecond | None = None
        """TCP payload; None: not decided yet, nothing limits it."""
        self.kernel_paces = True
        self.loss_blind = use_known_control(connection.socket)
        self._kernel_rate: BytesPerSecond | None = None
        self._first_look = read_tcp_info(connection.socket)
        self._look: SocketLook | None = None
        self._bucket: TokenBucket | None = None
        self._wake = trio.Event()
        self._rate_changed = trio.Event()
        self.read_late_seconds = 0.0
        """As `LinkView` has it."""
        self._unconfirmed: tuple[LeasedPiece, float] | None = None
        self._piece_delay: float | None = None

    def wake(self) -> None:
        """Make its sender look for a piece now."""
        self._wake.set()
        self._wake = trio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for `wake`, at most ``seconds``."""
        with trio.move_on_after(seconds):
            await self._wake.wait()

    async def sleep_while_stopped(self, seconds: float) -> None:
        """Wait until the rate is no longer 0, at most ``seconds``."""
        with trio.move_on_after(seconds):
            while self.rate == 0:
                await self._rate_changed.wait()

    # --- what is measured -------------------------------------------------------------

    def view(self, *, sending: bool = True) -> LinkView:
        """Return the state of the socket and of what has been written."""
        self.look_again()
        return LinkView(
            endpoint=self.connection.endpoint,
            look=self._look,
            written_bytes=self.written_bytes,
            piece_delay_seconds=self._piece_delay,
            rate=self.rate,
            metered=self._metered,
            sending=sending,
            loss_blind=self.loss_blind,
            read_late_seconds=self.read_late_seconds,
            vanishing=self.nothing_arrived and self._look is not None and self._look.timeouts_in_a_row > 0,
        )

    @property
    def rests(self) -> bool:
        """Whether TCP has been waiting so long that it would go on doing so after an outage."""
        return self._look is not None and self._look.timeouts_in_a_row >= RESTING_TIMEOUTS

    @property
    def rests_long(self) -> bool:
        """Whether it has been waiting for so long that it must be an outage: a full card lets something through."""
        return self._look is not None and self._look.timeouts_in_a_row >= LONG_RESTING_TIMEOUTS

    @property
    def awaits_word(self) -> bool:
        """Whether the endpoint has not said yet that it has stored the last piece that was written."""
        return self._unconfirmed is not None

    def look_again(self) -> bool:
        """Look at the socket, which `view` does while it sends. Return False where it is closed: that is no news."""
        found = read_tcp_info(self.connection.socket)
        self._look = found or self._look or self._first_look
        return found is not None

    @property
    def nothing_arrived(self) -> bool:
        """Whether no full packet of a piece has ever arrived, so far as the kernel tells."""
        first, look = self._first_look, self._look
        return first is not None and look is not None and look.acked_bytes - first.acked_bytes < look.segment_bytes

    def piece_written(self, piece: LeasedPiece) -> None:
        """Note that the last byte of ``piece`` has been handed to the kernel."""
        self._unconfirmed = (piece, trio.current_time())

    def piece_stored(self, piece: LeasedPiece) -> None:
        """Note that the endpoint has stored ``piece``."""
        if self._unconfirmed is not None and self._unconfirmed[0] == piece:
            self._piece_delay = trio.current_time() - self._unconfirmed[1]
            self._unconfirmed = None

    # --- how fast ---------------------------------------------------------------------

    @property
    def _metered(self) -> bool:
        if self.rate is None:
            return False
        return not self.kernel_paces or self.rate < max(METERED_BELOW, self._burst_bytes / COARSE_SECONDS)

    @property
    def _burst_bytes(self) -> int:
        """What the kernel sends in one burst, however low its pacing rate."""
        if self._look is None:
            return 0
        return BURST_BYTES >> int((self._look.least_rtt_seconds or 0.0) * 1e6 / BURST_HALVES_MICROSECONDS)

    @property
    def _part_bytes(self) -> int:
        """What is written at a time while we meter."""
        segment = self._look.segment_bytes if self._look and self._look.segment_bytes else SEGMENT_BYTES
        whole = max(segment, int((self.rate or 0) * METER_SECONDS) // segment * segment)
        return min(SLICE_BYTES, whole - TLS_RECORD_BYTES)

    def set_rate(self, rate: BytesPerSecond) -> PacingResult | None:
        """Keep ``rate`` from now on, 0: write nothing. Returns what the kernel said, None when it was not asked."""
        before, self.rate = self.rate, rate
        self._fill_bucket(rate)
        if before != rate:
            self._rate_changed.set()
            self._rate_changed = trio.Event()
        wanted = self._rate_for_kernel(rate)
        known = self._kernel_rate
        if not self.kernel_paces or (known is not None and abs(wanted - known) <= PACE_AGAIN_SHARE * known):
            return None
        result = pace(self.connection.socket, wanted)
        self._kernel_rate = wanted
        self.kernel_paces = result.taken
        return result

    def _fill_bucket(self, rate: BytesPerSecond) -> None:
        """Go on at ``rate`` with what was earned before, but not with much."""
        now_ns = _now_ns()
        earned = 0 if self._bucket is None else self._bucket.level_bytes(now_ns)
        burst = EARNED_PARTS * self._part_bytes
        self._bucket = TokenBucket(rate, burst_bytes=burst, now_ns=now_ns)
        self._bucket.consume(max(0, burst - earned), now_ns)

    def _rate_for_kernel(self, rate: BytesPerSecond) -> BytesPerSecond:
        """Return the kernel's pacing rate: while we meter, it only spaces the packets of what we write at a time."""
        if not self._metered:
            return rate
        if self._backlog():
            return max(DRAIN_RATE, rate)
        return max(KERNEL_LEAST_RATE, BytesPerSecond(KERNEL_SHARE * rate))

    def _backlog(self) -> bool:
        """Whether the kernel holds more than what we write at a time."""
        look = self._look
        return look is not None and look.unsent_bytes > max(2 * look.segment_bytes, self._part_bytes)

    async def may_write(self) -> int:
        """Wait until something may be written, and return how much: 0 as soon as the rate is 0."""
        while self.rate != 0:
            if not self._metered or self._bucket is None:
                return SLICE_BYTES
            if self._backlog() and self.look_again() and self._backlog():
                # what waits is from before the rate fell: add nothing
                await trio.sleep(BACKLOG_SECONDS)
                continue
            part = min(self._part_bytes, self._bucket.burst_bytes)
            wait_ns = self._bucket.wait_ns(part, _now_ns())
            if wait_ns == 0:
                self._bucket.consume(part, _now_ns())
                return part
            with trio.move_on_after(float("inf") if wait_ns is None else wait_ns / 1e9):
                await self._rate_changed.wait()
        return 0


def _now_ns() -> int:
    return int(trio.current_time() * 1e9)
