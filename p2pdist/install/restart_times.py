"""When this PC is restarted for a patch that needs it, and by whom. Pure.

A restart that is due is unfinished work: it outlives a newer version of its patch and a withdrawal. What its recipe
allows decides, by the same rules as an installation: within a window that its countdown still fits into, at any time
where there are no windows, and after deadline and grace at any hour, with a longer notice.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from p2pdist.install.lifecycle import InstallRecord
from p2pdist.install.plan import PlanMoment
from p2pdist.install.schedule import Deferrals, TimingReason, decide, schedule_of
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.fitting import FORCED_RESTART_NOTICE, RESTART_NOTICE
from p2pdist.shared.manifest.recipe import ScheduleRules


class RestartBy(enum.StrEnum):
    """Who restarts the PC: a closed list of texts for people."""

    NOBODY = "its recipe asks for no restart"
    USER = "this PC's user is asked to restart it"
    USER_ALONE = "this PC's user is asked to restart it: config.toml does not let a patch do it (may_restart)"
    DAEMON = "this PC restarts by itself"


@dataclass(frozen=True, slots=True)
class DueRestart:
    """A restart that one patch needs."""

    ref: PatchRef
    by: RestartBy
    due_at: float | None
    """Deadline with grace, in seconds since 1970; None: none."""
    notice: timedelta | None = None
    """With which notice the restart begins now; None: not now."""
    again_at: float | None = None
    """When to look again at the latest; None: somebody else restarts it, or nothing is known."""
    why: str = ""
    """Why it does not begin now, in words."""

    @property
    def is_asked(self) -> bool:
        """Whether anybody is to restart the PC: else the patch is finished without."""
        return self.by is not RestartBy.NOBODY


def due_restarts(records: Iterable[InstallRecord], moment: PlanMoment, *, may_restart: bool) -> list[DueRestart]:
    """Return the restarts that ``records`` still need; ``may_restart``: whether this PC lets patches restart it."""
    return [_due(record, moment, may_restart=may_restart) for record in records if record.restart_boot is not None]


def _due(record: InstallRecord, moment: PlanMoment, *, may_restart: bool) -> DueRestart:
    rules = record.restart_rules or ScheduleRules(reboot="ask")  # its recipe was gone before it was kept: ask at least
    schedule = replace(schedule_of(rules, moment.zone, RESTART_NOTICE), not_before=None, emergency=False)
    due_at = None if schedule.forced_at is None else schedule.forced_at.timestamp()
    by = _by(rules, may_restart=may_restart)
    if by is RestartBy.NOBODY and record.state == "unproven":
        by = RestartBy.USER  # what cannot be proven before the restart is not finished, whatever its recipe says
    if by is not RestartBy.DAEMON:
        return DueRestart(record.ref, by, due_at)
    timing = decide(schedule, Deferrals(), moment.at, moment.zone, moment.around(record, schedule))
    if not timing.install:
        again_at = None if timing.again_at is None else timing.again_at.timestamp()
        return DueRestart(record.ref, by, due_at, again_at=again_at, why=str(timing.when))
    forced = timing.when is TimingReason.OVERDUE
    return DueRestart(record.ref, by, due_at, notice=FORCED_RESTART_NOTICE if forced else RESTART_NOTICE)


def _by(rules: ScheduleRules, *, may_restart: bool) -> RestartBy:
    if rules.reboot == "never":
        return RestartBy.NOBODY
    if rules.reboot == "ask":
        return RestartBy.USER
    return RestartBy.DAEMON if may_restart else RestartBy.USER_ALONE


def is_overdue(restart: DueRestart, now: float) -> bool:
    """Return whether the PC is not compliant without it: there is no deadline with grace that is still ahead."""
    return restart.is_asked and (restart.due_at is None or now >= restart.due_at)
