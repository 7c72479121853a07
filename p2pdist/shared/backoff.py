"""Exponential backoff with jitter, so that the PCs of a site do not reconnect in step. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Computes how long to wait before the next attempt, after ``failures`` in a row."""

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
        """Return the wait in seconds, given ``jitter`` drawn uniformly from 0 to 1.

        It is between 0.5 and 1 times ``first_seconds`` × 2^(failures − 1), with ``longest_seconds`` as cap. It is
        never 0, so that a server that refuses at once is not flooded.
        """
        # 2**30 times any sensible first delay is over every cap, and larger powers cost time
        ceiling = min(self.longest_seconds, self.first_seconds * (1 << min(max(self.failures - 1, 0), 30)))
        return ceiling * (0.5 + 0.5 * jitter)
