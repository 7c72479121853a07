"""How long each reason held; bounded by the closed list of reasons. Pure."""

from typing import Generic, TypeVar

R = TypeVar("R")

LONGEST_STEP_SECONDS = 30.0  # a machine that slept was neither limited nor waiting meanwhile


class ReasonSeconds(Generic[R]):
    """Adds up seconds under each reason; ``now`` is any clock in seconds, and one that goes back adds nothing."""

    def __init__(self) -> None:
        self.reason: R | None = None
        """The reason that holds now; None: nothing is counted."""
        self.since = 0.0
        """When it began to hold."""
        self._seconds: dict[R, float] = {}
        self._seen_at = 0.0

    def note(self, reason: R, now: float) -> None:
        """Record that ``reason`` holds from ``now`` on."""
        if self.reason is not None:
            elapsed = min(LONGEST_STEP_SECONDS, max(0.0, now - self._seen_at))
            self._seconds[self.reason] = self._seconds.get(self.reason, 0.0) + elapsed
        if reason != self.reason:
            self.reason, self.since = reason, now
        self._seen_at = now

    def interrupt(self) -> None:
        """Count nothing from the last note to the next one."""
        self.reason = None

    def seconds(self) -> dict[R, float]:
        """Return the seconds under each reason that ever held, the longest first."""
        return dict(sorted(self._seconds.items(), key=lambda item: -item[1]))
