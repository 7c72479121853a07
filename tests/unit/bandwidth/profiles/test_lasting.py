"""A profile by which nothing is ever sent is legal, and surely not meant."""

from datetime import date

import pytest

from bandwidth.profiles.lasting import lasting_stops
from bandwidth.profiles.parse import parse_profile

HEAD = 'name = "x"\ntime_zone = "Europe/Oslo"\n'
TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("rules", "stopped"),
    [
        ("", []),
        ('[[stop]]\nname = "all"\n', ["every site"]),
        ('[[stop]]\nname = "all"\nuntil = 2026-06-03T00:00:00\n', []),
        ('[[blackout]]\nname = "day"\nfrom = "06:00"\nto = "20:00"\n', []),
        ('[[blackout]]\nname = "always"\n', ["every site"]),
        ('[[site]]\nname = "leeds"\n[[site]]\nname = "oslo"\n[[stop]]\nname = "s"\nsites = ["oslo"]\n', ["oslo"]),
    ],
)
def test_only_what_has_no_end_is_named(rules: str, stopped: list[str]) -> None:
    assert [site for site, _ in lasting_stops(parse_profile(HEAD + rules, source="x"), TODAY)] == stopped
