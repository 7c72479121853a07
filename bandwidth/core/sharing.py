"""Going on beside a business transfer that takes only what it needs, such as a call. Pure."""

from bandwidth.core.business import BusinessLoad

MOST_SHARE = 0.6  # of the capacity: what is steady above it may be a transfer between two losses
NEED = 1.15  # of its mean: what it takes in its busier moments
GROWTH, FALL = 1.3, 0.8  # beyond these it was not what it seemed
STEADY_CHECK_SECONDS = 0.5  # between two checks whether it has become steady
AGAIN_SECONDS = 20.0  # a transfer that fell beside us is not tried again for so long


class Sharing:
    """Whether to go on beside a business transfer; ``now`` is any clock in seconds. Rates are in bytes per second."""

    def __init__(self, business: BusinessLoad, now: float) -> None:
        self._business = business
        self._steady: float | None = None
        self._look_from = now

    @property
    def need(self) -> float | None:
        """What the steady transfer needs; None when we share with none."""
        # it has its bursts without us too: we need to leave it only its mean
        return None if self._steady is None else NEED * self._business.mean

    def begins(self, capacity: float | None, now: float) -> bool:
        """Return whether the transfer beside which we are silent has turned out to be steady; then sharing begins."""
        if capacity is None or now < self._look_from:
            return False
        self._look_from = now + STEADY_CHECK_SECONDS
        steady = self._business.steady_rate(now)
        self._steady = steady if steady is not None and steady <= MOST_SHARE * capacity else None
        return self._steady is not None

    def holds(self, now: float) -> bool:
        """Return whether the transfer that is there is the one that we share with, and still needs no more."""
        if self._steady is None:
            return False
        rate = self._business.mean
        if rate < FALL * self._steady:
            self.refuse(now)
        elif rate > GROWTH * self._steady:
            self._steady = None  # it grew beside us, so we did it no harm: judge it again
        return self._steady is not None

    def refuse(self, now: float) -> None:
        """End sharing, and leave the line to the transfer for a while; without sharing, nothing changes."""
        if self._steady is not None:
            self._steady = None
            self._look_from = now + AGAIN_SECONDS

    def restart(self, now: float) -> None:
        """Restart after the clock went back: the next check is due at once."""
        self._look_from = now
