"""Decide whether this PC is compliant, by each patch's deadline, and state it. Pure.

A patch makes the PC non-compliant when it applies, is not installed, and its deadline with grace is over. A patch
without a deadline does so when it has failed. A patch is not finished while it needs a restart: without a deadline
that makes the PC non-compliant at once. By a clock that is not believed nothing is overdue; the statement says so, and
is not one of a compliant PC. Which PCs may use the company's network is for its network access
control to decide.
"""

import math
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
    """Whether it is installed or needs nothing: it does not apply, is superseded, or has no recipe."""
    failed: bool
    first_seen_at: float
    due_at: float | None
    """Deadline plus grace; None without a deadline."""
    restart_needed: bool = False
    """Whether it is unfinished until this PC has been restarted."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done, not even a restart."""
        return self.settled and not self.restart_needed


def is_compliant(patch: PatchStanding, now: float) -> bool:
    """Return whether ``patch`` leaves this PC compliant."""
    if patch.finished:
        return True
    if patch.due_at is not None:
        return now < patch.due_at
    return not (patch.failed or patch.restart_needed)


def posture(
    endpoint_id: str,
    hostname: str,
    patches: Sequence[PatchStanding],
    problem: str,
    now: float,
    *,
    clock_believed: bool = True,
    restarts: Sequence[str] = (),
    unfinished: bool = False,
) -> PostureStatement:
    """Return the statement that is signed; ``problem``: why the list of patches may be old, else empty.

    ``restarts`` are all patches that need a restart, ``unfinished`` says whether one of them makes the PC
    non-compliant, which may be a withdrawn one.
    """
    by_now = now if clock_believed else -math.inf
    rows = [
        PosturePatch(
            id=patch.patch_id,
            version=patch.version,
            severity=patch.severity,
            state=patch.state,
            reason=patch.reason,
            compliant=is_compliant(patch, by_now),
            age_seconds=max(0, int(now - patch.first_seen_at)),
            due_at=None if patch.due_at is None else int(patch.due_at),
            overdue_seconds=_overdue_seconds(patch, by_now),
            restart_needed=patch.restart_needed,
        )
        for patch in patches
    ]
    return PostureStatement(
        format=POSTURE_FORMAT,
        endpoint_id=endpoint_id,
        hostname=hostname,
        at=int(now),
        compliant=not problem and not unfinished and all(row.compliant for row in rows),
        problem=problem,
        patches=rows,
        restarts=list(restarts),
    )


def _overdue_seconds(patch: PatchStanding, now: float) -> int:
    if patch.finished or patch.due_at is None or now < patch.due_at:
        return 0
    return int(now - patch.due_at)
