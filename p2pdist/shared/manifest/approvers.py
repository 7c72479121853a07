"""Whose word PCs want before they take anything of a rollout: signed by the offline `patches` role. Pure."""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.manifest.staged import MAX_APPROVALS, MAX_OWNER_CHARS, SignedSeconds
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

APPROVERS_TARGET = "patches/approvers"
MAX_APPROVERS = 100
MAX_APPROVERS_BYTES = 32 << 10  # MAX_APPROVERS of a name and a key, under 300 bytes each
PUBLIC_KEY_BYTES = 32  # Ed25519

_Required = Annotated[int, msgspec.Meta(ge=1, le=MAX_APPROVALS)]


class Approvers(Record, frozen=True):
    """Whose word PCs want before they take anything of a rollout. Where there is no such document, nobody's."""

    format: Literal[1]
    keys: Annotated[
        dict[
            Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_OWNER_CHARS)],
            Annotated[bytes, msgspec.Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)],
        ],
        msgspec.Meta(min_length=1, max_length=MAX_APPROVERS),
    ]
    """The public key (Ed25519) of each, by name."""
    required: _Required
    """So many different ones."""
    required_in_emergency: _Required
    """The same for a patch that its recipe calls an emergency."""
    since: SignedSeconds
    """What was published before needs no approval."""


def encode_approvers(approvers: Approvers) -> bytes:
    """Return the document as a TUF target's bytes."""
    return codec.encode(approvers)


def decode_approvers(data: bytes) -> Approvers:
    """Return a checked list of approvers. Raises `DecodeError`."""
    approvers: Approvers = codec.decode(data, Approvers, max_bytes=MAX_APPROVERS_BYTES)
    if not all(name.isprintable() for name in approvers.keys):
        raise DecodeError("the name of an approver has a character that cannot be printed")
    if max(approvers.required, approvers.required_in_emergency) > len(set(approvers.keys.values())):
        raise DecodeError("more approvals are required than there are approvers")
    return approvers
