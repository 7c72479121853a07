"""`docs/json.md` says what `--json` prints, and what it prints is kept: scripts rely on it."""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

import click
import msgspec
import pytest

from bandwidth.commands.main import bandwidth
from bench.json_doc import (
    BEGIN,
    END,
    PAGE,
    PROGRAMS,
    SNAPSHOT,
    Row,
    broken_promises,
    keys_now,
    page_with_sections,
    rows_of,
)
from p2pdist.commands.main import p2pdist
from seed_server.commands.main import seed_server

COMMAND_LINES = {"p2pdist": p2pdist, "seed-server": seed_server, "bandwidth": bandwidth}
CASES = [(program, command) for program, commands in PROGRAMS.items() for command in commands]


def commands_with_json(command: click.Command, name: str = "") -> Iterator[str]:
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            left_out = word == getattr(command, "default", None)  # such a command is named by its group alone
            yield from commands_with_json(inner, name if left_out else f"{name} {word}".strip())
    elif any("--json" in option.opts for option in command.params):
        yield name


def test_the_page_is_made_of_what_is_printed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_sections(page) == page, "python -m bench.json_doc"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_with_json_has_a_section(program: str) -> None:
    described = {" ".join(word for word in name.split() if not word.isupper()) for name in PROGRAMS[program]}
    assert described == set(commands_with_json(COMMAND_LINES[program]))


@pytest.mark.parametrize(("program", "command"), CASES)
def test_every_key_says_what_it_is(program: str, command: str) -> None:
    rows = rows_of(PROGRAMS[program][command])
    assert rows
    assert [row.key for row in rows if not row.meaning.endswith(".")] == []
    assert len({row.key for row in rows}) == len(rows)


def test_no_key_has_gone_and_none_has_another_type() -> None:
    """New keys are welcome: `python -m bench.json_doc` writes them down, as the test of the page will say."""
    assert broken_promises(json.loads(SNAPSHOT.read_text(encoding="utf-8")), keys_now()) == []


class Inner(msgspec.Struct, frozen=True):
    size: Annotated[int, msgspec.Meta(extra={"unit": "bytes"})]
    """How large it is."""


class Outer(msgspec.Struct, frozen=True):
    """An example."""

    name: str | None
    """What it is called;
    null: nothing."""
    inner: tuple[Inner, ...]
    """What it holds. Since 0.2."""
    seconds: dict[str, float]
    """By reason."""
    parts: dict[str, Inner]
    """By name."""
    level: Literal["low", "high"] = msgspec.field(name="how", default="low")
    """How much."""
    ok: Literal[True] = True
    """It is right."""


def test_what_a_type_says_is_what_the_page_says() -> None:
    assert rows_of(list[Outer]) == [
        Row("[].name", "text or null", "", "What it is called; null: nothing.", "0.1"),
        Row("[].inner", "list of objects", "", "What it holds.", "0.2"),
        Row("[].inner[].size", "whole number", "bytes", "How large it is.", "0.1"),
        Row("[].seconds", "object of numbers", "seconds", "By reason.", "0.1"),
        Row("[].parts", "object of objects", "", "By name.", "0.1"),
        Row("[].parts.*.size", "whole number", "bytes", "How large it is.", "0.1"),
        Row("[].how", "text", "", "How much. Either `low` or `high`.", "0.1"),
        Row("[].ok", "boolean", "", "It is right. Always `true`.", "0.1"),
    ]


def test_a_key_of_several_types_is_said_once() -> None:
    class Other(msgspec.Struct, frozen=True):
        """Another example."""

        size: str
        """What it is called."""
        name: str | None
        """What it is called."""

    rows = {row.key: row.type for row in rows_of(Outer | Other)}
    assert (rows["size"], rows["name"], rows["inner[].size"]) == ("text", "text or null", "whole number")
    assert {row.key: row.type for row in rows_of(list[Inner | Other])}["[].size"] == "whole number or text"


def test_additions_are_allowed_and_changes_are_not() -> None:
    before = {"p": {"c": {"a": "text", "b": "number, seconds"}, "d": {"e": "text"}}}
    assert broken_promises(before, {"p": {**before["p"], "new": {}, "c": {**before["p"]["c"], "z": "text"}}}) == []
    assert broken_promises(before, {"p": {"c": {"a": "text or null", "b": "number, bytes"}}}) == [
        "p c: a was text, and is text or null",
        "p c: b was number, seconds, and is number, bytes",
        "p d: e was text, and is gone",
    ]


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        page_with_sections("# What\n")
    assert page_with_sections(f"{BEGIN}\n{END}").count("### `seed-server ") == len(PROGRAMS["seed-server"])
