"""News that PCs swap with each other: kept in memory while PCs may ask for their pieces.

Each PC holds the news that it was told of last. Where there is no room for all, those go first that the fewest hold: so
one PC, whatever it asks for, takes the room of one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.news_torrent import NewsTorrent, make_torrent
from seed_server.origin.made_row import made_row
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import ServedPayload

KEPT_SECONDS = 900.0  # since it was asked for last: PCs that were told of it have it by then, or ask the web port
MOST_KEPT = 16  # one for each publication of the last minutes, one for new PCs, and for those that were away


@dataclass
class _Kept:
    row: ServedPayload
    asked_at: float
    holders: set[EndpointId] = field(default_factory=set)
    """PCs that were told of it, and of nothing since."""


class NewsTorrents:
    """What is served beside the published patches. ``now`` is any clock in seconds that only grows."""

    def __init__(
        self,
        source: PieceSource,
        serve: Callable[[ServedPayload], None],
        stop_serving: Callable[[TorrentHash], None],
    ) -> None:
        """``serve`` and ``stop_serving`` begin and end that all sites are sent a torrent."""
        self._source = source
        self._serve = serve
        self._stop_serving = stop_serving
        self._kept: OrderedDict[TorrentHash, _Kept] = OrderedDict()
        """Those that were asked for last are the last."""
        self._told: dict[EndpointId, TorrentHash] = {}
        """What each of the holders holds."""

    @property
    def rows(self) -> dict[TorrentHash, ServedPayload]:
        """The news that are served: they go before any patch, because patches wait for them."""
        return {torrent: kept.row for torrent, kept in self._kept.items()}

    def offer(self, news: bytes, told: NewsTorrent, endpoint: EndpointId, now: float) -> bool:
        """Serve ``news``, of which ``endpoint`` is to be ``told``, to each site once, from now on.

        Return False where others hold all that there is room for.
        """
        made = make_torrent(told)
        kept = self._kept.get(made.torrent_hash)
        if kept is None:
            row = made_row(told, made, severity="critical", sequence=-1, emergency=True)
            kept = self._kept[made.torrent_hash] = _Kept(row, now)
            self._source.hold(made.name, news)
            self._serve(kept.row)
        kept.asked_at = now
        self._kept.move_to_end(made.torrent_hash)
        if (before := self._kept.get(self._told.get(endpoint, made.torrent_hash))) is not None:
            before.holders.discard(endpoint)
        kept.holders.add(endpoint)
        self._told[endpoint] = made.torrent_hash
        self.expire(now)
        return made.torrent_hash in self._kept

    def expire(self, now: float) -> None:
        """Forget what has not been asked for lately, and what there is no room for."""
        while self._kept and now - next(iter(self._kept.values())).asked_at >= KEPT_SECONDS:
            self._forget(next(iter(self._kept)))
        while len(self._kept) > MOST_KEPT:
            self._forget(min(self._kept, key=lambda torrent: len(self._kept[torrent].holders)))  # the first of equals

    def _forget(self, torrent: TorrentHash) -> None:
        kept = self._kept.pop(torrent)
        for endpoint in kept.holders:
            del self._told[endpoint]
        self._stop_serving(torrent)
        self._source.release(kept.row.sha256)
