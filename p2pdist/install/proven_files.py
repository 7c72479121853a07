"""Open a payload once, prove its bytes, and run exactly those bytes; and look at the files of checks."""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import trio

from p2pdist.install.findings import CheckResult, found, unknown
from p2pdist.install.limits import InstallLimits
from p2pdist.shared import durable_files
from p2pdist.shared.manifest.recipe import ArchiveInstall, ExeInstall, Install, MsiInstall, MsuInstall, ScriptInstall
from p2pdist.shared.open_flags import READ_ANYTHING, READ_NO_LINK
from p2pdist.transfer.files import HASH_CHUNK_BYTES

if sys.platform == "linux":
    import fcntl

MAX_LOOKS = 4  # at once: looks that never end, at a dead file server, do not take the threads of all else
DESCRIPTORS = "/proc/self/fd"  # where Linux gives an open file a name, in each process that it was handed to
DESCRIPTORS_HAVE_NAMES = Path(DESCRIPTORS).is_dir()
COPIES = "run-"  # begins the names of private copies' directories


@dataclass(frozen=True)
class KeptPayload:
    """The payload of an earlier version, kept to go back to."""

    file: Path
    sha256: str
    version: str


class PayloadChangedError(Exception):
    """The file is missing, cannot be read, or does not have the bytes that were signed. Nothing was run."""


@asynccontextmanager
async def proven(
    install: Install, file: Path, sha256: str, scratch: Path, limits: InstallLimits
) -> AsyncIterator[tuple[BinaryIO, str]]:
    """Open a payload once, prove its bytes, and give what was opened, with a name under which it can be run.

    The name is of the descriptor, or of a private copy in ``scratch`` where descriptors have no names: what is
    run is what was proven, whatever takes the place of ``file`` meanwhile. On Linux, what is opened is a sealed
    copy in memory, so that nothing written into ``file`` reaches it either; one of more than
    `InstallLimits.max_sealed_bytes` is ``file`` itself. Raises `PayloadChangedError`, or `OSError` when it cannot
    be copied.
    """
    copy = None
    if not isinstance(install, ArchiveInstall) and not DESCRIPTORS_HAVE_NAMES:
        copy = scratch / f"{COPIES}{secrets.token_hex(6)}" / f"payload{_suffix(install)}"
    payload = await trio.to_thread.run_sync(open_proven, file, sha256, copy, limits.max_sealed_bytes)
    try:
        yield payload, f"{DESCRIPTORS}/{payload.fileno()}" if copy is None else str(copy)
    finally:
        payload.close()
        if copy is not None:
            shutil.rmtree(copy.parent, ignore_errors=True)


def _suffix(install: Install) -> str:
    """Return the file name extension by which Windows knows the kind of file."""
    match install:
        case MsiInstall():
            return ".msi"
        case MsuInstall():
            return ".msu"
        case ExeInstall():
            return ".exe"
        case ScriptInstall(interpreter="powershell"):
            return ".ps1"
    return ""


def open_proven(file: Path, sha256: str, copy: Path | None, max_sealed_bytes: int) -> BinaryIO:
    """Return what was proven of ``file``: a sealed copy in memory, or itself. Blocking, in a thread of trio's.

    If ``copy`` is given, the proven bytes are copied to that path, and the file itself is returned.
    """
    payload = _open_payload(file)
    with contextlib.ExitStack() as closed:
        closed.enter_context(payload)
        memory = None
        length_bytes = os.fstat(payload.fileno()).st_size
        if copy is None and length_bytes <= max_sealed_bytes:
            memory = _sealable()
        try:
            if memory is not None:
                closed.enter_context(memory)
                digest = _copy_and_hash(payload, memory, length_bytes)
                memory.flush()
                _seal(memory)
            elif copy is not None:
                with _private(copy) as target:
                    digest = _copy_and_hash(payload, target, length_bytes)
            else:
                digest = _copy_and_hash(payload, None, length_bytes)
            if digest != sha256:
                raise PayloadChangedError(f"{file} is not what was signed any more")
            proven_file = payload if memory is None else memory
            proven_file.seek(0)
        except BaseException:
            if copy is not None:
                shutil.rmtree(copy.parent, ignore_errors=True)
            raise
        closed.pop_all()
    if memory is not None:
        payload.close()
    return proven_file


def _open_payload(file: Path) -> BinaryIO:
    try:
        payload = _open(file, READ_NO_LINK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PayloadChangedError(f"{file} became a link") from error
        raise PayloadChangedError(f"{file} cannot be opened: {error.strerror or error}") from error
    if payload is None:
        raise PayloadChangedError(f"{file} is no file any more")
    return payload


def _sealable() -> BinaryIO | None:
    """Return an empty file in memory that can be sealed; None where the system has none, or refuses it."""
    if sys.platform == "linux" and DESCRIPTORS_HAVE_NAMES:
        with contextlib.suppress(OSError):
            return open(os.memfd_create("payload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    return None


def _seal(memory: BinaryIO) -> None:
    if sys.platform == "linux":
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memory.fileno(), fcntl.F_ADD_SEALS, seals)


def _private(copy: Path) -> BinaryIO:
    for left in copy.parent.parent.glob(f"{COPIES}*"):  # from an interrupted run: there is only one run at a time
        shutil.rmtree(left, ignore_errors=True)
    durable_files.make_directory(copy.parent, mode=0o700)
    return open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o500), "wb")


def _open(path: Path, flags: int) -> BinaryIO | None:
    """Open a regular file. Return None for any other kind, without reading from it."""
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return open(descriptor, "rb")


def _copy_and_hash(payload: BinaryIO, target: BinaryIO | None, length_bytes: int) -> str:
    digest = hashlib.sha256()
    while chunk := _read(payload):
        trio.from_thread.check_cancelled()
        length_bytes -= len(chunk)
        if length_bytes < 0:  # a file that grows meanwhile must not fill memory or disk
            raise PayloadChangedError("a payload became longer while it was read")
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest()


def _read(payload: BinaryIO) -> bytes:
    try:
        return payload.read(HASH_CHUNK_BYTES)
    except OSError as error:
        raise PayloadChangedError(f"a payload cannot be read: {error.strerror or error}") from error


async def check_file(
    path: Path, shown: str, sha256: str | None, looks: trio.CapacityLimiter, limits: InstallLimits
) -> CheckResult:
    """Return whether a file is there, with this content (``sha256``; None: any).

    When a dead disk or file server does not answer, the thread is abandoned; it keeps its place in ``looks``.
    """
    with trio.move_on_after(limits.file_check_seconds):
        return await trio.to_thread.run_sync(_look_at_file, path, shown, sha256, abandon_on_cancel=True, limiter=looks)
    return unknown(f"{shown} could not be looked at within {limits.file_check_seconds:.0f} s", late=True)


def _look_at_file(path: Path, shown: str, sha256: str | None) -> CheckResult:
    try:
        if sha256 is None:
            path.stat()
            return found(True, f"{shown} is there")
        digest = hashlib.sha256()
        file = _open(path, READ_ANYTHING)
        if file is None:
            return found(False, f"{shown} is no file")
        with file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                trio.from_thread.check_cancelled()
                digest.update(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return found(False, f"{shown} is missing")
    except (OSError, ValueError) as error:
        return unknown(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}")
    if digest.hexdigest() != sha256:
        return found(False, f"{shown} has another content", digest.hexdigest())
    return found(True, f"{shown} has the wanted content", digest.hexdigest())
