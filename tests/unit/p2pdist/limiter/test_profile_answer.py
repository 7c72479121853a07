"""`p2pdist.limiter.profile_answer`: what a throttle profile says to a PC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bandwidth.profiles.parse import parse_profile
from p2pdist.limiter.lan_policy import ProfileAnswer
from p2pdist.limiter.profile_answer import blackout_until, profile_answer
from p2pdist.pc.network import Medium

PROFILE = parse_profile(
    """
name = "test"
time_zone = "Europe/Berlin"

[[limit]]
name = "cable"
legs = ["lan-wired"]
cap = "400 Mbit/s"

[[limit]]
name = "air"
legs = ["lan-wifi"]
cap = "40 Mbit/s"

[[limit]]
name = "tunnel"
networks = ["vpn"]
legs = ["lan-wired"]
cap = "2 Mbit/s"

[[blackout]]
name = "paid"
networks = ["metered"]

[[blackout]]
name = "closing"
days = "mon-fri"
from = "16:30"
to = "18:07"
""",
    source="test",
)
MORNING = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
CLOSING = datetime(2026, 3, 4, 16, 0, 30, tzinfo=UTC)  # 17:00 in Berlin


def test_without_a_profile_everything_is_allowed() -> None:
    assert profile_answer(None, None, MORNING, Medium.METERED) == ProfileAnswer()


@pytest.mark.parametrize(
    ("medium", "rate", "names_network"),
    [
        (Medium.WIRED, 50_000_000, False),
        (Medium.WIFI, 5_000_000, False),
        (Medium.VPN, 250_000, True),
        (Medium.METERED, 0, True),
        (Medium.UNKNOWN, 50_000_000, False),
    ],
)
def test_the_rate_is_the_mediums(medium: Medium, rate: int, names_network: bool) -> None:
    answer = profile_answer(PROFILE, "anywhere", MORNING, medium)
    assert (answer.rate, answer.names_network) == (rate, names_network)
    assert answer.blackout is answer.may_fetch is False or answer.may_fetch is not (medium is Medium.METERED)
    assert answer.rule


def test_a_blackout_forbids_fetching_too_and_ends_at_its_minute() -> None:
    answer = profile_answer(PROFILE, None, CLOSING, Medium.WIRED)
    assert (answer.blackout, answer.may_fetch, answer.rule) == (True, False, "blackout 'closing'")
    assert blackout_until(PROFILE, None, CLOSING, Medium.WIRED) == datetime(2026, 3, 4, 17, 7, tzinfo=UTC)


def test_a_blackout_s_end_is_found_where_the_clock_is_put_back() -> None:
    night = parse_profile(
        'name = "n"\ntime_zone = "Europe/Berlin"\n[[blackout]]\nfrom = "01:00"\nto = "02:30"\n', source="test"
    )
    at = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    found = blackout_until(night, None, at, Medium.WIRED)
    assert found == datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "the second time that it is half past two"


def test_a_blackout_without_an_end_has_none() -> None:
    assert blackout_until(PROFILE, None, MORNING, Medium.METERED) is None
