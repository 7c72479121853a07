"""The cache directory: payloads as the swarm shares them, each named by its SHA-256."""

import contextlib
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer import files, parcel_cut
from p2pdist.transfer.cached_files import Writer, publish, read_unproven
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.states import DISK_MARGIN_BYTES, TransferRecord

ROOM_RETRY_SECONDS = 5.0  # a look at the disk costs nothing

log = lazy_log()


class Cache:
    """The files of all transfers."""

    def __init__(self, directory: Path, writer: Writer | None) -> None:
        """``writer``: the user who fills them, where it is not the daemon's own."""
        self._directory = directory
        self._writer = writer

    def path(self, sha256: Sha256Hex) -> Path:
        """Return where a payload is, or will be."""
        return self._directory / sha256

    async def is_proven(self, record: TransferRecord, length_bytes: int) -> bool:
        """Whether the file is still the one that was proven, by the ``record`` of its publication."""
        if record.verified_mtime_ns is None:
            return False
        return await files.unchanged_since(
            self.path(Sha256Hex(record.sha256)),
            length_bytes=length_bytes,
            mtime_ns=record.verified_mtime_ns,
            ctime_ns=record.verified_ctime_ns,
            inode=record.verified_inode,
            writer=self._writer,
        )

    async def make_ready(self, sha256: Sha256Hex, length_bytes: int) -> TransferFault | None:
        """Let the file be filled; return what is in the way."""
        path = self.path(sha256)
        try:
            lacking = await files.make_ready(path, self._writer, length_bytes, DISK_MARGIN_BYTES)
        except OSError as error:
            text = f"{self._directory} cannot be read: {error.strerror}. Check the disk."
            return TransferFault(TransferFaultKind.DISK, text)
        if lacking == 0:
            return None
        return TransferFault(
            TransferFaultKind.DISK_FULL,
            f"The disk is too full: {lacking} more bytes must be free in {self._directory}. "
            f"Free some space; it is tried again every {ROOM_RETRY_SECONDS:.0f} s.",
        )

    async def let_write(self, sha256: Sha256Hex) -> None:
        """Let a finished file be repaired. Where that is refused, the engine fails to write, and says so."""
        try:
            await files.let_write(self.path(sha256), self._writer)
        except OSError as error:
            log.warning("a cached file cannot be handed back", sha256=sha256, reason=error.strerror)

    async def hash(self, sha256: Sha256Hex, length_bytes: int) -> files.Proof:
        """Take the file from its writer and hash it, as a whole if it has this length. Raises `OSError`."""
        return await files.hash_file(self.path(sha256), self._writer, max_bytes=length_bytes)

    async def read_unproven(self, name: Sha256Hex, length_bytes: int) -> bytes | None:
        """Return what the file holds, which its writer may still change; None: not so much, or it cannot be read."""
        try:
            data = await trio.to_thread.run_sync(read_unproven, self.path(name), length_bytes + 1)
        except OSError as error:
            log.warning("a cached file cannot be read", path=str(self.path(name)), reason=error.strerror)
            return None
        return data if len(data) == length_bytes else None

    def intact(self, records: Sequence[TransferRecord]) -> list[TransferRecord]:
        """Return those whose files nobody has written to since they were proven, as far as their times tell. Blocking.

        That is no proof: whoever may write can set the times back.
        """
        return [record for record in records if self._is_intact(record)]

    def _is_intact(self, record: TransferRecord) -> bool:
        with contextlib.suppress(OSError):
            status = self.path(Sha256Hex(record.sha256)).lstat()
            # names come and go at a kill, and change the file's ctime, before a record says so
            same = (status.st_mtime_ns, status.st_ino) == (record.verified_mtime_ns, record.verified_inode)
            return same and stat.S_ISREG(status.st_mode)
        return False

    def freed_bytes(self, name: Sha256Hex) -> int:
        """Return what the disk gets back when the file leaves; 0: nothing, it has other names. Blocking."""
        with contextlib.suppress(OSError):
            status = self.path(name).lstat()
            return status.st_size if status.st_nlink == 1 else 0
        return 0

    async def remove(self, name: Sha256Hex) -> None:
        """Remove the file, if it is there; what cannot be removed is left for the next start."""
        with contextlib.suppress(OSError):
            await trio.to_thread.run_sync(partial(self.path(name).unlink, missing_ok=True))

    async def cut(
        self, name: Sha256Hex, length_bytes: int, parts: Sequence[tuple[int, int, Sha256Hex]]
    ) -> list[files.Proof | None]:
        """As `parcel_cut.cut`, of the parcel ``name``."""
        return await trio.to_thread.run_sync(parcel_cut.cut, self.path(name), length_bytes, parts, self._writer)

    async def publish(self, record: TransferRecord, place: Path) -> int:
        """Put the file that was proven, as ``record`` says, at ``place``. Raises `OSError`.

        Return its ``ctime`` afterwards, for `is_proven`.
        """
        return await trio.to_thread.run_sync(self.publish_now, record, place)

    def publish_now(self, record: TransferRecord, place: Path) -> int:
        """As `publish`. Blocking."""
        return publish(
            self.path(Sha256Hex(record.sha256)),
            place,
            mtime_ns=record.verified_mtime_ns,
            inode=record.verified_inode,
            writer=self._writer,
        )
