"""How a patch is to reach a fleet: the rings of its rollout, and which ring a PC is in. Pure.

A plan is a rule, not a list of PCs: the server and each PC evaluate it alike. It is fixed when the rollout starts, and
who approves it signs its digest, so nothing of it can be changed afterwards.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.identifiers import (
    EndpointId,
    InvalidIdentifierError,
    PatchRef,
    parse_patch_id,
    parse_patch_version,
    parse_sha256,
)
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, Term, parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.publication_order import PublicationNumber
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

MAX_RINGS = 10  # a template has five; more can no person follow
SALT_BYTES = 16
WHOLE = 10_000  # basis points
MAX_SOAK_SECONDS = 90 * 86_400  # a quarter: who waits longer does not want the patch
MAX_RING_NAME_CHARS = 40
BUCKETS = 1 << 64

BasisPoints: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=WHOLE)]
"""Hundredths of a percent."""
Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_SOAK_SECONDS)]
RingName: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_RING_NAME_CHARS)]


class PlannedRing(Record, frozen=True):
    """One ring: who is in it, and what must have happened in it before the next one opens."""

    name: RingName
    who: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)] = ""
    """An expression; empty: every PC."""
    share: Annotated[int, msgspec.Meta(ge=1, le=WHOLE)] = WHOLE
    """Of the PCs for which ``who`` holds, those whose bucket lies below this, in basis points."""
    soak_seconds: Seconds = 0
    """From its opening; the next ring opens no earlier. PCs hold the server to it."""
    success_share: BasisPoints = WHOLE
    """Of the decided PCs, so many must have installed it (lower bound of Wilson's interval) for the next ring."""
    failure_share: BasisPoints = WHOLE
    """Of the decided PCs, more than so many that failed (lower bound of Wilson's interval) halt the rollout."""
    least_decided: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Without so many decided PCs the next ring does not open; where the ring is smaller, all of it."""
    least_failed: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """Fewer failures never halt it."""
    approval: bool = False
    """Whether it opens only with the approvals that the fleet requires."""


class RolloutPlan(Record, frozen=True):
    """The whole plan of one rollout."""

    format: Literal[1]
    patch_id: str
    version: str
    number: PublicationNumber
    """Of the publication: the same version may be published again with another recipe."""
    manifest_sha256: str
    salt: Annotated[bytes, msgspec.Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    """Random, so that not the same PCs are the first ones each time."""
    rings: Annotated[tuple[PlannedRing, ...], msgspec.Meta(min_length=1, max_length=MAX_RINGS)]
    silent_after_seconds: Seconds
    """A PC that was not seen for so long, while its ring was open, is silent."""
    silent: Literal["go_on", "hold"] = "go_on"
    """Whether silent PCs are left out, or the ring waits for a person's word, when all others are decided."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is about."""
        return PatchRef(self.patch_id, self.version)


class RingRules:
    """The rings of a plan, parsed once, for many PCs."""

    def __init__(self, plan: RolloutPlan) -> None:
        """Take the rings of a decoded ``plan``, whose expressions are known to be readable."""
        self._salt = plan.salt
        self._rings: Sequence[tuple[Term | None, int]] = [
            (parse_expression(ring.who) if ring.who else None, ring.share * BUCKETS) for ring in plan.rings
        ]

    def ring_of(self, endpoint_id: EndpointId, facts: Facts) -> int | None:
        """Return the place of the first ring that the PC is in, from 0; None: it is in no ring."""
        scaled = bucket(self._salt, endpoint_id) * WHOLE
        for place, (who, share) in enumerate(self._rings):
            if scaled < share and (who is None or evaluate(who, facts).applies):
                return place
        return None


def bucket(salt: bytes, endpoint_id: EndpointId) -> int:
    """Return where a PC lies among `BUCKETS`: the first 8 bytes of SHA-256 of the salt and its id, big-endian."""
    return int.from_bytes(hashlib.sha256(salt + endpoint_id.encode()).digest()[:8])


def plan_digest(plan: RolloutPlan) -> bytes:
    """Return the SHA-256 of the plan as it is signed: what approvers sign."""
    return hashlib.sha256(codec.encode(plan)).digest()


def check_plan(plan: RolloutPlan) -> None:
    """Raise `DecodeError` for names, hashes or expressions that cannot be used."""
    try:
        parse_patch_id(plan.patch_id)
        parse_patch_version(plan.version)
        parse_sha256(plan.manifest_sha256)
        for ring in plan.rings:
            if not ring.name.isprintable():
                raise DecodeError("the name of a ring has a character that cannot be printed")
            if ring.who:
                parse_expression(ring.who)
    except (InvalidIdentifierError, ExpressionError) as error:
        raise DecodeError(str(error)) from error
