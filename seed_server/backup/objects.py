"""The directory of a backup: each file once, named by its SHA-256, and the list that says what they are. Blocking.

The list takes the place of the last one as the last step, and only then goes what nothing names any more. So whoever is
killed leaves the former backup whole, and what was copied is found there the next time.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bandwidth.core.quantities import bytes_text
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.private_directory import make_private
from seed_server.backup.manifest import (
    MAX_LIST_BYTES,
    BackedUpFile,
    FileList,
    ListError,
    NewerFormatError,
    decode_list,
    encode_list,
    is_passing,
)
from seed_server.store.file_lock import FileLock

LIST_FILE = "backup.json"
COPIED_BYTES = 1 << 20  # at a time
AT_ONCE_BYTES = 1 << 20  # a larger file gets its name at once: a copy that is cut off has it then
_HASH = re.compile(r"[0-9a-f]{64}")
LOCK_FILE = "backup.lock"
_OWN_NAMES = {LIST_FILE, "objects", "incoming", "lost+found"}

Pause = Callable[[], None]
"""Called between two parts of what takes long."""


class DamagedObjectError(Exception):
    """A file of a backup that is missing, or not what its name says; the text is a clause for people."""


class ChangedSourceError(Exception):
    """A file is not what it should be; the text is a clause for people."""


class _ReadError(Exception):
    """The disk that is read from does not give a file's bytes."""


