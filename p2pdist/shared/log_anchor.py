"""By which key the audit log is known, and whether it begins again: signed by the offline `patches` role.

Without this document a PC knows the log by what it saw first. Whoever has the server alone cannot sign one.
"""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.audit_checkpoint import Checkpoint, read_checkpoint
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES, Reason, SignedSeconds
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

ANCHOR_TARGET = "patches/audit-log"
MAX_ANCHOR_BYTES = 8 << 10  # two reasons, a checkpoint, MAX_EARLIER_KEYS
MAX_EARLIER_KEYS = 32
KEY_BYTES = 32  # Ed25519

_Number = Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]


class LogBeginning(Record, frozen=True):
    """The log lacks entries that PCs have seen, and began again."""

    number: _Number
    """Of the anchor that said so."""
    at: SignedSeconds
    reason: Reason


class LogAnchor(Record, frozen=True):
    """What the offline role says of the audit log."""

    format: Literal[1]
    number: _Number
    """One higher than that of the one before."""
    checkpoint: Annotated[bytes, msgspec.Meta(max_length=MAX_CHECKPOINT_BYTES)]
    """A checkpoint by the key that signs from now on; the log was so when this was written."""
    at: SignedSeconds
    reason: Reason
    """Why there is another key."""
    earlier: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)], ...],
        msgspec.Meta(max_length=MAX_EARLIER_KEYS),
    ] = ()
    """The keys that signed checkpoints of this log before, the last one first; none from before it began again."""
    beginning: LogBeginning | None = None
    """The last time that it began again; None: it never did."""

    @property
    def known(self) -> Checkpoint:
        """What the checkpoint says."""
        return read_checkpoint(self.checkpoint)

    def begins_after(self, number: int) -> bool:
        """Whether the log has begun again since the anchor with this number; 0: since ever."""
        return self.beginning is not None and self.beginning.number > number


def encode_anchor(anchor: LogAnchor) -> bytes:
    """Return the document as a TUF target's bytes."""
    return codec.encode(anchor)


def decode_anchor(data: bytes) -> LogAnchor:
    """Return a checked document. Raises `DecodeError`, also for one of a later form."""
    anchor: LogAnchor = codec.decode(data, LogAnchor, max_bytes=MAX_ANCHOR_BYTES)
    read_checkpoint(anchor.checkpoint)
    reasons = [anchor.reason, "" if anchor.beginning is None else anchor.beginning.reason]
    if not all(text.isprintable() for text in reasons):
        raise DecodeError("a reason has a character that cannot be printed")
    if anchor.beginning is not None and anchor.beginning.number > anchor.number:
        raise DecodeError("the log begins again by what is not signed yet")
    return anchor
