"""TUF roots outside of a refresh: is one whole, does one follow from another, does it still trust a key?"""

import hashlib
from collections.abc import Iterable
from typing import Any

from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata, Root

from p2pdist.trust.errors import TrustError, words
from p2pdist.trust.floor import VerifiedMetadata

MAX_ROOT_BYTES = 64 << 10  # dozens of keys and signatures


def root_pin(root: bytes) -> bytes:
    """Return the SHA-256 by which a root is recognised."""
    return hashlib.sha256(root).digest()


def check_root(root: bytes) -> None:
    """Check that ``root`` is TUF root metadata, signed by its own threshold. Raises `TrustError`."""
    _read(root)


def root_version(root: bytes) -> int:
    """Return the version of a root that `check_root` accepts. Raises `TrustError`."""
    return _read(root).signed.version


def check_successors(root: bytes, successors: Iterable[bytes]) -> None:
    """Check that each of ``successors`` follows from the one before it, beginning with ``root``. Raises `TrustError`.

    One follows from another when its version is the next, and it is signed by the threshold of both.
    """
    trusted = _read(root)
    for successor in successors:
        offered = _read(successor)
        try:
            trusted.signed.verify_delegate("root", offered.signed_bytes, offered.signatures)
        except (tuf_errors.RepositoryError, ValueError) as error:
            raise _unusable(words(error)) from error
        if offered.signed.version != trusted.signed.version + 1:
            raise _unusable(f"version {offered.signed.version} does not follow version {trusted.signed.version}")
        trusted = offered


def newest_root(verified: VerifiedMetadata, enrolled: bytes) -> bytes:
    """Return the newest root that has been verified, starting from the ``enrolled`` one."""
    return verified.roots[max(verified.roots, key=int)] if verified.roots else enrolled


def trusts_targets(root: bytes, targets: bytes) -> bool:
    """Return whether enough of the keys that ``root`` trusts for the targets role have signed ``targets``."""
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(targets)
        _read(root).signed.verify_delegate("targets", metadata.signed_bytes, metadata.signatures)
    except (tuf_errors.RepositoryError, ValueError, TrustError):
        return False
    return True


def _read(root: bytes) -> Metadata[Root]:
    if len(root) > MAX_ROOT_BYTES:
        raise _unusable(f"{len(root)} bytes are over the cap of {MAX_ROOT_BYTES}")
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(root)
        if metadata.signed.type != "root":
            raise _unusable(f"it is the metadata of {metadata.signed.type}")
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    except (tuf_errors.RepositoryError, ValueError) as error:
        raise _unusable(words(error)) from error
    return metadata


def _unusable(problem: str) -> TrustError:
    return TrustError(
        "malformed", f"The trust root is not usable ({problem}). Look at the server's repository, then enrol again."
    )
