"""Configuration: a mistake names the file, the place and the nearest key."""

from typing import Annotated, Literal

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_config import MAX_PROBLEMS, parse_toml, parse_toml_partly
from p2pdist.shared.wire.codec import Record


class Line(Record, frozen=True):
    line_mbit: Annotated[float, msgspec.Meta(gt=0)] = 10.0


class Config(Record, frozen=True):
    name: str = "hq"
    web_port: int = 8443
    sites: list[Line] = msgspec.field(default_factory=list)


def mistake(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse_toml(text, Config, source="server.toml")
    assert caught.value.kind == FaultKind.BAD_INPUT
    return caught.value.message


def test_a_whole_file_becomes_a_frozen_record() -> None:
    config = parse_toml('name = "b"\n[[sites]]\nline_mbit = 20.5\n', Config, source="x")
    assert config == Config(name="b", sites=[Line(line_mbit=20.5)])
    with pytest.raises(AttributeError):
        config.name = "c"  # type: ignore[misc]


def test_an_empty_file_is_all_defaults() -> None:
    assert parse_toml("", Config, source="x") == Config()


def test_broken_toml_names_file_and_line() -> None:
    assert mistake("name = \n") == (
        "server.toml, line 1, column 8: not valid TOML: Invalid value. Correct it and try again."
    )
    assert "server.toml, line 2, column 8: not valid TOML" in mistake("\nname = = 1")
    assert "server.toml, line 3: not valid TOML" in mistake('\n\nname = """')


def test_an_unknown_key_names_the_line_and_the_nearest() -> None:
    message = mistake('name = "x"\nweb_prot = 1\n')
    assert message == "server.toml, line 2, column 1: unknown key 'web_prot'; did you mean 'web_port'?"


def test_an_unknown_key_in_a_table_is_found_too() -> None:
    words = "line 2, column 1: unknown key 'line_mbits'; did you mean 'line_mbit'?"
    assert words in mistake("[[sites]]\nline_mbits = 1.0")


def test_an_unknown_key_without_a_neighbour_lists_all() -> None:
    assert "known keys are name, sites, web_port." in mistake("zzzz = 1")
    assert "known keys are line_mbit." in mistake("[[sites]]\nzzzz = 1")


def test_the_line_is_that_of_the_key_in_its_table() -> None:
    text = "# line_mbits = 1\n[[sites]]\n[[sites]]\n'line_mbits' = 2.0"
    assert "line 4, column 1: unknown key 'line_mbits'" in mistake(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('web_port = "1"', 1, 12, "web_port: '1' is no whole number (without quotes)."),
        ("web_port = true", 1, 12, "web_port: true is no whole number (without quotes)."),
        ("[[sites]]\nline_mbit = 0", 2, 13, "sites 1, line_mbit: 0 is not over 0."),
        ("sites = [\n{ line_mbit = 1.0 },\n{ line_mbit = -1.0 }]", 3, 15, "sites 2, line_mbit: -1.0 is not over 0."),
        ("\nsites = 3", 2, 9, "sites: 3 is no list; write it in brackets: [ … ]."),
    ],
)
def test_a_wrong_value_names_its_place(text: str, line: int, column: int, words: str) -> None:
    assert mistake(text) == f"server.toml, line {line}, column {column}: {words}"


