"""The search for neighbours by mDNS, which the network part does."""

from collections.abc import Callable

from p2pdist.neighbours.finder import DiscoveryEvent
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.network.messages import Announce, DiscoveryState, FromDiscovery
from p2pdist.network.process import NetworkPart
from p2pdist.network.window import Windowed


class RemoteFinder:
    """A `Finder`."""

    def __init__(self, part: NetworkPart, announcement: Callable[[], Announcement]) -> None:
        """``announcement`` is asked at each start of the network part: the LAN port may have changed."""
        self._part = part
        self._announcement = announcement
        self.events = Windowed[DiscoveryEvent](part, "discovery")
        self.problem = ""
        part.on(FromDiscovery, self._found)
        part.on(DiscoveryState, self._state)
        part.at_each_start(self._started)

    async def announce(self, own: Announcement) -> None:
        """Announce ``own`` from now on, in place of the previous announcement."""
        await self._part.send(Announce(own))

    async def _started(self) -> None:
        await self._part.send(Announce(self._announcement()))

    def _found(self, message: FromDiscovery) -> None:
        self.events.put(message.event)

    def _state(self, message: DiscoveryState) -> None:
        self.problem = message.problem
