"""A bundle: metadata that offline keys shall sign, all that it refers to, and the signatures so far. Blocking.

It is one file that an operator carries from the server to each signer and back. Both machines read it as hostile:
what is in it counts only as far as signatures and the signer's own eyes prove it.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import MAX_PAYLOADS, MAX_TARGETS_ROLE_BYTES, MAX_TORRENT_BYTES
from p2pdist.shared.manifest.publication_order import ORDER_PARTS
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record
from seed_server.signing.bins import DIVIDED_ROLES
from seed_server.signing.role_policy import OFFLINE_ROLES

MAX_BUNDLE_BYTES = 64 << 20  # two of the largest `patches` role, and the torrents of a patch of 20 TB
MAX_BUNDLED_ROOTS = 256  # one a year, and one for each change of its keys
MAX_BUNDLED_ROOT_BYTES = 64 << 10  # dozens of keys and signatures; endpoints accept no larger one
MAX_BUNDLED_DOCUMENTS = MAX_PAYLOADS + 2 + ORDER_PARTS  # a manifest, its torrents, and the order with all its parts
MAX_BUNDLED_SIGNATURES = 1024  # a few signers of the four roles, and of all among which `patches` is divided
MAX_PURPOSE_CHARS = 300  # a line of a list
MAX_TARGET_CHARS = 300  # of a target's path; ids and versions have at most 64 each
BUNDLE_ID_CHARS = 16  # what people type; a server has a handful of bundles

OfflineRole: TypeAlias = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join((*OFFLINE_ROLES, *DIVIDED_ROLES))})$")]
"""A role that offline keys sign."""
_Line = Annotated[str, msgspec.Meta(max_length=MAX_PURPOSE_CHARS)]
_Root = Annotated[bytes, msgspec.Meta(max_length=MAX_BUNDLED_ROOT_BYTES)]
_Metadata = Annotated[bytes, msgspec.Meta(max_length=MAX_TARGETS_ROLE_BYTES)]


class RoleSignature(Record, frozen=True):
    """One signature of the proposed metadata of one role."""

    role: OfflineRole
    keyid: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    signature: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]
    """Ed25519, hexadecimal, as TUF writes it."""


class Bundle(Record, frozen=True):
    """Metadata to be signed. All metadata is TUF's JSON."""

    format: Literal[1]
    server: _Line
    """The server's name; like the next two, for people alone."""
    purpose: _Line
    prepared_by: _Line
    prepared_at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
    """Seconds since 1970, by the server's clock."""
    roots: Annotated[tuple[_Root, ...], msgspec.Meta(min_length=1, max_length=MAX_BUNDLED_ROOTS)]
    """Every root, oldest first: a signer walks from the root that it trusts to the one in force."""
    current: dict[OfflineRole, _Metadata]
    """The signed metadata in force of what the proposed metadata replaces and of who delegates to it, but the root."""
    proposed: Annotated[dict[OfflineRole, _Metadata], msgspec.Meta(min_length=1)]
    """What is to be signed: the next version of each role, without signatures."""
    documents: Annotated[
        dict[
            Annotated[str, msgspec.Meta(max_length=MAX_TARGET_CHARS)],
            Annotated[bytes, msgspec.Meta(max_length=MAX_TORRENT_BYTES)],
        ],
        msgspec.Meta(max_length=MAX_BUNDLED_DOCUMENTS),
    ]
    """The targets that the proposed metadata adds or changes, by their paths."""
    before: Annotated[
        dict[
            Annotated[str, msgspec.Meta(max_length=MAX_TARGET_CHARS)],
            Annotated[bytes, msgspec.Meta(max_length=MAX_TORRENT_BYTES)],
        ],
        msgspec.Meta(max_length=MAX_BUNDLED_DOCUMENTS),
    ] = msgspec.field(default_factory=dict)
    """What those of ``documents`` hold now that are changed: a signer is shown the difference."""
    withdraws: Annotated[str, msgspec.Meta(max_length=MAX_TARGET_CHARS)] = ""
    """The patch (ID or ID@VERSION) that the online keys offer to nobody any more when this is finished; empty: none."""
    reason: _Line = ""
    """Why it is withdrawn."""
    by_rings: bool = False
    """Whether the patch that it publishes waits for a rollout; else every PC is offered it when this is finished."""
    signatures: Annotated[tuple[RoleSignature, ...], msgspec.Meta(max_length=MAX_BUNDLED_SIGNATURES)] = ()

    @property
    def bundle_id(self) -> str:
        """What names it, whoever has signed: the first digits of the SHA-256 of all but the signatures."""
        unsigned = msgspec.structs.replace(self, signatures=())
        return hashlib.sha256(_encoded(unsigned)).hexdigest()[:BUNDLE_ID_CHARS]

    def with_signatures(self, new: tuple[RoleSignature, ...]) -> "Bundle":
        """Return it with further signatures; one of a key that has signed a role before replaces that."""
        known = {(one.role, one.keyid): one for one in (*self.signatures, *new)}
        return msgspec.structs.replace(self, signatures=tuple(known[key] for key in sorted(known)))


def _encoded(bundle: Bundle) -> bytes:
    fields = msgspec.structs.asdict(bundle)
    if not bundle.by_rings:
        del fields["by_rings"]  # releases before 0.3 know no such field, and their bundles keep their ids
    return codec.encode(fields)


def encode_bundle(bundle: Bundle, *, max_bytes: int = MAX_BUNDLE_BYTES) -> bytes:
    """Return the file's bytes; equal bundles have equal bytes. Raises `UserError` (REFUSED) where it is too large."""
    data = _encoded(bundle)
    if len(data) > max_bytes:
        raise UserError(
            f"The bundle would have {len(data)} bytes, and signers accept {max_bytes}. Publish fewer or "
            "smaller files as one patch.",
            FaultKind.REFUSED,
        )
    return data


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write the file durably, in place of the one before. Raises `UserError`: REFUSED, STORAGE."""
    data = encode_bundle(bundle)
    try:
        durable_files.write_file(path, data)
    except OSError as error:
        raise UserError(
            f"Cannot write the bundle {path}: {error.strerror}. Check the path and the medium's space.",
            FaultKind.STORAGE,
        ) from error


def read_bundle(path: Path) -> Bundle:
    """Return the bundle in a file that a person named. Raises `UserError` (BAD_INPUT)."""
    try:
        bundle: Bundle = codec.decode(read_capped(path, MAX_BUNDLE_BYTES), Bundle, max_bytes=MAX_BUNDLE_BYTES)
    except OSError as error:
        raise UserError(
            f"Cannot read the bundle {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT
        ) from error
    except (FileTooLargeError, DecodeError) as error:
        why = printable(str(error)[:200])
        raise UserError(
            f"{path} is no bundle of this release ({why}). Copy it again from the machine that wrote it, or prepare it "
            "again.",
            FaultKind.BAD_INPUT,
        ) from error
    return bundle
