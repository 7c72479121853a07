"""How long the limiter spent under each reason, and its latest decisions; bounded memory. Pure."""

from collections import deque
from dataclasses import dataclass

from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond

CHANGES_KEPT = 256  # some minutes of a restless line; for the person who asks "why just now?"
LONGEST_STEP_SECONDS = 10.0  # a machine that slept was not limited meanwhile


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state or reason."""

    at_seconds: float
    state: State
    reason: Reason
    allowance: BytesPerSecond


class DecisionTrace:
    """Adds up decisions; ``now`` is the controller's clock."""

    def __init__(self) -> None:
        self.seconds: dict[Reason, float] = {}
        """Time spent under each reason."""
        self.changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self._since: float | None = None
        self._reason: Reason | None = None

    def record(self, now: float, state: State, reason: Reason, allowance: BytesPerSecond) -> None:
        """Take in the decision that holds from ``now`` on."""
        if self._since is not None and self._reason is not None:
            elapsed = min(LONGEST_STEP_SECONDS, max(0.0, now - self._since))
            self.seconds[self._reason] = self.seconds.get(self._reason, 0.0) + elapsed
        last = self.changes[-1] if self.changes else None
        if last is None or (last.state, last.reason) != (state, reason):
            self.changes.append(Change(now, state, reason, allowance))
        self._since, self._reason = now, reason
