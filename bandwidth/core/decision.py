"""The controller's settings, and the decision that it makes on each sample. Pure."""

from dataclasses import dataclass

from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond

LEAST_RATE = BytesPerSecond(4_000)  # keeps a connection and its sensors alive: one segment in 0.4 s …
LEAST_SHARE = 0.005  # … or this part of a slow line …
LEAST_RATE_EVER = BytesPerSecond(1_000)  # … but this in any case
FIRST_RATE = BytesPerSecond(64_000)  # of an unknown line: four segments in 90 ms …
FIRST_SHARE = 1 / 256  # … or of a known one: eight doublings to all of it
STRICT_THRESHOLD_SECONDS = 0.004  # queueing delay that counts as a queue: a fifth of a telephone packet's 20 ms …
NORMAL_THRESHOLD_SECONDS = 0.008  # … usually; more than most lines' own jitter …
RELAXED_THRESHOLD_SECONDS = 0.020  # … or a whole packet, where nobody calls


@dataclass(frozen=True)
class ControllerSettings:
    """What the network admin says about a line."""

    capacity: BytesPerSecond | None = None
    """The line's rate; None: it is learned."""
    threshold_seconds: float = NORMAL_THRESHOLD_SECONDS
    """Queueing delay that counts as a queue."""
    least_rate: BytesPerSecond | None = None
    """The rate beside a business transfer; None: 4 kB/s, on a slow line 0.5 % of it."""
    first_share: float = FIRST_SHARE
    """The part of a configured capacity to begin with."""

    @property
    def first_rate(self) -> float:
        """Bytes per second to begin with."""
        if self.capacity is None:
            return float(FIRST_RATE)
        return min(max(FIRST_RATE, self.first_share * self.capacity), float(self.capacity))

    @property
    def rate_beside_others(self) -> float:
        """Bytes per second: `least_rate`, or its default."""
        if self.least_rate is not None:
            return float(self.least_rate)
        return float(
            max(LEAST_RATE_EVER, LEAST_RATE if self.capacity is None else min(LEAST_RATE, LEAST_SHARE * self.capacity))
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be sent from now on, and why."""

    allowance: BytesPerSecond
    reason: Reason
    state: State
