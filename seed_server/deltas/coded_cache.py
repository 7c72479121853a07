"""Coded pieces on the server's disk: made once, sent to every site. Blocking; any thread may call it.

``coded/TORRENT/BASE/PIECE-LEVEL`` is one; all of them can be made again, so nothing waits for the disk: what a power
cut has damaged is known by its checksum.
"""

import contextlib
import hashlib
import os
import re
import shutil
import struct
import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, get_args

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.coded_pieces import MAX_PREFIX_RANGES, Codec, PrefixRange
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES
from seed_server.deltas.coder import Coded

MAX_CODED_BYTES = 4 << 30  # of a hundred publications of 200 MB, each by three former versions and alone: a third of it
MIN_FREE_BYTES = 1 << 30  # of the disk: for payloads, the database and the logs, which cannot be made again
MAX_OPEN_PAIRS = 64  # whose pieces are known without a look at the disk: of 16,384 pieces, 1 MB each
AHEAD_LEVEL = 19  # what is made at this level or a higher one is for later, and takes nothing from who is sent to now
NO_BASE = "alone"
"""In the place of a base."""

_BLOCK_BYTES = 4096  # of most file systems: what a file takes at least
CHECK_BYTES = 16
_HEAD = struct.Struct("<BB")
_RANGE = struct.Struct("<QQ")
_MOST_BYTES = CHECK_BYTES + _HEAD.size + MAX_PREFIX_RANGES * _RANGE.size + MAX_PIECE_BYTES
_CODECS: tuple[Codec, ...] = get_args(Codec)
_AWAY = "away-"
"""How the folders begin that are being removed."""
_WHOLE = 255
"""In the place of a codec: nothing is gained by coding it."""
_NAME = re.compile(r"([0-9]{1,6})-([0-9]{1,2})")
_FOLDERS = re.compile(r"[0-9a-f]{64}|alone")


class Pair(NamedTuple):
    """A torrent, and the payload that its pieces are coded by."""

    torrent: TorrentHash
    base: str
    """SHA-256, or `NO_BASE`."""


class Kept(NamedTuple):
    """A piece in the cache."""

    coded: Coded | None
    """None: it is to be sent whole."""
    level: int


@dataclass
class _Folder:
    """What is known of a pair."""

    bytes: int = 0
    levels: dict[PieceIndex, int] | None = None
    """Of each piece; None: to be read from the disk."""
    used: int = 0
    """The higher, the later."""


