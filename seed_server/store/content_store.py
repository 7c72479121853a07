"""Payloads on the server's disk, named by their SHA-256, each with the hashes of its pieces.

Blocking: the running server calls this through `trio.to_thread`, the commands
directly.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bandwidth.core.quantities import bytes_text
from p2pdist.shared import durable_files, merkle
from p2pdist.shared.capped_files import read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, parse_sha256
from p2pdist.shared.manifest.documents import MAX_TORRENT_BYTES
from seed_server.store.rows import ServedPayload, StoredPayload

COPY_CHUNK_BYTES = 1 << 20
MIN_FREE_BYTES_AFTER_COPY = 16 << 20  # metadata, database and logs must go on working

_INCOMING, _PUT_AWAY = ".incoming.", ".removed."
# a payload, or its piece hashes; whatever else lies there, but for temporary files, is not ours
_OURS = re.compile(r"[0-9a-f]{64}(\.pieces)?\Z")

OnProgress = Callable[[int, int], None]
"""Called with bytes done and bytes in total."""


class DamagedPayloadError(Exception):
    """A payload on the server's disk is missing, unreadable or not what was published. The text says which."""


@dataclass(frozen=True)
class IncomingFile:
    """A complete and durable copy of a file in the store, in a temporary directory of its own."""

    path: Path
    """Its last part is the SHA-256: the name that the torrent carries."""
    sha256: Sha256Hex
    length_bytes: int


@dataclass(frozen=True)
class SourceState:
    """What a file was at a moment: as long as this stays the same, so does its content."""

    inode: tuple[int, int]
    length_bytes: int
    changed_ns: int


class OtherForm(Protocol):
    """What is kept of a file instead of its own bytes."""

    @property
    def length_bytes(self) -> int:
        """How long it is."""

    def parts(self, file: BinaryIO, /) -> Iterator[bytes]:
        """Yield all of it, made from the file. May raise `UserError`."""


