"""What the subcommands of `bandwidth` share: exit codes, errors for people, JSON, colour."""

import enum
import json
import sys
from typing import IO, Any

import click
from rich.console import Console


class ExitCode(enum.IntEnum):
    """Exit codes of `bandwidth`, a part of those in the README."""

    OK = 0
    FAILED = 1
    """The command ran, and what it was to achieve did not happen."""
    USAGE = 2
    """The command line itself is wrong."""
    BAD_INPUT = 7
    """A file or value given by the user is not acceptable."""


class CommandError(click.ClickException):
    """A failure with a cause that a person can act on; one or two sentences: what happened, then what to do."""

    exit_code = ExitCode.FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it on standard error."""
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class InputError(CommandError):
    """A file or value given by the user is not acceptable."""

    exit_code = ExitCode.BAD_INPUT


def terminal() -> Console:
    """Return a console for standard output; rich itself respects NO_COLOR and pipes."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """Print ``value`` as one JSON document, indented for people, stable for tools."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
