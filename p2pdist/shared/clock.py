"""The time: one clock is made by each program, and handed to every part that asks for the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, so that a test can say what time it is."""

    def now(self) -> float:
        """Return Unix seconds. They jump when the system's clock is set."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, for differences: whatever is set, they rise."""
        ...


class SystemClock:
    """The clock of this PC. No other module asks the system for the time."""

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some moment, for differences."""
        return time.monotonic()