@dataclass
class CodedCache:
    """The folder ``coded/``; ``load`` first."""

    directory: Path
    max_bytes: int = MAX_CODED_BYTES
    min_free_bytes: int = MIN_FREE_BYTES
    recent: Collection[TorrentHash] = ()
    """Of these, nothing leaves to make room for what is coded ahead."""
    full: bool = False
    """What was to be kept last found no room, or could not be written."""
    _folders: dict[Pair, _Folder] = field(default_factory=dict)
    _bytes: int = 0
    _uses: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Look at what an earlier run has left. What cannot be read is as if it were not there.

        What somebody was writing who was killed goes; who writes just now keeps nothing this once.
        """
        with contextlib.suppress(OSError):
            durable_files.remove_leftovers(self.directory)
        with self._lock, contextlib.suppress(OSError):
            _remove_all(self.directory.glob(f"{_AWAY}*"))
            found = sorted(pairs_in(self.directory), key=lambda one: one[1])
            for pair, _ in found:
                size = sum(
                    taken_bytes(entry.stat().st_size) for entry in os.scandir(self._path(pair)) if entry.is_file()
                )
                self._uses += 1
                self._folders[pair] = _Folder(size, used=self._uses)
                self._bytes += size

    @property
    def bytes(self) -> int:
        """What all pieces take on the disk."""
        return self._bytes

    def level(self, pair: Pair, piece: PieceIndex) -> int:
        """Return the level at which a piece is kept; 0: it is not."""
        with self._lock:
            return self._levels(pair).get(piece, 0)

    def read(self, pair: Pair, piece: PieceIndex) -> Kept | None:
        """Return a piece; None: it is not here, or damaged, and then it is removed."""
        with self._lock:
            level = self._levels(pair).get(piece)
        if level is None:
            return None
        path = self._path(pair) / _name(piece, level)
        try:
            return Kept(_unpacked(pair, read_capped(path, _MOST_BYTES)), level)
        except (OSError, FileTooLargeError, ValueError):
            with self._lock:
                self._forget_gone(pair)
                if self._levels(pair).get(piece) == level:  # and none better has just come
                    del self._levels(pair)[piece]
                    self._remove(pair, self._folder(pair), path)
            return None

    def keep(self, pair: Pair, piece: PieceIndex, level: int, coded: Coded | None) -> bool:
        """Keep a piece, in the place of one of a lower level; return whether there was room, and nothing went wrong."""
        self.full = not self._keep(pair, piece, level, coded)
        return not self.full

    def _keep(self, pair: Pair, piece: PieceIndex, level: int, coded: Coded | None) -> bool:
        data = _packed(coded)
        taken = taken_bytes(len(data))
        with self._lock:
            self._forget_gone(pair)
            folder = self._folder(pair)
            before = self._levels(pair).get(piece)
            if before is not None and before >= level:
                return True
            gone = self._make_room(pair, taken, () if level < AHEAD_LEVEL else self.recent)
            if gone is not None:
                self._count(folder, taken)
        if gone is None:
            return False
        _remove_all(gone)
        path = self._path(pair)
        try:
            if shutil.disk_usage(self.directory.parent).free < self.min_free_bytes:
                raise OSError("too little is free")
            durable_files.make_directory(path, mode=0o700, lasting=False)
            durable_files.write_file(path / _name(piece, level), data, lasting=False)
        except OSError:
            with self._lock:
                self._give_back(pair, folder, taken)
            return False
        with self._lock:
            if self._folders.get(pair) is not folder:  # room was made meanwhile: it has gone with all of its pair
                (path / _name(piece, level)).unlink(missing_ok=True)
                return False
            levels = self._levels(pair)
            before = levels.get(piece)
            if before is not None and before >= level:  # another thread was quicker
                self._give_back(pair, folder, taken)
                if before > level:
                    (path / _name(piece, level)).unlink(missing_ok=True)
                return True
            levels[piece] = level
            if before is not None:
                self._remove(pair, folder, path / _name(piece, before))
        return True

    def bytes_of(self, pair: Pair) -> int:
        """Return what the pieces of a pair take on the disk; 0: there are none."""
        with self._lock:
            return self._folders[pair].bytes if pair in self._folders else 0

    def lacking(self, pair: Pair, piece_count: int, *, level: int) -> list[PieceIndex]:
        """Return which of so many pieces are not kept at this level or a higher one."""
        with self._lock:
            kept = self._levels(pair)
            return [PieceIndex(at) for at in range(piece_count) if kept.get(PieceIndex(at), 0) < level]

    def _path(self, pair: Pair) -> Path:
        return self.directory / pair.torrent / pair.base

    def _folder(self, pair: Pair) -> _Folder:
        folder = self._folders.setdefault(pair, _Folder())
        self._uses += 1
        folder.used = self._uses
        return folder

    def _levels(self, pair: Pair) -> dict[PieceIndex, int]:
        known = self._folders.get(pair)
        if known is None:
            return {}
        if known.levels is None:
            known.levels = _levels_in(self._path(pair))
            if not known.levels:  # it has gone meanwhile, as below
                self._count(known, -known.bytes)
            open_now = [one for one in self._folders.values() if one.levels is not None and one is not known]
            if len(open_now) >= MAX_OPEN_PAIRS:
                min(open_now, key=lambda one: one.used).levels = None
        self._uses += 1
        known.used = self._uses
        return known.levels

    def _forget_gone(self, pair: Pair) -> None:
        """Forget a pair that somebody else has removed, who needed the room (`CodedRoom`)."""
        known = self._folders.get(pair)
        if known is not None and known.levels and not self._path(pair).is_dir():
            self._bytes -= self._folders.pop(pair).bytes

    def _make_room(self, pair: Pair, needed: int, spared: Collection[TorrentHash]) -> list[Path] | None:
        """Let the pairs go that were not used for longest; the one that is written to stays, and those ``spared``.

        Returns their folders, under other names, which are to be removed; None: there is no room, and nothing goes.
        """
        others = sorted(
            (one for one in self._folders if one != pair and one.torrent not in spared),
            key=lambda one: self._folders[one].used,
        )
        going: list[Pair] = []
        freed = 0
        while self._bytes - freed + needed > self.max_bytes:
            if len(going) == len(others):
                return None
            going.append(others[len(going)])
            freed += self._folders[going[-1]].bytes
        return [path for each in going if (path := self._let_go(each)) is not None]

    def _let_go(self, pair: Pair) -> Path | None:
        self._bytes -= self._folders.pop(pair).bytes
        self._uses += 1
        away = self.directory / f"{_AWAY}{self._uses}"
        with contextlib.suppress(OSError):
            self._path(pair).rename(away)
            with contextlib.suppress(OSError):  # other pairs of this torrent
                self._path(pair).parent.rmdir()
            return away
        return None

    def _remove(self, pair: Pair, folder: _Folder, path: Path) -> None:
        with contextlib.suppress(OSError):
            size = taken_bytes(path.stat().st_size)
            path.unlink()
            self._give_back(pair, folder, size)

    def _count(self, folder: _Folder, size: int) -> None:
        folder.bytes += size
        self._bytes += size

    def _give_back(self, pair: Pair, folder: _Folder, size: int) -> None:
        if self._folders.get(pair) is folder:  # else all of it was given back when it went
            self._count(folder, -size)


def _remove_all(folders: Iterable[Path]) -> None:
    """Remove folders of thousands of files: nobody who looks at the cache waits for that."""
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)


def pairs_kept(directory: Path, torrents: Iterable[TorrentHash], least_level: int) -> dict[Pair, int]:
    """Return of each pair of these how many pieces are kept at this level or a higher one, by a look at the disk.

    Raises `OSError`.
    """
    found = {}
    for torrent in torrents:
        for pair, _ in _pairs_of(directory / torrent):
            levels = _levels_in(directory / pair.torrent / pair.base)
            found[pair] = sum(level >= least_level for level in levels.values())
    return found


def drop_base(directory: Path, sha256: str) -> None:
    """Remove all that is coded by a payload, which may have been damaged when it was. Raises nothing.

    A server that runs finds that they are gone when it reads them.
    """
    with contextlib.suppress(OSError):
        for pair, _ in pairs_in(directory):
            if pair.base == sha256:
                shutil.rmtree(directory / pair.torrent / pair.base, ignore_errors=True)


def pairs_in(directory: Path) -> Iterator[tuple[Pair, float]]:
    """Yield the pairs, each with when it was written to last."""
    with contextlib.suppress(FileNotFoundError):
        for torrent in os.scandir(directory):
            if _FOLDERS.fullmatch(torrent.name) and torrent.is_dir(follow_symlinks=False):
                yield from _pairs_of(directory / torrent.name)


def _pairs_of(folder: Path) -> Iterator[tuple[Pair, float]]:
    with contextlib.suppress(FileNotFoundError):
        for base in os.scandir(folder):
            if _FOLDERS.fullmatch(base.name) and base.is_dir(follow_symlinks=False):
                yield Pair(TorrentHash(folder.name), base.name), base.stat().st_mtime


def _levels_in(folder: Path) -> dict[PieceIndex, int]:
    levels: dict[PieceIndex, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names alone, of thousands
            if match := _NAME.fullmatch(name):
                piece, level = PieceIndex(int(match[1])), int(match[2])
                levels[piece] = max(level, levels.get(piece, 0))
    return levels


def _name(piece: PieceIndex, level: int) -> str:
    return f"{piece}-{level}"


def taken_bytes(size: int) -> int:
    """Return what a file of so many bytes takes on the disk."""
    return -(-max(1, size) // _BLOCK_BYTES) * _BLOCK_BYTES


def _packed(coded: Coded | None) -> bytes:
    if coded is None:
        body = _HEAD.pack(_WHOLE, 0)
    else:
        head = _HEAD.pack(_CODECS.index(coded.codec), len(coded.ranges))
        body = b"".join([head, *(_RANGE.pack(*one) for one in coded.ranges), coded.data])
    return checksum(body) + body


def _unpacked(pair: Pair, data: bytes) -> Coded | None:
    """Return what `_packed` made. Raises `ValueError` for anything else."""
    check, body = data[:CHECK_BYTES], data[CHECK_BYTES:]
    if len(body) < _HEAD.size or check != checksum(body):
        raise ValueError("damaged")
    codec, count = _HEAD.unpack_from(body)
    if codec == _WHOLE:
        return None
    at = _HEAD.size + count * _RANGE.size
    if codec >= len(_CODECS) or count > MAX_PREFIX_RANGES or len(body) <= at:
        raise ValueError("of another kind")
    ranges = tuple(PrefixRange(*one) for one in _RANGE.iter_unpack(body[_HEAD.size : at]))
    return Coded(_CODECS[codec], "" if pair.base == NO_BASE else pair.base, ranges, body[at:])


def checksum(body: bytes) -> bytes:
    """Return what tells whether ``body`` is what was written: a power cut, or a bad disk; it keeps nobody out."""
    return hashlib.blake2b(body, digest_size=CHECK_BYTES, usedforsecurity=False).digest()
