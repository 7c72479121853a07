"""One entry of the audit log, and the bytes that stand for it: what is hashed is what is kept. Pure."""

from typing import Literal

import msgspec

from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Document

MAX_ENTRY_BYTES = 32 << 10
MAX_AUDIT_NAME_CHARS = 200  # longer texts are cut: an entry is written in any case
MAX_AUDIT_REASON_CHARS = 1_000
MAX_AUDIT_DETAILS = 40
MAX_AUDIT_DETAIL_BYTES = 16 << 10  # of all together: a scope of a hundred sites and tags, whole


class AuditEntry(Document, frozen=True, kw_only=True):
    """Who did what, when, from where, and why."""

    format: Literal[1] = 1
    number: int
    """From 0 on, without gaps."""
    at: float
    """Seconds since 1970, UTC."""
    actor: str
    known_by: str
    """How the server knows that it is them, as `Evidence`."""
    role: str = ""
    """Those of the actor's roles that gave the right; empty: they have it without one, as local users."""
    address: str = ""
    """Where the request came from; empty: a terminal of the server itself."""
    request: str
    """Its id: several entries may come from one request."""
    operation: str
    subject: str
    """What it was done to: a patch, a PC, a token, a site …"""
    before: bytes = b""
    """The SHA-256 of the subject's state; of what is signed, of ``timestamp.json``. Empty: there was none."""
    after: bytes = b""
    reason: str = ""
    details: dict[str, str] = msgspec.field(default_factory=dict)


def encode_entry(entry: AuditEntry) -> bytes:
    """Return the entry as it is kept: texts that are too long, or cannot be shown, are made to fit."""
    texts = {
        name: printable(getattr(entry, name))[:most]
        for name, most in (
            ("actor", MAX_AUDIT_NAME_CHARS), ("known_by", MAX_AUDIT_NAME_CHARS), ("role", MAX_AUDIT_NAME_CHARS),
            ("address", MAX_AUDIT_NAME_CHARS), ("request", MAX_AUDIT_NAME_CHARS), ("operation", MAX_AUDIT_NAME_CHARS),
            ("subject", MAX_AUDIT_NAME_CHARS), ("reason", MAX_AUDIT_REASON_CHARS),
        )
    }  # fmt: skip
    return codec.encode(msgspec.structs.replace(entry, details=_cut(entry.details), **texts))


def _cut(details: dict[str, str]) -> dict[str, str]:
    left, found = MAX_AUDIT_DETAIL_BYTES, {}
    # the shortest first: what one long text leaves no room for is that alone
    for name, text in sorted(details.items(), key=lambda one: (len(one[1]), one))[:MAX_AUDIT_DETAILS]:
        encoded = printable(text).encode()[:left]
        left -= len(encoded)
        found[printable(name)[:MAX_AUDIT_NAME_CHARS]] = encoded.decode(errors="ignore")
    return dict(sorted(found.items()))


def decode_entry(data: bytes) -> AuditEntry:
    """Return the entry that `encode_entry` wrote. Raises `DecodeError`."""
    entry: AuditEntry = codec.decode(data, AuditEntry, max_bytes=MAX_ENTRY_BYTES)
    return entry
