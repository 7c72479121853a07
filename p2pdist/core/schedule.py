"""When a patch may be installed: windows in the PC's own time, deadlines, the user's deferrals, emergencies. Pure.

In this order: a blackout forbids everything; an emergency waits for nothing else; after deadline and grace a patch
is installed at any hour; before, the user may defer it and it waits for a window. Staging (fetching and proving) is
not asked here: it happens ahead of all of this.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

MINUTES_A_DAY = 24 * 60
LOOK_AHEAD_DAYS = 8  # every day of the week begins once, also after a window that goes over midnight


class When(enum.StrEnum):
    """Why now, or why not yet: the closed list that people read."""

    ANY_TIME = "may be installed at any time"
    WINDOW = "a maintenance window is open"
    EMERGENCY = "an emergency"
    OVERDUE = "its deadline and grace are over"
    BLACKOUT = "waits: a blackout"
    NOT_BEFORE = "waits for its release on this PC"
    DEFERRED = "waits: the user has deferred it"
    NO_WINDOW = "waits for a maintenance window"


INSTALLS = frozenset({When.ANY_TIME, When.WINDOW, When.EMERGENCY, When.OVERDUE})
"""Reasons to install now."""


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A time of the day on some days of the week, in the PC's civil time; it may go over midnight."""

    days: frozenset[int]
    """0 is Monday; the day on which it opens."""
    start_minute: int
    """Since midnight."""
    minutes: int
    """How long it is open, by the clock on the wall: at most a day."""

    def __post_init__(self) -> None:
        if not (self.days and self.days <= set(range(7)) and 0 <= self.start_minute < MINUTES_A_DAY):
            raise ValueError("a window opens on days 0 to 6, within a day")
        if not 1 <= self.minutes <= MINUTES_A_DAY:
            raise ValueError("a window is open for 1 minute to 24 hours")

    def opens(self, day: date, zone: tzinfo) -> tuple[datetime, datetime] | None:
        """Return when it opens on ``day`` and when it closes; None: not on this day of the week.

        An hour that the clock leaves out or repeats shortens or lengthens it, as it does everybody's night.
        """
        if day.weekday() not in self.days:
            return None
        start = datetime.combine(day, time()) + timedelta(minutes=self.start_minute)
        end = start + timedelta(minutes=self.minutes)
        return start.replace(tzinfo=zone), end.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the publisher and the rollout ask for."""

    windows: tuple[MaintenanceWindow, ...] = ()
    """None: at any hour."""
    not_before: datetime | None = None
    deadline: datetime | None = None
    grace: timedelta = timedelta(0)
    """After the deadline, for the user to save their work: windows count still, new deferrals do not."""
    deferrals: int = 0
    """How often the user may put it off."""
    longest_deferral: timedelta = timedelta(days=1)
    emergency: bool = False

    @property
    def forced_at(self) -> datetime | None:
        """From when on neither windows nor the user count."""
        return None if self.deadline is None else self.deadline + self.grace


@dataclass(frozen=True, slots=True)
class Deferrals:
    """What the user has done so far with one patch."""

    count: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to install now; if not, when to look again at the latest (None: somebody must act first)."""

    when: When
    again_at: datetime | None = None

    @property
    def install(self) -> bool:
        """Whether to install now."""
        return self.when in INSTALLS


def decide(
    schedule: Schedule, deferrals: Deferrals, now: datetime, zone: tzinfo, *, blackout_until: datetime | None = None
) -> Decision:
    """Return whether to install at ``now`` (aware). ``blackout_until``: nothing may happen until then."""
    if blackout_until is not None and now < blackout_until:
        return Decision(When.BLACKOUT, blackout_until)
    if schedule.emergency:
        return Decision(When.EMERGENCY)
    forced_at = schedule.forced_at
    if forced_at is not None and now >= forced_at:
        return Decision(When.OVERDUE)
    if schedule.not_before is not None and now < schedule.not_before:
        return _wait(When.NOT_BEFORE, schedule.not_before, forced_at)
    if deferrals.until is not None and now < deferrals.until:
        return _wait(When.DEFERRED, deferrals.until, forced_at)
    if not schedule.windows:
        return Decision(When.ANY_TIME)
    opens_at = next_opening(schedule.windows, now, zone)
    if opens_at <= now:
        return Decision(When.WINDOW)
    return _wait(When.NO_WINDOW, opens_at, forced_at)


def _wait(when: When, until: datetime, forced_at: datetime | None) -> Decision:
    return Decision(when, until if forced_at is None else min(until, forced_at))


def next_opening(windows: Sequence[MaintenanceWindow], now: datetime, zone: tzinfo) -> datetime:
    """Return ``now`` while one of ``windows`` (not empty) is open, else when the next one opens."""
    today = now.astimezone(zone).date()
    found: list[datetime] = []
    for offset in range(-1, LOOK_AHEAD_DAYS):
        for window in windows:
            times = window.opens(today + timedelta(days=offset), zone)
            if times is not None and now < times[1]:
                found.append(max(now, times[0]))
    return min(found)


class DeferralRefusedError(ValueError):
    """The user may not put it off. The message says why."""


def defer(schedule: Schedule, deferrals: Deferrals, now: datetime, wanted: timedelta) -> Deferrals:
    """Return the deferrals after one more, of at most what the schedule allows. Raises `DeferralRefusedError`."""
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
    return Deferrals(deferrals.count + 1, until if schedule.deadline is None else min(until, schedule.deadline))
