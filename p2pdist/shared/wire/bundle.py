"""Several small payloads in one torrent that server and PCs make by themselves. Pure.

A bundle is signed by nobody: it only carries. Whoever has one cuts it, and each part has to be what its own signed
manifest says. So what is checked here is that it costs no more than it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.codec import DecodeError, Extensible, Message
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES, NewsTorrent

MAX_BUNDLED_BYTES = 64 << 10  # a payload: with larger ones, what a torrent of its own costs matters less
MAX_BUNDLE_BYTES = MAX_SHARED_NEWS_BYTES  # in seconds over most lines, and then all in it are there
MAX_BUNDLED = 64  # payloads in one bundle
LEAST_BUNDLED = 4  # that a PC lacks, before it is worth a torrent; and they are half of its bytes or more
BEGINNING_BYTES = 8  # of a torrent's hash: both sides know which torrents there are
MAX_LACKED = 8_192  # small payloads that one PC lacks: more than are ever offered
MAX_TOLD_BUNDLES = 16  # in one message: a thousand payloads, and twenty kilobytes


class Bundle(Extensible, frozen=True):
    """What the server says of one."""

    torrent: NewsTorrent
    members: Annotated[bytes, msgspec.Meta(max_length=MAX_BUNDLED * BEGINNING_BYTES)]
    """The first `BEGINNING_BYTES` of the hash of each payload's torrent, in the order of the payloads."""
    lengths: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=MAX_BUNDLED_BYTES)], ...], msgspec.Meta(max_length=MAX_BUNDLED)
    ]
    """Of each payload, in bytes."""


class BundlesWanted(Message, frozen=True, tag="bundles_wanted"):
    """The endpoint lacks these torrents, of at most `MAX_BUNDLED_BYTES`. Answered by `Bundles`."""

    torrents: Annotated[bytes, msgspec.Meta(max_length=MAX_LACKED * BEGINNING_BYTES)]
    """The first `BEGINNING_BYTES` of each one's hash, one after the other."""


class Bundles(Message, frozen=True, tag="bundles"):
    """Answer to `BundlesWanted`: what is in none of these is to be had by itself."""

    bundles: Annotated[list[Bundle], msgspec.Meta(max_length=MAX_TOLD_BUNDLES)]
    more: bool = False
    """There are more: ask again when these are here."""


@dataclass(frozen=True)
class Part:
    """Where in a bundle one payload is."""

    torrent: TorrentHash
    offset: int
    length_bytes: int


def beginning(torrent: TorrentHash) -> bytes:
    """Return what a torrent is named by in a bundle."""
    return bytes.fromhex(torrent[: 2 * BEGINNING_BYTES])


def beginnings(names: bytes) -> list[bytes]:
    """Return the single names in ``names``. Raises `DecodeError`."""
    if len(names) % BEGINNING_BYTES:
        raise DecodeError("a part of a torrent's hash")
    return [names[at : at + BEGINNING_BYTES] for at in range(0, len(names), BEGINNING_BYTES)]


def parts_of(bundle: Bundle, lacked: Mapping[bytes, tuple[TorrentHash, int]]) -> list[Part]:
    """Return what of ``lacked`` is in it; these are torrents and the payloads' lengths, by `beginning`.

    Raises `DecodeError` where it contradicts itself or the signed lengths, or is not worth its bytes.
    """
    names = beginnings(bundle.members)
    if len(names) != len(bundle.lengths) or len(set(names)) != len(names):
        raise DecodeError("a bundle whose members and lengths do not match")
    if sum(bundle.lengths) != bundle.torrent.length_bytes:
        raise DecodeError("a bundle that is not as long as its payloads")
    parts: list[Part] = []
    offset = 0
    for name, length in zip(names, bundle.lengths, strict=True):
        torrent, signed_length = lacked.get(name, (None, 0))
        if torrent is not None:
            if signed_length != length:
                raise DecodeError("a bundle in which a payload has not its signed length")
            parts.append(Part(torrent, offset, length))
        offset += length
    if not is_worth(sum(part.length_bytes for part in parts), len(parts), bundle.torrent.length_bytes):
        raise DecodeError("a bundle of payloads that are not missing here")
    return parts


def is_worth(lacked_bytes: int, lacked: int, bundle_bytes: int) -> bool:
    """Whether a PC that lacks so much of a bundle is to fetch all of it."""
    return lacked >= LEAST_BUNDLED and 2 * lacked_bytes >= bundle_bytes
