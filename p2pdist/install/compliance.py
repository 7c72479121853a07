"""Whether this PC is compliant: each patch's age against its deadline. Pure.

A patch counts against the PC when it applies, is not installed, and its deadline with grace is over; or when it has
none and has failed. Who may not talk to the company's network is for network access control to decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.local_api.install_answers import PlanState, PosturePatch, PostureStatement

POSTURE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PatchStanding:
    """One patch that is rolled out to this PC. Times are seconds since 1970."""

    patch_id: str
    version: str
    severity: str
    state: PlanState
    """As `p2pdist plan` calls it."""
    reason: str
    settled: bool
    """Installed, or there is nothing to do: it does not apply, is superseded, or has no recipe."""
    failed: bool
    first_seen_at: float
    due_at: float | None
    """Deadline and grace."""


def is_compliant(patch: PatchStanding, now: float) -> bool:
    """Whether ``patch`` leaves this PC compliant."""
    if patch.settled:
        return True
    return not patch.failed if patch.due_at is None else now < patch.due_at


def posture(
    endpoint_id: str, hostname: str, patches: Sequence[PatchStanding], problem: str, now: float
) -> PostureStatement:
    """Return the statement that is signed; ``problem``: why the list of patches may be old, else empty."""
    rows = [
        PosturePatch(
            id=patch.patch_id,
            version=patch.version,
            severity=patch.severity,
            state=patch.state,
            reason=patch.reason,
            compliant=is_compliant(patch, now),
            age_seconds=max(0, int(now - patch.first_seen_at)),
            due_at=None if patch.due_at is None else int(patch.due_at),
            overdue_seconds=0 if patch.settled or patch.due_at is None else max(0, int(now - patch.due_at)),
        )
        for patch in patches
    ]
    return PostureStatement(
        format=POSTURE_FORMAT,
        endpoint_id=endpoint_id,
        hostname=hostname,
        at=int(now),
        compliant=not problem and all(row.compliant for row in rows),
        problem=problem,
        patches=rows,
    )
