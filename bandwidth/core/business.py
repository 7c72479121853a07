"""Others' traffic on the line: what it takes now, what it will take in a moment, and whether it has ended."""

from collections import deque

RATE_SECONDS = 0.1  # the shortest time over which a rate means something: two samples
HOLD_SECONDS = 0.3  # room that was needed is kept for this long, and …
HOLD_ROUND_TRIPS = 2.0  # … for this many round trips: the pauses inside a page are about one
PEAK_SECONDS = 2.0  # a rate above everything in this time is growth; one that comes and goes is not
GROWTH = 2.0  # what grows may double in a round trip: slow start (RFC 5681 section 3.1)
GROWING = 1.1  # above the peak so far by this much
STEADY_SECONDS = 6.0
STEADY_SLICE_SECONDS = 2.0  # as long as most encoders' groups of pictures
STEADY_SPREAD = 0.03  # of its mean: a call's key frames are less, a transfer's window moves by more
LONGEST_SECONDS = 6.5


class BusinessLoad:
    """Keeps the last seconds of others' bytes; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float, int]] = deque()  # (at, seconds, bytes)
        self._rates: deque[tuple[float, float]] = deque()  # (at, bytes per second over a round trip)
        self._needs: deque[tuple[float, float]] = deque()  # (at, bytes per second)

    def forget(self) -> None:
        """After a clock step or a sleep nothing of the past holds."""
        self._looks.clear()
        self._rates.clear()
        self._needs.clear()

    def take(self, new_bytes: int | None, elapsed_seconds: float, now: float, rtt_seconds: float) -> None:
        """Take what others have transferred in the last ``elapsed_seconds``; None: it could not be seen."""
        if new_bytes is None or elapsed_seconds <= 0:
            return
        self._looks.append((now, elapsed_seconds, new_bytes))
        _drop_before(self._looks, now - LONGEST_SECONDS)
        span = max(RATE_SECONDS, rtt_seconds)
        rate = self.rate(span, now)
        _drop_before(self._rates, now - PEAK_SECONDS)
        peak = max((past for at, past in self._rates if at <= now - span), default=0.0)
        self._rates.append((now, rate))
        self._needs.append((now, rate * GROWTH if rate > GROWING * peak else max(rate, min(peak, GROWTH * rate))))
        _drop_before(self._needs, now - self.hold_seconds(rtt_seconds))

    @staticmethod
    def hold_seconds(rtt_seconds: float) -> float:
        """Return for how long others must be quiet before what they used is free."""
        return max(HOLD_SECONDS, HOLD_ROUND_TRIPS * rtt_seconds)

    @property
    def seen(self) -> bool:
        """Whether anybody tells what others transfer."""
        return bool(self._looks)

    @property
    def need(self) -> float:
        """The rate to leave to others, in bytes per second: the most that a moment ago seemed likely."""
        return max((need for _, need in self._needs), default=0.0)

    def rate(self, span_seconds: float, now: float) -> float:
        """Return others' bytes per second in the last ``span_seconds``."""
        seconds = size = 0.0
        for at, elapsed, new in reversed(self._looks):
            if seconds and at <= now - span_seconds:
                break
            seconds += elapsed
            size += new
        return size / seconds if seconds else 0.0

    def steady_rate(self, now: float) -> float | None:
        """Return the rate that has hardly moved for `STEADY_SECONDS`; None: it moves, or is not known for so long.

        Beside our least rate, a transfer that takes what it gets grows until it
        fills the line or loses packets; one that stays where it is takes no more
        than it needs (a call, a camera, a copy that is limited elsewhere).
        """
        if not self._looks or self._looks[0][0] > now - STEADY_SECONDS:
            return None
        slices = [0.0] * int(STEADY_SECONDS / STEADY_SLICE_SECONDS)
        for at, _, new in self._looks:
            index = int((now - at) / STEADY_SLICE_SECONDS)
            if index < len(slices):
                slices[index] += new / STEADY_SLICE_SECONDS
        mean = sum(slices, 0.0) / len(slices)
        return mean if max(slices) - min(slices) <= 2 * STEADY_SPREAD * mean else None


def _drop_before(entries: deque[tuple[float, float]] | deque[tuple[float, float, int]], at: float) -> None:
    while entries and entries[0][0] < at:
        entries.popleft()
