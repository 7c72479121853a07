"""`seed_server.origin.news_torrents`: what is kept of news, how much and how long.

How they are sent: `tests/faults/origin_port/test_news.py`.
"""

from pathlib import Path

import pytest

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, describe_news, make_torrent
from seed_server.origin.news_torrents import KEPT_SECONDS, MOST_KEPT, NewsTorrents
from seed_server.store.content_store import ContentStore
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import ServedPayload

NAMES: dict[TorrentHash, bytes] = {}
PC = EndpointId("a" * 26)


@pytest.fixture
def source(tmp_path: Path) -> PieceSource:
    return PieceSource(ContentStore(tmp_path))


def made_up(source: PieceSource) -> tuple[NewsTorrents, dict[TorrentHash, ServedPayload]]:
    """With what is served."""
    served: dict[TorrentHash, ServedPayload] = {}

    def serve(row: ServedPayload) -> None:
        served[TorrentHash(row.torrent_hash)] = row

    return NewsTorrents(source, serve, served.__delitem__), served


def pc(number: int) -> EndpointId:
    return EndpointId(f"{number}".translate({48 + n: 97 + n for n in range(10)}).rjust(26, "z"))


def offer(torrents: NewsTorrents, news: bytes, now: float, endpoint: EndpointId = PC) -> bool:
    told = describe_news(news)
    NAMES[make_torrent(told).torrent_hash] = news
    return torrents.offer(news, told, endpoint, now)


def held(served: dict[TorrentHash, ServedPayload]) -> set[bytes]:
    """The news that are served."""
    return {NAMES[torrent] for torrent in served}


async def test_the_same_news_are_one_torrent_whose_pieces_can_be_read(source: PieceSource) -> None:
    torrents, served = made_up(source)
    news = bytes(NEWS_PIECE_BYTES) + b"end"
    for now in (0.0, 1.0):
        torrents.offer(news, describe_news(news), PC, now)
    ((torrent, row),) = served.items()
    assert torrent == make_torrent(describe_news(news)).torrent_hash
    assert torrents.rows == served
    assert [await source.read(row, PieceIndex(n)) for n in range(row.piece_count)] == [bytes(NEWS_PIECE_BYTES), b"end"]
    assert row.urgency == 0
    assert row.sequence < 0


def test_what_nobody_asks_for_is_forgotten(source: PieceSource) -> None:
    torrents, served = made_up(source)
    offer(torrents, b"first", 0.0)
    offer(torrents, b"second", 1.0)
    offer(torrents, b"first", 2.0)
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
        assert offer(torrents, b"%d" % n, float(n), pc(n))
    assert len(served) == MOST_KEPT
    assert b"2" not in held(served)
    assert b"3" in held(served)


def test_one_pc_takes_the_room_of_one_whatever_it_asks_for(source: PieceSource) -> None:
    torrents, served = made_up(source)
    for n in range(MOST_KEPT):
        for who in (2 * n, 2 * n + 1):
            offer(torrents, b"site %d" % n, 0.0, pc(who))
    for n in range(5 * MOST_KEPT):
        assert not offer(torrents, b"invented %d" % n, 1.0, pc(99)), "it asks the web port"
        assert {b"site %d" % n for n in range(MOST_KEPT)} <= held(served)


def test_what_others_fetch_stays_also_where_each_is_the_only_one_that_does(source: PieceSource) -> None:
    torrents, served = made_up(source)
    for n in range(MOST_KEPT):
        offer(torrents, b"site %d" % n, 0.0, pc(n))
    for n in range(5 * MOST_KEPT):
        offer(torrents, b"invented %d" % n, 1.0, pc(99))
    assert len({b"site %d" % n for n in range(MOST_KEPT)} - held(served)) <= 1


def test_what_a_pc_has_been_told_of_before_goes_before_what_others_hold(source: PieceSource) -> None:
    torrents, served = made_up(source)
    offer(torrents, b"held", 0.0, pc(1))
    for n in range(MOST_KEPT - 1):
        offer(torrents, b"before %d" % n, 1.0 + n, pc(0))
    offer(torrents, b"now", 99.0, pc(2))
    assert b"held" in held(served)
    assert b"before 0" not in held(served)
    assert b"before %d" % (MOST_KEPT - 2) in held(served)


def test_nothing_is_remembered_of_pcs_that_no_longer_ask(source: PieceSource) -> None:
    torrents, served = made_up(source)
    for n in range(3):
        offer(torrents, b"news", float(n), pc(n))
    torrents.expire(3 + KEPT_SECONDS)
    assert not served
    offer(torrents, b"news", 2 * KEPT_SECONDS, pc(0))
    assert held(served) == {b"news"}
