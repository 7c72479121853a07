"""Which neighbours each endpoint of a site is told, and the differences that are sent. Pure.

Every endpoint is told its surroundings on the ring of ids: as many neighbours as its engine uses. Two endpoints are
told each other or neither. So the graph is connected whatever the site's size, every endpoint has the same number of
neighbours, and a newcomer is news only for its own surroundings.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.fields import MAX_SITE_PEERS
from p2pdist.shared.wire.messages import SitePeer, SitePeers
from seed_server.origin.join_pace import JoinPace

SMALL_SITE_ENDPOINTS = 50
SMALL_SITE_PEERS_SECONDS = 0.25  # neighbours hear of a newcomer at once
LARGE_SITE_PEERS_SECONDS = 5.0  # where hundreds come in the morning, one message tells of many
CONTENT_PEERS_SECONDS = 300.0  # who lacks nothing connects to nobody: one message tells it of all who came meanwhile


class PeerList:
    """What one endpoint has been told of its neighbours, and what it shall know."""

    __slots__ = ("_told", "wanted")

    def __init__(self) -> None:
        # of each PC forty neighbours: as dictionaries, they would take three times as much memory
        self.wanted: tuple[SitePeer, ...] = ()
        self._told: tuple[SitePeer, ...] | None = None

    @property
    def is_first(self) -> bool:
        """Whether nothing has been told yet."""
        return self._told is None

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return self._told is None or self._told != self.wanted

    def message(self) -> SitePeers | None:
        """Return the difference, which counts as told; None when there is none any more."""
        if not self.is_news:
            return None
        told = {peer.endpoint_id: peer for peer in self._told or ()}
        wanted = {peer.endpoint_id for peer in self.wanted}
        message = SitePeers(
            anew=self._told is None,
            joined=[peer for peer in self.wanted if told.get(peer.endpoint_id) != peer],
            left=[endpoint for endpoint in told if endpoint not in wanted],
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

    def __init__(
        self,
        joins: JoinPace,
        tell: Callable[[EndpointId], None],
        *,
        lacks: Callable[[EndpointId], bool] = lambda _: True,
    ) -> None:
        """``tell`` is called with each endpoint whose `PeerList` has news.

        ``lacks`` tells whether an endpoint lacks anything: if not, it is told later; but for its own first list.
        """
        self._joins = joins
        self._tell = tell
        self._lacks = lacks
        self._waiting: dict[EndpointId, Listed] = {}
        """Endpoints that have joined too often lately: no other is told of them yet, and they are told of no other."""
        self._listed: dict[EndpointId, Listed] = {}
        self._ring: list[EndpointId] = []
        """The listed ones, as they were told last."""
        self._changed: set[EndpointId] = set()
        self._changed_at: float | None = None
        self._untold: dict[EndpointId, None] = {}
        """Endpoints that lacked nothing when their neighbours changed."""
        self._untold_since = 0.0

    @property
    def due_at(self) -> float:
        """When `tell_changes` will have something to do."""
        if self._waiting:
            return -math.inf
        changed_at = math.inf if self._changed_at is None else self._changed_at + self._wait_seconds
        return min(changed_at, self._untold_since + CONTENT_PEERS_SECONDS if self._untold else math.inf)

    @property
    def _wait_seconds(self) -> float:
        return SMALL_SITE_PEERS_SECONDS if len(self._listed) <= SMALL_SITE_ENDPOINTS else LARGE_SITE_PEERS_SECONDS

    def join(self, newcomer: Listed, now: float) -> None:
        """Add an endpoint; in place of itself, where it has not left before."""
        self._waiting[newcomer.endpoint] = newcomer
        self._list_those_due(now)

    def leave(self, endpoint: EndpointId, now: float) -> None:
        """Remove an endpoint."""
        self._waiting.pop(endpoint, None)
        if self._listed.pop(endpoint, None) is not None:
            self._note_change(endpoint, now)

    def tell_changes(self, now: float) -> None:
        """Tell each endpoint that has new neighbours, once the changes have been collected for a while."""
        self._list_those_due(now)
        if self._changed_at is not None and now - self._changed_at >= self._wait_seconds:
            before, self._ring = self._ring, sorted(self._listed)
            concerned_ones = [self._ring[at] for at in concerned(self._ring, self._changed, before=len(before))]
            self._changed_at = None
            self._changed.clear()
            if not self._untold:
                self._untold_since = now
            self._untold |= dict.fromkeys(concerned_ones)
            self._tell_those(
                endpoint
                for endpoint in concerned_ones
                if self._listed[endpoint].peer_list.is_first or self._lacks(endpoint)
            )
        if self._untold and now - self._untold_since >= CONTENT_PEERS_SECONDS:
            self._tell_those(list(self._untold))

    def begins_to_lack(self, endpoint: EndpointId) -> None:
        """Tell an endpoint at once what it was not told while it lacked nothing."""
        if endpoint in self._untold:
            self._tell_those([endpoint])

    def _tell_those(self, endpoints: Iterable[EndpointId]) -> None:
        for endpoint in endpoints:
            self._untold.pop(endpoint, None)
            listed = self._listed.get(endpoint)
            if listed is None or (at := bisect_left(self._ring, endpoint)) == len(self._ring):
                continue  # it has left since, or is not on the ring yet
            others = around(self._ring, at) if self._ring[at] == endpoint else []
            listed.peer_list.wanted = tuple(self._listed[other].peer for other in others if other in self._listed)
            if listed.peer_list.is_news:
                self._tell(endpoint)

    def _list_those_due(self, now: float) -> None:
        for endpoint in [endpoint for endpoint in self._waiting if self._joins.may_join(endpoint, now)]:
            self._listed[endpoint] = self._waiting.pop(endpoint)
            self._note_change(endpoint, now)

    def _note_change(self, endpoint: EndpointId, now: float) -> None:
        self._changed.add(endpoint)
        if self._changed_at is None:
            self._changed_at = now


def concerned(ring: Sequence[EndpointId], changed: Iterable[EndpointId], *, before: int) -> Iterable[int]:
    """Return the places on ``ring`` whose neighbours may be others since ``changed`` have joined or left.

    ``before`` is how many there were. In a site that is, or was, small enough for all to be neighbours: all places.
    """
    if min(before, len(ring)) <= MAX_SITE_PEERS + 1:
        return range(len(ring))
    points = [bisect_left(ring, endpoint) for endpoint in changed]
    half = MAX_SITE_PEERS // 2
    return sorted({(point + step) % len(ring) for point in points for step in range(-half, half + 1)})


def around(ring: Sequence[EndpointId], at: int, most: int = MAX_SITE_PEERS) -> list[EndpointId]:
    """Return the neighbours of ``ring[at]``: at most ``most``, half of them on each side."""
    if len(ring) <= most + 1:
        return [*ring[at + 1 :], *ring[:at]]
    return [ring[(at + step) % len(ring)] for step in range(-(most // 2), most // 2 + 1) if step]
