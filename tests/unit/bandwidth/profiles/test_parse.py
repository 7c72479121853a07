from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.profiles.model import (
    ALWAYS,
    EVERY_DAY,
    CivilTime,
    Day,
    Leg,
    NetworkKind,
    Profile,
    Sensitivity,
    YearlyDate,
)
from bandwidth.profiles.parse import MAX_CHARACTERS, TABLE_KEYS, TOP_KEYS, ProfileError, parse_profile
from bandwidth.profiles.shipped import NAMES, shipped_text
from tests.helpers.profile_toml import to_toml

HEAD = 'name = "p"\ntime_zone = "UTC"\n'  # two lines: what follows starts in line 3


def parse(text: str) -> Profile:
    return parse_profile(HEAD + text, source="p.toml")


def problem(text: str) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"p.toml:{caught.value.line}: ")
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_is_good_and_survives_a_round_trip(name: str) -> None:
    profile = parse_profile(shipped_text(name), source=name)
    assert profile.name == name
    assert parse_profile(to_toml(profile), source=name) == profile


def test_a_window_in_full() -> None:
    (window,) = parse(
        """
[[site]]
name = "leeds"
groups = ["branches"]
[[window]]
name = "night"
groups = ["branches"]
networks = ["vpn", "metered"]
days = ["sat-mon", "holiday"]
from = 22:00:00
to = "06:30"
first_date = 2026-01-01
last_date = "2026-12-31"
cap = "1.5 Mbit/s"
percent_of_line = 12.5
percent_of_spare = 100
sensitivity = "relaxed"
"""
    ).windows
    assert window.when == CivilTime(
        frozenset((Day.SAT, Day.SUN, Day.MON, Day.HOLIDAY)), 22 * 60, 6 * 60 + 30, date(2026, 1, 1), date(2026, 12, 31)
    )
    assert (window.limits.cap, window.limits.percent_of_line, window.limits.percent_of_spare) == (187_500, 12.5, 100)
    assert window.limits.sensitivity is Sensitivity.RELAXED
    assert (window.scope.groups, window.scope.networks) == (("branches",), (NetworkKind.VPN, NetworkKind.METERED))
    assert window.scope.legs == (Leg.LINE,)


def test_a_blackout_is_for_every_leg_and_always_unless_it_says_less() -> None:
    (blackout,) = parse("[[blackout]]").blackouts
    assert (blackout.name, blackout.when, blackout.scope.legs) == ("blackout 1", ALWAYS, tuple(Leg))
    assert blackout.when.days == EVERY_DAY


def test_holidays_and_moments() -> None:
    profile = parse(
        '[[holiday]]\ndate = "02-29"\n[[holiday]]\ndate = 2026-12-28\n[[deadline]]\nby = 2026-06-01T08:00:00\n'
        '[[boost]]\nuntil = "2026-06-01T08:00:00Z"\nrate = "8 B/s"\n'
    )
    assert [holiday.on for holiday in profile.holidays] == [YearlyDate(2, 29), date(2026, 12, 28)]
    assert profile.deadlines[0].by == datetime.fromisoformat("2026-06-01T08:00")
    assert profile.boosts[0].until == datetime(2026, 6, 1, 8, tzinfo=UTC)
    assert profile.boosts[0].rate == 8


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("8 bit/s", 1),
        ("15 bit/s", 1),
        ("1 kbit/s", 125),
        ("20 Mbit/s", 2_500_000),
        ("2.5Mbit/s", 312_500),
        ("1 Gbit/s", 125_000_000),
        ("1.5 MB/s", 1_500_000),
        ("3 kB/s", 3_000),
        ("0.1 GB/s", 100_000_000),
    ],
)
def test_rates(text: str, bytes_per_second: int) -> None:
    assert parse(f'line = "{text}"').line == bytes_per_second


