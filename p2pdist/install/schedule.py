"""Decide when a patch may be installed: windows in the PC's own time, deadlines, deferrals, emergencies. Pure.

The rules, in this order: a blackout forbids everything; an emergency waits for nothing else; after deadline and
grace a patch is installed at any hour; before that, the user may defer it, and it waits for a window. Staging
(fetching and verifying) follows none of these rules: it happens before.

Arguments may be in any time zone. Results are in UTC, because within one zone Python compares and adds civil times,
which is wrong across clock changes.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from bandwidth.core.civil_time import Span, moment, stretch_of
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.manifest.windows import MaintenanceWindow, parse_window

LOOK_AHEAD_DAYS = 8  # every day of the week begins once, also after a window that crosses midnight


class TimingReason(enum.StrEnum):
    """Why now, or why not yet: a closed list of texts for people."""

    ANY_TIME = "may be installed at any time"
    WINDOW = "a maintenance window is open"
    EMERGENCY = "an emergency"
    OVERDUE = "its deadline and grace are over"
    BLACKOUT = "waits: a blackout"
    NOT_BEFORE = "waits for its release on this PC"
    DEFERRED = "waits: the user has deferred it"
    NO_WINDOW = "waits for a maintenance window"


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

    @property
    def forced_at(self) -> datetime | None:
        """The time from which neither windows nor deferrals count; None without a deadline."""
        return None if self.deadline is None else self.deadline.astimezone(UTC) + self.grace


def schedule_of(rules: ScheduleRules, zone: tzinfo) -> Schedule:
    """Return a manifest's schedule on a PC in ``zone``. ``rules`` have passed `check_schedule`.

    Release and deadline permit something. So a civil time that the clock shows twice means the later of the two, and
    one that the clock skips means the moment of the change.
    """
    return Schedule(
        windows=tuple(parse_window(text) for text in rules.windows),
        not_before=_moment(rules.not_before, zone),
        deadline=_moment(rules.deadline, zone),
        grace=timedelta(minutes=rules.grace_minutes),
        deferrals=rules.deferrals,
        longest_deferral=timedelta(minutes=rules.longest_deferral_minutes),
        emergency=rules.emergency,
    )


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    return None if text is None else moment(datetime.fromisoformat(text), zone, latest=True)


@dataclass(frozen=True, slots=True)
class Deferrals:
    """The user's deferrals of one patch so far."""

    count: int = 0
    until: datetime | None = None


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


def decide(
    schedule: Schedule, deferrals: Deferrals, now: datetime, zone: tzinfo, *, blackout_until: datetime | None = None
) -> Timing:
    """Return whether to install at ``now`` (aware). Until ``blackout_until`` nothing may be installed."""
    now = now.astimezone(UTC)
    if blackout_until is not None and now < blackout_until:
        return _wait(TimingReason.BLACKOUT, blackout_until, None)
    if schedule.emergency:
        return Timing(TimingReason.EMERGENCY)
    forced_at = schedule.forced_at
    if forced_at is not None and now >= forced_at:
        return Timing(TimingReason.OVERDUE)
    if schedule.not_before is not None and now < schedule.not_before:
        return _wait(TimingReason.NOT_BEFORE, schedule.not_before, forced_at)
    if deferrals.until is not None and now < deferrals.until:
        return _wait(TimingReason.DEFERRED, deferrals.until, forced_at)
    if not schedule.windows:
        return Timing(TimingReason.ANY_TIME)
    opens_at = next_opening(schedule.windows, now, zone)
    if opens_at <= now:
        return Timing(TimingReason.WINDOW)
    return _wait(TimingReason.NO_WINDOW, opens_at, forced_at)


def _wait(when: TimingReason, until: datetime, forced_at: datetime | None) -> Timing:
    return Timing(when, (until if forced_at is None else min(until, forced_at)).astimezone(UTC))


def next_opening(windows: Sequence[MaintenanceWindow], now: datetime, zone: tzinfo) -> datetime:
    """Return ``now`` while one of ``windows`` (not empty) is open, else the time at which the next one opens."""
    now, today = now.astimezone(UTC), now.astimezone(zone).date()
    days = [today + timedelta(days=offset) for offset in range(-1, LOOK_AHEAD_DAYS)]
    spans = [opening(window, day, zone) for window in windows for day in days if day.weekday() in window.days]
    return min(max(now, span.start) for span in spans if now < span.end)


def opening(window: MaintenanceWindow, day: date, zone: tzinfo) -> Span:
    """Return the span in which ``window`` is open when it begins on ``day``, one of its days. It is never empty.

    A window permits something. So where a clock change makes its start or end ambiguous, the shortest reading counts.
    Where a clock change leaves nothing of the window, it is open for its own length all the same: from the change, or
    from the second time at which the clock shows its start.
    """
    span = stretch_of(day, window.start_minute, window.minutes, zone).shortest
    return span if span.start < span.end else Span(span.start, span.start + timedelta(minutes=window.minutes))


class DeferralRefusedError(ValueError):
    """The user may not defer the installation. The message says why."""


def defer(schedule: Schedule, deferrals: Deferrals, now: datetime, wanted: timedelta) -> Deferrals:
    """Return the deferrals after one more of ``wanted``, shortened to what the schedule allows.

    Raises `DeferralRefusedError`.
    """
    now = now.astimezone(UTC)
    if schedule.emergency:
        raise DeferralRefusedError("An emergency cannot be deferred.")
    if deferrals.count >= schedule.deferrals:
        allowed = schedule.deferrals
        raise DeferralRefusedError(
            f"It has been deferred {deferrals.count} times, and {allowed} are allowed." if allowed else
            "It cannot be deferred."
        )  # fmt: skip
    if schedule.deadline is not None and now >= schedule.deadline:
        raise DeferralRefusedError("Its deadline is over.")
    until = now + min(max(wanted, timedelta(0)), schedule.longest_deferral)
    end = until if schedule.deadline is None else min(until, schedule.deadline).astimezone(UTC)
    return Deferrals(deferrals.count + 1, end)
