"""The round trip of the empty line, which every queue is measured against. Pure.

It falls at once. It rises in two ways only: by what was seen in quiet moments, window
by window (as RFC 6817 section 3.4.2 keeps one-minute minima), and when two
planned pauses agree that the route has become longer. Samples from a loaded line
never enter, so a standing queue of ours or a rival's is not mistaken for the line:
that mistake causes LEDBAT's drift and its latecomer's advantage (RFC 6817 section 5).
"""

from collections import deque

WINDOWS = 10  # RFC 6817: BASE_HISTORY = 10 …
WINDOW_SECONDS = 60.0  # … of one minute each
QUIET_MARGIN_SECONDS = 0.001  # a quiet sample this far above the base may be the line's own jitter
AGREEMENT_SECONDS = 0.001  # two pauses that differ by less saw the same line …
AGREEMENT_SHARE = 0.02  # … or by less than this part of it
FLAT_SECONDS = 10.0  # a longer round trip that stays the same for so long while we are silent is a longer route …
FLAT_SPREAD_SECONDS = 0.003  # … because a sender that fills a queue moves it up and down by more than this


class BaseDelay:
    """Tracks the base round trip; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._windows: deque[float] = deque(maxlen=WINDOWS)
        self._window_started: float | None = None
        self._pause_before: float | None = None
        self._flat: tuple[float, float, float] | None = None  # (since, least, most)

    @property
    def seconds(self) -> float | None:
        """The base now; None before the first sample."""
        return min(self._windows, default=None)

    def observe(self, rtt_seconds: float, now: float, *, quiet: bool) -> None:
        """Record a round trip; ``quiet`` when our own rate is low and no business is seen."""
        base = self.seconds
        if base is None or rtt_seconds < base:
            if base is None or self._window_started is None:
                self._windows.append(rtt_seconds)
                self._window_started = now
            else:
                self._windows[-1] = rtt_seconds
            return
        if not quiet or rtt_seconds > base + QUIET_MARGIN_SECONDS:
            return
        assert self._window_started is not None
        # a clock that went back, or a machine that slept, starts one new window, not many
        if not 0 <= now - self._window_started < WINDOW_SECONDS:
            self._windows.append(rtt_seconds)
            self._window_started = now
        else:
            self._windows[-1] = min(self._windows[-1], rtt_seconds)

    def pause_ended(self, least_rtt_seconds: float, now: float) -> bool:
        """Record the least round trip of a planned pause; return whether the base has risen to it."""
        before, self._pause_before = self._pause_before, least_rtt_seconds
        base = self.seconds
        if base is None or before is None:
            return False
        tolerance = max(AGREEMENT_SECONDS, AGREEMENT_SHARE * least_rtt_seconds)
        agreed = abs(before - least_rtt_seconds) <= tolerance
        if not agreed or min(before, least_rtt_seconds) <= base + tolerance:
            return False
        self._rise_to(min(before, least_rtt_seconds), now)
        return True

    def silent(self, rtt_seconds: float, now: float) -> bool:
        """Record a round trip while we send almost nothing; return whether the base has risen to a longer route."""
        base = self.seconds
        if base is None or rtt_seconds <= base + FLAT_SPREAD_SECONDS:
            self._flat = None
            return False
        since, least, most = self._flat or (now, rtt_seconds, rtt_seconds)
        least, most = min(least, rtt_seconds), max(most, rtt_seconds)
        if most - least > FLAT_SPREAD_SECONDS or now < since:
            since, least, most = now, rtt_seconds, rtt_seconds
        self._flat = (since, least, most)
        if now - since < FLAT_SECONDS:
            return False
        self._rise_to(least, now)
        return True

    def busy(self) -> None:
        """Note that we send again: what was flat so far proves nothing."""
        self._flat = None

    def rise_by(self, seconds: float, now: float) -> None:
        """Follow another base of the same route that has risen."""
        base = self.seconds
        if base is not None:
            self._rise_to(base + seconds, now)

    def _rise_to(self, seconds: float, now: float) -> None:
        self._windows.clear()
        self._windows.append(seconds)
        self._window_started = now
        self._flat = None
