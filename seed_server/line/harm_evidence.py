"""What business on a site's line went through in each second in which we sent there. Pure.

Nothing here asks the controller what it believes: what arrived, and what PCs see of others' traffic, has to show
whether it does harm. A controller that does its work gives way within a sample or two, so hardly a second is left in
which business suffers *and* we send at a rate that matters.
"""

import enum
import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from bandwidth.core.competition import HARM_SECONDS
from bandwidth.core.rolling import RollingMax
from bandwidth.core.units import BytesPerSecond

HARM_BOUND_SECONDS = (
    2 * HARM_SECONDS
)  # the controller gives way at half of it: a site that is at it is not steered well
SECOND = 1.0  # the unit of evidence: some samples, and longer than it takes to give way
HARM_GAP_SECONDS = 0.5  # between two samples: for longer nobody looked, and bytes belong to no second
LOUD_PART = 0.1  # of the most that we sent lately: less is what remains of a rate after giving way
LOUD_LEAST = 20_000.0  # bytes per second: more than what drains for some seconds after giving way (`DRAIN_RATE`)
EXCUSED_MARGIN = 1.1  # above the rate that an operator's own rule demands whatever it harms
TRANSFER_PART = 0.02  # of what the line carried: a smaller transfer is not measured well enough
FULL_LINE_PART = 0.85  # of the most that it carried lately: with less on it, nobody is in anybody's way
BULK_PART = 0.8  # of the looks in a second: a page's connections are over sooner
SLOWED_RUN = 2  # seconds in a row in which business is slow: within one, giving way is over …
DISPLACED_RUN = 3  # … and beside a transfer that begins, some samples later
PEAK_MEMORY_SECONDS = 600.0
NOTHING_EXCUSED = BytesPerSecond(0)


class HarmReason(enum.Enum):
    """How business suffered: the closed list that people read."""

    SLOWED = "connections of others were slowed down while we sent"
    DISPLACED = "transfers of others got less of the line while we sent"


@dataclass(frozen=True, slots=True)
class SeenSecond:
    """One second at a site; rates in bytes per second."""

    at: float
    """Its end."""
    ours: float
    business: float | None
    """None: nobody could see it."""
    delay_seconds: float | None
    """Smoothed − least round trip of business, as a second PC confirms, where a second one measures. None: not seen."""
    loud: bool
    """We sent at a rate that matters, in the second before too, and no operator's rule demands it."""
    suffered: frozenset[HarmReason]
    """How business suffered."""


class HarmEvidence:
    """Gathers samples into seconds; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._sampled_at = 0.0
        self._ours = 0
        self._business: int | None = None
        self._looks = self._bulk_looks = 0
        self._delays: dict[Hashable, float] = {}
        self._was_loud = False
        self._slow = self._beside = 0
        """For how many seconds in a row."""
        self._our_peak = RollingMax()
        self._line_peak = RollingMax()

    def observe(
        self,
        now: float,
        *,
        our_bytes: int,
        business_bytes: int | None,
        bulk: bool,
        delays: Mapping[Hashable, float],
        excused_rate: BytesPerSecond = NOTHING_EXCUSED,
    ) -> SeenSecond | None:
        """Take in what happened since the last sample; return the second that has ended with it.

        ``bulk``: a business transfer runs. ``delays``: of each PC that has measured any business round trip, the worst.
        ``excused_rate``: an operator's rule demands as much, whatever it harms.
        """
        if self._begun is None or not 0.0 <= now - self._sampled_at <= HARM_GAP_SECONDS:
            self._begin(now)
            self._was_loud, self._slow, self._beside = False, 0, 0
            return None
        self._sampled_at = now
        self._ours += our_bytes
        if business_bytes is not None:
            self._business = (self._business or 0) + business_bytes
        self._looks += 1
        self._bulk_looks += bulk
        for endpoint, seconds in delays.items():
            # the least of the second: what passes within it is what giving way takes
            self._delays[endpoint] = min(seconds, self._delays.get(endpoint, math.inf))
        if now - self._begun < SECOND:
            return None
        second = self._ended(now, now - self._begun, excused_rate)
        self._begin(now)
        return second

    def _begin(self, now: float) -> None:
        self._begun = self._sampled_at = now
        self._ours = 0
        self._business = None
        self._looks = self._bulk_looks = 0
        self._delays = {}

    def _ended(self, now: float, seconds: float, excused_rate: BytesPerSecond) -> SeenSecond:
        ours = self._ours / seconds
        business = None if self._business is None else self._business / seconds
        carried = ours + (business or 0.0)
        for peak, rate in ((self._our_peak, ours), (self._line_peak, carried)):
            peak.expire(now - PEAK_MEMORY_SECONDS)
            peak.add(now, rate)
        loud_now = ours >= max(LOUD_LEAST, LOUD_PART * self._our_peak.largest) and (
            ours > EXCUSED_MARGIN * excused_rate
        )
        loud, self._was_loud = loud_now and self._was_loud, loud_now
        line = self._line_peak.largest
        beside = (
            loud
            and business is not None
            and business >= TRANSFER_PART * line
            and carried >= FULL_LINE_PART * line
            and self._bulk_looks >= BULK_PART * self._looks
        )
        self._beside = self._beside + 1 if beside else 0
        delay = confirmed_delay(self._delays.values())
        if not loud:
            self._slow = 0
        elif delay is not None:  # a second in which no round trip was measured says nothing
            self._slow = self._slow + 1 if delay > HARM_BOUND_SECONDS else 0
        suffered = set()
        if delay is not None and self._slow >= SLOWED_RUN:
            suffered.add(HarmReason.SLOWED)
        if self._beside >= DISPLACED_RUN:
            suffered.add(HarmReason.DISPLACED)
        return SeenSecond(now, ours, business, delay, loud, frozenset(suffered))


def confirmed_delay(delays: Iterable[float]) -> float | None:
    """Return the delay that a second PC confirms: the second longest; where only one measures, what it says."""
    longest = sorted(delays, reverse=True)[:2]
    return longest[-1] if longest else None
