"""A clock that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Fits `p2pdist.shared.clock.Clock`."""

    wall: float = 1_790_000_000.0

    def now(self) -> float:
        """Return Unix seconds."""
        return self.wall

    def monotonic(self) -> float:
        """Return the same: nobody sets this clock unless the test does."""
        return self.wall
