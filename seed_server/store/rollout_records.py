"""Rollouts, approvals and exceptions as the database has them, and what the engine reads of PCs. Pure."""

import array
import sys
from collections.abc import Iterable
from typing import NamedTuple

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.staged import NO_END
from p2pdist.shared.wire.codec import Record

OVER_STATES = ("complete", "aborted")  # in which nothing happens any more
FAILED_INSTALLS = ("failed", "rolled_back")


class RolloutRow(Record, frozen=True):
    """One rollout; columns as in the table `rollouts`. The plan and the progress are encoded."""

    number: int
    patch: int
    patch_id: str
    version: str
    template: str
    author: str
    note: str
    state: str
    required: int
    sequence: int
    created_at: float
    changed_at: float
    plan: bytes
    progress: bytes
    acknowledged: bytes = b""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is about."""
        return PatchRef(self.patch_id, self.version)

    @property
    def acknowledged_pcs(self) -> list[int]:
        """The numbers of the PCs whose failures do not count any more."""
        found = array.array("I")
        found.frombytes(self.acknowledged)
        if sys.byteorder == "big":
            found.byteswap()
        return found.tolist()


class ApprovalRow(Record, frozen=True):
    """One person's word for a rollout; columns as in the table `rollout_approvals`."""

    person: str
    who: str
    approver: str
    rings: int
    at: float
    signature: bytes = b""


class ExceptionRow(Record, frozen=True):
    """One exception; columns as in the table `exceptions`."""

    number: int
    patch: str
    expression: str
    reason: str
    owner: str
    made_by: str
    begins_at: float
    ends_at: float
    ended_at: float | None = None
    ended_by: str = ""

    def holds(self, now: float) -> bool:
        """Whether it holds PCs back now."""
        return self.ended_at is None and now < self.ends_at

    @property
    def is_withdrawal(self) -> bool:
        """Whether it is no exception: the patch was withdrawn from these PCs, until somebody offers it there again."""
        return self.ends_at >= NO_END


class RolloutFault(NamedTuple):
    """Why the server does not carry a rollout on: something is broken."""

    rollout: int
    """0: none is carried on."""
    since: float
    words: str


class PcRow(NamedTuple):
    """What decides of a PC in which rings it is, and whether it is silent."""

    number: int
    endpoint_id: str
    hostname: str
    site: str
    tags: tuple[str, ...]
    allowed: bool
    connected: bool
    last_seen_at: float


class PcWord(NamedTuple):
    """What a PC says of a patch, in the words of `tables`."""

    endpoint: int
    patch: int
    state: str
    install: str
    at: int
    """Seconds since `tables.REPORTED_SINCE`."""


def packed(numbers: Iterable[int]) -> bytes:
    """Return numbers of PCs as `RolloutRow.acknowledged` has them."""
    found = array.array("I", sorted(set(numbers)))
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()
