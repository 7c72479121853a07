"""Events that wake the daemon's tasks early: made before all parts, so that each can be given them."""

from dataclasses import dataclass, field

import trio


class WakeUp:
    """Wakes one task that would look again by itself later. `ring` never waits, and need not know the task."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Make the task look at once; if it is looking now, once more."""
        self._rung.set()

    async def wait(self, longest_seconds: float) -> bool:
        """Wait until it is rung, but at most ``longest_seconds``. A ring since the previous wait counts.

        Return whether it was rung.
        """
        with trio.move_on_after(longest_seconds):
            await self._rung.wait()
        rung, self._rung = self._rung.is_set(), trio.Event()
        return rung


@dataclass(frozen=True)
class WakeUps:
    """One for each task that others wake."""

    trust: WakeUp = field(default_factory=WakeUp)
    """The server may have another catalogue, or this PC's facts may choose other patches from it."""
    transfers: WakeUp = field(default_factory=WakeUp)
    """Bytes or facts have come, or there is news for the server."""
    inventory: WakeUp = field(default_factory=WakeUp)
    """This PC's facts or packages may be others, or the server asks for them."""
    renewal: WakeUp = field(default_factory=WakeUp)
    """The certificates may have expired meanwhile."""

    def facts_changed(self) -> None:
        """Wake whoever does something about this PC's facts."""
        self.trust.ring()
        self.inventory.ring()
