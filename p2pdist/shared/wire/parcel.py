"""Several small payloads in one torrent that server and PCs make by themselves. Pure.

A parcel is signed by nobody: it only carries. Whoever has one cuts it, and each part has to be what its own signed
manifest says. So what is checked here is that it costs no more than it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.beginnings import beginnings
from p2pdist.shared.wire.codec import DecodeError, Extensible, Message
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES, NewsTorrent

MAX_PARCELLED_BYTES = 64 << 10  # a payload: with larger ones, what a torrent of its own costs matters less
MAX_PARCEL_BYTES = MAX_SHARED_NEWS_BYTES  # in seconds over most lines, and then all in it are there
MAX_PARCELLED = 64  # payloads in one parcel
LEAST_PARCELLED = 4  # that a PC lacks, before it is worth a torrent; and they are half of its bytes or more
MAX_LACKED = 8_192  # small payloads that one PC lacks: more than are ever offered
MAX_TOLD_PARCELS = 16  # in one message: a thousand payloads, and twenty kilobytes
MAX_HELD_PARCELS = 64  # that one PC has, or that are on their way to it: those of four answers


class Parcel(Extensible, frozen=True):
    """What the server says of one."""

    torrent: NewsTorrent
    members: Annotated[bytes, msgspec.Meta(max_length=MAX_PARCELLED * HELD_BYTES)]
    """The first `HELD_BYTES` of the hash of each payload's torrent, in the order of the payloads."""
    lengths: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=MAX_PARCELLED_BYTES)], ...], msgspec.Meta(max_length=MAX_PARCELLED)
    ]
    """Of each payload, in bytes."""


class ParcelsWanted(Message, frozen=True, tag="parcels_wanted"):
    """The endpoint lacks these torrents, of at most `MAX_PARCELLED_BYTES`. Answered by `Parcels`."""

    torrents: Annotated[bytes, msgspec.Meta(max_length=MAX_LACKED * HELD_BYTES)]
    """The first `HELD_BYTES` of each one's hash, one after the other."""
    held: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=MAX_PARCELLED * HELD_BYTES)], ...],
        msgspec.Meta(max_length=MAX_HELD_PARCELS),
    ] = ()
    """The `Parcel.members` of each that is here, or of which some is: a server that has started anew knows none."""


class Parcels(Message, frozen=True, tag="parcels"):
    """Answer to `ParcelsWanted`: what is in none of these is to be had by itself."""

    parcels: Annotated[list[Parcel], msgspec.Meta(max_length=MAX_TOLD_PARCELS)]
    more: bool = False
    """There are more: ask again when these are here."""


@dataclass(frozen=True)
class PayloadSpan:
    """Where in a parcel one payload is."""

    torrent: TorrentHash
    offset: int
    length_bytes: int


def parts_of(parcel: Parcel, lacked: Mapping[bytes, tuple[TorrentHash, int]]) -> list[PayloadSpan]:
    """Return what of ``lacked`` is in it; these are torrents and the payloads' lengths, by `beginning`.

    Raises `DecodeError` where it contradicts itself or the signed lengths, or is not worth its bytes.
    """
    names = beginnings(parcel.members)
    if len(names) != len(parcel.lengths) or len(set(names)) != len(names):
        raise DecodeError("a parcel whose members and lengths do not match")
    if sum(parcel.lengths) != parcel.torrent.length_bytes:
        raise DecodeError("a parcel that is not as long as its payloads")
    parts: list[PayloadSpan] = []
    offset = 0
    for name, length in zip(names, parcel.lengths, strict=True):
        torrent, signed_length = lacked.get(name, (None, 0))
        if torrent is not None:
            if signed_length != length:
                raise DecodeError("a parcel in which a payload has not its signed length")
            parts.append(PayloadSpan(torrent, offset, length))
        offset += length
    if not is_worth(sum(part.length_bytes for part in parts), len(parts), parcel.torrent.length_bytes):
        raise DecodeError("a parcel of payloads that are not missing here")
    return parts


def is_worth(lacked_bytes: int, lacked: int, parcel_bytes: int) -> bool:
    """Whether a PC that lacks so much of a parcel is to fetch all of it."""
    return lacked >= LEAST_PARCELLED and 2 * lacked_bytes >= parcel_bytes