class ContentStore:
    """The directory ``content/``."""

    def __init__(
        self,
        directory: Path,
        *,
        copy_chunk_bytes: int = COPY_CHUNK_BYTES,
        min_free_bytes_after_copy: int = MIN_FREE_BYTES_AFTER_COPY,
    ) -> None:
        self._directory = directory
        self._copy_chunk_bytes = copy_chunk_bytes
        self._min_free_bytes_after_copy = min_free_bytes_after_copy

    def path(self, sha256: Sha256Hex) -> Path:
        """Return where the payload lies, or would lie."""
        return self._directory / parse_sha256(sha256)

    def lacks(self, payload: ServedPayload) -> str:
        """Return why a payload cannot be served, as far as a look at its files' lengths tells; empty: it can."""
        try:
            length = self.path(Sha256Hex(payload.sha256)).stat().st_size
            hashes = self._pieces_path(Sha256Hex(payload.sha256)).stat().st_size
        except FileNotFoundError:
            return "its file, or that with its pieces' hashes, is missing"
        except OSError as error:
            return f"its file cannot be looked at ({error.strerror})"
        whole = length == payload.length_bytes and hashes == merkle.HASH_BYTES * payload.piece_count
        return "" if whole else "its file, or that with its pieces' hashes, has another length than was published"

    @contextlib.contextmanager
    def incoming(
        self,
        source: Path,
        on_progress: OnProgress,
        *,
        seen: SourceState | None = None,
        form: OtherForm | None = None,
    ) -> Iterator[IncomingFile]:
        """Copy ``source`` into the store and hash it on the way; the copy is removed again unless `keep` is called.

        ``seen`` is what the file was when it was looked into. ``form``: this is kept of it; None: its own bytes.

        Raises `UserError`: BAD_INPUT for a source that is missing, not
        readable, no regular file, empty, or that changes meanwhile; STORAGE for
        a full or broken disk. `KeyboardInterrupt` leaves nothing behind.
        """
        temporary = self._directory / f"{_INCOMING}{secrets.token_hex(8)}"
        try:
            with open_source(source) as file:
                if seen is not None and state_of(file) != seen:
                    raise _changed(source)
                incoming = self._copy(file, source, temporary, on_progress, form)
            yield incoming
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def keep(self, incoming: IncomingFile) -> None:
        """Give the copied file its final name, durably; replaces an older copy of the same bytes."""
        with _storage_errors(self._directory):
            os.replace(incoming.path, self.path(incoming.sha256))
            durable_files.fsync_directory(self._directory)

    def write_piece_hashes(self, sha256: Sha256Hex, concatenated: bytes) -> None:
        """Durably write the payload's v2 piece hashes, 32 bytes each. Raises `UserError` (STORAGE)."""
        with _storage_errors(self._directory):
            durable_files.write_file(self._pieces_path(sha256), concatenated)

    def discard(self, sha256: Sha256Hex) -> None:
        """Remove a payload and its piece hashes, where they exist. Raises `UserError` (STORAGE)."""
        with _storage_errors(self._directory):
            for path in (self.path(sha256), self._pieces_path(sha256)):
                if not _is_folder(path):
                    path.unlink(missing_ok=True)

    def remove_leftovers(self, published: Collection[str]) -> None:
        """Remove what a killed `publish` left: all but the payloads ``published`` (SHA-256) and their piece hashes.

        The caller holds the publish lock. Raises `UserError` (STORAGE).
        """
        self.remove_temporary()
        with _storage_errors(self._directory):
            for path in self._directory.iterdir():
                ours = _OURS.match(path.name) and not _is_folder(path)
                if ours and path.name.removesuffix(".pieces") not in published:
                    path.unlink(missing_ok=True)

    def temporary(self) -> list[Path]:
        """Return the files, and folders, that are on their way in or out; of a killed process they stay.

        Raises `UserError` (STORAGE).
        """
        with _storage_errors(self._directory):
            ours = [path for path in self._directory.iterdir() if path.name.startswith((_INCOMING, _PUT_AWAY))]
            return ours + durable_files.find_leftovers(self._directory, below=False)

    def remove_temporary(self) -> int:
        """Remove them, and return how many there were. The caller holds the publish lock. Raises as `temporary`."""
        found = self.temporary()
        with _storage_errors(self._directory):
            for path in found:
                _remove(path)
        return len(found)

    def stored(self) -> list[StoredPayload]:
        """Return all payloads that are here, or have hashes of pieces here. Raises `UserError` (STORAGE)."""
        sizes: dict[str, int] = {}
        changed: dict[str, float] = {}
        with _storage_errors(self._directory), os.scandir(self._directory) as entries:
            for entry in entries:
                if not _OURS.match(entry.name) or entry.is_dir(follow_symlinks=False):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # it has just gone
                    continue
                sha256 = entry.name.removesuffix(".pieces")
                sizes[sha256] = sizes.get(sha256, 0) + status.st_size
                changed[sha256] = max(changed.get(sha256, 0.0), status.st_ctime)
        return [StoredPayload(sha256, size, changed[sha256]) for sha256, size in sorted(sizes.items())]

    def put_away(self, sha256s: Iterable[Sha256Hex]) -> None:
        """Take payloads out of the store, at once: they cannot be read any more, and take as much room as before.

        `remove_put_away` gives it back. The caller holds the publish lock. Raises `UserError` (STORAGE).
        """
        with _storage_errors(self._directory):
            for sha256 in sha256s:
                for path in (self.path(sha256), self._pieces_path(sha256)):
                    with contextlib.suppress(FileNotFoundError):
                        if not _is_folder(path):
                            path.rename(self._directory / f"{_PUT_AWAY}{secrets.token_hex(8)}")
            durable_files.fsync_directory(self._directory)

    def remove_put_away(self) -> None:
        """Remove what was put away: to unlink a large file takes a while, and keeps nobody else waiting.

        Raises `UserError` (STORAGE).
        """
        with _storage_errors(self._directory):
            for path in self._directory.glob(f"{_PUT_AWAY}*"):
                _remove(path)

    def room(self) -> int:
        """Return how much room its disk has. Raises `UserError` (STORAGE)."""
        with _storage_errors(self._directory):
            return shutil.disk_usage(self._directory).free

    def open_payload(self, sha256: Sha256Hex) -> BinaryIO:
        """Open the payload for reading. Raises `DamagedPayloadError` when that fails."""
        try:
            return self.path(sha256).open("rb")
        except OSError as error:
            raise DamagedPayloadError(f"cannot open {self.path(sha256)}: {error.strerror}") from error

    def read_piece(self, sha256: Sha256Hex, piece: PieceIndex, piece_length: int) -> bytes:
        """Return a piece as it lies on the disk, not yet verified. Raises `DamagedPayloadError`."""
        with self.open_payload(sha256) as file:
            return read_piece_of(file, piece, piece_length)

    def read_stretches(self, sha256: Sha256Hex, stretches: Iterable[tuple[int, int]]) -> bytes:
        """Return these stretches (offset, length) one after the other, not verified. Raises `DamagedPayloadError`."""
        read = []
        with self.open_payload(sha256) as file:
            for offset, length in stretches:
                try:
                    file.seek(offset)
                    read.append(file.read(length))
                except OSError as error:
                    raise DamagedPayloadError(f"cannot read {self.path(sha256)}: {error.strerror}") from error
                if len(read[-1]) != length:
                    raise DamagedPayloadError(f"{self.path(sha256)} ends before {offset + length}")
        return b"".join(read)

    def piece_hashes(self, sha256: Sha256Hex) -> list[bytes]:
        """Return the payload's v2 piece hashes. Raises `DamagedPayloadError`."""
        path = self._pieces_path(sha256)
        try:
            return merkle.split_hashes(read_capped(path, MAX_TORRENT_BYTES))
        except OSError as error:
            raise DamagedPayloadError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise DamagedPayloadError(f"{path} is damaged: {error}") from error

    def _copy(
        self, file: BinaryIO, source: Path, temporary: Path, on_progress: OnProgress, form: OtherForm | None
    ) -> IncomingFile:
        before = os.fstat(file.fileno())
        length = before.st_size if form is None else form.length_bytes
        own = iter(lambda: _read(file, source, self._copy_chunk_bytes), b"")
        self._check_space(length)
        digest, done = hashlib.sha256(), 0
        with _storage_errors(self._directory):
            temporary.mkdir()
            with (temporary / "payload").open("xb") as copy:
                # a file that grows as fast as we read must not fill the disk
                for chunk in own if form is None else form.parts(file):
                    digest.update(chunk)
                    copy.write(chunk)
                    done += len(chunk)
                    on_progress(done, max(done, length))
                    if done > length:
                        break
                copy.flush()
                os.fsync(copy.fileno())
            path = (temporary / "payload").rename(temporary / digest.hexdigest())
        after = os.fstat(file.fileno())
        if done != length or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _changed(source)
        return IncomingFile(path, Sha256Hex(digest.hexdigest()), done)

    def lacking_bytes(self, needed_bytes: int) -> int:
        """Return how much room is missing for files of so many bytes; 0: they fit. Raises `UserError` (STORAGE)."""
        return max(0, needed_bytes + self._min_free_bytes_after_copy - self.room())

    def _check_space(self, needed_bytes: int) -> None:
        if self.lacking_bytes(needed_bytes):
            raise UserError(
                f"The disk of {self._directory} has {bytes_text(self.room())} free; this file needs "
                f"{bytes_text(needed_bytes)} and {bytes_text(self._min_free_bytes_after_copy)} must remain. "
                "Free some space or move the server's home.",
                FaultKind.STORAGE,
            )

    def _pieces_path(self, sha256: Sha256Hex) -> Path:
        return self._directory / f"{parse_sha256(sha256)}.pieces"


