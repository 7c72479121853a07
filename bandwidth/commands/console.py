"""What the subcommands of `bandwidth` share: exit codes, errors for people, JSON, colour."""

import enum
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
import msgspec
from rich.console import Console, ConsoleDimensions
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

PIPE_WIDTH = 10_000  # tables in a pipe are as wide as what is in them: nothing is wrapped or cut


class ExitCode(enum.IntEnum):
    """Exit codes of `bandwidth`, a part of those in the README."""

    OK = 0
    FAILED = 1
    """The command ran, but did not achieve its purpose."""
    USAGE = 2
    """The command line itself is wrong."""
    BAD_INPUT = 7
    """A file or value given by the user is not acceptable."""


class Failure(msgspec.Struct, frozen=True):
    """What has failed."""

    kind: str
    """The name of the exit code in small letters, such as bad_input."""
    message: str
    """What happened and what to do."""
    exit_code: int
    """The exit code that the command ends with."""


class FailureAnswer(msgspec.Struct, frozen=True):
    """What a command prints on standard output instead of its answer, when ``--json`` was given and it fails."""

    error: Failure
    """What has failed."""


class CommandError(click.ClickException):
    """A failure with a cause that a person can act on; one or two sentences: what happened, then what to do."""

    exit_code = ExitCode.FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it on standard error, and on standard output as a document where ``--json`` was given."""
        if "--json" in sys.argv:
            kind = ExitCode(self.exit_code).name.lower()
            print_json(FailureAnswer(Failure(kind, self.format_message(), int(self.exit_code))))
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class InputError(CommandError):
    """A file or value given by the user is not acceptable."""

    exit_code = ExitCode.BAD_INPUT


def terminal() -> Console:
    """Return a console for standard output; rich itself respects NO_COLOR and pipes."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        console = Console(highlight=False, markup=False, emoji=False)
        if console.is_dumb_terminal:  # rich takes it for one of 80 columns
            console.size = ConsoleDimensions(*shutil.get_terminal_size())
        return console
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=PIPE_WIDTH)


def plain_table(*columns: str, gap: int = 2) -> Table:
    """Return a table without lines; its columns take numbers, right-aligned, but for the first."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    return table


@contextmanager
def progress(steps: float) -> Iterator[Callable[[str], None]]:
    """Show a bar for ``steps`` on standard error while the block runs, if that is a terminal.

    The block gets a function, and calls it after each step with what it is doing.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=steps)
        yield lambda doing: bar.update(task, advance=1, description=doing)


def print_json(value: msgspec.Struct | Sequence[msgspec.Struct]) -> None:
    """Print ``value``, of the types in `json_answers`, as one JSON document, indented for people."""
    click.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))
