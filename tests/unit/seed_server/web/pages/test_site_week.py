"""`seed_server.web.pages.site_week`: the week of a site's profile, with now marked."""

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.parse import parse_profile
from p2pdist.shared import language
from seed_server.web.pages.site_week import site_week

NOW = 1_800_230_400.0  # a Monday, 00:00 UTC
PROFILE = parse_profile(
    'name = "Nights"\ntime_zone = "Asia/Tokyo"\n'
    '[[window]]\nname = "by <day>"\ndays = "mon-fri"\nfrom = "08:00"\nto = "18:00"\npercent_of_line = 10\n',
    source="nights.toml",
)


def test_now_is_by_the_site_s_clock() -> None:
    week = site_week(PROFILE, "osaka", BytesPerSecond(2_500_000), NOW)
    assert f"{week.now:%a %H:%M}" == "Mon 09:00"
    assert (week.rate, week.profile) == (250_000, "Nights")
    assert "by <day>" in week.rule
    assert "line 20 Mbit/s" in week.picture
    assert "now 09:00" in week.picture


def test_of_a_line_that_is_not_known_the_picture_says_what_is_assumed() -> None:
    assert "100 Mbit/s is assumed" in site_week(PROFILE, "osaka", None, NOW).picture


def test_in_japanese_the_days_are() -> None:
    with language.speaking("ja"):
        assert "1/18 (月)" in site_week(PROFILE, "osaka", None, NOW).picture


def test_the_picture_is_small() -> None:
    assert len(site_week(PROFILE, "osaka", None, NOW).picture) < 20_000
