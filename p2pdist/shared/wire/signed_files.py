"""What a PC tells its server of the signed files that it trusts, and hands back to one that knows less. Pure.

After a restore from a backup, PCs have seen newer files than their server has. The server cannot sign those of the
offline keys again; PCs have them, and each proves itself by its signatures.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated

import msgspec

from p2pdist.shared.manifest.servers import MAX_LIST_NUMBER
from p2pdist.shared.wire.codec import Message

MAX_TOLD_ROLES = 64  # as many as a PC accepts in a snapshot
MAX_TOLD_ROLE_CHARS = 128
MAX_TOLD_VERSION = 1 << 62  # as a PC keeps it
VERSIONS_DIGEST_BYTES = 16
MAX_SIGNED_PART_BYTES = 32 << 10  # a tenth of a second of a line of 2.5 Mbit/s
MAX_SIGNED_FILE_BYTES = 5 << 20  # the largest role that PCs accept
MAX_SIGNED_PATH_CHARS = 512

ToldVersion = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOLD_VERSION)]
ToldRole = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOLD_ROLE_CHARS)]
SignedPath = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SIGNED_PATH_CHARS)]
"""Below ``/tuf/``, as the web port names it: ``metadata/VERSION.ROLE.json``, ``targets/…/HASH.NAME``."""
SignedOffset = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIGNED_FILE_BYTES)]


class TrustTold(Message, frozen=True, tag="trust"):
    """The versions of signed metadata below which this PC accepts nothing; after the welcome. Feature ``trust``."""

    root: ToldVersion
    timestamp: ToldVersion
    snapshot: ToldVersion
    digest: Annotated[bytes, msgspec.Meta(min_length=VERSIONS_DIGEST_BYTES, max_length=VERSIONS_DIGEST_BYTES)]
    """Of `root` and the versions of all roles (`versions_digest`): most PCs know the same."""
    complete: bool = False
    """Whether this PC has every one of these roles, and not only those that its own patches needed."""
    roles: Annotated[dict[ToldRole, ToldVersion], msgspec.Meta(max_length=MAX_TOLD_ROLES)] = msgspec.field(
        default_factory=dict
    )
    """The versions of all targets roles; only where `TrustWanted` has asked for them."""
    servers: Annotated[int, msgspec.Meta(ge=0, le=MAX_LIST_NUMBER)] = 0
    """Number of the list of the server's addresses that is in force on this PC; 0: none is."""


class SignedFilePart(Message, frozen=True, tag="signed"):
    """Answer to `SignedWanted`: a part of a signed file."""

    path: SignedPath
    offset: SignedOffset
    total: SignedOffset
    """The file's length; 0: this PC does not have it."""
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_SIGNED_PART_BYTES)] = b""


class TrustWanted(Message, frozen=True, tag="trust_wanted"):
    """What the server wants of a PC that names the feature ``gives_signed``."""

    versions: bool = False
    """Say `TrustTold` again, with the versions of all roles."""
    keep: bool = False
    """Keep every signed role and document from now on, also what this PC does not need: should the server lose them."""


class SignedWanted(Message, frozen=True, tag="signed_wanted"):
    """Asks for a signed file, from an offset on. Answered by `SignedFilePart`."""

    path: SignedPath
    offset: SignedOffset = 0


def versions_digest(root: int, roles: Mapping[str, int]) -> bytes:
    """Return what stands for a root and the versions of roles."""
    text = "\n".join([str(root), *(f"{name} {version}" for name, version in sorted(roles.items()))])
    return hashlib.sha256(text.encode()).digest()[:VERSIONS_DIGEST_BYTES]
