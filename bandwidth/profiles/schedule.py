"""Weekly windows in a site's civil time, correct across changes of the clock (`bandwidth.core.civil_time`). Pure.

A skipped hour never matches, and a stretch that starts or ends inside it starts or ends at the change.
For an hour that comes twice, `Coverage` has both readings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from bandwidth.core.civil_time import stretch_of
from bandwidth.core.quantities import MINUTES_PER_DAY
from bandwidth.profiles.model import ALWAYS, CivilTime, Day

FIRST_YEAR, LAST_YEAR = 1970, 2199  # of instants: earlier zone data are doubtful, and dates must not overflow
_WEEKDAYS = tuple(Day)[:7]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether a stretch covers an instant: by the longest reading of its two ends, and by the shortest one.

    They differ only near an hour that comes twice. A rule that restricts takes ``possibly``, one that
    permits takes ``certainly``, so the stricter result wins.
    """

    possibly: bool
    certainly: bool


def day_kind(day: date, is_holiday: Callable[[date], bool]) -> Day:
    """Return the kind of ``day``; a holiday is not its weekday as well."""
    return Day.HOLIDAY if is_holiday(day) else _WEEKDAYS[day.weekday()]


def coverage(when: CivilTime, at: datetime, zone: tzinfo, is_holiday: Callable[[date], bool]) -> Coverage:
    """Return whether ``when`` covers ``at`` (aware, `FIRST_YEAR` to `LAST_YEAR`) at a site in ``zone``."""
    if when == ALWAYS:
        return Coverage(possibly=True, certainly=True)
    instant = at.astimezone(UTC)
    today = at.astimezone(zone).date()
    minutes = (when.end_minute - when.start_minute - 1) % MINUTES_PER_DAY + 1
    possibly = certainly = False
    # yesterday's stretch may last past midnight, and a clock put back over midnight repeats yesterday
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        if not _starts_on(when, day, is_holiday):
            continue
        longest, shortest = stretch_of(day, when.start_minute, minutes, zone)
        possibly |= longest.start <= instant < longest.end
        certainly |= shortest.start <= instant < shortest.end
    return Coverage(possibly, certainly)


def _starts_on(when: CivilTime, day: date, is_holiday: Callable[[date], bool]) -> bool:
    if when.first_date is not None and day < when.first_date:
        return False
    if when.last_date is not None and day > when.last_date:
        return False
    return day_kind(day, is_holiday) in when.days
