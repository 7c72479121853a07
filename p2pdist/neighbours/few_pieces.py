"""Which neighbours are asked for a torrent of few pieces. Pure.

Each connection to one more neighbour costs more than it brings here, and two neighbours send the same piece. So all
endpoints of a site connect to the same few, in an order that the torrent gives: whatever one of them has, reaches all.
An endpoint that has all connects to nobody: who comes later is told by the server whom to ask.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol, TypeVar

from p2pdist.shared.identifiers import EndpointId, TorrentHash

SPARE_LINK_SECONDS = 5.0  # for so long, few pieces are waited for before one neighbour more is asked …
MAX_SPARE_LINKS = 3  # … but a slow line is no fault of the neighbours …
LATER_LINK_SECONDS = 60.0  # … so the others are asked at leisure: one may have it, where no server says which


class Placed(Protocol):
    """An endpoint."""

    place: int
    """What `place_of` says."""


PlacedT = TypeVar("PlacedT", bound=Placed)


def place_of(endpoint_id: EndpointId) -> int:
    """Return where an endpoint is among all endpoints, the same on each."""
    return int.from_bytes(hashlib.sha256(endpoint_id.encode()).digest())


def in_order(torrent_hash: TorrentHash, peers: Iterable[PlacedT], own_place: int, *, after_own: bool) -> list[PlacedT]:
    """Return ``peers`` in the torrent's order; without ``after_own``, those that come before this endpoint in it.

    So no two connect to each other at the same moment, and the first one waits for the others.
    """
    at = int(torrent_hash, 16)
    own = own_place ^ at
    return sorted((peer for peer in peers if after_own or peer.place ^ at < own), key=lambda peer: peer.place ^ at)


def spare_links(waited_seconds: float) -> int:
    """Return to how many neighbours more than there are pieces to connect, after waiting for so long."""
    return min(MAX_SPARE_LINKS, int(waited_seconds / SPARE_LINK_SECONDS)) + int(waited_seconds / LATER_LINK_SECONDS)
