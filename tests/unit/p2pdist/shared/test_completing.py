"""`p2pdist.shared.completing`: a shell gets names that it can take, soon, or none."""

import threading
from typing import Any

import click
import pytest
from click.shell_completion import CompletionItem

from p2pdist.shared.completing import MOST_COMPLETIONS, MOST_HELP_CHARS, completed_by


def completions(find, typed: str = "", **options: Any) -> list[CompletionItem]:
    command = click.Command("one", params=[click.Argument(["name"])])
    return completed_by(find, **options)(click.Context(command), command.params[0], typed)


def values(found: list[CompletionItem]) -> list[str]:
    return [item.value for item in found]


def test_names_that_begin_as_what_is_typed_are_completed() -> None:
    found = completions(lambda _context, _typed: [("office", "Office 1.2"), ("acme", "Acme")], "of")
    assert [(item.value, item.help) for item in found] == [("office", "Office 1.2")]


def test_nothing_is_said_where_nothing_can_be_read() -> None:
    def broken(_context: click.Context, _typed: str) -> list[tuple[str, str]]:
        raise PermissionError("/srv/patches")

    assert completions(broken) == []


def test_a_shell_does_not_wait_for_what_hangs() -> None:
    hangs = threading.Event()

    def slow(_context: click.Context, _typed: str) -> list[tuple[str, str]]:
        hangs.wait(10)
        return [("office", "")]

    assert completions(slow, most_seconds=0.01) == []
    hangs.set()


@pytest.mark.parametrize(
    "name", ["$(reboot)", "a b", "a;b", "a\nb", "`x`", "--force", "a'b", "", "a|b", "a>b", "~", "!x"]
)
def test_what_a_shell_would_obey_is_not_completed(name: str) -> None:
    assert completions(lambda _context, _typed: [(name, "")]) == []


def test_a_name_in_another_script_is_completed() -> None:
    assert values(completions(lambda _context, _typed: [("東京", "")], "東")) == ["東京"]


def test_no_more_are_given_than_a_person_reads_and_each_in_one_line() -> None:
    found = completions(lambda _context, _typed: [(f"pc{number}", "a\nb\x1b[2J" + 100 * "c") for number in range(300)])
    assert len(found) == MOST_COMPLETIONS
    assert len(found[0].help or "") == MOST_HELP_CHARS
    assert (found[0].help or "").isprintable()


def test_files_are_completed_where_a_name_or_a_file_is_wanted() -> None:
    found = completions(lambda _context, _typed: [("rings", "")], "ri", or_files=True)
    assert [(item.type, item.value) for item in found] == [("file", "ri"), ("plain", "rings")]
