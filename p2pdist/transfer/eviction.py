"""Which payloads leave a PC that keeps more than its quota, and in which order. Pure."""

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from p2pdist.shared.identifiers import TorrentHash


class FileUse(enum.IntEnum):
    """What a payload is on this PC for; the lowest leaves first, and the highest never."""

    OTHERS = 0
    """Not for this PC, or no longer: neighbours may want it."""
    INSTALLED = 1
    """It is installed here: neighbours may want it."""
    WAY_BACK = 2
    """Likewise, and a later version could go back to it."""
    NEEDED = 3
    """It is to be installed here, or is the way back of what is."""


@dataclass(frozen=True, slots=True)
class Evictable:
    """A payload that is here."""

    torrent: TorrentHash
    use: FileUse
    proven_at: float
    """In seconds since 1970."""
    frees_bytes: int
    """What the disk gets back once all of its names are gone."""


def in_turn(payloads: Iterable[Evictable]) -> Iterator[Evictable]:
    """Yield those that may leave, as far as this PC is concerned: by their use, of equals the one that is here longest.

    What frees nothing stays: a name of its file is needed.
    """
    may_leave = (each for each in payloads if each.use is not FileUse.NEEDED and each.frees_bytes > 0)
    return iter(sorted(may_leave, key=lambda each: (each.use, each.proven_at, each.torrent)))


def enough(
    payloads: Iterable[Evictable],
    excess_bytes: int,
    refused_at: Mapping[TorrentHash, float] = MappingProxyType({}),
    at_least: int = 1,
) -> list[Evictable]:
    """Return the first of `in_turn` that free ``excess_bytes`` together, or all where they do not; none for 0.

    What could not be spared when it was asked about (``refused_at``) comes last, the longest ago first. ``at_least`` so
    many are returned, where most of what was asked about could not be spared.
    """
    chosen: list[Evictable] = []
    if excess_bytes <= 0:
        return chosen
    for each in sorted(in_turn(payloads), key=lambda each: refused_at.get(each.torrent, -math.inf)):
        if excess_bytes <= 0 and len(chosen) >= at_least:
            break
        chosen.append(each)
        excess_bytes -= each.frees_bytes
    return chosen
