"""`news_torrent`: both sides make the same torrent, and it is one that the PC's engine takes."""

import random

import libtorrent as lt
import pytest

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.news_torrent import (
    MAX_NEWS_PIECES,
    MAX_SHARED_NEWS_BYTES,
    NEWS_NAME_ZEROS,
    NEWS_PIECE_BYTES,
    NewsTorrent,
    describe_news,
    make_torrent,
)
from p2pdist.transfer.torrent_engine.bindings import read_torrent

SIZES = [1, 16 << 10, 100_000, NEWS_PIECE_BYTES, NEWS_PIECE_BYTES + 1, 3 * NEWS_PIECE_BYTES, MAX_SHARED_NEWS_BYTES]


@pytest.mark.parametrize("size", SIZES)
def test_the_engine_takes_the_torrent_and_proves_the_pieces_by_it(size: int) -> None:
    news = random.Random(size).randbytes(size)
    told: NewsTorrent = codec.decode(codec.encode(describe_news(news)), NewsTorrent, max_bytes=1_000)
    made = make_torrent(told)
    _, file = read_torrent(made.torrent, made.torrent_hash)
    assert file.length_bytes == size
    assert file.sha256 == made.name
    for piece in range(file.piece_count):
        data = news[piece * NEWS_PIECE_BYTES : (piece + 1) * NEWS_PIECE_BYTES]
        assert file.proves(piece, data)
        assert not file.proves(piece, data[:-1] + bytes([data[-1] ^ 1]))


def test_it_is_bencoded_as_libtorrent_does_it() -> None:
    made = make_torrent(describe_news(bytes(600_000)))
    assert lt.bencode(lt.bdecode(made.torrent)) == made.torrent


def test_no_payload_has_its_name() -> None:
    assert make_torrent(describe_news(b"x")).name.startswith(NEWS_NAME_ZEROS)


def test_the_largest_fits_into_what_is_said_of_it() -> None:
    told = describe_news(bytes(MAX_SHARED_NEWS_BYTES))
    assert told.piece_count == MAX_NEWS_PIECES
    assert len(codec.encode(told)) < 600


@pytest.mark.parametrize("hashes", [b"", bytes(31), bytes(64)])
def test_other_than_one_hash_for_each_piece_is_refused(hashes: bytes) -> None:
    with pytest.raises(DecodeError):
        make_torrent(NewsTorrent(NEWS_PIECE_BYTES, hashes))


@pytest.mark.parametrize(
    "fields", [{"length_bytes": 0}, {"length_bytes": MAX_SHARED_NEWS_BYTES + 1}, {"piece_hashes": bytes(513)}]
)
def test_more_than_may_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        codec.decode(
            codec.encode({"length_bytes": 1, "piece_hashes": bytes(32)} | fields), NewsTorrent, max_bytes=1_000
        )
