"""Weekly windows in a site's civil time, right across changes of the clock; zones come from `zoneinfo`. Pure.

A stretch of civil time is laid on the line of instants: where the clock is put forward, an hour that is
skipped has no instants, so it never matches, and a stretch that starts or ends inside it starts or ends at
the change. Where the clock is put back, an hour comes twice (PEP 495), and `Coverage` tells both readings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from bandwidth.profiles.model import ALWAYS, CivilTime, Day

FIRST_YEAR, LAST_YEAR = 1970, 2199  # of instants: zone data before are doubtful, and dates must not overflow
_WEEKDAYS = tuple(Day)[:7]
_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether a stretch holds at an instant: by the longest reading of its two ends, and by the shortest one.

    They differ only beside an hour that comes twice. A rule that restricts takes ``possibly``, one that
    permits takes ``certainly``: so the stricter result wins.
    """

    possibly: bool
    certainly: bool


@lru_cache(maxsize=16_384)
def instants_of(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first and the last instant (UTC) at which ``zone``'s clocks show ``wall`` (naive).

    They are the same but for a time that comes twice. For a skipped time both are the change of the clock.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    last = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= last:
        return first, last
    before, after = last, first  # PEP 495: in a gap, fold=1 is the earlier instant
    while after - before > _ONE_SECOND:
        middle = before + (after - before) // _ONE_SECOND // 2 * _ONE_SECOND
        if middle.astimezone(zone).replace(tzinfo=None) >= wall:
            after = middle
        else:
            before = middle
    return after, after


def is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """Return whether ``zone``'s clocks never show ``wall`` (naive)."""
    return instants_of(wall, zone)[0].astimezone(zone).replace(tzinfo=None) != wall


def moment(value: datetime, zone: ZoneInfo, *, latest: bool) -> datetime:
    """Return ``value`` as an instant (UTC); without an offset it is civil time, and ``latest`` chooses among two."""
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    return instants_of(value, zone)[latest]


def day_kind(day: date, is_holiday: Callable[[date], bool]) -> Day:
    """Return the kind of ``day``: a holiday is nothing else."""
    return Day.HOLIDAY if is_holiday(day) else _WEEKDAYS[day.weekday()]


def coverage(when: CivilTime, at: datetime, zone: ZoneInfo, is_holiday: Callable[[date], bool]) -> Coverage:
    """Return whether ``when`` holds at ``at`` (aware, `FIRST_YEAR` to `LAST_YEAR`) at a site in ``zone``."""
    if when == ALWAYS:
        return Coverage(possibly=True, certainly=True)
    instant = at.astimezone(UTC)
    today = at.astimezone(zone).date()
    possibly = certainly = False
    # yesterday's stretch may reach over midnight, and a clock put back over midnight brings back yesterday
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        if not _starts_on(when, day, is_holiday):
            continue
        starts = instants_of(_wall(day, when.start_minute), zone)
        ends = instants_of(_wall(day + timedelta(days=when.end_minute <= when.start_minute), when.end_minute), zone)
        possibly |= starts[0] <= instant < ends[1]
        certainly |= starts[1] <= instant < ends[0]
    return Coverage(possibly, certainly)


def _starts_on(when: CivilTime, day: date, is_holiday: Callable[[date], bool]) -> bool:
    if when.first_date is not None and day < when.first_date:
        return False
    if when.last_date is not None and day > when.last_date:
        return False
    return day_kind(day, is_holiday) in when.days


def _wall(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)
