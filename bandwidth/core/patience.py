"""How long to be silent after a yield: too short harms business that still runs, too long wastes a free line. Pure."""

from bandwidth.core.states import Reason

FIRST_SECONDS = 0.5  # after a yield to somebody unseen; doubles while ramps fail …
LONGEST_SECONDS = 4.0  # … so that a line that has become free is found within this
BLIND_SECONDS = 1.5  # no less than this, or …
BLIND_ROUND_TRIPS = 8.0  # … so many round trips, where pings would not show that somebody is still there
BLIND_LONGEST_SECONDS = 8.0  # each ramp into a transfer that nothing shows costs it a window
FAILED_RAMP_SECONDS = 3.0  # a yield within this, and some round trips, after a ramp means that the ramp met somebody
FAILED_RAMP_ROUND_TRIPS = 8.0  # a transfer needs about so many to show
BLIND = frozenset({Reason.LOSS, Reason.SHORTFALL})
"""Reasons to yield that only our own sending shows: in silence they say nothing."""


class Patience:
    """How long to be silent; it grows with each ramp that fails. ``now`` is any clock in seconds."""

    def __init__(self, now: float) -> None:
        self.seconds = FIRST_SECONDS
        self._ramped_at = now

    def ramped(self, now: float) -> None:
        """Note that a ramp begins."""
        self._ramped_at = now

    def yielded(self, reason: Reason, rtt_seconds: float, now: float) -> None:
        """Note that we have yielded to somebody unseen."""
        first, longest = FIRST_SECONDS, LONGEST_SECONDS
        if reason in BLIND:
            first = max(BLIND_SECONDS, BLIND_ROUND_TRIPS * rtt_seconds)
            longest = max(first, BLIND_LONGEST_SECONDS)
        again = 0.0 if self._survived(rtt_seconds, now) else 2 * self.seconds
        self.seconds = min(longest, max(first, again))

    def scavenging(self, rtt_seconds: float, now: float) -> None:
        """Note that the ramp has met nobody so far; after long enough, it has succeeded."""
        if self._survived(rtt_seconds, now):
            self.seconds = FIRST_SECONDS

    def _survived(self, rtt_seconds: float, now: float) -> bool:
        return now - self._ramped_at >= FAILED_RAMP_SECONDS + FAILED_RAMP_ROUND_TRIPS * rtt_seconds
