"""Room that ``coded/`` gives back: what takes most there can be made again, so it goes before others. Blocking.

A server that runs meanwhile misses what has gone when it looks for it (`CodedCache`).
"""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seed_server.deltas.beside import ANCHORS, beside
from seed_server.deltas.coded_cache import MIN_FREE_BYTES, pairs_in, taken_bytes


class Removable(NamedTuple):
    """The pieces of a pair, or the anchors of a payload."""

    path: Path
    of: str
    """The torrent, or the payload's SHA-256."""
    bytes: int
    changed_at: float


@dataclass(frozen=True)
class CodedRoom:
    """The folder ``coded/`` of one home."""

    directory: Path
    min_free_bytes: int = MIN_FREE_BYTES

    def removable(self) -> list[Removable]:
        """Return all that can go, what was written longest ago first; nothing where it cannot be looked at."""
        found: list[Removable] = []
        with contextlib.suppress(OSError):
            for pair, changed_at in pairs_in(self.directory):
                path = self.directory / pair.torrent / pair.base
                found.append(Removable(path, pair.torrent, _bytes_in(path), changed_at))
        with contextlib.suppress(OSError):
            found += [
                Removable(one.path, one.sha256, taken_bytes(one.bytes), one.changed_at)
                for one in beside(self.directory)
                if one.path.suffix == ANCHORS
            ]
        return sorted(found, key=lambda one: one.changed_at)

    def going(self, here: Collection[str], *, everything: bool = False) -> list[Removable]:
        """Return what goes: all of what is not ``here`` any more, and what the disk has too little room for.

        ``here``: torrents and SHA-256 of the payloads that are. ``everything``: all that can go.
        """
        found = self.removable()
        if everything:
            return found
        gone = [one for one in found if one.of not in here]
        return gone + _up_to(self._lacking() - _sum(gone), (one for one in found if one.of in here))

    def give(self, needed_bytes: int) -> int:
        """Remove so much, what was written longest ago first; nothing where all of it is less. Return how much."""
        found = self.removable()
        return self.remove(_up_to(needed_bytes, found)) if needed_bytes <= _sum(found) else 0

    def give_free(self) -> int:
        """Remove what the disk has too little room for, and return how much that was."""
        return self.remove(_up_to(self._lacking(), self.removable())) if self._lacking() else 0

    def remove(self, going: Iterable[Removable]) -> int:
        """Remove it, and return how much it was; what cannot be removed stays."""
        removed = 0
        for one in going:
            with contextlib.suppress(OSError):
                if one.path.is_dir():
                    shutil.rmtree(one.path)
                    with contextlib.suppress(OSError):  # other pairs of this torrent
                        one.path.parent.rmdir()
                else:
                    one.path.unlink()
                removed += one.bytes
        return removed

    def _lacking(self) -> int:
        try:
            return max(0, self.min_free_bytes - shutil.disk_usage(self.directory.parent).free)
        except OSError:
            return 0


def _up_to(needed_bytes: int, found: Iterable[Removable]) -> list[Removable]:
    chosen: list[Removable] = []
    for one in found:
        if needed_bytes <= 0:
            break
        chosen.append(one)
        needed_bytes -= one.bytes
    return chosen


def _sum(found: Iterable[Removable]) -> int:
    return sum(one.bytes for one in found)


def _bytes_in(folder: Path) -> int:
    found = 0
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):
                found += taken_bytes(entry.stat(follow_symlinks=False).st_size)
    return found
