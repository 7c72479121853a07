"""Checkpoints of an audit log: its size and root in a signed note (C2SP tlog-checkpoint, signed-note; Ed25519).

The last line of the text carries the key, an extension line that other readers pass over: whoever sees a log for the
first time has nothing else to know it by, and later holds it to what it showed then.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import MAX_LEAVES
from p2pdist.shared.wire.codec import DecodeError

ORIGIN_PREFIX = "p2pdist-audit/"
ORIGIN_DIGITS = 32  # of the pin of the server's first TUF root

_ED25519: Final = b"\x01"  # the algorithm's byte of the signed note
_KEY_HASH_BYTES: Final = 4
_ORIGIN = re.compile(ORIGIN_PREFIX + f"[0-9a-f]{{{ORIGIN_DIGITS}}}")
_SIZE = re.compile("0|[1-9][0-9]{0,12}")


class LaterCheckpointError(DecodeError):
    """A checkpoint has further lines, which a later release has added: this one cannot tell what they say."""


@dataclass(frozen=True)
class Checkpoint:
    """A log at one moment."""

    origin: str
    """Which log it is."""
    size: int
    root: bytes
    key: bytes
    """The public key (Ed25519) that has signed it."""


def origin_of(root_pin: str) -> str:
    """Return the origin of the log of the server whose first TUF root has this SHA-256, in hex."""
    return ORIGIN_PREFIX + root_pin[:ORIGIN_DIGITS]


def signed_checkpoint(origin: str, size: int, root: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the signed note of a log."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = f"{origin}\n{size}\n{_base64(root)}\nkey {_base64(public)}\n"
    return _note(text, origin, _key_hash(origin, public) + key.sign(text.encode()))


def read_checkpoint(note: bytes) -> Checkpoint:
    """Return what a note says whose signature is that of the key in it.

    Raises `DecodeError` for any other, and `LaterCheckpointError` for one that is signed so and says more.
    """
    if len(note) > MAX_CHECKPOINT_BYTES:
        raise DecodeError("a checkpoint is too long")
    try:
        before, _, after = note.decode().partition("\n\n")
        origin, size, root, key_line, *further = before.split("\n")
        signature_line, *cosigned = after.removesuffix("\n").split("\n")
        dash, name, signature = signature_line.split(" ")
    except ValueError as error:  # UnicodeDecodeError among them
        raise DecodeError("a checkpoint is no signed note of our kind") from error
    if not _ORIGIN.fullmatch(origin) or not _SIZE.fullmatch(size) or (dash, name) != ("—", origin):
        raise DecodeError("a checkpoint is no signed note of our kind")
    found = Checkpoint(origin, int(size), _bytes(root), _bytes(key_line.removeprefix("key ")))
    text, signed = f"{before}\n", _bytes(signature)
    if found.size > MAX_LEAVES or len(found.root) != HASH_BYTES or not key_line.startswith("key "):
        raise DecodeError("a checkpoint has a size, a root or a key that cannot be")
    try:
        Ed25519PublicKey.from_public_bytes(found.key).verify(signed[_KEY_HASH_BYTES:], text.encode())
    except (InvalidSignature, ValueError) as error:
        raise DecodeError("the signature of a checkpoint is wrong") from error
    if (further or cosigned) and all(further) and all(one.startswith("— ") for one in cosigned):
        raise LaterCheckpointError("a checkpoint says more than this release knows")
    if signed[:_KEY_HASH_BYTES] != _key_hash(origin, found.key) or note != _note(text, origin, signed):
        raise DecodeError("a checkpoint is written in another way than ours")
    return found


def verifier_key(checkpoint: Checkpoint) -> str:
    """Return the key as tools for signed notes take it."""
    return (
        f"{checkpoint.origin}+{_key_hash(checkpoint.origin, checkpoint.key).hex()}+{_base64(_ED25519 + checkpoint.key)}"
    )


def _note(text: str, origin: str, signed: bytes) -> bytes:
    return f"{text}\n— {origin} {_base64(signed)}\n".encode()


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(f"{name}\n".encode() + _ED25519 + public).digest()[:_KEY_HASH_BYTES]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError("a checkpoint has base64 that is none") from error
