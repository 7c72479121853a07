"""Decide when a patch may be installed: windows in the PC's own time, deadlines, deferrals, emergencies. Pure.

The rules, in this order: a blackout forbids everything; an emergency waits for nothing else; by a clock that is not
believed nothing opens and nothing is overdue; after deadline and grace a patch is installed at any hour; before that,
the user may defer it (`deferral`), and it waits for a window that is open for long enough. Staging (fetching and
verifying) follows none of these rules: it happens before.

Arguments may be in any time zone. Results are in UTC, because within one zone Python compares and adds civil times,
which is wrong across clock changes.
"""

import enum
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from bandwidth.core.civil_time import Span, moment, stretch_of
from p2pdist.shared.manifest.recipe import ScheduleRules, end_of_day
from p2pdist.shared.manifest.windows import MaintenanceWindow, parse_window

LOOK_AHEAD_DAYS = 16  # every day of the week twice: in one week, a clock change may leave too little of a window
START_NOTICE = timedelta(minutes=15)  # of the grace, after each start: to save one's work, or to defer
RETURNED_AFTER = timedelta(minutes=5)  # a PC that is on notices within a minute that a deadline is over


class TimingReason(enum.StrEnum):
    """Why now, or why not yet: a closed list of texts for people."""

    ANY_TIME = "may be installed at any time"
    WINDOW = "a maintenance window is open"
    EMERGENCY = "an emergency"
    OVERDUE = "its deadline and grace are over"
    BLACKOUT = "waits: a blackout"
    CLOCK = "waits: this PC's clock cannot be believed"
    NOT_BEFORE = "waits for its release on this PC"
    DEFERRED = "waits: the user has deferred it"
    NO_WINDOW = "waits for a maintenance window"
    TOO_SHORT = "waits: what is left of its maintenance window is too short"
    FITS_NOWHERE = "waits for its deadline: it fits in none of its maintenance windows"
    FITS_NEVER = "is never begun: it fits in none of its maintenance windows, and has no deadline"


INSTALLS = frozenset({TimingReason.ANY_TIME, TimingReason.WINDOW, TimingReason.EMERGENCY, TimingReason.OVERDUE})
"""Reasons to install now."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times that the publisher and the rollout ask for."""

    windows: tuple[MaintenanceWindow, ...] = ()
    """Empty: at any hour."""
    not_before: datetime | None = None
    deadline: datetime | None = None
    grace: timedelta = timedelta(0)
    """Time after the deadline for users to save their work. Windows still count in it; new deferrals are refused."""
    deferrals: int = 0
    """How often the user may defer the installation."""
    longest_deferral: timedelta = timedelta(days=1)
    emergency: bool = False
    needs: timedelta = timedelta(0)
    """How long it may take once it has begun: it begins only where that is left of a window."""

    @property
    def forced_at(self) -> datetime | None:
        """The time from which neither windows nor deferrals count on a PC that is on; None without a deadline."""
        return None if self.deadline is None else self.deadline.astimezone(UTC) + self.grace


@dataclass(frozen=True, slots=True)
class Notice:
    """Since when this PC's user can know that a patch is due."""

    overdue_since: datetime | None = None
    """When this PC first saw the deadline over: later than the deadline for one that was off; None: not said."""
    seen_since: datetime | None = None
    """When it first saw the patch since its last start; None: not said."""

    def returned(self, schedule: Schedule) -> bool:
        """Return whether the PC was off, or did not know the patch, when the deadline passed."""
        deadline, since = schedule.deadline, self.overdue_since
        return deadline is not None and since is not None and since > deadline.astimezone(UTC) + RETURNED_AFTER

    def forced_at(self, schedule: Schedule) -> datetime | None:
        """Return the time from which neither windows nor deferrals count here; None without a deadline.

        Grace runs from the later of the deadline and the moment at which the PC first saw it over. Nights when it is
        off count, else one that is on for an hour a day would put off a day's grace for weeks; but each start gives
        back `START_NOTICE` of it.
        """
        if schedule.deadline is None:
            return None
        deadline = schedule.deadline.astimezone(UTC)
        forced = max(deadline, self.overdue_since or deadline) + schedule.grace
        return forced if self.seen_since is None else max(forced, self.seen_since + min(schedule.grace, START_NOTICE))


