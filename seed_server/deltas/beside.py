"""What is kept in ``coded/`` of a payload, beside coded pieces: its anchors, and what is expected of it. Blocking.

Its files have a bound of their own, and are not written where the disk has little room.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import Sha256Hex, parse_sha256
from seed_server.deltas.coded_cache import MIN_FREE_BYTES

MAX_BESIDE_BYTES = 256 << 20  # the anchors of 60 payloads of 1 GB and more, 4 MB each, or of a thousand of 50 MB
ANCHORS = ".anchors"
PREDICTED = ".predicted"

_OURS = re.compile(rf"([0-9a-f]{{64}})({re.escape(ANCHORS)}|{re.escape(PREDICTED)})")


class Beside(NamedTuple):
    """A file that is kept of a payload."""

    path: Path
    sha256: Sha256Hex
    bytes: int
    changed_at: float


def beside_path(directory: Path, sha256: str, suffix: str) -> Path:
    """Return where it lies, or would lie."""
    return directory / f"{parse_sha256(sha256)}{suffix}"


def keep_beside(
    directory: Path,
    sha256: str,
    suffix: str,
    data: bytes,
    *,
    max_bytes: int = MAX_BESIDE_BYTES,
    min_free_bytes: int = MIN_FREE_BYTES,
) -> None:
    """Keep a file, as far as there is room and the disk takes it; all can be made again, or done without.

    Where all would take more than ``max_bytes``, the anchors that were written longest ago go.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(directory.parent).free < min_free_bytes + len(data):
            return
        durable_files.make_directory(directory, mode=0o700, lasting=False)
        durable_files.write_file(beside_path(directory, sha256, suffix), data, lasting=False)
        kept = sorted(beside(directory), key=lambda one: (one.path.suffix == PREDICTED, one.changed_at))
        total = sum(one.bytes for one in kept)
        for one in kept:
            if total <= max_bytes:
                break
            one.path.unlink(missing_ok=True)
            total -= one.bytes


def beside(directory: Path) -> Iterator[Beside]:
    """Yield what is kept. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            if match := _OURS.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):  # it has just gone
                    status = entry.stat(follow_symlinks=False)
                    yield Beside(Path(entry.path), Sha256Hex(match[1]), status.st_size, status.st_mtime)
