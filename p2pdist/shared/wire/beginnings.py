"""Hashes that are told by their beginnings: both sides know which torrents and payloads there are. Pure."""

from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.fields import HELD_BYTES


def beginning(digest: str) -> bytes:
    """Return the first `HELD_BYTES` bytes of a hash, which is given in hexadecimal."""
    return bytes.fromhex(digest[: 2 * HELD_BYTES])


def beginnings(names: bytes) -> list[bytes]:
    """Return the single ones in ``names``, which has one after the other. Raises `DecodeError`."""
    if len(names) % HELD_BYTES:
        raise DecodeError("a part of a torrent's hash")
    return [names[at : at + HELD_BYTES] for at in range(0, len(names), HELD_BYTES)]
