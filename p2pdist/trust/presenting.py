"""Hands out the signed files that this PC has accepted, for a server that has lost them. Blocking.

Nothing here is secret: every enrolled PC may have each of these files from its server.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from p2pdist.shared.wire.signed_files import MAX_SIGNED_FILE_BYTES, TrustTold, versions_digest
from p2pdist.trust.files import TrustFiles, storage_errors
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor

_METADATA = re.compile(r"metadata/([1-9][0-9]{0,18})\.([A-Za-z0-9_-]{1,128})\.json\Z")
_TARGET = re.compile(r"targets/(?:[^/]+/)*([0-9a-f]{64})\.[^/]+\Z")


@dataclass(frozen=True)
class SignedFiles:
    """What a PC has to show. Its methods raise `UserError` (`FaultKind.STORAGE`)."""

    files: TrustFiles

    def told(self, *, with_roles: bool) -> TrustTold | None:
        """Return what a server is told; None: nothing was verified yet."""
        with storage_errors(self.files.directory):
            verified, accepted = self.files.look()
        floor = verified.floor
        if not floor.timestamp:
            return None
        return TrustTold(
            root=floor.root,
            timestamp=floor.timestamp,
            snapshot=floor.snapshot,
            digest=versions_digest(floor.root, floor.roles),
            complete=accepted is not None and has_all(accepted, floor),
            roles=dict(floor.roles) if with_roles else {},
        )

    def find(self, path: str) -> bytes | None:
        """Return the file at ``path`` below ``/tuf/``; None: this PC does not have it."""
        data: bytes | None = None
        if (target := _TARGET.fullmatch(path)) is not None:
            with contextlib.suppress(OSError):
                data = self.files.shown_document(target[1], MAX_SIGNED_FILE_BYTES)
        elif (metadata := _METADATA.fullmatch(path)) is not None:
            with storage_errors(self.files.directory):
                verified, accepted = self.files.look()
            version, role = int(metadata[1]), metadata[2]
            if role == "root":
                return verified.roots.get(str(version))
            held = accepted.roles.get(role) if accepted is not None else None
            if role in ("timestamp", "snapshot"):  # these are kept before all that they name
                held = verified.timestamp if role == "timestamp" else verified.snapshot
            data = held if held is not None and version_of(held) == version else None
        return data


def has_all(accepted: AcceptedMetadata, floor: TrustFloor) -> bool:
    """Whether every targets role below which nothing is accepted any more is there, in just that version."""
    return all(version_of(accepted.roles.get(role, b"")) == version for role, version in floor.roles.items())


class _Signed(msgspec.Struct):
    version: int


class _Metadata(msgspec.Struct):
    signed: _Signed


_decode: Callable[[bytes], _Metadata] = msgspec.json.Decoder(_Metadata).decode


def version_of(metadata: bytes) -> int:
    """Return the version that metadata says it has; 0: it is none."""
    try:
        return _decode(metadata).signed.version
    except msgspec.MsgspecError:
        return 0
