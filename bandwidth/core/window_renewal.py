"""When the kernel's congestion window holds our own connection back, and may begin slow start anew. Pure.

The limiter decides how fast to send. The window below it is still small from
crowded moments, and on a long line takes minutes to grow back. A new
connection would not have that memory.
"""

from bandwidth.core.decision import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import State

CALM_SECONDS = 1.0  # without a loss of ours: what made the window small is over
AGAIN_SECONDS = 5.0  # slow start from one segment to 10,000 takes fourteen round trips
BLIND_AGAIN_ROUND_TRIPS = (
    6.0  # to a window that losses do not shrink: so long its start takes from 10 segments to 5,000 …
)
BLIND_AGAIN_SECONDS = 0.3  # … and no sooner than this
BLIND_FRESH_SECONDS = 8.0  # BBR sends almost nothing for 0.2 s when its least round trip is 10 s old


class WindowRenewal:
    """Decides when to renew, from each sample and its decision; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._state = State.LEARN
        self._lost_at = float("-inf")
        self._renewed_at = float("-inf")

    def due(self, sample: Sample, decision: Decision, now: float, *, rtt_seconds: float, loss_blind: bool) -> bool:
        """Return whether the caller should let the windows of its connections begin slow start anew.

        ``loss_blind``: losses do not shrink them (BBR).
        """
        before, self._state = self._state, decision.state
        if now < self._renewed_at or now < self._lost_at:
            self._renewed_at = self._lost_at = now
        if sample.retransmits:
            self._lost_at = now
        free_again = decision.state is State.RAMP and before is State.YIELD
        begins = decision.state is State.RAMP and before is not State.RAMP
        held_back = (
            decision.state in (State.RAMP, State.SCAVENGE)
            and sample.window_rate is not None
            and sample.window_rate < decision.allowance
        )
        since = now - self._renewed_at
        if loss_blind:
            again = max(BLIND_AGAIN_SECONDS, BLIND_AGAIN_ROUND_TRIPS * rtt_seconds)
            # what it has learned while we hardly sent, in a yield or a blackout, would hold the ramp back
            due = begins or (held_back and since >= again) or since >= BLIND_FRESH_SECONDS
        else:
            due = free_again or (held_back and since >= AGAIN_SECONDS and now - self._lost_at >= CALM_SECONDS)
        if due:
            self._renewed_at = now
        return due
