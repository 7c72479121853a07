"""Which patches go back where they are installed, signed by the offline `patches` role: it is a risk. Pure."""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.identifiers import InvalidIdentifierError, parse_patch_id
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, parse_expression
from p2pdist.shared.manifest.publication_order import PublicationNumber
from p2pdist.shared.manifest.staged import Reason, SignedSeconds
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

RECALLS_TARGET = "patches/recalls"
MAX_RECALLS = 400  # as many as withdrawals are remembered
MAX_RECALLS_BYTES = 1 << 20  # MAX_RECALLS with long expressions


class Recall(Record, frozen=True):
    """A patch that goes back where it is installed, by the way back of its recipe."""

    patch_id: str
    number: PublicationNumber
    """Publications up to this one …"""
    who: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)]
    """An expression; empty: every PC."""
    reason: Reason
    at: SignedSeconds
    since: PublicationNumber = 1
    """… and from this one on: who goes back from the last one keeps the one before."""

    def covers(self, number: int) -> bool:
        """Whether a publication goes back."""
        return self.since <= number <= self.number


class Recalls(Record, frozen=True):
    """All of them. A newer publication of an id answers its recalls."""

    format: Literal[1]
    recalls: Annotated[tuple[Recall, ...], msgspec.Meta(max_length=MAX_RECALLS)]


NOTHING_RECALLED = Recalls(format=1, recalls=())


def encode_recalls(recalls: Recalls) -> bytes:
    """Return the document as a TUF target's bytes."""
    return codec.encode(recalls)


def decode_recalls(data: bytes) -> Recalls:
    """Return checked recalls. Raises `DecodeError`."""
    recalls: Recalls = codec.decode(data, Recalls, max_bytes=MAX_RECALLS_BYTES)
    try:
        for recall in recalls.recalls:
            parse_patch_id(recall.patch_id)
            if recall.who:
                parse_expression(recall.who)
    except (InvalidIdentifierError, ExpressionError) as error:
        raise DecodeError(str(error)) from error
    if not all(recall.reason.isprintable() for recall in recalls.recalls):
        raise DecodeError("the reason of a recall has a character that cannot be printed")
    return recalls


def with_recall(recalls: Recalls, new: Recall) -> Recalls:
    """Return them with ``new`` as the last one, in place of one of the same; the oldest is forgotten of too many."""
    others = (
        one for one in recalls.recalls if (one.patch_id, one.number, one.who) != (new.patch_id, new.number, new.who)
    )
    return Recalls(format=1, recalls=(*others, new)[-MAX_RECALLS:])


def answered(recalls: Recalls, patch_id: str) -> Recalls:
    """Return them without those of an id, of which a newer publication is there."""
    return Recalls(format=1, recalls=tuple(one for one in recalls.recalls if one.patch_id != patch_id))