@pytest.mark.parametrize(
    ("text", "line", "key", "told"),
    [
        ("tiem_zone = 1", 3, "tiem_zone", "nearest valid key is 'time_zone'"),
        ("[[windwo]]", 3, "windwo", "nearest valid key is 'window'"),
        ("\n[[limit]]\nname = 'x'\npercent_of_lin = 3", 6, "percent_of_lin", "nearest valid key is 'percent_of_line'"),
        ("limit = [{ cap = '1 B/s' }, { cpa = 1 }]", 3, "cpa", "nearest valid key is 'cap'"),
        ("limit = [\n{ cap = '1 B/s' },\n{\tcap = 'x' }]", 5, "cap", "not a rate"),
        ("[limit]\ncap = '1 B/s'", 3, "limit", "write [[limit]]"),
        ("[[limit]]\ncap = '1 Mb/s'", 4, "cap", "the nearest is 'Mbit/s'"),
        ("[[limit]]\ncap = 20", 4, "cap", '"20 Mbit/s"'),
        ("[[limit]]\ncap = '0 B/s'", 4, "cap", "[[blackout]]"),
        ("[[limit]]\ncap = '2000 Gbit/s'", 4, "cap", "1000 Gbit/s"),
        ("[[limit]]\npercent_of_line = 0", 4, "percent_of_line", "0.01 to 100"),
        ("[[limit]]\npercent_of_line = nan", 4, "percent_of_line", "0.01 to 100"),
        ("[[limit]]\npercent_of_line = true", 4, "percent_of_line", "0.01 to 100"),
        ("[[limit]]\nname = 'empty'", 3, "limit", "limits nothing"),
        ("[[limit]]\nlegs = ['lan-wifi']\npercent_of_line = 3", 5, "percent_of_line", "for the line"),
        ("[[limit]]\nlegs = ['lan-wfi']\ncap = '1 B/s'", 4, "legs", "the nearest is 'lan-wifi'"),
        ("[[limit]]\nmin_rate = '1 B/s'", 4, "min_rate", "[[business_hours]]"),
        ("[[limit]]\nsensitivity = 'srict'\ncap = '1 B/s'", 4, "sensitivity", "the nearest is 'strict'"),
        ("[[limit]]\nsites = []\ncap = '1 B/s'", 4, "sites", "not a list of names"),
        ("[[window]]\ncap = '1 B/s'", 3, "window", "always open"),
        ("[[blackout]]\nfrom = '08:00'\nto = '08:00'", 5, "to", "the same"),
        ("[[blackout]]\nfrom = '24:00'", 4, "from", '"00:00"'),
        ("[[blackout]]\nto = '24:01'", 4, "to", "not a time of day"),
        ("[[blackout]]\nto = 08:00:30", 4, "to", "not a time of day"),
        ("[[blackout]]\ndays = 'mon-fry'", 4, "days", "the nearest is 'fri'"),
        ("[[blackout]]\ndays = 'weekdayz'", 4, "days", "the nearest is 'weekdays'"),
        ("[[blackout]]\ndays = []", 4, "days", "empty list"),
        ("[[blackout]]\nfirst_date = 2026-02-01\nlast_date = 2026-01-01", 5, "last_date", "before"),
        ("[[blackout]]\nfirst_date = 1066-10-14", 4, "first_date", "year 1066"),
        ("[[holiday]]\ndate = '02-30'", 4, "date", "in no year"),
        ("[[holiday]]\nname = 'x'", 3, "date", "needs the key 'date'"),
        ("[[boost]]\nrate = '1 B/s'", 3, "until", "needs the key 'until'"),
        ("[[boost]]\nrate = '1 B/s'\nuntil = 2026-01-01T00:00:00\nforce = 1", 6, "force", "neither true nor false"),
        (
            "[[boost]]\nrate = '1 B/s'\nsince = 2026-01-02T00:00:00\nuntil = 2026-01-01T00:00:00",
            6,
            "until",
            "not after",
        ),
        ("[[deadline]]\nby = 2026-01-01", 4, "by", "not a date and time"),
        ("[[site]]\nname = 'a'\ntime_zone = 'Europe/Berlim'", 5, "time_zone", "the nearest is 'Europe/Berlin'"),
        ("[[site]]\nname = 'a'\ntime_zone = 'Europe'", 5, "time_zone", "no time zone"),
        ("[[site]]\nname = 'a'\n[[site]]\nname = 'a'", 6, "name", "second"),
        ("[[site]]\nname = 'leeds'\n[[stop]]\nsites = [\n'leeds',\n'leed']", 8, "sites", "the nearest is 'leeds'"),
        ("[[stop]]\ngroups = ['g']", 4, "groups", "none at all"),
        ("a = ", 3, "", "not valid TOML"),
        ("[[site]]\nname = 'a'\nname = 'b'", 5, "", "not valid TOML"),
        (f"a = {'9' * 5000}", 1, "", "cannot be read"),
        (f"a = {'[' * 5000}", 1, "", "too deeply"),
    ],
)
def test_an_error_names_line_key_and_what_to_do(text: str, line: int, key: str, told: str) -> None:
    error = problem(text)
    assert (error.line, error.key) == (line, key)
    assert told in error.message


