"""Which PCs the operators have denied, signed by the online ``rollouts`` role, so that every PC keeps it. Pure.

PCs act on none of it. They hand it back to a server that was restored from a backup of before: what was denied since
stays denied.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Document

DENIED_TARGET = "rollouts/denied"
MAX_DENIED = 4_096  # the last ones; a stolen PC's certificate has run out after a day
MAX_DENIED_BYTES = 128 << 10  # MAX_DENIED of 28 bytes

_ID = r"^[a-z2-7]{26}\Z"
DeniedId = Annotated[str, msgspec.Meta(pattern=_ID, max_length=26)]


class DeniedPcs(Document, frozen=True):
    """All of them, those that enrolled last at the end."""

    format: Literal[1]
    endpoints: Annotated[tuple[DeniedId, ...], msgspec.Meta(max_length=MAX_DENIED)]


NOBODY_DENIED = DeniedPcs(format=1, endpoints=())


def denied_pcs(endpoint_ids: Iterable[str]) -> DeniedPcs:
    """Return the document of these, the last ones where there are too many; what is no id is left out."""
    return DeniedPcs(format=1, endpoints=tuple(one for one in endpoint_ids if re.match(_ID, one))[-MAX_DENIED:])


def encode_denied(denied: DeniedPcs) -> bytes:
    """Return the document as a TUF target's bytes."""
    return codec.encode(denied)


def decode_denied(data: bytes) -> DeniedPcs:
    """Return a checked document. Raises `DecodeError`."""
    denied: DeniedPcs = codec.decode(data, DeniedPcs, max_bytes=MAX_DENIED_BYTES)
    return denied
