"""What this PC's user is told beforehand: installations that disturb, and restarts. Pure.

An installation disturbs where its publisher lets users put it off, where it may ask for a restart, and where its
deadline is over. All others come and go unseen.
"""

from collections.abc import Iterable

from p2pdist.install.deferral import ALREADY, DeferralRefusedError, begins_from, defer
from p2pdist.install.plan import PlanMoment, PlanRow, deferrals_of, schedule_for
from p2pdist.install.restart_times import DueRestart, RestartBy
from p2pdist.local_api.install_answers import ComingInstall, ComingRestart
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest

MAX_NOTICES = 20  # nobody reads more of them


def coming_installs(rows: Iterable[PlanRow], moment: PlanMoment) -> list[ComingInstall]:
    """Return the installations that are to come, as far as order and rollouts go, and that disturb."""
    found = (_coming(row, moment) for row in rows if _disturbs(row))
    return [one for one, _ in zip((one for one in found if one is not None), range(MAX_NOTICES), strict=False)]


def _disturbs(row: PlanRow) -> bool:
    manifest, record = row.candidate.manifest, row.record
    if record is None or record.state != "waiting" or record.retry_at is not None or manifest.install is None:
        return False
    if row.settled or row.older or row.candidate.not_applicable:
        return False
    rules = manifest.schedule
    return rules.deferrals > 0 or rules.reboot != "never" or row.forced_at is not None


def _coming(row: PlanRow, moment: PlanMoment) -> ComingInstall | None:
    manifest, record = row.candidate.manifest, row.record
    assert record is not None
    schedule = schedule_for(manifest, moment.zone)
    deferrals, notice = deferrals_of(record, schedule, moment.at), moment.notice(record, schedule)
    begins = begins_from(schedule, deferrals, moment.at, moment.zone, notice)
    if begins is None or not moment.clock_believed:
        return None
    later_until, refusal = None, ""
    try:
        later = defer(schedule, deferrals, moment.at, schedule.longest_deferral, moment.zone, notice)
    except DeferralRefusedError as error:
        refusal = str(error)
    else:
        later_until = later.until.timestamp() if later.changed else None
        refusal = "" if later.changed else ALREADY if later.after.until is not None else later.note
    return ComingInstall(
        id=manifest.patch_id,
        version=manifest.version,
        title=manifest.title,
        titles=manifest.other_titles,
        begins_at=begins.timestamp() if begins > moment.at else None,
        overdue=row.forced_at is not None,
        deferred=deferrals.until is not None and moment.at < deferrals.until,
        later_until=later_until,
        later_refusal=refusal,
        may_restart=manifest.schedule.reboot != "never",
    )


def coming_restarts(due: Iterable[DueRestart], manifests: dict[PatchRef, Manifest], now: float) -> list[ComingRestart]:
    """Return the restarts that are needed and that somebody is to make."""
    return [_restart(one, manifests.get(one.ref), now) for one in due if one.is_asked][:MAX_NOTICES]


def _restart(due: DueRestart, manifest: Manifest | None, now: float) -> ComingRestart:
    at = due.again_at if due.notice is None else now + due.notice.total_seconds()
    return ComingRestart(
        id=due.ref.patch_id,
        version=due.ref.version,
        title=manifest.title if manifest else "",
        titles=manifest.other_titles if manifest else {},
        by_itself=due.by is RestartBy.DAEMON,
        begins_at=at if due.by is RestartBy.DAEMON else None,
        announced=due.notice is not None,
    )
