"""Write files that must survive a crash: temporary file, fsync, rename, fsync of the directory.

No other module writes such files; both sides use this one (ADR 0003). A reader sees
the old content or the new, never a part. Blocking: trio code calls these functions
through `trio.to_thread.run_sync`.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def fsync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable. Does nothing on Windows, where a directory cannot be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path``, atomically and durably.

    On any error (`OSError`, also for a full disk) the old content stays and no
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


def link_file(source: Path, path: Path, descriptor: int | None = None) -> None:
    """Make ``path`` a hard link to ``source``, atomically and durably, replacing what was there.

    Both names share one copy on disk, so they must be on the same file system. With a ``descriptor`` of the source,
    the file that it refers to gets the link, whatever its name leads to by now; only Linux can do that.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    if descriptor is not None and _DESCRIPTORS.exists():
        directory = os.open(_DESCRIPTORS, os.O_RDONLY | os.O_DIRECTORY)
        try:  # with a directory's descriptor, Python makes the link to what the entry stands for
            os.link(str(descriptor), temporary, src_dir_fd=directory, follow_symlinks=True)
        finally:
            os.close(directory)
    else:
        os.link(source, temporary)
    try:
        os.replace(temporary, path)
    finally:
        # if both are already links to the same file, rename(2) does nothing and leaves both names
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o755) -> None:
    """Create ``path`` and its parents durably. An existing directory keeps its mode."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for created in missing:
        fsync_directory(created.parent)
