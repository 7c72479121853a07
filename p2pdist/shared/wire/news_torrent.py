"""News that the PCs of a site swap with each other: a torrent that server and PCs make by themselves. Pure.

The server says how long the news are and what their pieces hash to; torrent, name and torrent hash follow from that.
The name begins with zeros, so that no payload has it, and what a killed daemon has left is known by it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

from p2pdist.shared.identifiers import Sha256Hex, TorrentHash
from p2pdist.shared.merkle import HASH_BYTES, piece_count, piece_hash, pieces_root, split_hashes
from p2pdist.shared.wire.codec import DecodeError, Extensible

MAX_SHARED_NEWS_BYTES = 4 << 20  # compressed: what a new site lacks of some hundred patches
NEWS_PIECE_BYTES = 256 << 10  # one is sent in seconds over any line, and then the neighbours have it too
MAX_NEWS_PIECES = MAX_SHARED_NEWS_BYTES // NEWS_PIECE_BYTES
NEWS_NAME_ZEROS = "0" * 16

_Bencoded: TypeAlias = "bytes | int | Mapping[bytes, _Bencoded]"


class NewsTorrent(Extensible, frozen=True):
    """What the server says of news that it does not send by themselves."""

    length_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_SHARED_NEWS_BYTES)]
    piece_hashes: Annotated[bytes, msgspec.Meta(max_length=MAX_NEWS_PIECES * HASH_BYTES)]
    """v2 piece hashes, 32 bytes each."""

    @property
    def piece_bytes(self) -> int:
        """How long each piece is, but perhaps the last one."""
        return NEWS_PIECE_BYTES

    @property
    def piece_count(self) -> int:
        """How many pieces of `NEWS_PIECE_BYTES` it has."""
        return piece_count(self.length_bytes, NEWS_PIECE_BYTES)


@dataclass(frozen=True)
class MadeTorrent:
    """The torrent of some news."""

    torrent: bytes
    torrent_hash: TorrentHash
    name: Sha256Hex
    """Of its file. It looks like a payload's hash."""


def describe_news(news: bytes) -> NewsTorrent:
    """Return what PCs need to know of ``news``, of at most `MAX_SHARED_NEWS_BYTES`."""
    pieces = (news[at : at + NEWS_PIECE_BYTES] for at in range(0, len(news), NEWS_PIECE_BYTES))
    hashes = [piece_hash(piece, NEWS_PIECE_BYTES, len(news)) for piece in pieces]
    return NewsTorrent(len(news), b"".join(hashes))


def make_torrent(news: NewsTorrent) -> MadeTorrent:
    """Return the torrent, the same on each side. Raises `DecodeError` where there is not one hash for each piece."""
    if len(news.piece_hashes) != news.piece_count * HASH_BYTES:
        raise DecodeError("news without one hash for each piece")
    hashes = split_hashes(news.piece_hashes)
    name = NEWS_NAME_ZEROS + hashlib.sha256(news.piece_hashes).hexdigest()[len(NEWS_NAME_ZEROS) :]
    root = hashes[0] if len(hashes) == 1 else pieces_root(hashes, NEWS_PIECE_BYTES)
    file: _Bencoded = {b"": {b"length": news.length_bytes, b"pieces root": root}}
    info: _Bencoded = {
        b"file tree": {name.encode(): file},
        b"meta version": 2,
        b"name": name.encode(),
        b"piece length": NEWS_PIECE_BYTES,
        b"private": 1,
    }
    layers: _Bencoded = {root: news.piece_hashes} if len(hashes) > 1 else {}
    torrent = _bencode({b"info": info, b"piece layers": layers})
    return MadeTorrent(torrent, TorrentHash(hashlib.sha256(_bencode(info)).hexdigest()), Sha256Hex(name))


def _bencode(value: _Bencoded) -> bytes:
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    return b"d%be" % b"".join(_bencode(key) + _bencode(value[key]) for key in sorted(value))
