"""Judge whether this PC is fit to help its neighbours: its processor and its battery. Pure."""

from dataclasses import dataclass

from p2pdist.limiter.lan_policy import LanReason
from p2pdist.pc.network import Battery

CPU_SECONDS = 10.0  # the processor's use is smoothed over this: starting a program is not load
CPU_RESUME_SHARE = 0.8  # of the limit: it helps in full only clearly below it
BATTERY_RESUME_PERCENT = 5.0  # above the limit, for the same reason
FETCH_ANYWAY_SECONDS = 3_600.0  # after this long, a PC that always refuses to serve gets its patches all the same


@dataclass(frozen=True, slots=True)
class FitLimits:
    """The admin's limits for serving, in percent."""

    cpu_percent: float = 80.0
    """Help less when the processor is busier; 100: always help in full."""
    battery_percent: float = 20.0
    """Refuse when the battery is lower; 0: never refuse."""


class Fitness:
    """Judges whether this PC is fit to serve, with smoothing, and with hysteresis before it serves as ever again."""

    def __init__(self, limits: FitLimits) -> None:
        self._limits = limits
        self.cpu_share = 0.0
        """The smoothed use of all processors, 0 to 1."""
        self.busy = False
        """Whether the processor is busy: neighbours are helped less."""
        self._low = False
        self._processor: tuple[float, float] | None = None
        self._seen_at: float | None = None
        self._refused_at: float | None = None

    def observe(self, processor: tuple[float, float], battery: Battery | None, now: float) -> LanReason | None:
        """Record the processors' (busy, total) seconds so far, and the battery. Return why not to serve, or None."""
        before, self._processor = self._processor, processor
        elapsed = 0.0 if self._seen_at is None else max(0.0, now - self._seen_at)
        self._seen_at = now
        if before is not None and processor[1] > before[1]:
            share = (processor[0] - before[0]) / (processor[1] - before[1])
            self.cpu_share += min(1.0, elapsed / CPU_SECONDS) * (min(1.0, max(0.0, share)) - self.cpu_share)
        limit = self._limits.cpu_percent / 100
        self.busy = limit < 1.0 and self.cpu_share > (limit * CPU_RESUME_SHARE if self.busy else limit)
        least = self._limits.battery_percent + (BATTERY_RESUME_PERCENT if self._low else 0.0)
        self._low = (
            self._limits.battery_percent > 0 and battery is not None and battery.supplies and battery.percent < least
        )
        if not self._low:
            self._refused_at = None
        elif self._refused_at is None or now < self._refused_at:
            self._refused_at = now
        return LanReason.REFUSED_BATTERY if self._low else None

    def may_fetch(self, now: float) -> bool:
        """Return whether to ask for leases.

        What a PC fetches that refuses to serve comes over the line for it alone, so it waits for its neighbours; after
        `FETCH_ANYWAY_SECONDS` it does fetch.
        """
        return self._refused_at is None or now - self._refused_at >= FETCH_ANYWAY_SECONDS
