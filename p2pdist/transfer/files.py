"""Payload files and transfer records on this PC's disk: hash, publish, remove, load, save. Blocking work in threads."""

import contextlib
import errno
import hashlib
import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import (
    InvalidIdentifierError,
    Sha256Hex,
    parse_patch_id,
    parse_patch_version,
    parse_sha256,
)
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire import codec
from p2pdist.transfer.cached_files import Writer, has_changed, lend, publish, sealed
from p2pdist.transfer.names import NameChange, take_name
from p2pdist.transfer.states import TransferRecord, TransferRecords

HASH_CHUNK_BYTES = 1 << 20
TRIAL = ".trial"  # the name of an empty file and of its links, for a moment at each start
# MAX_TRANSFER_RECORDS of about 600 bytes each, a place of about 400 bytes for each of MAX_ROLLOUT_ENTRIES, and room
MAX_RECORDS_BYTES = 8 << 20

log = lazy_log()


@dataclass(frozen=True)
class Proof:
    """The outcome of hashing a whole file."""

    sha256: Sha256Hex
    length_bytes: int
    mtime_ns: int
    inode: int


async def hash_file(path: Path, writer: Writer | None = None, *, max_bytes: int | None = None) -> Proof:
    """Take ``path`` from ``writer``, make it durable and hash it through one open descriptor, in a thread.

    Of a file that is longer than ``max_bytes`` only these are hashed: it is wrong anyway, and a sparse one has no end.
    Raises `OSError`; cancellable at each chunk.
    """

    def work() -> Proof:
        digest = hashlib.sha256()
        with (
            sealed(path, writer, trio.from_thread.check_cancelled) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            os.fsync(file.fileno())  # libtorrent wrote it; only we promise durability
            before = os.fstat(file.fileno())
            left = before.st_size if max_bytes is None else min(max_bytes, before.st_size)
            while chunk := file.read(min(HASH_CHUNK_BYTES, left)):
                left -= len(chunk)
                digest.update(chunk)
                trio.from_thread.check_cancelled()
            after = os.fstat(file.fileno())
        # a write during the hash must not look proven: keep the older time, so that the file counts as changed
        mtime_ns = min(before.st_mtime_ns, after.st_mtime_ns)
        return Proof(Sha256Hex(digest.hexdigest()), after.st_size, mtime_ns, after.st_ino)

    return await trio.to_thread.run_sync(work)


async def unchanged_since(
    path: Path,
    *,
    length_bytes: int,
    mtime_ns: int,
    ctime_ns: int | None,
    inode: int | None,
    writer: Writer | None = None,
) -> bool:
    """Whether ``path`` is still the file that was proven with this size, time and inode, and is out of reach.

    ``ctime_ns``: as `publish_verified` returned it; None: not known.
    """
    changed = partial(
        has_changed,
        path,
        length_bytes=length_bytes,
        mtime_ns=mtime_ns,
        writer=writer,
        ctime_ns=ctime_ns,
        inode=inode,
    )
    return not await trio.to_thread.run_sync(changed)


async def publish_verified(
    source: Path, path: Path, *, mtime_ns: int | None = None, inode: int | None = None, writer: Writer | None = None
) -> int:
    """Put the proven ``source`` at ``path``, its place under ``patches/``, atomically; return its ``ctime`` then.

    ``mtime_ns``, ``inode``: its time of change when it was proven, and which file it was. Raises `OSError`.
    """
    work = partial(publish, source, path, mtime_ns=mtime_ns, inode=inode, writer=writer)
    return await trio.to_thread.run_sync(work)


async def let_write(path: Path, writer: Writer | None) -> None:
    """Let ``writer`` write to ``path``, if it is there. Raises `OSError`."""
    await trio.to_thread.run_sync(lend, path, writer)


async def remove_verified(path: Path) -> NameChange | None:
    """Remove a verified file, and the directories of its version and patch if empty; a failure is logged."""

    def work() -> NameChange | None:
        change = _unlink(path)
        for directory in (path.parent, path.parent.parent):
            try:
                directory.rmdir()
            except OSError:
                break  # another version or file is in it
        return change

    return await trio.to_thread.run_sync(work)


async def remove_withdrawn(home: EndpointHome, record: TransferRecord, *, cached: bool = True) -> None:
    """Remove all files of a patch that is no longer rolled out; what cannot be removed is logged.

    ``cached``: also the one in the cache.
    """

    def work() -> None:
        try:  # the record comes from a file, and its names become paths: check them
            in_cache = home.cache / parse_sha256(record.sha256)
            directory = home.patches / parse_patch_id(record.patch_id) / parse_patch_version(record.version)
        except InvalidIdentifierError:
            return
        if cached:
            _unlink(in_cache)
        with contextlib.suppress(OSError):  # usually: the file was never finished, so there is no directory
            for path in list(directory.iterdir()):
                _unlink(path)
            directory.rmdir()
            directory.parent.rmdir()

    await trio.to_thread.run_sync(work)


def _unlink(path: Path) -> NameChange | None:
    try:
        return take_name(path)
    except OSError as error:
        log.warning("a file that is no longer wanted cannot be removed", path=str(path), reason=error.strerror)
        return None


async def make_ready(path: Path, writer: Writer | None, length_bytes: int, margin_bytes: int) -> int:
    """Let ``writer`` write to ``path``, if it is there; return what `lacking_bytes` does. Raises `OSError`."""

    def work() -> int:
        lend(path, writer)
        return _lacking_bytes(path, length_bytes, margin_bytes)

    return await trio.to_thread.run_sync(work)


async def lacking_bytes(path: Path, length_bytes: int, margin_bytes: int) -> int:
    """Return how many bytes must become free for ``path`` to grow to ``length_bytes`` and leave the margin; 0: enough.

    Blocks that ``path`` occupies on disk now are not needed again (it may be sparse). Raises `OSError`.
    """
    return await trio.to_thread.run_sync(_lacking_bytes, path, length_bytes, margin_bytes)


def _lacking_bytes(path: Path, length_bytes: int, margin_bytes: int) -> int:
    allocated = 0
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        # 512 is the unit of st_blocks in POSIX, whatever the file system's block size is
        allocated = status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size
    missing = length_bytes - allocated
    return max(0, missing + margin_bytes - shutil.disk_usage(path.parent).free) if missing > 0 else 0


async def load_records(path: Path) -> list[TransferRecord]:
    """Return the remembered transfers; a missing or damaged file gives none (everything is then checked anew)."""

    def work() -> list[TransferRecord]:
        try:
            data = read_capped(path, MAX_RECORDS_BYTES)
            records: TransferRecords = codec.decode(data, TransferRecords, max_bytes=MAX_RECORDS_BYTES)
        except FileNotFoundError:
            return []
        except (OSError, FileTooLargeError, codec.DecodeError) as error:
            log.warning("transfer records are unreadable, starting without them", path=str(path), error=str(error))
            return []
        return records.records

    return await trio.to_thread.run_sync(work)


async def save_records(path: Path, records: list[TransferRecord]) -> None:
    """Durably replace the remembered transfers. Raises `OSError`."""

    def work() -> None:
        durable_files.make_directory(path.parent, mode=0o700)
        durable_files.write_file(path, codec.encode(TransferRecords(records=records)))

    await trio.to_thread.run_sync(work)


def prepare_home(*directories: Path) -> None:
    """Create the daemon's directories, for its own user alone, as are those that exist. Raises `UserError`."""
    for directory in directories:
        try:
            durable_files.make_directory(directory, mode=0o700)
            if os.name == "posix" and directory.stat().st_mode & 0o077:  # as `mkdir` makes it
                directory.chmod(0o700)
        except OSError as error:
            raise UserError(
                f"Cannot create {directory}: {error.strerror}. Check --home and its permissions.", FaultKind.STORAGE
            ) from error


def check_links(cache: Path, *places: Path) -> None:
    """Try whether a file in ``cache`` can have a second name in each of ``places``: so a proven file gets its place.

    Raises `UserError` (STORAGE) where a mount, or the kind of the file system, is in the way. What else goes wrong, as
    on a full disk, says nothing of that, and may be over when there is a file.
    """
    source = cache / TRIAL
    try:
        source.touch(0o600)
    except OSError:
        return
    try:
        for place in places:
            try:
                durable_files.link_file(source, place / TRIAL)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    raise UserError(_no_link(cache, place, error.errno), FaultKind.STORAGE) from error
            finally:
                _unlink(place / TRIAL)
    finally:
        _unlink(source)


_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


def _no_link(cache: Path, place: Path, cause: int) -> str:
    if cause == errno.EXDEV:
        return (
            f"{cache} and {place} are on different volumes, so no file that is fetched could get its place. Undo that "
            f"mount; to use another volume, move all of {cache.parent} there, and name it with --home."
        )
    return (
        f"The file system of {cache.parent} has no hard links, so no file that is fetched could get its place. Use "
        "one that has them (ext4, XFS, Btrfs, APFS, NTFS), and name the home with --home."
    )
