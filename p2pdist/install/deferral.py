"""The user's deferrals of a patch: what one more of them does, and what it costs. Pure.

One deferral lasts at most as long as the recipe says, counted from its beginning. While it lasts it can be made
longer, up to that, without spending another; it can be ended, and nothing else makes it shorter. One that changes
nothing costs nothing.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from bandwidth.core.quantities import duration_in_words
from p2pdist.install.schedule import Conditions, Deferrals, Notice, Schedule, Timing, decide

MAX_LENGTHENINGS = 20  # of one deferral, by so many parts of the longest: each is a line of the history
ALREADY = "It is deferred until then already."
MAX_STEPS = 10  # from one reason to wait to the next: release, window, deadline


class DeferralRefusedError(ValueError):
    """The user may not defer the installation. The message says why."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """What became of a wish to defer."""

    after: Deferrals
    """As they are now."""
    until: datetime
    """Until when the patch waits at least."""
    changed: bool = False
    """Whether the patch waits longer for it."""
    counted: bool = False
    """Whether it has spent one of the deferrals that are allowed."""
    note: str = ""
    """What is otherwise than was wished, in a sentence; empty: nothing."""


def defer(
    schedule: Schedule,
    deferrals: Deferrals,
    now: datetime,
    wanted: timedelta,
    zone: tzinfo,
    notice: Notice,
) -> Deferral:
    """Return what a wish to defer by ``wanted`` does. Raises `DeferralRefusedError`."""
    now, wanted = now.astimezone(UTC), max(wanted, timedelta(0))
    running = deferrals.until is not None and now < deferrals.until
    latest = _latest(schedule, notice)
    if refusal := _refusal(schedule, deferrals, now, latest, running=running):
        raise DeferralRefusedError(refusal)
    begun = (deferrals.since if running else None) or now
    longest = begun + schedule.longest_deferral
    until = min(now + wanted, longest, *(() if latest is None else (latest,)))
    note = _cut(schedule, now + wanted, longest, latest)
    if running:
        assert deferrals.until is not None
        least = schedule.longest_deferral / MAX_LENGTHENINGS
        if until <= deferrals.until:
            return Deferral(deferrals, deferrals.until, note=note or ALREADY)
        if until < deferrals.until + least:
            more = duration_in_words(least.total_seconds())
            return Deferral(deferrals, deferrals.until, note=note or f"It is made longer by {more} at least.")
        return Deferral(replace(deferrals, until=until), until, changed=True, note=note)
    begins_at = begins_from(schedule, Deferrals(), now, zone, notice)
    if begins_at is None or until <= begins_at:
        return Deferral(deferrals, begins_at or until, note="It waits until then anyway; this spends no deferral.")
    return Deferral(Deferrals(deferrals.count + 1, until, now), until, changed=True, counted=True, note=note)


def _latest(schedule: Schedule, notice: Notice) -> datetime | None:
    """Return until when a deferral may last: to the deadline, or on a PC that returns after it, to its grace's end."""
    if schedule.deadline is None:
        return None
    return notice.forced_at(schedule) if notice.returned(schedule) else schedule.deadline.astimezone(UTC)


def _refusal(schedule: Schedule, deferrals: Deferrals, now: datetime, latest: datetime | None, *, running: bool) -> str:
    if schedule.emergency:
        return "An emergency cannot be deferred."
    allowed = schedule.deferrals
    if not running and deferrals.count >= allowed:
        if allowed == 1:
            return "It has been deferred once, and no more is allowed."
        used = f"It has been deferred {deferrals.count} times, and {allowed} are allowed."
        return used if allowed else "It cannot be deferred."
    return "Its deadline is over." if latest is not None and now >= latest else ""


def _cut(schedule: Schedule, asked: datetime, longest: datetime, latest: datetime | None) -> str:
    if latest is not None and latest < asked and latest <= longest:
        return "That is less than was asked for: its deadline does not allow more."
    if longest < asked:
        hours = duration_in_words(schedule.longest_deferral.total_seconds())
        return f"That is less than was asked for: one deferral lasts at most {hours}."
    return ""


def ended(deferrals: Deferrals, now: datetime) -> Deferral:
    """Return what becomes of a deferral that its user ends: the one that was spent stays spent."""
    now = now.astimezone(UTC)
    if deferrals.until is None or deferrals.until <= now:
        return Deferral(deferrals, now, note="It is not deferred.")
    return Deferral(replace(deferrals, until=now), now, changed=True)


def begins_from(
    schedule: Schedule, deferrals: Deferrals, now: datetime, zone: tzinfo, notice: Notice
) -> datetime | None:
    """Return when the patch is installed if nobody does anything; None: not by itself."""
    at, around = now, Conditions(notice=notice)
    for _ in range(MAX_STEPS):
        timing: Timing = decide(schedule, deferrals, at, zone, around)
        if timing.install:
            return at
        if timing.again_at is None:
            return None
        at = timing.again_at
    return None
