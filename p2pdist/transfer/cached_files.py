"""Payload files that another user's process fills: who may write to them, and when nobody can any more. Blocking.

The network part writes the pieces, and is not trusted with what comes of them. A finished file is taken from it before
it is hashed: its owner becomes the daemon's user, and the hash begins only when the kernel says that nobody has it open
for writing. So what was proven stays what it is. Where both run as the same user, none of this is done.
"""

import contextlib
import errno
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.open_flags import READ_NO_LINK

if sys.platform != "win32":
    import fcntl

SEAL_SECONDS = 20.0  # the torrent engine closes a finished file at once; a slow disk delays that
LOOK_AGAIN_SECONDS = 0.05
LENT_MODE, SEALED_MODE = 0o600, 0o640
_F_SETSIG = 10  # fcntl.h of Linux

log = lazy_log()


@dataclass(frozen=True)
class Writer:
    """The user that fills files, other than the daemon's."""

    uid: int
    gid: int


class StillWrittenError(OSError):
    """Somebody keeps a finished file open for writing."""


def lend(path: Path, writer: Writer | None) -> None:
    """Let ``writer`` write to ``path``, if it is there. A file that is not ours to lend is removed: it comes anew.

    Raises `OSError`.
    """
    if writer is None:
        return
    try:
        with _opened(path) as descriptor:
            status = os.fstat(descriptor)
            ours = status.st_uid == os.geteuid() and _is_sealed(status, writer)
            if _is_single(status) and (ours or status.st_uid == writer.uid):
                os.fchown(descriptor, writer.uid, writer.gid)
                os.fchmod(descriptor, LENT_MODE)
                return
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # a symbolic link, a socket
            raise
    log.warning("a cached file is not what the daemon left there, and is fetched again", path=str(path))
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def sealed(path: Path, writer: Writer | None, check_cancelled: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Take ``path`` from ``writer``, and yield a descriptor of it: nobody can write to it any more.

    ``check_cancelled`` is called while waiting for writers. Raises `OSError`: not a file of the writer's own, or
    `StillWrittenError` after `SEAL_SECONDS`.
    """
    with _opened(path) as descriptor:
        if writer is not None:
            status = os.fstat(descriptor)
            if not _is_sealed(status, writer):
                if status.st_uid != writer.uid or not _is_single(status):
                    raise PermissionError(errno.EPERM, "it is not the network part's own file")
                seal(descriptor, writer)
            _wait_for_writers(descriptor, check_cancelled)
        yield descriptor


def read_unproven(path: Path, max_bytes: int) -> bytes:
    """Return the first bytes of a file whose writer may still change it. Raises `OSError`."""
    with _opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        return file.read(max_bytes)


def seal(descriptor: int, writer: Writer | None) -> None:
    """Make an open file one that the daemon alone can change, until it is lent. Raises `OSError`."""
    if writer is not None:
        os.fchown(descriptor, os.geteuid(), writer.gid)
        os.fchmod(descriptor, SEALED_MODE)


def publish(source: Path, path: Path, *, mtime_ns: int | None, inode: int | None, writer: Writer | None) -> int:
    """Make ``path`` a hard link to the sealed ``source``, which was proven with this time of change and inode.

    Return the inode's own change time afterwards (``ctime``), in nanoseconds. Raises `OSError`.
    """
    with _opened(source) as descriptor:
        status = os.fstat(descriptor)
        # the directory is the writer's: by now the name may lead to another file, even to another sealed one
        out_of_reach = writer is None or _is_sealed(status, writer)
        same = mtime_ns in (None, status.st_mtime_ns) and inode in (None, status.st_ino)
        if not (out_of_reach and same):
            raise OSError(errno.ESTALE, "it has changed since it was proven")
        if writer is not None:
            _wait_for_writers(descriptor, lambda: None)
        # each start does this again, so nothing of it has to outlive a power cut
        durable_files.make_directory(path.parent, mode=0o700, lasting=False)
        # by the descriptor: the name may lead elsewhere by now
        durable_files.link_file(source, path, descriptor, lasting=False)
        return os.fstat(descriptor).st_ctime_ns


def has_changed(
    path: Path,
    *,
    length_bytes: int,
    mtime_ns: int,
    writer: Writer | None,
    ctime_ns: int | None = None,
    inode: int | None = None,
) -> bool:
    """Whether ``path`` is another file than the one that was proven with this length, time and inode, or none.

    Whoever may write can set ``mtime`` back, and a ``writer`` may have another sealed file to put in its place. So
    ``ctime`` since its publication counts too, which the kernel sets at every write, rename and link. (On Windows it
    is the time of creation, and tells only of a file that was put in its place.)
    """
    try:
        status = path.lstat()
    except OSError:
        return True
    sealed_still = (status.st_ctime_ns, status.st_ino) == (ctime_ns, inode)
    if writer is not None:
        sealed_still = sealed_still and _is_sealed(status, writer)
    same = stat.S_ISREG(status.st_mode) and status.st_size == length_bytes and status.st_mtime_ns == mtime_ns
    return not (sealed_still and same)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, READ_NO_LINK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "it is not a file")
        yield descriptor
    finally:
        os.close(descriptor)


def _is_sealed(status: os.stat_result, writer: Writer) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    return (status.st_uid, status.st_gid, mode) == (os.geteuid(), writer.gid, SEALED_MODE)


def _is_single(status: os.stat_result) -> bool:
    return status.st_nlink == 1


def _wait_for_writers(descriptor: int, check_cancelled: Callable[[], None]) -> None:
    """Wait until nobody has the file open for writing. The kernel grants a read lease only then (`man 2 fcntl`)."""
    if sys.platform != "linux":
        return
    # when somebody opens the file amid this, the kernel sends a signal: SIGIO by default, which would end the daemon
    fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
    for _ in range(round(SEAL_SECONDS / LOOK_AGAIN_SECONDS)):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno != errno.EAGAIN:  # a file system without leases: its owner is all that protects the file
                log.warning("this file system does not tell who writes to a file", reason=error.strerror)
                return
            check_cancelled()
            time.sleep(LOOK_AGAIN_SECONDS)
        else:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            return
    raise StillWrittenError(errno.EBUSY, "somebody keeps it open for writing")


def lend_directory(directory: Path, writer: Writer | None) -> None:
    """Make ``directory`` one where ``writer``, and root, can work, and nobody else. Raises `OSError`."""
    if writer is not None:
        os.chown(directory, writer.uid, writer.gid)
        directory.chmod(0o700)
