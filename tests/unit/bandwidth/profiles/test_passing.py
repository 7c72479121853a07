"""How much passes in a night, and when a file is there."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bandwidth.core.frontier import HEADROOM
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.parse import parse_profile
from bandwidth.profiles.passing import LONGEST, next_night, passing_bytes, there_at

LINE = BytesPerSecond(2_500_000)
OSLO = ZoneInfo("Europe/Oslo")
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=OSLO)
BY_NIGHT = parse_profile(
    'name = "night"\ntime_zone = "Europe/Oslo"\n[[blackout]]\nname = "day"\nfrom = "06:00"\nto = "20:00"\n',
    source="night",
)
FREE = parse_profile('name = "free"\ntime_zone = "Europe/Oslo"\n', source="free")
NEVER = parse_profile('name = "never"\ntime_zone = "Europe/Oslo"\n[[stop]]\nname = "all"\n', source="never")


def test_the_line_is_used_but_for_its_reserve() -> None:
    assert passing_bytes(FREE, None, NOON, NOON + timedelta(minutes=7), LINE) == pytest.approx(420 * HEADROOM * LINE)


def test_nothing_passes_while_the_profile_forbids_it() -> None:
    begins, ends = next_night(NOON, OSLO)
    assert (begins.astimezone(OSLO).hour, ends.astimezone(OSLO).hour) == (20, 6)
    night = passing_bytes(BY_NIGHT, None, begins, ends, LINE)
    assert night == pytest.approx(36_000 * HEADROOM * LINE)
    assert passing_bytes(BY_NIGHT, None, NOON, ends, LINE) == night
    assert passing_bytes(NEVER, None, NOON, ends, LINE) == 0


def test_a_file_is_there_after_the_night_has_begun() -> None:
    there = there_at(BY_NIGHT, None, NOON, 4e9, LINE)
    assert there is not None
    assert there.astimezone(OSLO) == datetime(2026, 6, 1, 20, 30, tzinfo=OSLO)
    assert there_at(NEVER, None, NOON, 1, LINE) is None
    assert there_at(FREE, None, NOON, LONGEST.total_seconds() * LINE, LINE) is None


def test_a_night_in_which_clocks_change_is_shorter() -> None:
    begins, ends = next_night(datetime(2026, 3, 28, 22, 0, tzinfo=OSLO), OSLO)
    assert ends - begins == timedelta(hours=9)
    assert begins < datetime(2026, 3, 28, 22, 0, tzinfo=UTC) < ends, "it is the one that has begun"
