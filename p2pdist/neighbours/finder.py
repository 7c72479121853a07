"""What the daemon asks of the search for neighbours, and what that reports: types alone."""

from collections.abc import AsyncIterator
from typing import Annotated, Protocol, TypeAlias

import msgspec

from p2pdist.neighbours.known_peer import Announcement
from p2pdist.shared.wire.codec import Record


class PeerFound(Record, frozen=True, tag=True):
    """A neighbour has announced itself, or changed its announcement."""

    announcement: Announcement


class PeerLost(Record, frozen=True, tag=True):
    """A neighbour has said goodbye, or its announcement has expired."""

    endpoint_id: Annotated[str, msgspec.Meta(max_length=64)]


DiscoveryEvent: TypeAlias = PeerFound | PeerLost


class Finder(Protocol):
    """Announces this endpoint and finds others: `discovery.Discovery`, or the daemon's network part."""

    @property
    def problem(self) -> str:
        """Why mDNS does not work on this PC, in words; empty while it does."""
        ...

    @property
    def events(self) -> AsyncIterator[DiscoveryEvent]:
        """The neighbours that come and go."""
        ...

    async def announce(self, own: Announcement) -> None:
        """Announce ``own`` from now on, in place of the previous announcement."""
        ...
