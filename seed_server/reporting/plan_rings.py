"""How many PCs of a ring have to decide before the next one opens, as far as it can be reckoned beforehand. Pure."""

from dataclasses import dataclass

from p2pdist.shared.manifest.rollout_plan import WHOLE, PlannedRing
from seed_server.fleet.ring_counts import wilson_lower


@dataclass(frozen=True, slots=True)
class RingNeeds:
    """What opens the next ring."""

    decided: int | None
    """So many decided PCs are enough; None: only when all have decided, or are silent, is it sure."""
    stops: bool
    """Whether as many failures as are expected would halt the rollout."""


def ring_needs(ring: PlannedRing, pcs: int, failures: float) -> RingNeeds:
    """Return what a ring of ``pcs`` needs, where the share ``failures`` of those that decide fail."""
    bound = ring.success_share / WHOLE
    if 1 - failures < bound or (failures > ring.failure_share / WHOLE and failures * pcs >= ring.least_failed):
        return RingNeeds(None, stops=True)
    least = min(ring.least_decided, pcs)
    if _is_sure(least, failures, bound):
        return RingNeeds(least, stops=False)
    if not _is_sure(pcs, failures, bound):
        return RingNeeds(None, stops=False)
    low, high = least, pcs  # not enough, enough
    while high - low > 1:
        middle = (low + high) // 2
        if _is_sure(middle, failures, bound):
            high = middle
        else:
            low = middle
    return RingNeeds(high, stops=False)


def _is_sure(decided: int, failures: float, bound: float) -> bool:
    if bound <= 0:
        return True
    return decided > 0 and wilson_lower(round(decided * (1 - failures)), decided) >= bound
