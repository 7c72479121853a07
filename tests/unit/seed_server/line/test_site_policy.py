"""`seed_server.line.site_policy`: a profile's rules as the limits of a line."""

from datetime import UTC, datetime

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.identifiers import SiteName
from seed_server.line.site_policy import site_policy
from seed_server.line.site_rate import Policy

PROFILE = """
name = "Office hours"
time_zone = "UTC"
[[site]]
name = "oslo"
line = "20 Mbit/s"
[[limit]]
name = "strict"
sensitivity = "strict"
percent_of_line = 50
[[window]]
name = "office"
days = ["mon-fri"]
from = "08:00"
to = "17:00"
cap = "2 Mbit/s"
[[blackout]]
name = "backup"
from = "02:00"
to = "03:00"
[[deadline]]
name = "Friday"
by = 2026-03-06T18:00:00Z
"""
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def policy(at: datetime, *, remaining: int = 0, capacity: int | None = None) -> Policy:
    return site_policy(
        parse_profile(PROFILE, source="p"),
        SiteName("oslo"),
        at,
        capacity=None if capacity is None else BytesPerSecond(capacity),
        spare=None,
        remaining_bytes=remaining,
    )


def test_without_a_profile_everything_is_allowed() -> None:
    assert site_policy(None, SiteName("x"), MONDAY, capacity=None, spare=None, remaining_bytes=1) == Policy()


def test_window_and_what_it_leaves_when_it_ends() -> None:
    assert policy(MONDAY).ceiling == 250_000
    assert "office" in policy(MONDAY).rule
    evening = policy(MONDAY.replace(hour=18))
    assert (evening.ceiling, evening.line) == (1_250_000, 2_500_000)
    assert evening.threshold_seconds == 0.004


def test_learned_line_that_is_slower_counts() -> None:
    assert policy(MONDAY.replace(hour=18), capacity=1_000_000).ceiling == 500_000


def test_blackout() -> None:
    night = policy(MONDAY.replace(hour=2, minute=30))
    assert (night.blackout, night.ceiling) == (True, 0)
    assert "backup" in night.rule


def test_deadline_makes_a_floor() -> None:
    late = policy(datetime(2026, 3, 6, 17, tzinfo=UTC), remaining=1_000_000_000)
    assert late.floor > 250_000
    assert "Friday" in late.floor_rule
