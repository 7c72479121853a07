"""Write files that must survive a crash: temporary file, fsync, rename, fsync of the directory.

No other module writes such files; both sides use this one (ADR 0003). A reader sees
the old content or the new, never a part. Blocking: trio code calls these functions
through `trio.to_thread.run_sync`.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

_SHOWN_BYTES = 100  # of a file's name, in that of its temporary file: far under the 143 that eCryptfs allows
_TEMPORARY = re.compile(r"\..{0,100}\.[0-9a-f]{12}\.tmp", re.DOTALL)  # what `_temporary` makes
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


def write_file(
    path: Path,
    data: bytes | Iterable[bytes],
    *,
    mode: int = 0o600,
    directory: int | None = None,
    lasting: bool = True,
) -> None:
    """Write ``data`` to ``path``, atomically and durably; for this user alone unless ``mode`` says otherwise.

    With the descriptor of a ``directory``, ``path`` is relative to that, whatever takes the place of the directory's
    own path. On any error (`OSError`, also for a full disk) the old content stays and no temporary file is left.
    After a power cut, one that is not ``lasting`` may be gone, or have any content.
    """
    temporary = _temporary(path)
    there = {} if directory is None else {"src_dir_fd": directory, "dst_dir_fd": directory}
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(temporary, path, **there)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    if not lasting:
        return
    if directory is None:
        fsync_directory(path.parent)
    else:
        os.fsync(directory)


def link_file(source: Path, path: Path, descriptor: int | None = None, *, lasting: bool = True) -> None:
    """Make ``path`` a hard link to ``source``, atomically and durably, replacing what was there.

    Both names share one copy on disk, so they must be on the same file system. With a ``descriptor`` of the source,
    the file that it refers to gets the link, whatever its name leads to by now; only Linux can do that. One that is
    not ``lasting`` may be gone after a power cut: each sync of a directory waits for the disk.
    """
    temporary = _temporary(path)
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
    if lasting:
        fsync_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o755, lasting: bool = True) -> None:
    """Create ``path`` and its parents durably, each of them with ``mode`` whatever the umask is.

    An existing directory keeps its mode. For ``lasting`` see `link_file`.
    """
    for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
        with contextlib.suppress(FileExistsError):  # another process has made it meanwhile
            missing.mkdir(mode)
            missing.chmod(mode)
        if lasting:
            fsync_directory(missing.parent)
    path.mkdir(exist_ok=True)  # says so where a file is


def find_leftovers(directory: Path, *, below: bool = True) -> list[Path]:
    """Return the temporary files that are in ``directory`` and, if ``below``, in all directories below it.

    One that somebody is just writing is not told from one that a killed process left. Links to directories are not
    followed, a missing directory has none. Raises `OSError`.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(directory, onerror=_unless_missing):
        found += [Path(folder, name) for name in names if _TEMPORARY.fullmatch(name)]
        if not below:
            folders.clear()
    return found


def remove_leftovers(directory: Path, *, below: bool = True) -> int:
    """Remove what `find_leftovers` finds, and return how many there were. Nobody may write there meanwhile."""
    found = find_leftovers(directory, below=below)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _temporary(path: Path) -> Path:
    # cut by bytes, as the limit of a file system is: 100 characters may have 400 of them
    name = os.fsencode(path.name)[:_SHOWN_BYTES].decode(errors="ignore")
    return path.with_name(f".{name}.{secrets.token_hex(6)}.tmp")
