"""`p2pdist.shared.lazy_group`: a help text and a shell know the commands without loading them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from p2pdist.shared.console import with_language
from p2pdist.shared.lazy_group import LazyCommand, LazyGroup

MODULES = ("lazy_example", "lazy_example.told", "lazy_example.other")
COMMAND = "import click\n\n@click.command()\n@click.option('--loud')\ndef command(loud):\n    click.echo('done')\n"


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LazyGroup]:
    package = tmp_path / "lazy_example"
    package.mkdir()
    for name in ("__init__", "told", "other"):
        (package / f"{name}.py").write_text(COMMAND)
    monkeypatch.syspath_prepend(tmp_path)
    table = {
        "told": LazyCommand("told:command", "Tell something."),
        "other": LazyCommand("other:command", "Do another thing."),
    }
    group = LazyGroup("example", package="lazy_example", commands=table)
    with_language(group)
    yield group
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_help_text_loads_no_command(group: LazyGroup) -> None:
    shown = CliRunner().invoke(group, ["--help"]).output
    assert ("told   Tell something." in shown, "other  Do another thing." in shown) == (True, True)
    assert "lazy_example" not in sys.modules


def test_a_command_loads_its_own_module_alone_and_has_all_options(group: LazyGroup) -> None:
    result = CliRunner().invoke(group, ["told", "--lang", "en"])
    assert (result.output, result.exit_code) == ("done\n", 0)
    assert [name for name in MODULES if name in sys.modules] == ["lazy_example", "lazy_example.told"]
    assert group.commands["told"].short_help == "Tell something."


def test_a_shell_completes_names_without_loading_a_command(group: LazyGroup) -> None:
    environment = {"_EXAMPLE_COMPLETE": "bash_complete", "COMP_WORDS": "example o", "COMP_CWORD": "1"}
    assert CliRunner().invoke(group, [], prog_name="example", env=environment).output == "plain,other\n"
    assert "lazy_example" not in sys.modules


def test_the_table_is_all_there_is(group: LazyGroup) -> None:
    assert ("told" in group.commands, "third" in group.commands, len(group.commands)) == (True, False, 2)
    assert CliRunner().invoke(group, ["third"]).exit_code == 2
    with pytest.raises(TypeError):
        group.add_command(click.Command("third"))
