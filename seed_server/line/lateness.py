"""How late the controllers took their steps: the difference between when each was due and when it was taken. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_TOLD_SECONDS = 0.0001  # less is told as this: a timer of the system is no more exact
STEPS_PER_DOUBLING = 8  # so a value is told at most 9 % too high
MAX_CLASSES = 16 * STEPS_PER_DOUBLING  # up to 6.5 s; whatever is later counts there


@dataclass(frozen=True)
class LatenessSummary:
    """What was counted between two looks."""

    steps: int
    p99_seconds: float
    """All but one of a hundred steps were at most so late."""
    worst_seconds: float
    classes: str
    """How many steps were how late, as ``CLASS:STEPS`` with spaces between: what `together` puts together."""


class Lateness:
    """Counts steps by how late they were, in a fixed amount of memory."""

    def __init__(self) -> None:
        self._classes = [0] * (MAX_CLASSES + 1)
        self._worst = 0.0

    def count(self, late_seconds: float) -> None:
        """Count one step."""
        self._worst = max(self._worst, late_seconds)
        doublings = math.log2(max(1.0, late_seconds / LEAST_TOLD_SECONDS))
        self._classes[min(MAX_CLASSES, math.ceil(doublings * STEPS_PER_DOUBLING))] += 1

    def take(self) -> LatenessSummary | None:
        """Return what was counted since the last call; None: nothing."""
        classes, worst = self._classes, self._worst
        self._classes, self._worst = [0] * (MAX_CLASSES + 1), 0.0
        return _summary(classes, worst)


def together(looks: Iterable[tuple[str, float]]) -> LatenessSummary | None:
    """Return what several looks have counted, by `classes` and `worst_seconds` of each; None: nothing.

    Raises `ValueError` or `IndexError` for classes that are none.
    """
    classes, worst = [0] * (MAX_CLASSES + 1), 0.0
    for counted, worst_seconds in looks:
        worst = max(worst, worst_seconds)
        for one in counted.split():
            at, _, steps = one.partition(":")
            classes[int(at)] += int(steps)
    return _summary(classes, worst)


def _summary(classes: Sequence[int], worst: float) -> LatenessSummary | None:
    steps = sum(classes)
    if not steps:
        return None
    later, at = steps // 100, MAX_CLASSES
    while later >= classes[at]:
        later -= classes[at]
        at -= 1
    told = LEAST_TOLD_SECONDS * 2 ** (at / STEPS_PER_DOUBLING)
    words = " ".join(f"{at}:{count}" for at, count in enumerate(classes) if count)
    return LatenessSummary(steps, min(told, worst), worst, words)
