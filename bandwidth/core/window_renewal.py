"""When the kernel's congestion window of our own connection stands in the way, and may begin anew. Pure.

The limiter decides how fast to send; the window below it remembers the losses of
crowded moments, and on a long line grows back for minutes. A new connection
would not have that memory.
"""

from bandwidth.core.decision import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import State

CALM_SECONDS = 1.0  # without a loss of ours: the moment that made the window small is over
AGAIN_SECONDS = 5.0  # slow start from one segment to 10,000 takes fourteen round trips


class WindowRenewal:
    """Looks at each sample and what was decided on it; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._state = State.LEARN
        self._lost_at = float("-inf")
        self._renewed_at = float("-inf")

    def due(self, sample: Sample, decision: Decision, now: float) -> bool:
        """Return whether the edge should let the windows of its connections begin slow start anew."""
        before, self._state = self._state, decision.state
        if now < self._renewed_at or now < self._lost_at:
            self._renewed_at = self._lost_at = now
        if sample.retransmits:
            self._lost_at = now
        free_again = decision.state is State.RAMP and before is State.YIELD
        in_the_way = (
            decision.state in (State.RAMP, State.SCAVENGE)
            and sample.window_rate is not None
            and sample.window_rate < decision.allowance
            and now - self._lost_at >= CALM_SECONDS
            and now - self._renewed_at >= AGAIN_SECONDS
        )
        if free_again or in_the_way:
            self._renewed_at = now
            return True
        return False
