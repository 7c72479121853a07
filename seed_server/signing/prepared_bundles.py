"""The server's own copies of bundles that wait for signatures: ``prepared/ID.bundle``. Blocking."""

import contextlib
import re
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import DecodeError, Manifest, decode_manifest
from seed_server.settings.home import ServerHome
from seed_server.signing.bundle import BUNDLE_ID_CHARS, Bundle, read_bundle, write_bundle

_ID = re.compile(f"[0-9a-f]{{{BUNDLE_ID_CHARS}}}")

log = lazy_log()


class PreparedBundles:
    """The directory ``prepared/``."""

    def __init__(self, home: ServerHome) -> None:
        self._directory = home.prepared

    def keep(self, bundle: Bundle) -> None:
        """Keep a new bundle. Raises `UserError` (REFUSED, STORAGE)."""
        try:
            durable_files.make_directory(self._directory, mode=0o700)
        except OSError as error:
            raise UserError(
                f"Cannot make {self._directory}: {error.strerror}. Check permissions and the disk's space.",
                FaultKind.STORAGE,
            ) from error
        write_bundle(self._path(bundle.bundle_id), bundle)

    def remove_leftovers(self) -> None:
        """Remove what killed writers left. The caller holds the publish lock."""
        with contextlib.suppress(OSError):  # they take no more than room
            durable_files.remove_leftovers(self._directory)

    def all(self) -> list[Bundle]:
        """Return every bundle, oldest first; one that cannot be read is left out and logged."""
        found = []
        for path in sorted(self._directory.glob("*.bundle")):
            try:
                found.append(read_bundle(path))
            except UserError as error:
                log.warning("a prepared bundle cannot be read", path=str(path), reason=error.message)
        return sorted(found, key=lambda bundle: (bundle.prepared_at, bundle.bundle_id))

    def count(self) -> int:
        """Return how many there are, also of those that cannot be read."""
        return sum(1 for _ in self._directory.glob("*.bundle"))

    def manifests(self) -> tuple[list[Manifest], bool]:
        """Return the manifest of each patch that waits with a bundle, and whether all that waits can be read."""
        bundles = self.all()
        found = [manifest for bundle in bundles for manifest in manifests_in(bundle)]
        named = sum(name.endswith(".manifest") for bundle in bundles for name in bundle.documents)
        return found, len(found) == named and len(bundles) == len(list(self._directory.glob("*.bundle")))

    def get(self, bundle_id: str) -> Bundle:
        """Return one bundle. Raises `UserError` (BAD_INPUT) for one that is not here."""
        path = self._path(bundle_id)
        if not path.exists():
            raise UserError(
                f"No bundle {bundle_id} was prepared here, or it was finished or dropped since. 'seed-server prepared' "
                "lists those that wait.",
                FaultKind.BAD_INPUT,
            )
        return read_bundle(path)

    def has(self, bundle_id: str) -> bool:
        """Whether a bundle waits here; not for what is no id."""
        return bool(_ID.fullmatch(bundle_id)) and self._path(bundle_id).exists()

    def drop(self, bundle_id: str) -> None:
        """Forget a bundle. Raises `UserError`: BAD_INPUT for a malformed id, STORAGE."""
        try:
            self._path(bundle_id).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"Cannot remove the bundle {bundle_id}: {error.strerror}.", FaultKind.STORAGE) from error

    def _path(self, bundle_id: str) -> Path:
        if not _ID.fullmatch(bundle_id):
            raise UserError(
                f"{bundle_id[:60]!r} is not the id of a bundle. 'seed-server prepared' lists them.", FaultKind.BAD_INPUT
            )
        return self._directory / f"{bundle_id}.bundle"


def manifests_in(bundle: Bundle) -> list[Manifest]:
    """Return the manifests among the documents of a bundle of this server; one that cannot be read is left out."""
    found = []
    for name, data in bundle.documents.items():
        if name.endswith(".manifest"):
            try:
                found.append(decode_manifest(data))
            except DecodeError as error:
                log.warning("a prepared manifest cannot be read", target=name, reason=str(error))
    return found
