"""The files behind the trust store: what is verified, what is accepted, and its documents. Blocking.

Each carries a checksum or has its hash as its name. A damaged or truncated file
counts as missing: its content comes from the other copy or is fetched anew. What is
on the disk already is not written again, so a full disk stops only what is new.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import AcceptedMetadata, VerifiedMetadata

log = lazy_log()


class TrustFiles:
    """The trust store's files in one directory, readable by its owner alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # also in memory: deleting the files of a running daemon, or filling its disk, does not lower the floor
        self._verified = VerifiedMetadata()
        self._on_disk: VerifiedMetadata | None = None
        self._used: set[str] = set()
        self._looked: tuple[tuple[int, ...], AcceptedMetadata | None] = ((), None)

    def load(self) -> tuple[VerifiedMetadata, AcceptedMetadata | None]:
        """Return what is known with the highest floor, and the last accepted metadata.

        An older copy of the accepted metadata counts as missing.
        """
        durable_files.make_directory(self._documents, mode=0o700)
        self.directory.chmod(0o700)
        self._used.clear()
        self._on_disk = None
        accepted: AcceptedMetadata | None = None
        with _damage_is_logged(self._accepted_path):
            accepted = self._read_accepted()
            self._take(trust_floor.top_level(accepted))
        with _damage_is_logged(self._verified_path):
            data = read_capped(self._verified_path, trust_floor.MAX_VERIFIED_BYTES + trust_floor.CHECKSUM_BYTES)
            self._on_disk = trust_floor.decode_verified(data)
            self._take(self._on_disk)
        return self._verified, self._unless_old(accepted)

    def keep_verified(self, verified: VerifiedMetadata) -> None:
        """Make the top level and its floor durable. Nothing may act on them before. Raises `OSError`, `DecodeError`."""
        self._verified = verified
        if verified != self._on_disk:
            durable_files.write_file(self._verified_path, trust_floor.encode_verified(verified), mode=0o600)
            self._on_disk = verified

    def keep_accepted(self, accepted: AcceptedMetadata) -> None:
        """Make the metadata durable. Call before `keep_verified`: a crash between the two leaves it above the floor.

        Raises `OSError`, `DecodeError`.
        """
        durable_files.write_file(self._accepted_path, trust_floor.encode_accepted(accepted), mode=0o600)

    def look(self) -> tuple[VerifiedMetadata, AcceptedMetadata | None]:
        """Return what `load` does, between two refreshes: nothing that it has found counts as unused after this."""
        try:
            stat = self._accepted_path.stat()
            looks: tuple[int, ...] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except OSError:
            return self._verified, None
        if looks != self._looked[0]:
            accepted: AcceptedMetadata | None = None
            with _damage_is_logged(self._accepted_path):
                accepted = self._read_accepted()
            self._looked = (looks, accepted)
        return self._verified, self._looked[1]

    def document(self, sha256: str, max_bytes: int) -> bytes | None:
        """Return the stored document with this hash, which has been checked again, or None; it counts as used."""
        self._used.add(sha256)
        return self.shown_document(sha256, max_bytes)

    def shown_document(self, sha256: str, max_bytes: int) -> bytes | None:
        """Return as `document`; it is not used for that."""
        path = self._documents / sha256
        with contextlib.suppress(FileNotFoundError), _damage_is_logged(path):
            data = read_capped(path, max_bytes)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise DecodeError("the hash does not fit: the file is damaged")
            return data
        return None

    def has_document(self, sha256: str, size_bytes: int) -> bool:
        """Whether there is a stored document with this hash and size; `document` may still find it damaged.

        What a power cut damages is usually empty.
        """
        try:
            return (self._documents / sha256).stat().st_size == size_bytes
        except OSError:
            return False

    def keep_document(self, sha256: str, data: bytes, *, lasting: bool = True) -> None:
        """Store a document whose hash has been checked. Raises `OSError`.

        A power cut may take one that is not ``lasting``, or damage it: `document` notices.
        """
        durable_files.write_file(self._documents / sha256, data, mode=0o600, lasting=lasting)

    def drop_unused_documents(self) -> None:
        """Delete the documents that `document` has not been asked for since `load`."""
        for path in self._documents.iterdir():
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    def _read_accepted(self) -> AcceptedMetadata:
        data = read_capped(self._accepted_path, trust_floor.MAX_ACCEPTED_BYTES + trust_floor.CHECKSUM_BYTES)
        return trust_floor.decode_accepted(data)

    def _unless_old(self, accepted: AcceptedMetadata | None) -> AcceptedMetadata | None:
        if accepted is None or accepted.floor.acceptances >= self._verified.floor.acceptances:
            return accepted
        log.warning("accepted metadata is an old copy, getting it anew", path=str(self._accepted_path))
        return None

    def _take(self, found: VerifiedMetadata) -> None:
        self._verified = max(self._verified, found, key=lambda verified: trust_floor.rank(verified.floor))

    @property
    def _documents(self) -> Path:
        return self.directory / "targets"

    @property
    def _verified_path(self) -> Path:
        return self.directory / "floor"

    @property
    def _accepted_path(self) -> Path:
        return self.directory / "accepted"


@contextlib.contextmanager
def storage_errors(directory: Path) -> Iterator[None]:
    """Turn an `OSError` of the local disk into a `UserError` (`FaultKind.STORAGE`)."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The files in {directory} cannot be read or written ({error.strerror or error}). "
            "Make room or correct the permissions there, then try again.",
            FaultKind.STORAGE,
        ) from error


@contextlib.contextmanager
def _damage_is_logged(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        pass
    except (DecodeError, FileTooLargeError) as error:
        log.warning("trust file is damaged, getting it anew", path=str(path), reason=str(error))
