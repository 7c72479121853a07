"""What wakes the daemon's tasks before their time: made before all parts, so that each can be handed them."""

from dataclasses import dataclass, field

import trio


class WakeUp:
    """Wakes one task that would look again by itself later. Who rings does not wait, nor know who sleeps."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Have the task look at once, or again if it is just looking."""
        self._rung.set()

    async def wait(self, longest_seconds: float) -> None:
        """Wait until it is rung, at most so long. What rang since the wait before counts."""
        with trio.move_on_after(longest_seconds):
            await self._rung.wait()
        self._rung = trio.Event()


@dataclass(frozen=True)
class WakeUps:
    """One for each task that others wake."""

    trust: WakeUp = field(default_factory=WakeUp)
    """The trusted catalogue may be another one, or choose otherwise."""
    transfers: WakeUp = field(default_factory=WakeUp)
    """Something has come, or there is something to tell the server."""
    renewal: WakeUp = field(default_factory=WakeUp)
    """The certificates may have expired meanwhile."""
