"""`p2pdist.shared.audit_checkpoint`: the signed note, and what is none."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.audit_checkpoint import (
    LaterCheckpointError,
    origin_of,
    read_checkpoint,
    signed_checkpoint,
    verifier_key,
)
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.merkle_log import MAX_LEAVES
from p2pdist.shared.wire.codec import DecodeError

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
ORIGIN = origin_of("ab" * 32)
ROOT = bytes(range(32))
NOTE = signed_checkpoint(ORIGIN, 1_234, ROOT, KEY)


def test_what_is_signed_is_read() -> None:
    found = read_checkpoint(NOTE)
    assert (found.origin, found.size, found.root) == (ORIGIN, 1_234, ROOT)
    assert found.key == KEY.public_key().public_bytes_raw()


def test_it_is_a_signed_note_as_c2sp_has_it() -> None:
    """Checked step by step as the specifications of checkpoint and signed note say, with nothing of ours."""
    text, _, signatures = NOTE.decode().partition("\n\n")
    origin, size, root, extension = text.split("\n")
    assert (size, base64.b64decode(root)) == ("1234", ROOT)
    assert extension
    (line,) = signatures.splitlines()
    name, encoded = line.removeprefix("— ").split(" ")
    signature = base64.b64decode(encoded)
    vkey_name, key_hash, key = verifier_key(read_checkpoint(NOTE)).split("+", 2)
    assert name == vkey_name == origin
    kind, public = base64.b64decode(key)[:1], base64.b64decode(key)[1:]
    assert signature[:4].hex() == key_hash == hashlib.sha256(f"{name}\n".encode() + kind + public).hexdigest()[:8]
    assert kind == b"\x01"
    KEY.public_key().verify(signature[4:], f"{text}\n".encode())


@pytest.mark.parametrize("at", range(0, len(NOTE), 3))
def test_nothing_of_it_can_be_changed(at: int) -> None:
    with pytest.raises(DecodeError):
        read_checkpoint(NOTE[:at] + bytes([NOTE[at] ^ 1]) + NOTE[at + 1 :])


@pytest.mark.parametrize(
    "note",
    [
        b"", NOTE[:-1], NOTE + b"\n", NOTE + NOTE, b"x" * (MAX_CHECKPOINT_BYTES + 1), NOTE.replace(b"\n\n", b"\n"),
        signed_checkpoint(ORIGIN, 1, ROOT[:-1], KEY), signed_checkpoint(ORIGIN, MAX_LEAVES + 1, ROOT, KEY),
        signed_checkpoint("elsewhere", 1, ROOT, KEY), signed_checkpoint(ORIGIN + "\n", 1, ROOT, KEY),
        signed_checkpoint(ORIGIN, -1, ROOT, KEY),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(DecodeError):
        read_checkpoint(note)


def later_note(*further: str, cosigned: str = "") -> bytes:
    """Return a note as a later release might sign it."""
    text = NOTE.decode().partition("\n\n")[0] + "".join(f"\n{line}" for line in further) + "\n"
    key_hash = bytes.fromhex(verifier_key(read_checkpoint(NOTE)).split("+")[1])
    signed = base64.b64encode(key_hash + KEY.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {signed}\n{cosigned}".encode()


COSIGNED = "— witness.example/w1 AAAA\n"


@pytest.mark.parametrize("note", [later_note("more of it"), later_note("a", "b"), NOTE + COSIGNED.encode()])
def test_further_lines_are_of_a_later_release_and_nothing_is_taken_of_them(note: bytes) -> None:
    assert later_note() == NOTE
    with pytest.raises(LaterCheckpointError):
        read_checkpoint(note)


@pytest.mark.parametrize(
    "note",
    [NOTE.replace(b"\n\n", b"\nmore\n\n"), NOTE + b"\n", NOTE + b"more\n", later_note(""), later_note("more") + b"x\n"],
)
def test_what_is_not_signed_is_of_no_release(note: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        read_checkpoint(note)
    assert not isinstance(caught.value, LaterCheckpointError)


def test_the_largest_fits_into_its_field() -> None:
    assert len(signed_checkpoint(ORIGIN, MAX_LEAVES, ROOT, KEY)) < MAX_CHECKPOINT_BYTES
