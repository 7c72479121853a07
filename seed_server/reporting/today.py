"""What needs a person today, and how the fleet stands: from the same queries as the commands. Blocking; only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import UserError
from seed_server.fleet.actor import Actor, person_of
from seed_server.fleet.approvals_in_force import plan_reach
from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.overview import FleetHead, PatchProgress, progress_of, read_head
from seed_server.fleet.permissions import may
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_documents import BrokenRollout
from seed_server.fleet.rollout_queries import ListedRollout, list_rollouts
from seed_server.reporting.compliance import Compliance, read_compliance
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.priority_queries import RankedPatch, read_unbegun
from seed_server.store.follow_up_rows import OldFollowUps
from seed_server.store.rows import HarmPauseRow
from seed_server.store.site_health import SiteTrouble

if TYPE_CHECKING:
    from seed_server.store.database import Database

FOLLOW_UP_DAYS = 14  # since somebody took care of a PC that lacks a patch still: it is time to look again
MOST_OF_A_KIND = 5  # of each kind of thing: what is more, its own page has
MOST_UNBEGUN = 20  # of patches that nobody has begun: to judge one takes milliseconds, in a large company
STOPPED = frozenset({RolloutState.HELD, RolloutState.PAUSED, RolloutState.HALTED})
"""They wait for a person's word."""
URGENT = frozenset({"immediate", "out-of-cycle"})


@dataclass(frozen=True)
class TodayRollout:
    """A rollout that is not over."""

    listed: ListedRollout
    progress: PatchProgress | None
    """How its PCs stand; None: it is none of those that are counted."""

    @property
    def state(self) -> RolloutState:
        """How it stands."""
        return self.listed.kept.progress.state


@dataclass(frozen=True)
class Today:
    """One look at all of it."""

    now: float
    head: FleetHead
    stopped: Sequence[TodayRollout]
    """Rollouts that wait for a person's word, or that are broken."""
    running: Sequence[TodayRollout]
    broken: Sequence[BrokenRollout]
    urgent: Sequence[RankedPatch]
    """Patches that come first and that nobody has begun to roll out."""
    due: OldFollowUps
    """What was to be done about PCs, and was not for `FOLLOW_UP_DAYS`."""
    paused: Sequence[tuple[str, HarmPauseRow]]
    """Sites where leasing pauses now."""
    troubled: Sequence[SiteTrouble]

    @property
    def is_calm(self) -> bool:
        """Whether nothing needs a person; who is to approve something, `approvals_of` says."""
        wanted = (self.head.problems, self.stopped, self.broken, self.urgent)
        return not any(wanted) and not self.due.pcs and not self.head.repository_problem

    def approvals_of(self, actor: Actor) -> list[TodayRollout]:
        """Return the rollouts that wait for approval, and that ``actor`` can approve and has not."""
        return [one for one in self.running if one.state is RolloutState.UNAPPROVED and _can_approve(one, actor)]


def read_today(context: Context) -> Today:
    """Return what needs a person. Raises `UserError`."""
    now = context.clock.now()
    listed, broken = list_rollouts(context, live=True)
    with context.database() as database:
        head = read_head(context, database)
        rollouts = _with_progress(database, head, listed, now)
        due = database.follow_ups_before(now - FOLLOW_UP_DAYS * DAY_SECONDS)
        at_work = database.sites_at_work(now) if head.serving else {}
        troubled = database.troubled_sites(MOST_OF_A_KIND) if head.serving else []
    stopped = [one for one in rollouts if one.state in STOPPED or one.listed.fault is not None]
    return Today(
        now=now,
        head=head,
        stopped=stopped,
        running=[one for one in rollouts if one.state in {RolloutState.RUNNING, RolloutState.UNAPPROVED}],
        broken=broken,
        urgent=context.lately("urgent", lambda: _urgent(context), RECENTLY_SECONDS),
        due=due,
        paused=[(site, pause) for site, pause in sorted(at_work.items()) if pause is not None],
        troubled=troubled,
    )


def read_today_compliance(context: Context) -> Compliance:
    """Return how large a part is done, as the page of today has it: now, or up to `RECENTLY_SECONDS` ago.

    Raises `UserError`.
    """
    return context.lately("compliance", lambda: read_compliance(context, kev=kev_dates(context)), RECENTLY_SECONDS)


def _with_progress(
    database: "Database", head: FleetHead, listed: Sequence[ListedRollout], now: float
) -> list[TodayRollout]:
    counted = listed[: 2 * MOST_OF_A_KIND]
    refs = {one.kept.plan.ref for one in counted}
    heads = [patch for patch in (*head.patches, *head.history) if patch.ref in refs]
    progress = {one.patch.ref: one for one in progress_of(database, head, heads, now)} if heads else {}
    return [TodayRollout(one, progress.get(one.kept.plan.ref) if one in counted else None) for one in listed]


def _can_approve(one: TodayRollout, actor: Actor) -> bool:
    kept = one.listed.kept
    if may(actor, "approve", plan_reach(kept.plan)) is not None:
        return False
    return actor.person not in {person_of(kept.row.author), *(row.person for row in kept.approvals)}


def _urgent(context: Context) -> list[RankedPatch]:
    try:
        found = read_unbegun(context, MOST_UNBEGUN)
    except UserError:  # a table that cannot be used: `priority` says so
        return []
    return [one for one in found if one.decision.leaf.priority in URGENT]
