"""Civil time as instants: one law for all times that people write by the clock on the wall. Pure.

Where the clock is put forward, the skipped times have no instants of their own: each means that of the change. Where it
is put back, a time comes twice (PEP 495), and both instants are returned: a rule that restricts takes the longer
reading of a stretch, one that permits the shorter. Results are in UTC, because Python's arithmetic on two times of
one zone ignores changes of the clock. A zone is any `tzinfo`; the zones of `zoneinfo` know changes of the clock.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

_ONE_SECOND = timedelta(seconds=1)


class Span(NamedTuple):
    """From ``start`` to before ``end``, instants in UTC. It is empty if the end is at or before the start."""

    start: datetime
    end: datetime


class Stretch(NamedTuple):
    """The time between two readings of the clock on the wall. The spans differ only near an hour that comes twice."""

    longest: Span
    """From the first reading of its start to the last one of its end."""
    shortest: Span
    """From the last reading of its start to the first one of its end."""


@lru_cache(maxsize=16_384)
def instants_of(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first and the last instant (UTC) at which ``zone``'s clocks show ``wall`` (naive).

    They are the same, except for a time that comes twice. For a skipped time both are the change of the clock.
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


def is_skipped(wall: datetime, zone: tzinfo) -> bool:
    """Return whether ``zone``'s clocks never show ``wall`` (naive)."""
    return instants_of(wall, zone)[0].astimezone(zone).replace(tzinfo=None) != wall


def moment(value: datetime, zone: tzinfo, *, latest: bool) -> datetime:
    """Return ``value`` as an instant (UTC). Without an offset it is civil time; of two instants ``latest`` chooses."""
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    return instants_of(value, zone)[latest]


def stretch_of(day: date, start_minute: int, minutes: int, zone: tzinfo) -> Stretch:
    """Return the stretch of ``minutes``, by the clock on the wall, that begins ``start_minute`` after midnight."""
    start = datetime.combine(day, time()) + timedelta(minutes=start_minute)
    starts, ends = instants_of(start, zone), instants_of(start + timedelta(minutes=minutes), zone)
    return Stretch(Span(starts[0], ends[1]), Span(starts[1], ends[0]))
