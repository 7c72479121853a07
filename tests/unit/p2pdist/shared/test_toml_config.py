"""Configuration: a mistake names the file, the place and the nearest key."""

from typing import Annotated

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_config import parse_toml
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
    assert "server.toml is not valid TOML" in mistake("name = \n")
    assert "line 2" in mistake("\nname = = 1")


def test_an_unknown_key_names_the_line_and_the_nearest() -> None:
    message = mistake('name = "x"\nweb_prot = 1\n')
    assert message == "server.toml, line 2: unknown key 'web_prot'; did you mean 'web_port'?"


def test_an_unknown_key_in_a_table_is_found_too() -> None:
    assert "line 2: unknown key 'line_mbits'; did you mean 'line_mbit'?" in mistake("[[sites]]\nline_mbits = 1.0")


def test_an_unknown_key_without_a_neighbour_lists_all() -> None:
    assert "known keys are line_mbit, name, sites, web_port" in mistake("zzzz = 1")


@pytest.mark.parametrize(
    ("text", "place"),
    [('web_port = "1"', "web_port"), ("web_port = true", "web_port"), ("[[sites]]\nline_mbit = 0", "line_mbit")],
)
def test_a_wrong_value_names_its_place(text: str, place: str) -> None:
    assert place in mistake(text)


class Square(Record, frozen=True, tag_field="shape", tag="square"):
    side: int


class Circle(Record, frozen=True, tag_field="shape", tag="circle"):
    radius: int


class Drawing(Record, frozen=True):
    drawn_at: str = ""
    shapes: list[Square | Circle] = msgspec.field(default_factory=list)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[shapes]]\nshape = "squre"', "x, line 2: unknown shape 'squre' in shapes[0]; did you mean 'square'?"),
        ('[[shapes]]\nshape = "?"', "x, line 2: unknown shape '?' in shapes[0]; known ones are circle, square."),
        ('[[shapes]]\nshap = "square"', "required field `shape`"),
        ('[[shapes]]\nshape = "circle"\nradios = 1', "x, line 3: unknown key 'radios'; did you mean 'radius'?"),
    ],
)
def test_a_table_of_an_unknown_kind_names_the_nearest(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_toml(text, Drawing, source="x")
    assert words in caught.value.message


@pytest.mark.parametrize("written", ["2026-12-01", "2026-12-01T10:00:00", "2026-12-01T10:00:00+01:00", "10:00:00"])
def test_times_are_texts_where_that_is_asked_for(written: str) -> None:
    text = f"drawn_at = {written}"
    assert parse_toml(text, Drawing, source="x", times_as_text=True).drawn_at == written
    with pytest.raises(UserError, match="Expected `str`"):
        parse_toml(text, Drawing, source="x")
