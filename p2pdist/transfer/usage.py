"""What payloads take of the disk: each file once, however many names it has. Blocking."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef

_BLOCK_BYTES = 512  # the unit of st_blocks in POSIX, whatever the file system's block size is


@dataclass
class StoredFile:
    """One file, with all of its names."""

    disk_bytes: int
    cached: set[str] = field(default_factory=set)
    """Its names in the cache: SHA-256 of payloads."""
    kept: set[PatchRef] = field(default_factory=set)
    """The patches for whose way back it is kept."""


@dataclass(frozen=True)
class DiskUse:
    """All files, and what is free beside them."""

    files: tuple[StoredFile, ...]
    free_bytes: int

    @property
    def used_bytes(self) -> int:
        """What all files take."""
        return sum(file.disk_bytes for file in self.files)


def disk_use(home: EndpointHome) -> DiskUse:
    """Look at all payload files. What vanishes meanwhile does not count. Raises `OSError`: the disk cannot be read."""
    files: dict[int, StoredFile] = {}
    for path, found in _files(home.cache, 1):
        _file(files, found).cached.add(path.name)
    for _, found in _files(home.patches, 3):
        _file(files, found)
    for path, found in _files(home.kept, 3):
        _file(files, found).kept.add(PatchRef(path.parent.parent.name, path.parent.name))
    return DiskUse(tuple(files.values()), shutil.disk_usage(home.root).free)


def _file(files: dict[int, StoredFile], found: os.stat_result) -> StoredFile:
    taken = found.st_blocks * _BLOCK_BYTES if hasattr(found, "st_blocks") else found.st_size
    return files.setdefault(found.st_ino, StoredFile(taken))


def _files(directory: Path, depth: int) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files ``depth`` levels below ``directory``; links are not followed."""
    try:
        paths = list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if depth > 1 and stat.S_ISDIR(found.st_mode):
            yield from _files(path, depth - 1)
        elif depth == 1 and stat.S_ISREG(found.st_mode):
            yield path, found
