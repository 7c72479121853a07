"""News that PCs swap with each other: kept in memory while PCs may ask for their pieces."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, NewsTorrent, make_torrent
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import ServedPayload

KEPT_SECONDS = 900.0  # since it was asked for last: PCs that were told of it have it by then, or ask the web port
MOST_KEPT = 8  # one for each publication of the last minutes, one for new PCs, and for those that were away


@dataclass
class _Kept:
    row: ServedPayload
    asked_at: float


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

    @property
    def rows(self) -> dict[TorrentHash, ServedPayload]:
        """The news that are served: they go before any patch, because patches wait for them."""
        return {torrent: kept.row for torrent, kept in self._kept.items()}

    def offer(self, news: bytes, told: NewsTorrent, now: float) -> None:
        """Serve ``news``, of which PCs are ``told``, to each site once, from now on."""
        made = make_torrent(told)
        kept = self._kept.get(made.torrent_hash)
        if kept is None:
            kept = self._kept[made.torrent_hash] = _Kept(_row(told, made.torrent_hash, made.name), now)
            self._source.hold(made.name, news)
            self._serve(kept.row)
        kept.asked_at = now
        self._kept.move_to_end(made.torrent_hash)

    def expire(self, now: float) -> None:
        """Forget what has not been asked for lately."""
        while self._kept:
            torrent, kept = next(iter(self._kept.items()))
            if len(self._kept) <= MOST_KEPT and now - kept.asked_at < KEPT_SECONDS:
                break
            del self._kept[torrent]
            self._stop_serving(torrent)
            self._source.release(kept.row.sha256)


def _row(told: NewsTorrent, torrent: TorrentHash, name: str) -> ServedPayload:
    return ServedPayload(
        patch_id="",
        version="",
        title="",
        severity="critical",
        cvss=None,
        file_name=name,
        sha256=name,
        length_bytes=told.length_bytes,
        torrent_hash=torrent,
        piece_length_bytes=NEWS_PIECE_BYTES,
        piece_count=told.piece_count,
        sequence=-1,
        published_at=0.0,
        emergency=True,
    )
