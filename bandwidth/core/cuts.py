"""How the rate is cut when a queue has formed, and how it grows again. Pure."""

from bandwidth.core.frontier import SHOWS_SECONDS
from bandwidth.core.sensors import SATELLITE_SECONDS, View
from bandwidth.core.units import LARGEST_PACKET_BYTES

CUT_LEAST, CUT_MOST = 0.1, 0.5  # of the rate: less does not empty a queue, more is never needed for one of ours
GROWTH_MOST_PER_SECOND = 0.10  # of the capacity
GROWTH_CALM_SECONDS = 2.0  # and some round trips in which nobody shows up: from then on, growth doubles each second
RETURN_PER_SECOND = 0.50  # of the capacity, back towards …
RETURN_AGAIN_SECONDS = 3.0  # … but not so soon after another cut
RETURN_SHARE = 0.85  # … this part of the rate before, when a queue was there and went at once
SUDDEN_SECONDS, SUDDEN_TIMES = 0.3, 2.0  # within so long, so many times what a rate beyond the line's can make …
SUDDEN_PACKETS = 5  # … and as many packets, which may be ours where a turn begins, are no burst
BURST_CUT = 0.8  # of the rate: with half, a page shares the line with us to its end; with all, too little is used
LONG_WAY_SECONDS = 0.05  # a round trip as long as this: a ramp's queue stands for long enough to be heard in a call
DELIVERED_NOTHING = 1.0  # bytes per second


def depth(thresholds: float, *, burst: bool, unknown_way: float | None) -> float:
    """Return which part of the rate to cut for a queue of so many ``thresholds``; inf: only losses tell of it.

    ``unknown_way``: the least round trip in seconds, where nothing was known of the line. A ramp over a long way goes
    far beyond it, and a call waits for all of that queue; but over a satellite, until it shows that the queue has gone,
    a round trip of the line is lost.
    """
    if burst or (unknown_way is not None and LONG_WAY_SECONDS <= unknown_way < SATELLITE_SECONDS):
        return BURST_CUT
    return min(CUT_MOST, 0.5 * (thresholds - 1))


class Cuts:
    """Remembers the last cut; ``now`` is any clock in seconds, rates are bytes per second."""

    def __init__(self) -> None:
        self._at = self._begun_at = float("-inf")
        self._before = 0.0, False
        self._seen = True
        self._return_to: float | None = None
        self._calm = float("-inf"), 0.0

    def restart(self, now: float) -> None:
        """Count from ``now``: the clock went back."""
        self._at = self._begun_at = now

    def forget(self) -> None:
        """Do not return to the rate before: somebody needs the line."""
        self._return_to = None

    def calm(self, view: View, now: float) -> None:
        """Note that nothing is cut for what ``view`` shows."""
        if view.queue_seconds is not None:
            self._calm = now, view.data_queue_seconds

    def is_burst(self, view: View, threshold: float, now: float, *, rate: float, line: float | None) -> bool:
        """Whether a queue came faster than we can have made it: somebody has begun to send.

        ``line``: what it is known to carry, or None. By which share our rate is above it, so many seconds of queue come
        of that in a second. Our own data must meet it: what pings alone meet may be in a PC's card; and over a
        satellite it may be a PC that was busy.
        """
        queue = view.data_queue_seconds
        if not line or view.rtt_seconds - queue >= SATELLITE_SECONDS:
            return False
        beyond = max(0.0, rate / line - 1)
        at, before = self._calm
        ours = SUDDEN_TIMES * beyond * (now - at) + max(threshold / 2, SUDDEN_PACKETS * LARGEST_PACKET_BYTES / line)
        return 0 <= now - at < SUDDEN_SECONDS and queue - before > ours

    def was_burst(self, view: View, threshold: float, now: float, *, line: float | None) -> bool:
        """Whether it shows only after the cut that the queue is somebody's burst, who came while we tried more.

        A ramp's own queue grows as fast.
        """
        rate, ramped = self._before
        return not ramped and self.is_burst(view, threshold, now, rate=rate, line=line)

    def begin(self, view: View, rate: float, now: float, *, first: bool, ramped: bool, seen: bool) -> None:
        """Note that a queue has formed at ``rate``, in a ramp or not; ``seen``, or only losses and a shortfall tell.

        One that comes and goes is a page or a burst: the rate returns soon, but not
        twice in a row; unless this is the ``first`` after one that we made ourselves.
        """
        self._begun_at, self._before, self._seen = now, (rate, ramped), seen
        carried = rate if view.application_limited else max(view.recent, view.delivered)
        again = now - self._at < RETURN_AGAIN_SECONDS and not first
        self._return_to = None if again else RETURN_SHARE * min(rate, carried)

    def cut(self, view: View, rate: float, now: float, cut: float, *, beyond: bool) -> float:
        """Return ``rate`` cut by the part ``cut``; ``beyond``: it was more than what is known of the line."""
        kept = 1 - max(CUT_LEAST, cut)
        known = view.delivered if view.delivered > DELIVERED_NOTHING and not view.application_limited else rate
        if beyond:
            known = max(known, view.own_recent)  # the longer mean is of a ramp
        self._at = now
        return kept * min(rate, known)

    def cannot_show(self, way_seconds: float | None, now: float) -> bool:
        """Whether answers that come now cannot know of the cut yet, after a round trip over a satellite."""
        return way_seconds is not None and way_seconds >= SATELLITE_SECONDS and 0 <= now - self._begun_at < way_seconds

    def yet_unseen(self, way_seconds: float | None, now: float) -> bool:
        """Whether the queue that we cut for did not show when we did, and may not have gone yet.

        ``way_seconds``: the least round trip. Over a satellite it is believed to have gone at once: to wait for a round
        trip takes too long there.
        """
        if self._seen or way_seconds is None or way_seconds >= SATELLITE_SECONDS:
            return False
        return 0 <= now - self._begun_at < way_seconds + SHOWS_SECONDS

    def undone(self) -> tuple[float, bool]:
        """Return the rate before the cut, and whether it was a ramp's: the queue was none of ours."""
        self._return_to = None
        return self._before

    def shows(self, view: View, now: float) -> bool:
        """Whether the queue that is there now is one after the last cut."""
        return now - self._at >= max(0.2, 2 * view.rtt_seconds + 0.1)

    def wait(self, now: float) -> None:
        """Let the last cut work for as long again."""
        self._at = now

    def grow(
        self, view: View, rate: float, *, capacity: float, threshold: float, queue: float, calm_for: float, step: float
    ) -> float:
        """Return the rate after ``step`` seconds with at most a small ``queue``, ``calm_for`` so many seconds."""
        if self._return_to is not None and rate < self._return_to:
            return min(self._return_to, rate + RETURN_PER_SECOND * capacity * step)
        self._return_to = None
        delay = view.rtt_seconds + SHOWS_SECONDS  # until a change of the rate shows in the decision
        growth = min(GROWTH_MOST_PER_SECOND, threshold / delay**2)
        calm = calm_for - GROWTH_CALM_SECONDS - 2 * delay
        if calm > 0.0:  # nobody has shown up, and the rate is far below what is known: whoever was there has gone
            growth = min(RETURN_PER_SECOND, growth * 2**calm)
        return rate + growth * capacity * step * (1 - queue / threshold)