@pytest.mark.parametrize(
    ("text", "column", "signs"),
    [
        ("  tiem_zone = 1", 3, "tiem_zone"),
        ("limit = [{ cap = '1 B/s' }, { cpa = 1 }]", 31, "cpa"),
        ("[[limit]]\n\tcap = '1 Mb/s'", 2, "cap"),
        ("名前 = 1", 1, "名前"),
        ("'名前' = x", 8, "x"),  # of what is no TOML, the sign that was not expected
        (f"a = {'9' * 5000}", None, ""),
        (f"a = {'[' * 5000}", None, ""),
    ],
)
def test_an_error_names_the_column(text: str, column: int | None, signs: str) -> None:
    error = problem(text)
    assert error.column == column
    if column is not None:
        assert (HEAD + text).splitlines()[error.line - 1][column - 1 :].startswith(signs)


def test_a_missing_name_is_told() -> None:
    with pytest.raises(ProfileError, match=r"^f:1: the profile needs the key 'name'"):
        parse_profile("", source="f")


def test_the_largest_text_and_one_over() -> None:
    padding = "#" * (MAX_CHARACTERS - len(HEAD))
    assert parse(padding).name == "p"
    assert "more than" in problem(padding + "#").message


def attempt(text: str) -> tuple[Profile | None, ProfileError | None]:
    try:
        return parse_profile(text, source="fuzz.toml"), None
    except ProfileError as error:
        return None, error


WORDS = [
    *TOP_KEYS,
    *TABLE_KEYS,
    *(f"[[{table}]]" for table in TABLE_KEYS),
    *{key for keys in TABLE_KEYS.values() for key in keys},
]
VALUES = [
    "= 1",
    '= "x"',
    "= true",
    "= []",
    '= ["mon-fri"]',
    '= "20 Mbit/s"',
    "= 2026-01-01",
    "= 2026-01-01T00:00:00",
    "= 50.5",
    "= {}",
]
LINES = st.tuples(st.sampled_from(WORDS), st.sampled_from([*VALUES, ""])).map(" ".join) | st.text(max_size=12)


@given(
    st.one_of(
        st.text(),
        st.lists(LINES, max_size=12).map("\n".join),
        st.lists(LINES, max_size=12).map(lambda x: HEAD + "\n".join(x)),
    )
)
def test_any_text_is_a_profile_or_an_error_with_file_and_line(text: str) -> None:
    profile, error = attempt(text)
    if error is not None:
        assert error.file == "fuzz.toml"
        assert 1 <= error.line <= len(text.splitlines()) + 1
        assert str(error).startswith(f"fuzz.toml:{error.line}: ")
    else:
        assert profile is not None
        assert parse_profile(to_toml(profile), source="again") == profile


@given(st.data())
def test_a_shipped_profile_with_a_broken_place(data: st.DataObject) -> None:
    text = shipped_text(data.draw(st.sampled_from(NAMES)))
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 8))
    _, error = attempt(text[:at] + data.draw(st.text(max_size=4)) + text[at + length :])
    assert error is None or 1 <= error.line <= len(text.splitlines()) + 5