def _is_folder(path: Path) -> bool:
    """Whether a name that could be ours is a folder's: then somebody else has put it there. A link is none."""
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def read_piece_of(file: BinaryIO, piece: PieceIndex, piece_length: int) -> bytes:
    """Return a piece of an open payload, not yet verified. Raises `DamagedPayloadError`."""
    try:
        file.seek(piece * piece_length)
        data = file.read(piece_length)
    except OSError as error:
        raise DamagedPayloadError(f"cannot read piece {piece}: {error.strerror}") from error
    if not data:
        raise DamagedPayloadError(f"the file ends before piece {piece}")
    return data


def verify_piece(data: bytes, expected_hash: bytes, *, piece_length: int, file_length: int) -> bool:
    """Whether ``data`` is the piece with this v2 hash. About 1 ms per MiB of processor time."""
    return bool(data) and merkle.piece_hash(data, piece_length, file_length) == expected_hash


@contextlib.contextmanager
def open_source(source: Path) -> Iterator[BinaryIO]:
    """Open a file that an operator named. Raises `UserError` (BAD_INPUT) unless it is regular, readable, not empty."""
    try:
        # a named pipe would otherwise wait for a writer
        file = open(source, "rb", opener=lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except FileNotFoundError:
        raise _bad_source(f"There is no file {source}. Check the path.") from None
    except IsADirectoryError:
        raise _bad_source(f"{source} is a directory. Publish one file; pack several into an archive.") from None
    except OSError as error:
        raise _bad_source(f"Cannot read {source}: {error.strerror}. Check its permissions.") from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _bad_source(f"{source} is not a regular file. Publish a file from the disk.")
        if status.st_size == 0:
            raise _bad_source(f"{source} is empty; there is nothing to publish. Check that its download has finished.")
        yield file


def _changed(source: Path) -> UserError:
    return _bad_source(
        f"{source} changed while it was read. Wait until its download or copy has finished, then publish it."
    )


def state_of(file: BinaryIO) -> SourceState:
    """Return the state of an open file."""
    status = os.fstat(file.fileno())
    return SourceState((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _read(file: BinaryIO, source: Path, most_bytes: int) -> bytes:
    try:
        return file.read(most_bytes)
    except OSError as error:
        raise _bad_source(f"Cannot read {source}: {error.strerror}. Check the disk that it lies on.") from error


def _bad_source(message: str) -> UserError:
    return UserError(message, FaultKind.BAD_INPUT)


@contextlib.contextmanager
def _storage_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise UserError(
                f"The disk of {directory} is full. Free some space or move the server's home, then publish again.",
                FaultKind.STORAGE,
            ) from error
        raise UserError(
            f"Cannot write to {directory}: {error.strerror}. Check the directory and its permissions.",
            FaultKind.STORAGE,
        ) from error