@dataclass
class BackupDirectory:
    """Where one server's backup lies."""

    root: Path
    lock_seconds: float = 1.0
    """How long another backup is waited for."""
    new_files: int = 0
    """How many files were copied so far."""
    new_bytes: int = 0
    _waiting: dict[str, Path] = field(default_factory=dict)
    """Small files that are copied and do not have their names yet, by their hashes."""

    @property
    def incoming(self) -> Path:
        """Files that are being copied."""
        return self.root / "incoming"

    def path(self, sha256: str) -> Path:
        """Return where the file with this hash is, or would be."""
        return self.root / "objects" / sha256[:2] / sha256

    # --- the list ------------------------------------------------------------------------

    def read_list(self, *, to_replace: bool = False) -> FileList:
        """Return the list of the backup that is here, ``to_replace`` it or not.

        Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE.
        """
        path = self.root / LIST_FILE
        try:
            return decode_list(read_capped(path, MAX_LIST_BYTES))
        except FileNotFoundError:
            raise UserError(
                f"There is no backup of a seed server in {self.root}: it has no {LIST_FILE}. Name the directory that "
                "'seed-server backup' was given.",
                FaultKind.NOT_SET_UP,
            ) from None
        except NewerFormatError as error:
            raise of_newer_release(self.root, str(error)) from error
        except (ListError, FileTooLargeError) as error:
            if to_replace:
                raise UserError(
                    f"The backup's list {path} cannot be used: {error}. Move what is in {self.root} away, or give "
                    "another directory: the next backup copies all of it.",
                    FaultKind.STORAGE,
                ) from error
            raise UserError(
                f"The backup's list {path} cannot be used: {error}. Take another copy of this backup.",
                FaultKind.STORAGE,
            ) from error
        except OSError as error:
            raise UserError(
                f"Cannot read {path}: {error.strerror}. Check its permissions.", FaultKind.STORAGE
            ) from error

    def has_list(self) -> bool:
        """Whether a backup was completed here."""
        return (self.root / LIST_FILE).exists()

    def check_own(self) -> None:
        """Raise `UserError` (BAD_INPUT) for a directory that others use: it would be closed to them."""
        try:
            names = sorted(path.name for path in self.root.iterdir())
        except OSError:  # it is not there yet; else `written` says what is wrong
            return
        others = [name for name in names if name not in _OWN_NAMES and not is_passing(name)]
        if others and not self.has_list():
            raise UserError(
                f"{self.root} has something else in it ({others[0]}). A backup has a directory of its own, which is "
                "closed to others: give an empty one, or one that is not there yet.",
                FaultKind.BAD_INPUT,
            )

    # --- to write ------------------------------------------------------------------------

    @contextlib.contextmanager
    def written(self) -> Iterator[None]:
        """Make the directory, for this user alone, and hold it against another backup.

        Raises `UserError`: BUSY, REFUSED for one that others can change, STORAGE also for an `OSError` within.
        """
        busy = f"Another backup is being written to {self.root}. Wait for it, or give another directory."
        make_private(self.root)
        with FileLock(self.root / LOCK_FILE, timeout_seconds=self.lock_seconds, busy=busy).held(), self._in_words():
            durable_files.make_directory(self.incoming, mode=0o700)
            self.clear_incoming()
            yield

    @contextlib.contextmanager
    def read_whole(self) -> Iterator[None]:
        """Keep a backup from changing the directory while all of it is read, where this user may write here.

        Raises `UserError` (BUSY) while one is being written.
        """
        lock = self.root / LOCK_FILE
        if not os.access(lock, os.W_OK):  # a copy on a disk that is read only, or elsewhere: no backup is written there
            yield
            return
        busy = f"A backup is being written to {self.root} just now. Wait for it, and try again."
        with FileLock(lock, timeout_seconds=self.lock_seconds, busy=busy).held():
            yield

    def clear_incoming(self) -> None:
        """Remove what is being copied, or was when somebody was killed."""
        for path in self.incoming.iterdir():
            path.unlink()
        self._waiting.clear()

    def has(self, sha256: str, size: int) -> bool:
        """Whether the file with this hash is here, by its length: `verify` looks into it."""
        if sha256 in self._waiting:
            return True
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def new_path(self) -> Path:
        """Return a place for a file that is to be added with `take`."""
        return self.incoming / secrets.token_hex(8)

    def add_bytes(self, path: str, data: bytes) -> BackedUpFile:
        """Add a small file that is in memory."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.has(sha256, len(data)):
            copy = self.new_path()
            copy.write_bytes(data)
            self._keep(copy, sha256, len(data))
        return BackedUpFile(path, sha256, len(data))

    def add_file(self, path: str, source: Path, sha256: str = "", *, pause: Pause) -> BackedUpFile:
        """Add a file; with ``sha256`` nothing else is taken, and what is here is not read again.

        Raises `ChangedSourceError` for other bytes and what cannot be read, `FileNotFoundError` for what has gone.
        """
        with _opened(source) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                expected = sha256 or _hash(file, pause)
                if self.has(expected, size):
                    return BackedUpFile(path, expected, size)
                file.seek(0)
                return self._copy(path, file, sha256, pause)
            except _ReadError as error:
                raise ChangedSourceError(f"it cannot be read: {error}") from error

    def _copy(self, path: str, file: BinaryIO, sha256: str, pause: Pause) -> BackedUpFile:
        copy = self.new_path()
        try:
            with copy.open("xb") as target:
                found, copied = _copied(file, target, pause)
            if sha256 and found != sha256:
                raise ChangedSourceError("its bytes are not those that its name says")
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        self._keep(copy, found, copied)
        return BackedUpFile(path, found, copied)

    def take(self, path: str, copy: Path, *, pause: Pause) -> BackedUpFile:
        """Add what was written to a `new_path`."""
        with copy.open("rb") as file:
            sha256, size = _hash(file, pause), os.fstat(file.fileno()).st_size
        if self.has(sha256, size):
            copy.unlink()
        else:
            self._keep(copy, sha256, size)
        return BackedUpFile(path, sha256, size)

    def finish(self, files: FileList) -> int:
        """Make ``files`` the backup that is here; remove what it does not name, and return how much that was."""
        self._name(self._waiting)
        durable_files.write_file(self.root / LIST_FILE, encode_list(files))
        named = {file.sha256 for file in files.all_files()}
        return sum(_unlinked(path) for path in self.objects() if path.name not in named)

    def objects(self) -> Iterator[Path]:
        """Yield every file that is here, whatever names it."""
        for folder in sorted((self.root / "objects").glob("*")):
            yield from (path for path in sorted(folder.glob("*")) if _HASH.fullmatch(path.name))

    def _keep(self, copy: Path, sha256: str, size: int) -> None:
        self.new_files += 1
        self.new_bytes += size
        if size > AT_ONCE_BYTES:
            self._name({sha256: copy})
        else:
            self._waiting[sha256] = copy

    def _name(self, copies: dict[str, Path]) -> None:
        """Give copies their names once they are durable: a file of this name is whole, whenever the power fails."""
        for copy in copies.values():
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
        folders = {self.path(sha256).parent for sha256 in copies}
        for folder in folders:
            durable_files.make_directory(folder, mode=0o700)
        for sha256, copy in copies.items():
            os.replace(copy, self.path(sha256))
        for folder in folders:
            durable_files.fsync_directory(folder)
        if copies is self._waiting:
            self._waiting.clear()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                self.clear_incoming()  # on a full disk, that is room for others
            if error.filename and self.root.absolute() not in Path(os.fsdecode(error.filename)).absolute().parents:
                raise UserError(
                    f"Cannot read {error.filename}: {error.strerror}. Run this as the server's user. An earlier backup "
                    "stays as it is.",
                    FaultKind.STORAGE,
                ) from error
            raise worded(error, self.root, "An earlier backup there stays as it is.") from error

    # --- to read -------------------------------------------------------------------------

    def copy_out(self, file: BackedUpFile, target: BinaryIO | None, *, pause: Pause) -> None:
        """Copy a file to ``target``, None: to nowhere, and hold it to its hash.

        Raises `DamagedObjectError`, and `OSError` of the target.
        """
        try:
            source = self.path(file.sha256).open("rb")
        except FileNotFoundError:
            raise DamagedObjectError("it is missing") from None
        except OSError as error:
            raise DamagedObjectError(f"it cannot be read: {error.strerror}") from error
        try:
            with source:
                found, size = _copied(source, target, pause, most=file.bytes)
        except _ReadError as error:
            raise DamagedObjectError(f"it cannot be read: {error}") from error
        if (found, size) != (file.sha256, file.bytes):
            raise DamagedObjectError("its bytes have changed")

    def read(self, file: BackedUpFile, max_bytes: int) -> bytes:
        """Return a small file. Raises `DamagedObjectError`."""
        try:
            data = read_capped(self.path(file.sha256), max_bytes)
        except FileNotFoundError:
            raise DamagedObjectError("it is missing") from None
        except (OSError, FileTooLargeError) as error:
            raise DamagedObjectError("it cannot be read") from error
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise DamagedObjectError("its bytes have changed")
        return data


def of_newer_release(root: Path, release: str) -> UserError:
    """Return the error for a backup that this release does not understand."""
    return UserError(
        f"The backup in {root} is of a newer release ({release}). Install that release, or a newer one, and run this "
        "again.",
        FaultKind.BAD_INPUT,
    )


def worded(error: OSError, place: Path, rest: str) -> UserError:
    """Return what went wrong with the disk of ``place``; ``rest`` is a sentence on what has become of it."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return UserError(f"The disk of {place} is full. {rest} Make room there, and try again.", FaultKind.STORAGE)
    what = error.filename or place
    return UserError(f"Cannot write to {place}: {what}: {error.strerror}. {rest}", FaultKind.STORAGE)


def check_room(place: Path, free: int, needed: int) -> None:
    """Raise `UserError` (STORAGE) where ``needed`` bytes do not fit."""
    if needed > free:
        raise UserError(
            f"The disk of {place} has {bytes_text(free)} free, and {bytes_text(needed)} are needed. Make room there, "
            "and try again.",
            FaultKind.STORAGE,
        )


def _hash(file: BinaryIO, pause: Pause) -> str:
    file.seek(0)
    return _copied(file, None, pause)[0]


def _copied(source: BinaryIO, target: BinaryIO | None, pause: Pause, *, most: float = float("inf")) -> tuple[str, int]:
    """Copy ``source``, no more than a piece beyond ``most`` bytes; return the hash and the number of the bytes."""
    digest, size = hashlib.sha256(), 0
    while size <= most and (chunk := _read(source)):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
        pause()
    return digest.hexdigest(), size


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(COPIED_BYTES)
    except OSError as error:
        raise _ReadError(error.strerror) from error


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ChangedSourceError(f"it cannot be read: {error.strerror}") from error


def _unlinked(path: Path) -> int:
    size = path.stat().st_size
    path.unlink()
    return size
