"""`seed_server.origin.news_torrents`: what is kept of news, how much and how long.

How they are sent: `tests/faults/origin_port/test_news.py`.
"""

from pathlib import Path

import pytest

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, describe_news, make_torrent
from seed_server.origin.news_torrents import KEPT_SECONDS, MOST_KEPT, NewsTorrents
from seed_server.store.content_store import ContentStore
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import ServedPayload


@pytest.fixture
def source(tmp_path: Path) -> PieceSource:
    return PieceSource(ContentStore(tmp_path))


def made_up(source: PieceSource) -> tuple[NewsTorrents, dict[TorrentHash, ServedPayload]]:
    """With what is served."""
    served: dict[TorrentHash, ServedPayload] = {}

    def serve(row: ServedPayload) -> None:
        served[TorrentHash(row.torrent_hash)] = row

    return NewsTorrents(source, serve, served.__delitem__), served


async def test_the_same_news_are_one_torrent_whose_pieces_can_be_read(source: PieceSource) -> None:
    torrents, served = made_up(source)
    news = bytes(NEWS_PIECE_BYTES) + b"end"
    for now in (0.0, 1.0):
        torrents.offer(news, describe_news(news), now)
    ((torrent, row),) = served.items()
    assert torrent == make_torrent(describe_news(news)).torrent_hash
    assert torrents.rows == served
    assert [await source.read(row, PieceIndex(n)) for n in range(row.piece_count)] == [bytes(NEWS_PIECE_BYTES), b"end"]
    assert row.urgency == 0
    assert row.sequence < 0


def test_what_nobody_asks_for_is_forgotten(source: PieceSource) -> None:
    torrents, served = made_up(source)
    torrents.offer(b"first", describe_news(b"first"), 0.0)
    torrents.offer(b"second", describe_news(b"second"), 1.0)
    torrents.offer(b"first", describe_news(b"first"), 2.0)
    torrents.expire(KEPT_SECONDS + 0.5)
    assert len(served) == 2
    torrents.expire(KEPT_SECONDS + 1.5)
    assert [row.length_bytes for row in served.values()] == [len(b"first")]
    torrents.expire(2 * KEPT_SECONDS)
    assert not served
    assert not torrents.rows


def test_no_more_than_some_are_kept(source: PieceSource) -> None:
    torrents, served = made_up(source)
    for n in range(MOST_KEPT + 3):
        torrents.offer(b"%d" % n, describe_news(b"%d" % n), float(n))
        torrents.expire(float(n))
    assert len(served) == MOST_KEPT
