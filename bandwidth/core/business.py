"""Others' traffic on the line: what it takes now, what it will take in a moment, and whether it is steady. Pure."""

from collections import deque

from bandwidth.core.rolling import RollingMax, RollingRate

RATE_SECONDS = 0.1  # the shortest time over which a rate means something: two samples
MEAN_SECONDS = 1.0  # long enough for a burst and the silence after it
HOLD_SECONDS = 0.3  # room that was needed is kept free for this long, and …
HOLD_ROUND_TRIPS = 2.0  # … for this many round trips: the pauses inside a page are about one
PEAK_SECONDS = 2.0  # a rate above everything in this time is growth; one that comes and goes is not
GROWTH = 2.0  # what grows may double in a round trip: slow start (RFC 5681 section 3.1)
GROWING = 1.1  # above the peak so far by this much
STEADY_SLICES = 3  # two could agree by chance
STEADY_SLICE_SECONDS = 2.0  # as long as most encoders' groups of pictures
STEADY_SPREAD = 0.06  # of its mean: a call's slices differ by less, a transfer's by more, with its window
LOOKS_SECONDS = STEADY_SLICES * STEADY_SLICE_SECONDS + 0.5  # all slices, and a little
BUSINESS_MARGIN = 0.02  # of the capacity, beside visible business …
BUSINESS_MARGIN_LEAST = 25_000.0  # … and at least 200 kbit/s …
BUSINESS_MARGIN_MOST = 0.04  # … but on a slow line no more than this
BUSINESS_SEEN = 0.01  # of the capacity: less is name look-ups and keep-alives
BUSINESS_MOST = 0.5  # of the capacity: after a yield, business above this is still using the line


def margin_beside(capacity: float) -> float:
    """Return what is left free beside visible business. Rates are bytes per second, here and below."""
    return max(BUSINESS_MARGIN * capacity, min(BUSINESS_MARGIN_LEAST, BUSINESS_MARGIN_MOST * capacity))


def is_seen(need: float, capacity: float | None) -> bool:
    """Whether ``need`` is that of business, which the sensors see; None: what the line carries is not known."""
    return need > max(BUSINESS_SEEN * (capacity or 0.0), BUSINESS_MARGIN_LEAST)


def is_large(need: float, capacity: float | None) -> bool:
    """Whether business of so much ``need`` still uses the line."""
    return need > max(BUSINESS_MOST * (capacity or 0.0), BUSINESS_MARGIN_LEAST)


class BusinessLoad:
    """Others' load, from the last seconds of their bytes; ``now`` is any clock in seconds. Rates: bytes per second."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float, int]] = deque()  # (at, seconds, bytes)
        self._mean = RollingRate(MEAN_SECONDS)
        self._young: deque[tuple[float, float]] = deque()  # (at, rate), too young to be a peak
        self._peak = RollingMax()
        self._need = RollingMax()

    def forget(self, now: float) -> None:
        """Forget the past after a clock step or a sleep, but still leave others at first what they needed."""
        need = self.need
        self._looks.clear()
        self._mean.clear()
        self._young.clear()
        self._peak.clear()
        self._need.clear()
        if need > 0.0:
            self._need.add(now, need)

    def observe(self, new_bytes: int | None, elapsed_seconds: float, now: float, rtt_seconds: float) -> None:
        """Record what others have transferred in the last ``elapsed_seconds``; None: it could not be seen."""
        self._mean.expire(now)
        self._need.expire(now - max(HOLD_SECONDS, HOLD_ROUND_TRIPS * rtt_seconds))
        if new_bytes is None or elapsed_seconds <= 0.0:
            return
        looks = self._looks
        looks.append((now, elapsed_seconds, new_bytes))
        while looks[0][0] < now - LOOKS_SECONDS:
            looks.popleft()
        self._mean.add(now, elapsed_seconds, new_bytes)
        span = max(RATE_SECONDS, rtt_seconds)
        rate = self._rate_now(span, now)
        young = self._young
        while young and young[0][0] <= now - span:
            self._peak.add(*young.popleft())
        self._peak.expire(now - PEAK_SECONDS)
        young.append((now, rate))
        peak = self._peak.largest
        self._need.add(now, GROWTH * rate if rate > GROWING * peak else max(rate, min(peak, GROWTH * rate)))

    @property
    def need(self) -> float:
        """The rate to leave to others: the most that seemed likely in the last moments."""
        return self._need.largest

    @property
    def mean(self) -> float:
        """The mean rate over the last `MEAN_SECONDS`."""
        return self._mean.rate

    def steady_rate(self, now: float) -> float | None:
        """Return the rate that has hardly changed for some seconds; None: it changes, or is not known for so long.

        While we send at our least rate, a transfer that takes all it can get grows
        until it fills the line or loses packets. One that keeps its rate takes no
        more than it needs (a call, a camera, a copy that is limited elsewhere).
        """
        looks = self._looks
        if not looks or looks[0][0] > now - STEADY_SLICES * STEADY_SLICE_SECONDS:
            return None
        if looks[-1][0] <= now - STEADY_SLICE_SECONDS:
            return None  # nobody has seen others for a while
        slices = [0.0] * STEADY_SLICES
        for at, _, new in looks:
            index = int((now - at) / STEADY_SLICE_SECONDS)
            if index < STEADY_SLICES:
                slices[index] += new / STEADY_SLICE_SECONDS
        mean = sum(slices, 0.0) / STEADY_SLICES
        return mean if mean > 0.0 and max(slices) - min(slices) <= STEADY_SPREAD * mean else None

    def _rate_now(self, span_seconds: float, now: float) -> float:
        seconds = size = 0.0
        for at, elapsed, new in reversed(self._looks):
            if seconds and at <= now - span_seconds:
                break
            seconds += elapsed
            size += new
        return size / seconds if seconds else 0.0
