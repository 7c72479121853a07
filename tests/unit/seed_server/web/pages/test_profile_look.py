"""`seed_server.web.pages.profile_look`: faults with their places, weeks within bounds, moments, differences."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bandwidth.profiles.model import Profile
from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.signing.profiles import profile_in_text
from seed_server.web.pages import profile_look
from seed_server.web.pages.profile_look import (
    MAX_COMPARED_LINES,
    MAX_DIFFERENCE_LINES,
    MAX_SHOWN_LINE_CHARS,
    DifferenceLine,
    ExcerptLine,
    TextFault,
    differing_lines,
    fault_in,
    limit_at,
    typed_moment,
    week_about,
)

HEAD = 'name = "p"\ntime_zone = "Europe/Berlin"\n'
NOW = datetime(2026, 6, 3, 10, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def fault(text: str) -> TextFault:
    with pytest.raises(UserError) as caught:
        profile_in_text(text, "oslo", source="oslo.toml")
    return fault_in(text, caught.value)


def rules(text: str) -> Profile:
    return parse_profile(HEAD + text, source="p")


def test_the_line_to_blame_stands_between_its_neighbours() -> None:
    found = fault(f'{HEAD}[[limit]]\n  cap = "x" # why\n\n# end')
    assert (found.line, found.column) == (4, 3)
    assert found.excerpt == (
        ExcerptLine(2, 'time_zone = "Europe/Berlin"'),
        ExcerptLine(3, "[[limit]]"),
        ExcerptLine(4, "  ", "cap", ' = "x" # why'),
        ExcerptLine(5, ""),
        ExcerptLine(6, "# end"),
    )


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("name = \r\n", " "),  # the line's end
        ("name", "name"),
        ("名前 = 1\n", "名前"),
        (f"a = {'[' * 5_000}", f"a = {'[' * (MAX_SHOWN_LINE_CHARS - 4)}…"),  # all of the line
        (f"{HEAD}{'x' * 1_000} = 1", f"{'x' * MAX_SHOWN_LINE_CHARS}…"),
    ],
)
def test_what_is_marked(text: str, marked: str) -> None:
    found = fault(text)
    assert [line.marked for line in found.excerpt if line.number == found.line] == [marked]


def test_of_a_long_line_what_is_about_the_fault_is_shown() -> None:
    found = fault(f"{HEAD}limit = [{{ name = '{'n' * 900}', cpa = 1 }}]\n")
    [line] = [line for line in found.excerpt if line.number == found.line]
    assert (line.before[0], line.marked) == ("…", "cpa")
    assert len(line.before) == MAX_SHOWN_LINE_CHARS // 2 + 1


def test_a_fault_without_a_place() -> None:
    found = fault(f'{HEAD}[[site]]\nname = "bergen"\n')
    assert (found.line, found.excerpt) == (None, ())
    assert "oslo.toml has no [[site]] 'oslo'" in found.words


def test_a_week_is_that_of_the_moment_by_the_site_s_clock() -> None:
    found = week_about(
        rules('line = "8 Mbit/s"'), "oslo", None, datetime(2026, 6, 7, 22, 30, tzinfo=UTC), NOW.timestamp()
    )
    assert str(found.week.first_day) == "2026-06-08"  # there it is Monday
    assert (found.line, found.assumed, f"{found.now:%H:%M}") == (1_000_000, False, "12:07")
    assert week_about(rules(""), "oslo", None, NOW, NOW.timestamp()).assumed


def test_the_most_rules_that_are_drawn_and_one_more() -> None:
    most = profile_look.MAX_WEEK_READS // 7  # looks at one moment a day
    limit = '[[limit]]\ncap = "1 Mbit/s"\n'
    week_about(rules(limit * min(most, 200)), "oslo", None, NOW, NOW.timestamp())
    with pytest.raises(UserError, match=f"has {most + 1} rules .* too many to be drawn here") as caught:
        week_about(rules(limit * (most + 1)), "oslo", None, NOW, NOW.timestamp())
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_rules_of_other_sites_do_not_count() -> None:
    other = (
        '[[site]]\nname = "oslo"\n[[site]]\nname = "bergen"\n'
        + '[[limit]]\nsites = ["bergen"]\ncap = "1 Mbit/s"\n' * 5_000
    )
    assert week_about(rules(other), "oslo", None, NOW, NOW.timestamp()).week.rates == (None,)


@pytest.mark.parametrize(
    ("typed", "instants"),
    [
        ("2026-06-03T12:07", ["2026-06-03T10:07"]),
        ("2026-06-03T12:07+09:00", ["2026-06-03T03:07"]),
        (" 2026-10-25 02:30 ", ["2026-10-25T00:30", "2026-10-25T01:30"]),
    ],
)
def test_a_typed_moment_is_by_the_site_s_clock(typed: str, instants: list[str]) -> None:
    assert [f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" for at in typed_moment(typed, BERLIN)] == instants


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("noon", "not a date and time"),
        ("2026-03-29T02:30", "does not exist"),
        ("9999-01-01T00:00", "year 9999"),
        ("", "not a date"),
    ],
)
def test_what_is_no_moment(typed: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        typed_moment(typed, BERLIN)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_in_an_hour_that_comes_twice_the_stricter_holds() -> None:
    stop = rules("[[stop]]\nsince = 2026-10-25T01:00:00Z\n")
    found = limit_at(stop, "oslo", typed_moment("2026-10-25T02:30", BERLIN), None)
    assert (found.ambiguous, found.limit.rate, f"{found.at:%H:%M %Z}") == (True, 0, "02:30 CET")


def test_what_differs_is_told_line_by_line() -> None:
    assert differing_lines("a\nb\nc\nd\n", "a\nb\nx\nd\n") == (
        DifferenceLine("@", ""),
        DifferenceLine(" ", "b"),
        DifferenceLine("-", "c"),
        DifferenceLine("+", "x"),
        DifferenceLine(" ", "d"),
    )
    assert differing_lines("a\n", "a\n") == ()


def test_texts_are_compared_up_to_a_length() -> None:
    assert differing_lines("", "x\n" * MAX_COMPARED_LINES) is not None
    assert differing_lines("", "x\n" * (MAX_COMPARED_LINES + 1)) is None
    long = differing_lines("", "".join(f"{number}\n" for number in range(MAX_COMPARED_LINES)))
    assert long is not None
    assert len(long) == MAX_DIFFERENCE_LINES
