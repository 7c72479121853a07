"""Exponential backoff with full jitter, so that a site's PCs do not come back in step. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next attempt, after ``failures`` in a row."""

    first_seconds: float
    longest_seconds: float
    failures: int = 0

    def failed(self) -> "Backoff":
        """Return the state after one more failure."""
        return Backoff(self.first_seconds, self.longest_seconds, self.failures + 1)

    def succeeded(self) -> "Backoff":
        """Return the state after a success: the next failure starts over."""
        return Backoff(self.first_seconds, self.longest_seconds)

    def delay_seconds(self, jitter: float) -> float:
        """Return the wait, given ``jitter`` drawn uniformly from 0 to 1.

        Between half of and the whole of ``first_seconds`` × 2^(failures − 1), capped: never 0, so
        that a server that refuses at once is not hammered.
        """
        # 2**30 × any sensible first delay is already over every cap
        ceiling = min(self.longest_seconds, self.first_seconds * (1 << min(max(self.failures - 1, 0), 30)))
        return ceiling * (0.5 + 0.5 * jitter)
