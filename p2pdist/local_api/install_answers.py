"""What the daemon answers of what becomes of patches here: `plan`, `history`, `posture`, and its word on orders. Pure.

As all of its answers (see `messages`): a newer daemon's may have more in them.
"""

from typing import Literal, TypeAlias

import msgspec

PlanState: TypeAlias = Literal[
    "not_applicable", "waiting", "installing", "installed", "rolled_back", "failed", "delivered"
]
"""`InstallState`, and for a patch of which nothing is installed: delivered once its file is here, waiting before."""

# --- p2pdist plan, history, posture ---------------------------------------------------


class PlanPatch(msgspec.Struct, frozen=True):
    """One patch in the plan."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    title: str
    """What it is, in words; may be empty."""
    severity: str
    """low, medium, high or critical, as published."""
    state: PlanState
    """What has become of it."""
    step: str
    """What comes next, in words from a closed list: to be installed, waits, not needed, blocked."""
    reason: str
    """Why, in words."""
    again_at: float | None
    """When the reason is over at the latest, in seconds since 1970; null: nobody knows."""
    due_at: float | None
    """Its deadline with grace, in seconds since 1970; null: none."""
    emergency: bool
    """Whether it is published as one: it goes before all others."""
    deferrals_used: int
    """How often this PC's user has put it off."""
    deferrals_allowed: int
    """How often that is allowed."""
    restart_needed: bool
    """Whether this PC has to be restarted for it."""


class PlanAnswer(msgspec.Struct, frozen=True):
    """`p2pdist plan`."""

    problem: str
    """Why nothing can be installed, in words; empty while it can."""
    patches: list[PlanPatch]
    """In the order of installation."""


class HistoryStep(msgspec.Struct, frozen=True):
    """One step that was taken."""

    at: float
    """When, in seconds since 1970."""
    id: str
    """The patch's id."""
    version: str
    """Its version."""
    decision: int
    """Number of the decision to install or to roll back that it belongs to."""
    what: str
    """What happened, in words."""
    output: str
    """The end of what an installer wrote; may be empty."""


class HistoryAnswer(msgspec.Struct, frozen=True):
    """`p2pdist history`."""

    history: list[HistoryStep]
    """The newest last."""


class PosturePatch(msgspec.Struct, frozen=True):
    """One patch's age against its deadline."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    severity: str
    """low, medium, high or critical, as published."""
    state: PlanState
    """What has become of it."""
    reason: str
    """Why, in words."""
    compliant: bool
    """Whether it leaves this PC compliant."""
    age_seconds: int
    """Since this PC saw it first, in seconds."""
    due_at: int | None
    """Its deadline with grace, in seconds since 1970; null: none."""
    overdue_seconds: int
    """How long its deadline is over, in seconds; 0: it is not, or nothing is left to be done."""


class PostureStatement(msgspec.Struct, frozen=True):
    """What is signed; ``format`` changes where a reader would have to."""

    format: int
    """Of the statement: 1."""
    endpoint_id: str
    """Who this PC is."""
    hostname: str
    """What it calls itself."""
    at: int
    """When this was said, in seconds since 1970."""
    compliant: bool
    """Whether all patches leave it compliant, and the list of them is new and read."""
    problem: str
    """Why the list of patches may be old, in words; empty: it is not."""
    patches: list[PosturePatch]
    """Every patch that is rolled out to this PC."""


class PostureAnswer(msgspec.Struct, frozen=True):
    """`p2pdist posture`."""

    posture: PostureStatement
    """The statement."""
    jws: str
    """The same, signed with this PC's key: a compact JWS with its certificate (x5c)."""


# --- p2pdist defer, rollback, retry ---------------------------------------------------


class Deferred(msgspec.Struct, frozen=True):
    """`p2pdist defer`."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    until: float
    """Until when it waits, in seconds since 1970."""
    deferrals_left: int
    """How often it can be put off again."""


class Accepted(msgspec.Struct, frozen=True):
    """`p2pdist rollback` and `p2pdist retry`: it will be done."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
