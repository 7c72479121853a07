"""Maintenance windows and throttle profiles follow one law of civil time, in any zone, beside any change of a clock."""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bandwidth.core.civil_time import Span, is_skipped, stretch_of
from bandwidth.core.quantities import MINUTES_PER_DAY
from bandwidth.profiles.model import CivilTime as ProfileWhen
from bandwidth.profiles.model import Day
from bandwidth.profiles.schedule import coverage
from p2pdist.install.schedule import next_opening, opening
from p2pdist.shared.manifest.fitting import longest_opening
from p2pdist.shared.manifest.windows import MaintenanceWindow

FIRST_DAY, LAST_DAY = date(2008, 1, 1), date(2030, 12, 31)
MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
ZONES: tuple[tzinfo, ...] = (
    *(
        ZoneInfo(name)
        for name in (
            "Europe/Oslo", "America/New_York", "America/St_Johns", "America/Havana", "America/Asuncion",
            "America/Nuuk", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Kolkata", "Atlantic/Azores",
            "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "UTC",
        )
    ),
    timezone(timedelta(hours=5, minutes=45)),
    timezone(-timedelta(hours=3, minutes=30)),
)  # fmt: skip


def offset(at: datetime, zone: tzinfo) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def is_within(at: datetime, span: Span) -> bool:
    return span.start <= at < span.end


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@lru_cache
def changes(zone: tzinfo) -> tuple[date, ...]:
    """Return the days (UTC) on which the clock changes; at least one day, so that there is something to draw."""
    days = [FIRST_DAY + n * A_DAY for n in range((LAST_DAY - FIRST_DAY).days)]
    found = [day for day in days if offset(midnight(day), zone) != offset(midnight(day + A_DAY), zone)]
    return tuple(found) or (FIRST_DAY,)


@st.composite
def days_in_zones(draw: st.DrawFn) -> tuple[date, tzinfo]:
    """Draw a zone and a day, mostly beside a change of its clock."""
    zone = draw(st.sampled_from(ZONES))
    beside = st.sampled_from(changes(zone)).flatmap(lambda day: st.integers(-2, 2).map(lambda n: day + n * A_DAY))
    return draw(beside | beside | st.dates(FIRST_DAY, LAST_DAY)), zone


STARTS = st.integers(0, MINUTES_PER_DAY - 1) | st.integers(0, 239)
LENGTHS = st.integers(1, MINUTES_PER_DAY) | st.integers(1, 180)


