"""What a site's line shows while it is sent to, added up until somebody takes it away: for its history. Pure."""

import math
from dataclasses import dataclass, field

from bandwidth.core.signals import Sample
from seed_server.line.business_reports import BusinessView
from seed_server.line.harm_evidence import SECOND, SeenSecond

LONGEST_LOOK_SECONDS = 1.0  # between two samples: for longer, nobody looked
LEAST_QUEUE_SECONDS = 0.000_5  # shorter waits are none; they share one step
STEPS_OF_A_DOUBLING = 4  # waits are known within a fifth
MOST_WAIT_STEPS = 64  # of the largest wait: 33 s, longer than any queue


def step_of(seconds: float) -> int:
    """Return the step of a wait."""
    if seconds <= LEAST_QUEUE_SECONDS:
        return 0
    return min(MOST_WAIT_STEPS, math.ceil(STEPS_OF_A_DOUBLING * math.log2(seconds / LEAST_QUEUE_SECONDS)))


def wait_of(step: int) -> float:
    """Return the longest wait of a step; none of the first."""
    return LEAST_QUEUE_SECONDS * 2 ** (step / STEPS_OF_A_DOUBLING) if step else 0.0


@dataclass(slots=True)
class LineSeen:
    """What was seen since it was taken last."""

    business: int = 0
    """Bytes of others."""
    business_seconds: float = 0.0
    """For how long any PC watched."""
    harm_seconds: float = 0.0
    """In which business suffered while we sent."""
    waits: dict[int, int] = field(default_factory=dict)
    """Samples by the step of the wait in the queue."""


class SiteSeen:
    """Adds up; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._seen = LineSeen()
        self._looked_at: float | None = None

    def note(
        self, sample: Sample, rtt_seconds: float, business: BusinessView, second: SeenSecond | None, now: float
    ) -> None:
        """Take in one sample beside the least round trip, others' traffic, and the second that has ended with it."""
        elapsed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        seen = self._seen
        if business.business_bytes is not None:
            seen.business += business.business_bytes
            if 0.0 < elapsed <= LONGEST_LOOK_SECONDS:
                seen.business_seconds += elapsed
        if sample.rtt_seconds is not None:
            step = step_of(sample.rtt_seconds - rtt_seconds)
            seen.waits[step] = seen.waits.get(step, 0) + 1
        if second is not None and second.suffered:
            seen.harm_seconds += SECOND

    def take(self) -> LineSeen:
        """Return what was seen since the last time."""
        seen, self._seen = self._seen, LineSeen()
        return seen


def typical_wait(waits: dict[int, int], share: float = 0.95) -> float | None:
    """Return the wait that ``share`` of the samples are below, or at it; None: there is no sample."""
    every = sum(waits.values())
    below = 0
    for step in sorted(waits):
        below += waits[step]
        if below >= share * every:
            return wait_of(step)
    return None
