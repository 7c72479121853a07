"""Tells the server which machines are beside this PC, where it asks for that and this PC's settings allow it."""

from collections.abc import Callable

from p2pdist.daemon.state import DaemonState
from p2pdist.pc.link_neighbours import LinkNeighbours, link_neighbours
from p2pdist.pc.network import NetworkState
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.neighbours_seen import MAX_NEIGHBOURS_SEEN, MAX_OWN_CARDS, NeighbourSeen, NeighboursSeen

FIRST_NEIGHBOURS_SECONDS = 120.0  # after the first welcome: by then this PC has spoken with some
AGAIN_SECONDS = 3_600.0

log = lazy_log()


class NeighbourNews:
    """What the server has been told, and when."""

    def __init__(
        self,
        state: DaemonState,
        network: Callable[[], NetworkState],
        clock: Clock,
        *,
        allowed: bool,
        look: Callable[[NetworkState], LinkNeighbours | None] = link_neighbours,
    ) -> None:
        """``network`` is where this PC is now; ``allowed``: by this PC's settings; ``look``: as `link_neighbours`."""
        self._state = state
        self._network = network
        self._look = look
        self._clock = clock
        self._allowed = allowed
        self._next_at: float | None = None

    def news(self) -> list[NeighboursSeen]:
        """Return what the server shall hear now: nothing, or one message."""
        if not (self._allowed and self._state.takes_neighbours):
            return []
        now = self._clock.monotonic()
        if self._next_at is None:
            self._next_at = now + FIRST_NEIGHBOURS_SECONDS
        if now < self._next_at:
            return []
        self._next_at = now + AGAIN_SECONDS
        try:
            found = self._look(self._network())
        except OSError as error:
            log.debug("the kernel does not tell who is beside this PC", reason=str(error))
            return []
        if found is None:
            return []
        seen = [NeighbourSeen(card=card, address=address) for card, address in sorted(found.seen.items())]
        return [NeighboursSeen(own=found.own[:MAX_OWN_CARDS], seen=tuple(seen[:MAX_NEIGHBOURS_SEEN]))]