@settings(max_examples=300)
@given(days_in_zones(), STARTS, LENGTHS)
def test_a_window_opens_and_closes_when_the_clock_says_so(
    place: tuple[date, tzinfo], start_minute: int, minutes: int
) -> None:
    day, zone = place
    opens, closes = opening(MaintenanceWindow(frozenset(range(7)), start_minute, minutes), day, zone)
    starts = datetime.combine(day, time()) + start_minute * MINUTE
    ends, length = starts + minutes * MINUTE, minutes * MINUTE

    assert opens.tzinfo is closes.tzinfo is UTC
    assert closes - opens >= MINUTE, "it is never empty"
    shown = opens.astimezone(zone).replace(tzinfo=None)
    assert shown == starts or (shown > starts and is_skipped(starts, zone)), "the first minute that exists"
    closing = closes.astimezone(zone).replace(tzinfo=None)
    assert closing >= ends or closes - opens == length, "the first minute that exists, or its own length"
    inside = (opens + n * MINUTE for n in range(1, (closes - opens) // MINUTE))
    assert not any(at.astimezone(zone).replace(tzinfo=None) in (starts, ends) for at in inside), "the shorter reading"

    before, after = offset(opens - A_DAY, zone), offset(closes + A_DAY, zone)
    if before == after == offset(opens, zone) == offset(closes, zone):
        assert (opens, closes) == (starts.replace(tzinfo=UTC) - before, ends.replace(tzinfo=UTC) - before)
    skipped = max(timedelta(0), offset(closes, zone) - offset(opens - MINUTE, zone))
    repeated = max(timedelta(0), offset(opens - MINUTE, zone) - offset(closes, zone))
    assert length - skipped <= closes - opens <= length + repeated


@settings(max_examples=300)
@given(days_in_zones(), st.frozensets(st.integers(0, 6), min_size=1), STARTS, LENGTHS, st.integers(-1_440, 2_880))
def test_windows_and_profiles_agree_on_every_minute(
    place: tuple[date, tzinfo], days: frozenset[int], start_minute: int, minutes: int, minute: int
) -> None:
    """Both permit as long as both readings agree; a window of which nothing is left opens all the same."""
    day, zone = place
    at = midnight(day) + minute * MINUTE
    window = MaintenanceWindow(days, start_minute, minutes)
    end_minute = (start_minute + minutes - 1) % MINUTES_PER_DAY + 1
    kinds = frozenset(tuple(Day)[n] for n in days)
    permitted = coverage(ProfileWhen(kinds, start_minute, end_minute), at, zone, lambda _: False).certainly
    is_open = next_opening([window], at, zone) == at
    assert is_open or not permitted
    if is_open and not permitted:
        near = [day + n * A_DAY for n in range(-4, 5) if (day + n * A_DAY).weekday() in days]
        open_now = [near_day for near_day in near if is_within(at, opening(window, near_day, zone))]
        shortest = [stretch_of(near_day, start_minute, minutes, zone).shortest for near_day in open_now]
        assert shortest
        assert all(span.end <= span.start for span in shortest), "nothing was left of it"


@settings(max_examples=300)
@given(days_in_zones(), st.frozensets(st.integers(0, 6), min_size=1), STARTS, LENGTHS, st.integers(0, 1_439))
def test_the_next_opening_is_the_next(
    place: tuple[date, tzinfo], days: frozenset[int], start_minute: int, minutes: int, minute: int
) -> None:
    day, zone = place
    now = midnight(day) + minute * MINUTE
    window = MaintenanceWindow(days, start_minute, minutes)
    opens_at = next_opening([window], now, zone)
    assert opens_at is not None
    assert now <= opens_at <= now + 9 * A_DAY
    assert next_opening([window], opens_at, zone) == opens_at, "it is open then"
    assume(opens_at > now)
    assert next_opening([window], opens_at - MINUTE, zone) == opens_at, "and not before"
    in_zone = now.astimezone(zone)
    assert next_opening([window], in_zone, zone) == opens_at, "in whichever zone it is asked"


@settings(max_examples=300)
@given(
    days_in_zones(),
    st.lists(st.tuples(st.frozensets(st.integers(0, 6), min_size=1), STARTS, LENGTHS), min_size=1, max_size=3),
    st.integers(0, 1_439),
    st.integers(1, 300),
)
def test_what_begins_in_a_window_has_all_the_time_that_it_needs(
    place: tuple[date, tzinfo], windows: list[tuple[frozenset[int], int, int]], minute: int, needs: int
) -> None:
    day, zone = place
    now = midnight(day) + minute * MINUTE
    made = [MaintenanceWindow(*window) for window in windows]
    begins = next_opening(made, now, zone, needs * MINUTE)
    if begins is None:
        assert longest_opening(made) < (needs + MINUTES_PER_DAY) * MINUTE, "a change takes no more than a day"
        return
    assert all(next_opening(made, begins + n * MINUTE, zone) == begins + n * MINUTE for n in range(needs))
    assume(begins > now)
    before = begins - MINUTE
    is_open = [next_opening(made, before + n * MINUTE, zone) == before + n * MINUTE for n in range(needs)]
    assert not all(is_open), "and not a minute before"


@given(
    st.lists(st.tuples(st.frozensets(st.integers(0, 6), min_size=1), STARTS, LENGTHS), min_size=1, max_size=3),
    st.integers(1, 3_000),
)
def test_what_fits_into_the_windows_on_paper_fits_on_a_pc_whose_clock_is_never_changed(
    windows: list[tuple[frozenset[int], int, int]], needs: int
) -> None:
    made = [MaintenanceWindow(*window) for window in windows]
    fits = next_opening(made, midnight(FIRST_DAY), UTC, needs * MINUTE) is not None
    assert fits is (needs * MINUTE <= longest_opening(made))
