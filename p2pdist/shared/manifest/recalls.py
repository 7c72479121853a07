"""Which patches go back where they are installed, signed by the offline `patches` role: it is a risk. Pure."""

import functools
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from p2pdist.shared.identifiers import EndpointId, InvalidIdentifierError, parse_patch_id
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, Term, parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.publication_order import PublicationNumber
from p2pdist.shared.manifest.rollout_plan import MAX_RINGS, RingRules, RolloutPlan, check_plan
from p2pdist.shared.manifest.staged import Reason, SignedSeconds
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

RECALLS_TARGET = "patches/recalls"
MAX_RECALLS = 400  # as many as withdrawals are remembered
MAX_RECALLS_BYTES = 1 << 20  # MAX_RECALLS with long expressions, or of rings of as many plans


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
    plan: RolloutPlan | None = None
    """Whose rings choose PCs, besides ``who``; None: it is no matter in which ring a PC is."""
    ring: Annotated[int, msgspec.Meta(ge=0, lt=MAX_RINGS)] = 0
    """The place of the first ring of ``plan`` that goes back; so do those after it."""

    def covers(self, number: int) -> bool:
        """Whether a publication goes back."""
        return self.since <= number <= self.number

    def reaches(self, endpoint_id: EndpointId, facts: Facts) -> bool:
        """Whether a PC goes back, where it has installed what this is of."""
        if self.who and not evaluate(_term(self.who), facts).applies:
            return False
        if self.plan is None:
            return True
        place = _rules(self.plan).ring_of(endpoint_id, facts)
        return place is not None and place >= self.ring


class Recalls(Record, frozen=True):
    """All of them. A newer publication of an id answers its recalls."""

    format: Literal[1]
    recalls: Annotated[tuple[Recall, ...], msgspec.Meta(max_length=MAX_RECALLS)]


_AROUND_BYTES = 2 * MAX_RECALLS + 100  # what stands between and around the recalls of a document

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
            if recall.plan is not None:
                check_plan(recall.plan)
    except (InvalidIdentifierError, ExpressionError) as error:
        raise DecodeError(str(error)) from error
    if any(recall.ring >= len(recall.plan.rings) for recall in recalls.recalls if recall.plan is not None):
        raise DecodeError("a recall is of a ring that its plan has not")
    if not all(recall.reason.isprintable() for recall in recalls.recalls):
        raise DecodeError("the reason of a recall has a character that cannot be printed")
    return recalls


def with_recall(recalls: Recalls, new: Recall) -> Recalls:
    """Return them with ``new`` as the last one, in place of one of the same; the oldest are forgotten of too many."""
    kept = [*(one for one in recalls.recalls if _same(one) != _same(new)), new][-MAX_RECALLS:]
    sizes = [len(codec.encode(one)) for one in kept]
    while sum(sizes) > MAX_RECALLS_BYTES - _AROUND_BYTES:
        del kept[0], sizes[0]
    return Recalls(format=1, recalls=tuple(kept))


_term: Callable[[str], Term] = functools.lru_cache(MAX_RECALLS)(parse_expression)
_rules: Callable[[RolloutPlan], RingRules] = functools.lru_cache(MAX_RECALLS)(RingRules)


def _same(recall: Recall) -> object:
    return recall.patch_id, recall.number, recall.who, recall.plan, recall.ring


def answered(recalls: Recalls, patch_id: str) -> Recalls:
    """Return them without those of an id, of which a newer publication is there."""
    return Recalls(format=1, recalls=tuple(one for one in recalls.recalls if one.patch_id != patch_id))