@functools.lru_cache(maxsize=2_000)  # MAX_ROLLOUT_ENTRIES: the plan asks for each patch, several times a second
def schedule_of(rules: ScheduleRules, zone: tzinfo, needs: timedelta = timedelta(0)) -> Schedule:
    """Return a manifest's schedule on a PC in ``zone``. ``rules`` have passed `check_schedule`.

    Release and deadline permit something. So a civil time that the clock shows twice means the later of the two, and
    one that the clock skips means the moment of the change. A date alone is a release at its beginning, and a deadline
    at its last second, as people mean it.
    """
    return Schedule(
        windows=tuple(parse_window(text) for text in rules.windows),
        not_before=_moment(rules.not_before, zone),
        deadline=_moment(rules.deadline and end_of_day(rules.deadline), zone),
        grace=timedelta(minutes=rules.grace_minutes),
        deferrals=rules.deferrals,
        longest_deferral=timedelta(minutes=rules.longest_deferral_minutes),
        emergency=rules.emergency,
        needs=needs,
    )


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    return None if text is None else moment(datetime.fromisoformat(text), zone, latest=True)


@dataclass(frozen=True, slots=True)
class Deferrals:
    """The user's deferrals of one patch so far."""

    count: int = 0
    until: datetime | None = None
    since: datetime | None = None
    """When the last one began; None: not known."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Whether to install now; if not, ``again_at`` says when to decide again at the latest.

    It is None when somebody must act first.
    """

    when: TimingReason
    again_at: datetime | None = None

    @property
    def install(self) -> bool:
        """Whether to install now."""
        return self.when in INSTALLS


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds on this PC beside the hour."""

    blackout_until: datetime | None = None
    """Until when nothing may be installed; None: no blackout."""
    notice: Notice = Notice()
    clock_believed: bool = True


def decide(
    schedule: Schedule, deferrals: Deferrals, now: datetime, zone: tzinfo, around: Conditions = Conditions()
) -> Timing:
    """Return whether to install at ``now`` (aware)."""
    now = now.astimezone(UTC)
    blackout_until = around.blackout_until
    if blackout_until is not None and now < blackout_until:
        return _wait(TimingReason.BLACKOUT, blackout_until, None)
    if schedule.emergency:
        return Timing(TimingReason.EMERGENCY)
    if not around.clock_believed and (schedule.windows or schedule.not_before or deferrals.until):
        return Timing(TimingReason.CLOCK)
    if not around.clock_believed:
        return Timing(TimingReason.ANY_TIME)
    return _by_the_hour(schedule, deferrals, now, zone, around.notice.forced_at(schedule))


def _by_the_hour(
    schedule: Schedule, deferrals: Deferrals, now: datetime, zone: tzinfo, forced_at: datetime | None
) -> Timing:
    if forced_at is not None and now >= forced_at:
        return Timing(TimingReason.OVERDUE)
    if schedule.not_before is not None and now < schedule.not_before:
        return _wait(TimingReason.NOT_BEFORE, schedule.not_before, forced_at)
    if deferrals.until is not None and now < deferrals.until:
        return _wait(TimingReason.DEFERRED, deferrals.until, forced_at)
    if not schedule.windows:
        return Timing(TimingReason.ANY_TIME)
    begins_at = next_opening(schedule.windows, now, zone, schedule.needs)
    if begins_at is None:
        return Timing(TimingReason.FITS_NEVER if forced_at is None else TimingReason.FITS_NOWHERE, forced_at)
    if begins_at <= now:
        return Timing(TimingReason.WINDOW)
    is_open = next_opening(schedule.windows, now, zone) == now
    return _wait(TimingReason.TOO_SHORT if is_open else TimingReason.NO_WINDOW, begins_at, forced_at)


def _wait(when: TimingReason, until: datetime, forced_at: datetime | None) -> Timing:
    return Timing(when, (until if forced_at is None else min(until, forced_at)).astimezone(UTC))


def next_opening(
    windows: Sequence[MaintenanceWindow], now: datetime, zone: tzinfo, needs: timedelta = timedelta(0)
) -> datetime | None:
    """Return the first time from ``now`` on at which ``windows`` (not empty) are open for ``needs``; None: never.

    It is ``now`` while they are. Windows that touch or overlap are one.
    """
    now, today = now.astimezone(UTC), now.astimezone(zone).date()
    days = [today + timedelta(days=offset) for offset in range(-1, LOOK_AHEAD_DAYS)]
    spans = [opening(window, day, zone) for window in windows for day in days if day.weekday() in window.days]
    for span in joined(spans):
        begins = max(now, span.start)
        if begins < span.end and begins + needs <= span.end:
            return begins
    return None


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same times as spans that neither touch nor overlap, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def opening(window: MaintenanceWindow, day: date, zone: tzinfo) -> Span:
    """Return the span in which ``window`` is open when it begins on ``day``, one of its days. It is never empty.

    A window permits something. So where a clock change makes its start or end ambiguous, the shortest reading counts.
    Where a clock change leaves nothing of the window, it is open for its own length all the same: from the change, or
    from the second time at which the clock shows its start.
    """
    span = stretch_of(day, window.start_minute, window.minutes, zone).shortest
    return span if span.start < span.end else Span(span.start, span.start + timedelta(minutes=window.minutes))
