"""The clock: each program makes one, and gives it to every part that asks for the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; a test passes one of its own."""

    def now(self) -> float:
        """Return seconds since 1970, UTC. They jump when the system's clock is set."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, for differences: they rise even when the system's clock is set."""
        ...


class SystemClock:
    """The clock of this PC. No other module of the endpoint asks the system for the time."""

    def now(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some moment, for differences."""
        return time.monotonic()
