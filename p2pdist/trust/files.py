"""The files behind the trust store: floor, accepted metadata, verified documents. Blocking.

Each carries a checksum or has its hash as its name. A damaged or truncated file
counts as missing: its content comes from the other copy or is fetched anew.
"""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib import parse

import structlog

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor, VerifiedVersions

WORK_PREFIX = "work-"
_ROOT_FILE = re.compile(r"(\d{1,19})\.root\.json\Z")

log = structlog.get_logger()


class TrustFiles:
    """The trust store's files in one directory, readable by its owner alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._floor = TrustFloor()  # also in memory: deleting the files of a running daemon does not reset the floor
        self._used: set[str] = set()

    def load(self) -> tuple[TrustFloor, AcceptedMetadata | None]:
        """Return the highest known floor and the last accepted metadata. Removes what a killed process left."""
        durable_files.make_directory(self._documents, mode=0o700)
        self.directory.chmod(0o700)
        for leftover in self.directory.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self._used.clear()
        accepted = None
        with _damage_is_logged(self._accepted_path):
            data = read_capped(self._accepted_path, trust_floor.MAX_ACCEPTED_BYTES + trust_floor.CHECKSUM_BYTES)
            accepted = trust_floor.decode_accepted(data)
            self._floor = trust_floor.higher(self._floor, accepted.floor)
        with _damage_is_logged(self._floor_path):
            data = read_capped(self._floor_path, trust_floor.MAX_FLOOR_BYTES + trust_floor.CHECKSUM_BYTES)
            self._floor = trust_floor.higher(self._floor, trust_floor.decode_floor(data))
        return self._floor, accepted

    def keep_floor(self, floor: TrustFloor) -> None:
        """Make ``floor`` durable."""
        durable_files.write_file(self._floor_path, trust_floor.encode_floor(floor), mode=0o600)
        self._floor = floor

    def keep_accepted(self, accepted: AcceptedMetadata) -> None:
        """Make the metadata durable. Call before `keep_floor`: a crash between the two leaves it above the floor."""
        durable_files.write_file(self._accepted_path, trust_floor.encode_accepted(accepted), mode=0o600)

    def document(self, sha256: str, max_bytes: int) -> bytes | None:
        """Return the stored document with this hash, which has been checked again, or None."""
        self._used.add(sha256)
        path = self._documents / sha256
        with contextlib.suppress(FileNotFoundError), _damage_is_logged(path):
            data = read_capped(path, max_bytes)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise DecodeError("the hash does not fit: the file is damaged")
            return data
        return None

    def keep_document(self, sha256: str, data: bytes) -> None:
        """Store a document whose hash has been checked."""
        durable_files.write_file(self._documents / sha256, data, mode=0o600)

    def drop_unused_documents(self) -> None:
        """Delete the documents that `document` has not been asked for since `load`."""
        for path in self._documents.iterdir():
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    @property
    def _documents(self) -> Path:
        return self.directory / "targets"

    @property
    def _floor_path(self) -> Path:
        return self.directory / "floor"

    @property
    def _accepted_path(self) -> Path:
        return self.directory / "accepted"


@dataclass(frozen=True)
class MetadataFiles:
    """The metadata files of one verified state."""

    roots: dict[str, bytes]
    roles: dict[str, bytes]

    def lay_out(self, directory: Path) -> None:
        """Write them where tuf looks for its cache. Not durable: the directory is a temporary one."""
        (directory / "root_history").mkdir()
        for version, data in self.roots.items():
            (directory / "root_history" / f"{int(version)}.root.json").write_bytes(data)
        for name, data in self.roles.items():
            (directory / _role_file(name)).write_bytes(data)

    @classmethod
    def read(cls, directory: Path, versions: VerifiedVersions) -> "MetadataFiles":
        """Read back what tuf has verified."""
        roots: dict[str, bytes] = {}
        for path in sorted((directory / "root_history").iterdir()):
            match = _ROOT_FILE.match(path.name)
            if match and int(match[1]) <= versions.root:
                roots[match[1]] = path.read_bytes()
        names = ("timestamp", "snapshot", *versions.roles)
        paths = {name: directory / _role_file(name) for name in names}
        # tuf has not fetched a role that no document needed
        return cls(roots=roots, roles={name: path.read_bytes() for name, path in paths.items() if path.is_file()})


def _role_file(name: str) -> str:
    return f"{parse.quote(name, '')}.json"


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
