"""Which neighbours each endpoint of a site is told, and the differences that are sent. Pure.

Every endpoint is told as many neighbours as its engine uses, and as many are told it: those around it on the ring
of ids. So the swarm is one however large the site is, nobody is left out, and a newcomer concerns only its
surroundings.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.messages import MAX_SITE_PEERS, SitePeer, SitePeers
from seed_server.origin.join_pace import JoinPace

SMALL_SITE_ENDPOINTS = 50
SMALL_SITE_PEERS_SECONDS = 0.25  # neighbours hear of a newcomer at once
LARGE_SITE_PEERS_SECONDS = 5.0  # where hundreds come in the morning, one message tells of many


class PeerList:
    """What one endpoint has been told of its neighbours, and what it shall know."""

    def __init__(self) -> None:
        self.wanted: Mapping[EndpointId, SitePeer] = {}
        self._told: Mapping[EndpointId, SitePeer] | None = None

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return self._told is None or self._told != self.wanted

    def message(self) -> SitePeers | None:
        """Return the difference, which counts as told; None when there is none any more."""
        if not self.is_news:
            return None
        told = self._told or {}
        message = SitePeers(
            anew=self._told is None,
            joined=[peer for endpoint, peer in self.wanted.items() if told.get(endpoint) != peer],
            left=[endpoint for endpoint in told if endpoint not in self.wanted],
        )
        self._told = self.wanted
        return message


class Listed(Protocol):
    """A connected endpoint, as far as its neighbours are concerned."""

    endpoint: EndpointId
    peer: SitePeer
    peer_list: PeerList


class PeerLists:
    """The neighbours of all endpoints of one site; ``now`` is any clock in seconds."""

    def __init__(self, joins: JoinPace, tell: Callable[[EndpointId], None]) -> None:
        """``tell`` is called with each endpoint whose `PeerList` has news."""
        self._joins = joins
        self._tell = tell
        self._waiting: dict[EndpointId, Listed] = {}
        """Those that have joined too often lately: nobody is told them yet, and they are told nobody."""
        self._listed: dict[EndpointId, Listed] = {}
        self._changed_at: float | None = None

    def join(self, newcomer: Listed, now: float) -> None:
        """Add an endpoint; in place of itself, where it has not left before."""
        self._waiting[newcomer.endpoint] = newcomer
        self._list_those_due(now)

    def leave(self, endpoint: EndpointId, now: float) -> None:
        """Remove an endpoint."""
        self._waiting.pop(endpoint, None)
        if self._listed.pop(endpoint, None) is not None:
            self._note_change(now)

    def tell_changes(self, now: float) -> None:
        """Tell each endpoint that has new neighbours, once the changes have been collected for a while."""
        self._list_those_due(now)
        small = len(self._listed) <= SMALL_SITE_ENDPOINTS
        wait = SMALL_SITE_PEERS_SECONDS if small else LARGE_SITE_PEERS_SECONDS
        if self._changed_at is None or now - self._changed_at < wait:
            return
        self._changed_at = None
        ring = sorted(self._listed)
        for at, endpoint in enumerate(ring):
            peer_list = self._listed[endpoint].peer_list
            peer_list.wanted = {other: self._listed[other].peer for other in around(ring, at)}
            if peer_list.is_news:
                self._tell(endpoint)

    def _list_those_due(self, now: float) -> None:
        for endpoint in [endpoint for endpoint in self._waiting if self._joins.may_join(endpoint, now)]:
            self._listed[endpoint] = self._waiting.pop(endpoint)
            self._note_change(now)

    def _note_change(self, now: float) -> None:
        if self._changed_at is None:
            self._changed_at = now


def around(ring: Sequence[EndpointId], at: int, most: int = MAX_SITE_PEERS) -> list[EndpointId]:
    """Return the neighbours of ``ring[at]``: at most ``most``, half of them on each side."""
    if len(ring) <= most + 1:
        return [*ring[at + 1 :], *ring[:at]]
    return [ring[(at + step) % len(ring)] for step in range(-(most // 2), most // 2 + 1) if step]
