"""The one writer of files that must survive a crash: temporary, fsync, rename, fsync directory.

Blocking: trio code calls these through `trio.to_thread.run_sync`. Both sides
use it (ADR 0003). A reader sees the old content or the new, never a part.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def fsync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable; does nothing where directories cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o644) -> None:
    """Atomically and durably make ``path`` hold ``data``.

    On any error (`OSError`, ENOSPC among them) the old content stays and no
    temporary file is left.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    fsync_directory(path.parent)


def link_file(source: Path, path: Path) -> None:
    """Atomically and durably give ``source``'s bytes the additional name ``path``, replacing what was there.

    Both names share one copy on disk, so they must be on one file system.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    os.link(source, temporary)
    try:
        os.replace(temporary, path)
    finally:
        # rename(2) of two names of one file does nothing and leaves both
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o755) -> None:
    """Create ``path`` and its parents, durably; an existing directory keeps its mode."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for created in missing:
        fsync_directory(created.parent)