class Bounds(Record, frozen=True):
    letters: Annotated[str, msgspec.Meta(min_length=1, max_length=3)] = "a"
    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=2)] = ("a",)
    table: Annotated[dict[str, int], msgspec.Meta(min_length=1, max_length=2)] = msgspec.field(default_factory=dict)
    least: Annotated[int, msgspec.Meta(ge=1)] = 1
    most: Annotated[int, msgspec.Meta(le=9)] = 1
    under: Annotated[float, msgspec.Meta(lt=9)] = 1.0
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    colour: Literal["red", "blue"] = "red"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("letters = ''", "letters: '' has 0 characters, and needs at least 1."),
        ("letters = 'abcd'", "letters: 'abcd' has 4 characters, and may have at most 3."),
        ("names = []", "names: it has 0 values, and needs at least 1."),
        ("names = ['a', 'b', 'c']", "names: it has 3 values, and may have at most 2 values."),
        ("table = {}", "table: it has 0 keys, and needs at least 1."),
        ("table = {a = 1, b = 2, c = 3}", "table: it has 3 keys, and may have at most 2 keys."),
        ("least = 0", "least: 0 is not at least 1."),
        ("most = 10", "most: 10 is not at most 9."),
        ("under = 9", "under: 9 is not under 9."),
        ("share = 0", "share: 0 is not more than 0 and at most 1."),
        ("share = 1.5", "share: 1.5 is not more than 0 and at most 1."),
        ("share = nan", "share: nan is not more than 0 and at most 1."),
        ("colour = 3", "colour: 3 is none of blue, red."),
    ],
)
def test_a_bound_is_a_sentence_of_its_own(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_toml(text, Bounds, source="x")
    assert caught.value.message.partition(": ")[2] == words


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = "name = 1\nweb_prot = 1\nsites = [\n{ line_mbit = -1.0 }, 7]"
    assert mistake(text).splitlines() == [
        "server.toml, line 1, column 8: name: 1 is no text; put it in quotes.",
        "server.toml, line 2, column 1: unknown key 'web_prot'; did you mean 'web_port'?",
        "server.toml, line 4, column 15: sites 1, line_mbit: -1.0 is not over 0.",
        "server.toml, line 4, column 23: sites 2: 7 is no table.",
    ]


def test_what_is_right_is_read_beside_what_is_wrong() -> None:
    file, problems = parse_toml_partly('name = "x"\nweb_port = "1"\n', Config, source="x")
    assert file.value == Config(name="x")
    assert [(problem.path, problem.line, problem.column) for problem in problems] == [(("web_port",), 2, 12)]


def test_what_is_wrong_in_one_key_leaves_the_others() -> None:
    text = 'shapes = [{ shape = "circle", radius = 1 }, { shape = "?" }]\npaper = "squared"\ndrawn_at = 5\n'
    file, problems = parse_toml_partly(text, Drawing, source="x")
    assert file.value == Drawing(paper="squared")
    assert len(problems) == 2


def test_no_more_is_said_than_anybody_reads() -> None:
    _, problems = parse_toml_partly("\n".join(f"k{n} = 1" for n in range(500)), Config, source="x")
    assert len(problems) == MAX_PROBLEMS


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000 + "]" * 5_000, f"web_port = {'9' * 5_000}"])
def test_what_no_parser_takes_is_a_mistake_too(text: str) -> None:
    assert mistake(text).startswith("server.toml, line 1")


class Square(Record, frozen=True, tag_field="shape", tag="square"):
    side: int


class Circle(Record, frozen=True, tag_field="shape", tag="circle"):
    radius: int


class Drawing(Record, frozen=True):
    drawn_at: str = ""
    paper: Literal["white", "squared"] = "white"
    shapes: list[Square | Circle] = msgspec.field(default_factory=list)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('[[shapes]]\nshape = "squre"', 2, 9, "unknown shape 'squre' in shapes 1; did you mean 'square'?"),
        ('[[shapes]]\nshape = "?"', 2, 9, "unknown shape '?' in shapes 1; known ones are circle, square."),
        ('[[shapes]]\nshap = "square"', 1, 3, "shapes 1: it needs shape; known ones are circle, square."),
        (
            'paper = "squarred"',
            1,
            9,
            "unknown paper 'squarred'; did you mean 'squared'? Known ones are squared, white.",
        ),
        ('\npaper = "?"', 2, 9, "unknown paper '?'; known ones are squared, white."),
        ('[[shapes]]\nshape = "circle"\nradios = 1', 3, 1, "unknown key 'radios'; did you mean 'radius'?"),
    ],
)
def test_a_table_of_an_unknown_kind_names_the_nearest(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_toml(text, Drawing, source="x")
    assert f"x, line {line}, column {column}: {words}" in caught.value.message


@pytest.mark.parametrize("written", ["2026-12-01", "2026-12-01T10:00:00", "2026-12-01T10:00:00+01:00", "10:00:00"])
def test_times_are_texts_where_that_is_asked_for(written: str) -> None:
    text = f"drawn_at = {written}"
    assert parse_toml(text, Drawing, source="x", times_as_text=True).drawn_at == written
    with pytest.raises(UserError, match="is no text; put it in quotes"):
        parse_toml(text, Drawing, source="x")
