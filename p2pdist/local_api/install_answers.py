"""The daemon's answers on what becomes of patches here: `plan`, `history`, `posture`, and to orders. Pure.

As all answers (see `messages`), those of a newer daemon may have more keys.
"""

from typing import Literal, TypeAlias

import msgspec

from p2pdist.shared.json_units import Count, UnixSeconds, WholeSeconds, WholeUnixSeconds

PlanState: TypeAlias = Literal[
    "not_applicable", "waiting", "installing", "unproven", "restart_pending", "installed", "retrying", "rolled_back",
    "failed", "delivered",
]  # fmt: skip
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
    """low, medium, high or critical."""
    state: PlanState
    """What has become of it."""
    step: str
    """What comes next, in words from a closed list: to be installed, waits, not needed, blocked."""
    reason: str
    """Why, in words."""
    again_at: UnixSeconds | None
    """When the reason is over at the latest; null: not known."""
    due_at: UnixSeconds | None
    """Its deadline with grace; null: none."""
    emergency: bool
    """Whether it is published as an emergency: it goes before all others."""
    deferrals_used: Count
    """How often this PC's user has put it off."""
    deferrals_allowed: Count
    """How often putting it off is allowed."""
    restart_needed: bool
    """Whether this PC has to be restarted for it."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; empty: it has none. Since 0.3."""


class PlanRestart(msgspec.Struct, frozen=True):
    """A restart of this PC that a patch still needs."""

    id: str
    """The patch's id; it may have been withdrawn meanwhile."""
    version: str
    """Its version."""
    by: str
    """Who restarts this PC, in words from a closed list."""
    why: str
    """What a restart by itself waits for, in words; empty: nothing."""
    again_at: UnixSeconds | None
    """When that is over at the latest; null: not known."""
    due_at: UnixSeconds | None
    """The patch's deadline with grace; null: none."""
    title: str = ""
    """What the patch is, in words; may be empty, as where it was withdrawn. Since 0.3."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; empty: it has none. Since 0.3."""


class PlanAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be installed, in which order, and what each patch waits for."""

    problem: str
    """Why nothing can be installed, in words; empty while it can."""
    patches: list[PlanPatch]
    """In the order of installation."""
    restarts: list[PlanRestart] = []
    """The restarts that are still needed; left out: none."""


class HistoryStep(msgspec.Struct, frozen=True):
    """One step that was taken."""

    at: UnixSeconds
    """When it was taken."""
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
    """The steps that were taken on this PC."""

    history: list[HistoryStep]
    """The newest last."""


class PosturePatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One patch's age against its deadline."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    severity: str
    """low, medium, high or critical."""
    state: PlanState
    """What has become of it."""
    reason: str
    """Why, in words."""
    compliant: bool
    """Whether it leaves this PC compliant."""
    age_seconds: WholeSeconds
    """Since this PC saw it first."""
    due_at: WholeUnixSeconds | None
    """Its deadline with grace; null: none."""
    overdue_seconds: WholeSeconds
    """How long ago its deadline passed; 0: it has not, or nothing is left to be done."""
    restart_needed: bool = False
    """Whether it is unfinished until this PC has been restarted; left out: it is not."""


class PostureStatement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The statement that is signed; ``format`` changes when its readers have to change."""

    format: int
    """The format of the statement: 1."""
    endpoint_id: str
    """This PC's id, derived from its key."""
    hostname: str
    """Its host name."""
    at: WholeUnixSeconds
    """When this statement was made."""
    compliant: bool
    """Whether all patches leave it compliant, and the list of patches is fresh and could be read."""
    problem: str
    """Why the list of patches may be old, in words; empty: it is not."""
    patches: list[PosturePatch]
    """Every patch that is rolled out to this PC."""
    nonce: str = ""
    """The nonce that was asked for; left out: none."""
    restarts: list[str] = []
    """ID@VERSION of the patches that are unfinished until this PC is restarted, withdrawn ones too; left out: none."""
    audience: str = ""
    """Whom the statement is for; left out: for everybody."""


class PostureAnswer(msgspec.Struct, frozen=True):
    """Whether this PC is compliant, signed."""

    posture: PostureStatement
    """The statement."""
    jws: str
    """The same, signed with this PC's key: a compact JWS with its certificate (x5c)."""


# --- p2pdist agent --------------------------------------------------------------------


class ComingInstall(msgspec.Struct, frozen=True):
    """An installation that this PC's user is to know of beforehand."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    title: str
    """What it is, in words; may be empty."""
    titles: dict[str, str]
    """The title in other languages, by their codes."""
    begins_at: UnixSeconds | None
    """When it begins if nobody does anything; null: at once, or as soon as its file is here."""
    overdue: bool
    """Whether its deadline is over."""
    deferred: bool
    """Whether a deferral lasts: ending that lets it begin earlier."""
    later_until: UnixSeconds | None
    """Until when it can be put off now; null: it cannot, or that would change nothing."""
    later_refusal: str
    """Why it cannot be put off, in words; empty: it can."""
    may_restart: bool
    """Whether its recipe may ask for a restart of this PC."""


class ComingRestart(msgspec.Struct, frozen=True):
    """A restart that this PC's user is to know of beforehand."""

    id: str
    """The patch's id; it may have been withdrawn meanwhile."""
    version: str
    """Its version."""
    title: str
    """What the patch is, in words; may be empty."""
    titles: dict[str, str]
    """The title in other languages, by their codes."""
    by_itself: bool
    """Whether this PC restarts by itself; else its user is asked to."""
    begins_at: UnixSeconds | None
    """When it restarts by itself; null: not known, or not by itself."""
    announced: bool
    """Whether the restart is announced: within minutes."""


class NoticesAnswer(msgspec.Struct, frozen=True):
    """What the session agent tells the user; nothing while nothing disturbs."""

    installs: list[ComingInstall]
    """In the order of installation."""
    restarts: list[ComingRestart]
    """The restarts that are needed."""


# --- p2pdist defer, rollback, retry ---------------------------------------------------


class Deferred(msgspec.Struct, frozen=True, omit_defaults=True):
    """The patch has been put off."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    until: UnixSeconds
    """Until when it waits."""
    deferrals_left: Count
    """How often it can be put off again."""
    counted: bool = True
    """Whether one deferral was spent: not for making one longer that lasts, nor for one that changes
    nothing; left out: one was."""
    note: str = ""
    """What is otherwise than was asked for, in words; left out: nothing."""
    title: str = ""
    """What it is, in words; left out: it has no title. Since 0.3."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; left out: it has none. Since 0.3."""


class Accepted(msgspec.Struct, frozen=True):
    """It will be done; `p2pdist history` and `p2pdist plan` show how it goes."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
