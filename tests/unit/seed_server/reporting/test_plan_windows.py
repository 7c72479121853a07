"""`seed_server.reporting.plan_windows`: when installations may begin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from p2pdist.shared.manifest.recipe import DebInstall, ScheduleRules
from seed_server.reporting.plan_windows import openings

MONDAY = 1_800_230_400.0
INSTALL = DebInstall(timeout_seconds=1_800)


def text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M}"


def test_a_window_is_open_for_as_long_as_an_installation_fits() -> None:
    rules = ScheduleRules(windows=("mon-fri 22:00-05:00",))
    opened, forced = openings(rules, INSTALL, None, MONDAY, ZoneInfo("Asia/Tokyo"))
    assert opened is not None
    assert forced is None
    assert [tuple(map(text, span)) for span in opened[:2]] == [
        ("01-18 13:00", "01-18 19:25"),
        ("01-19 13:00", "01-19 19:25"),
    ]


def test_what_fits_in_no_window_has_none() -> None:
    rules = ScheduleRules(windows=("mon-sun 22:00-22:20",), deadline="2027-01-25", grace_minutes=60)
    opened, forced = openings(rules, INSTALL, None, MONDAY, UTC)
    assert opened == ()
    assert forced is not None
    assert text(forced) == "01-26 00:59"


def test_without_windows_and_in_an_emergency_it_may_begin_at_any_time() -> None:
    assert openings(ScheduleRules(), INSTALL, None, MONDAY, UTC) == (None, None)
    rules = ScheduleRules(windows=("mon-fri 22:00-05:00",), emergency=True)
    assert openings(rules, INSTALL, None, MONDAY, UTC) == (None, None)
    rules = ScheduleRules(windows=("mon-fri 22:00-05:00",))
    assert openings(rules, None, None, MONDAY, UTC) == (None, None), "it is delivered only"


def test_nothing_begins_before_its_day() -> None:
    opened, _ = openings(ScheduleRules(not_before="2027-01-20T12:00"), INSTALL, None, MONDAY, UTC)
    assert opened == ((MONDAY + 2 * 86_400 + 43_200, float("inf")),)


def test_windows_that_touch_are_one() -> None:
    rules = ScheduleRules(windows=("mon-sun 00:00-12:00", "mon-sun 12:00-24:00"))
    opened, _ = openings(rules, INSTALL, None, MONDAY, UTC)
    assert opened is not None
    assert len(opened) == 1
