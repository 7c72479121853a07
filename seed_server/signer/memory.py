"""What a folder of keys remembers beside them: the root it trusts, and the versions it has signed. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.signing.bundle import MAX_BUNDLED_ROOT_BYTES, OfflineRole
from seed_server.signing.key_files import TRUSTED_ROOT_FILE

SIGNED_VERSIONS_FILE = "signed-versions.json"
MAX_SIGNED_VERSIONS_BYTES = 4 << 10  # a few dozen roles and a number each


@dataclass(frozen=True)
class SignerMemory:
    """The two files in ``folder``."""

    folder: Path

    def trusted_root(self) -> bytes | None:
        """Return the root that this folder trusts; None: it has none yet. Raises `UserError` (STORAGE)."""
        return _read(self.folder / TRUSTED_ROOT_FILE, MAX_BUNDLED_ROOT_BYTES)

    def signed_versions(self) -> dict[OfflineRole, int]:
        """Return the newest version of each role that was signed here. Raises `UserError` (STORAGE).

        A role that only a newer release knows is kept.
        """
        path = self.folder / SIGNED_VERSIONS_FILE
        data = _read(path, MAX_SIGNED_VERSIONS_BYTES)
        if data is None:
            return {}
        try:
            return msgspec.json.decode(data, type=dict[str, int])
        except msgspec.DecodeError as error:
            raise UserError(
                f"{path} is damaged. Restore it from the copy of this folder in the safe.", FaultKind.STORAGE
            ) from error

    def remember(self, root: bytes, versions: Mapping[OfflineRole, int]) -> None:
        """Trust ``root`` from now on, and remember that ``versions`` are signed. Raises `UserError` (STORAGE)."""
        merged = self.signed_versions() | dict(versions)
        try:
            durable_files.write_file(self.folder / TRUSTED_ROOT_FILE, root)
            durable_files.write_file(self.folder / SIGNED_VERSIONS_FILE, msgspec.json.encode(merged, order="sorted"))
        except OSError as error:
            raise UserError(
                f"Cannot write to {self.folder}: {error.strerror}; nothing was signed. The folder remembers which "
                "versions it has signed: attach it writable.",
                FaultKind.STORAGE,
            ) from error


def _read(path: Path, max_bytes: int) -> bytes | None:
    try:
        return read_capped(path, max_bytes)
    except FileNotFoundError:
        return None
    except (OSError, FileTooLargeError) as error:
        raise UserError(f"Cannot read {path}: {error}. Check the folder of the keys.", FaultKind.STORAGE) from error
