"""What a ring's rule asks before the next one opens, and how far its PCs are from that. Pure."""

from dataclasses import dataclass

from p2pdist.shared.manifest.rollout_plan import WHOLE, PlannedRing
from seed_server.fleet.ring_counts import RingTally


@dataclass(frozen=True, slots=True)
class RingGate:
    """A ring's rule beside its PCs. Shares go from 0 to 1, and are of `RingTally.judged`."""

    ring: PlannedRing
    tally: RingTally

    @property
    def least_decided(self) -> int:
        """So many PCs have to decide; where the ring is smaller, all of it."""
        return min(self.ring.least_decided, self.tally.can_decide)

    @property
    def decided_enough(self) -> bool:
        """Whether so many have."""
        return self.tally.decided >= self.least_decided

    @property
    def installed_share(self) -> float | None:
        """How many have installed it, as much as is proven while others have still to decide; None: none is judged."""
        return self.tally.proven(self.tally.installed) if self.tally.judged > 0 else None

    @property
    def installed_bound(self) -> float:
        """So much is wanted."""
        return self.ring.success_share / WHOLE

    @property
    def installed_enough(self) -> bool:
        """Whether so many have; where nobody is judged, as soon as nobody can say anything against it."""
        share = self.installed_share
        return (float(self.tally.exact) if share is None else share) >= self.installed_bound

    @property
    def failed_share(self) -> float | None:
        """How many failed, likewise."""
        return self.tally.proven(self.tally.new_failures) if self.tally.judged > 0 else None

    @property
    def failed_bound(self) -> float:
        """More halts the rollout."""
        return self.ring.failure_share / WHOLE

    @property
    def fails(self) -> bool:
        """Whether it halts the rollout."""
        share = self.failed_share
        return share is not None and self.tally.new_failures >= self.ring.least_failed and share > self.failed_bound
