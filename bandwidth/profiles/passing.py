"""How much passes a site's line in a stretch of time, by the profile and the line alone: nobody else uses it. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bandwidth.core.civil_time import instants_of
from bandwidth.core.frontier import HEADROOM
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import effective_limit

STEP = timedelta(minutes=5)  # as pictures of a week: rules begin and end at minutes, and an estimate is no promise
NIGHT_BEGINS, NIGHT_ENDS = time(20), time(6)
LONGEST = timedelta(days=7)  # what is not there after a week is not there by this profile


def passing_bytes(profile: Profile, site: str | None, start: datetime, end: datetime, line: BytesPerSecond) -> float:
    """Return the bytes that pass from ``start`` to ``end``, both with an offset, over a line of ``line``."""
    return sum(count for _, count in _steps(profile.for_site(site), site, start, end, line))


def there_at(
    profile: Profile, site: str | None, start: datetime, wanted_bytes: float, line: BytesPerSecond
) -> datetime | None:
    """Return when ``wanted_bytes`` have passed since ``start``, to `STEP`; None: not within `LONGEST`."""
    left = wanted_bytes
    for until, count in _steps(profile.for_site(site), site, start, start + LONGEST, line):
        left -= count
        if left <= 0:
            return until
    return None


def next_night(start: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first night by the clock of ``zone`` that ends after ``start``: from when to when, in UTC."""
    day = start.astimezone(zone).date()
    while True:
        ends = instants_of(datetime.combine(day, NIGHT_ENDS), zone)[-1].astimezone(UTC)
        if ends > start:
            begins = instants_of(datetime.combine(day - timedelta(days=1), NIGHT_BEGINS), zone)[0].astimezone(UTC)
            return begins, ends
        day += timedelta(days=1)


def _steps(
    profile: Profile, site: str | None, start: datetime, end: datetime, line: BytesPerSecond
) -> Iterator[tuple[datetime, float]]:
    """Yield the end of each step, and what passes in it."""
    at, end = start.astimezone(UTC), end.astimezone(UTC)
    while at < end:
        until = min(end, at + STEP)
        limit = effective_limit(profile, site, at, line=line, spare=line)
        rate = HEADROOM * line if limit.rate is None else min(HEADROOM * line, limit.rate)
        yield until, 0.0 if limit.blackout else rate * (until - at).total_seconds()
        at = until
