"""Whether somebody else wants the line, by what is measured at others and by queue, losses and shortfall. Pure."""

import math

from bandwidth.core.frontier import DRAINS
from bandwidth.core.sensors import SATELLITE_SECONDS, View
from bandwidth.core.states import Reason

STRONG_QUEUE = 4.0  # × threshold: yield at once
PERSISTENT_SECONDS = 0.5  # a queue that stays this long although we cut is somebody else's
CUT_SHOWS_SECONDS = 0.15  # and a round trip: the filter's three pings
LOSSES_LEAST = 2  # a paced sender below line rate loses nothing: two at a time are somebody's full buffer …
LOSSES_USUAL = 3.0  # … unless the line itself loses packets: then so many times the usual number
HEAVY_LOSSES_LEAST, HEAVY_LOSS_SHARE = 3.0, 0.05  # more is no line's own: a buffer too short to show, or a policer …
HEAVY_DEVIATIONS = 3.0  # … where chance alone seldom has so many (standard deviations of a Poisson count)
SHORTFALL = 0.15  # of what was sent: more is not the granularity of packets and samples
SHORTFALL_LOOKS = 2  # in a row
HARM_SECONDS = 0.02  # added to business round trips

SEEN_AT_OTHERS = frozenset({Reason.BUSINESS_BULK, Reason.HARM})
"""Reasons that are measured at the others themselves: when such a reason ends, the line is free."""


class Competition:
    """Decides on each view whether business needs the line; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._queue_since: float | None = None
        self._most_queue = 0.0
        self._short_looks = 0

    def forget(self) -> None:
        """Start again after a yield, or a clock that went back: the past proves nothing then."""
        self._queue_since = None
        self._short_looks = 0

    def judge(
        self, view: View, threshold_seconds: float, now: float, *, cut_at: float | None, within_capacity: bool
    ) -> Reason | None:
        """Return why business needs the line at once, or None.

        ``cut_at``: when we last began to cut because of the queue that is there.
        ``within_capacity``: we send no more than the line carries.
        """
        if view.bulk_business:
            return Reason.BUSINESS_BULK
        if view.business_harm_seconds > HARM_SECONDS:
            return Reason.HARM
        if view.lost_crowded >= LOSSES_LEAST + LOSSES_USUAL * view.losses_usual or _is_heavy(view):
            return Reason.LOSS
        self._short_looks = self._short_looks + 1 if view.shortfall > SHORTFALL else 0
        if within_capacity and view.own_queue_seconds > threshold_seconds and not view.application_limited:
            # fair queueing: our share is less than what we send. (A trickle is acknowledged late in any case.)
            return Reason.SHORTFALL
        if self._short_looks >= SHORTFALL_LOOKS:
            return Reason.SHORTFALL
        return self._judge_queue(view, threshold_seconds, now, cut_at)

    def _judge_queue(self, view: View, threshold: float, now: float, cut_at: float | None) -> Reason | None:
        queue = view.queue_seconds
        if queue is None or queue <= threshold / 2:
            self._queue_since = None
            return None
        if queue > STRONG_QUEUE * threshold:
            return Reason.PERSISTENT_QUEUE
        if self._queue_since is None:
            self._queue_since, self._most_queue = now, 0.0
        self._most_queue = max(self._most_queue, queue)
        if view.rtt_seconds - queue >= SATELLITE_SECONDS and queue <= DRAINS * self._most_queue:
            return None
        # a cut shows after a round trip and the pings' filter
        shown = cut_at is not None and now - cut_at >= view.rtt_seconds + CUT_SHOWS_SECONDS
        return Reason.PERSISTENT_QUEUE if shown and now - self._queue_since >= PERSISTENT_SECONDS else None


def _is_heavy(view: View) -> bool:
    expected = HEAVY_LOSS_SHARE * view.segments
    return view.lost >= HEAVY_LOSSES_LEAST + expected + HEAVY_DEVIATIONS * math.sqrt(expected)
