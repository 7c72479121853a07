"""The document of rollouts by rings: which patch is open to which ring, and who is held back. Pure.

It stands beside the rollouts (`documents.Rollouts`), which offer a patch to every PC: a reader that does not know
this document installs nothing of it. What is in both is held to what stands here.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from p2pdist.shared.identifiers import InvalidIdentifierError, PatchRef, check_relation
from p2pdist.shared.manifest.documents import MAX_REASON_CHARS, Withdrawal
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, parse_expression
from p2pdist.shared.manifest.rollout_plan import MAX_RINGS, RolloutPlan, check_plan
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document, Record

STAGED_TARGET = "rollouts/staged"
MAX_STAGED_BYTES = 2 << 20  # MAX_STAGED of some 1.5 kB with approvals, MAX_HOLDS of some 500 bytes
MAX_STAGED = 600  # rollouts at the same time: two months of 300
MAX_HOLDS = 500
MAX_APPROVALS = 5  # of one rollout: as many as a template may require
MAX_CHECKPOINT_BYTES = 1_024  # a signed note of three lines and a signature
MAX_OWNER_CHARS = 80
SIGNATURE_BYTES = 64  # Ed25519
NO_END = (1 << 40) - 1  # `Hold.until` of what was withdrawn from some PCs: it ends by a person's word alone

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON_CHARS)]
SignedSeconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
"""Seconds since 1970, UTC."""


class Approval(Record, frozen=True):
    """One person's word for a plan, by a key of their own."""

    approver: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_OWNER_CHARS)]
    """As the list of approvers has it."""
    rings: Annotated[int, msgspec.Meta(ge=1, le=MAX_RINGS)]
    """For how many rings, from the first on."""
    at: SignedSeconds
    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
    """Of `approval_bytes`."""


class StagedEntry(Record, frozen=True):
    """One rollout as it stands."""

    sequence: Annotated[int, msgspec.Meta(ge=1)]
    """As `RolloutEntry` has it; the two kinds share one order."""
    plan: RolloutPlan
    opened_at: Annotated[tuple[SignedSeconds, ...], msgspec.Meta(max_length=MAX_RINGS)]
    """When each ring was opened that is open, the first one first."""
    approvals: Annotated[tuple[Approval, ...], msgspec.Meta(max_length=MAX_APPROVALS)] = ()

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.plan.ref


class Hold(Record, frozen=True):
    """PCs that shall not install something until a day: an exception that ends by itself."""

    number: Annotated[int, msgspec.Meta(ge=1)]
    patch: Annotated[str, msgspec.Meta(max_length=129)]
    """ID or ID@VERSION; empty: every patch."""
    who: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)]
    """An expression; empty: every PC."""
    reason: Reason
    owner: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_OWNER_CHARS)]
    until: SignedSeconds
    """`NO_END`: it was withdrawn from these PCs."""


class StagedRollouts(Document, frozen=True):
    """All rollouts by rings. Signed by the online ``rollouts`` role."""

    format: Literal[1]
    entries: Annotated[tuple[StagedEntry, ...], msgspec.Meta(max_length=MAX_STAGED)] = ()
    stopped: Annotated[tuple[Withdrawal, ...], msgspec.Meta(max_length=MAX_STAGED)] = ()
    """What was open and is halted or aborted, with the reason: it explains. What stops is that it is no entry."""
    holds: Annotated[tuple[Hold, ...], msgspec.Meta(max_length=MAX_HOLDS)] = ()
    checkpoint: Annotated[bytes, msgspec.Meta(max_length=MAX_CHECKPOINT_BYTES)] = b""
    """The newest checkpoint of the audit log, a signed note (C2SP); empty: there is none."""


NOTHING_STAGED = StagedRollouts(format=1)


def approval_bytes(digest: bytes, rings: int, at: int) -> bytes:
    """Return what an approver signs: the plan's digest, for how many of its rings, and when."""
    return b"p2pdist approval 1\n" + digest + rings.to_bytes(2) + at.to_bytes(8)


def check_entries(entries: Iterable[StagedEntry]) -> None:
    """Raise `DecodeError` for a plan that is none, or with more open rings than it has."""
    for entry in entries:
        check_plan(entry.plan)
        if len(entry.opened_at) > len(entry.plan.rings):
            raise DecodeError(f"{entry.ref} has more open rings than it has rings")


def encode_staged(staged: StagedRollouts) -> bytes:
    """Return the document as a TUF target's bytes."""
    return codec.encode(staged)


def decode_staged(data: bytes) -> StagedRollouts:
    """Return a checked document. Raises `DecodeError`."""
    staged: StagedRollouts = codec.decode(data, StagedRollouts, max_bytes=MAX_STAGED_BYTES)
    check_entries(staged.entries)
    try:
        for hold in staged.holds:
            if hold.patch:
                check_relation(hold.patch)
            if hold.who:
                parse_expression(hold.who)
    except (InvalidIdentifierError, ExpressionError) as error:
        raise DecodeError(str(error)) from error
    words = [
        *(one.reason for one in staged.stopped),
        *(text for hold in staged.holds for text in (hold.reason, hold.owner)),
    ]
    if not all(text.isprintable() for text in words):
        raise DecodeError("a reason or an owner has a character that cannot be printed")
    return staged
