"""Output that both command lines share: errors, exit codes, JSON, language. Tables and colour: `terminal`."""

import enum
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
import msgspec

from bandwidth.core.quantities import DAY_SECONDS, QuantityError, parse_duration
from bandwidth.pictures.standard_output import failed_output, open_standard_streams
from p2pdist.shared.errors import FaultKind, UserError, first_error
from p2pdist.shared.language import LANGUAGES, in_words, tr, use, wanted
from p2pdist.shared.lazy_group import LazyGroup
from p2pdist.shared.printable_text import printable_lines


class ExitCode(enum.IntEnum):
    """Exit codes of `p2pdist` and `seed-server`; documented in the README."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_SET_UP = 3
    NOT_RUNNING = 4
    REFUSED = 5
    UNREACHABLE = 6
    BAD_INPUT = 7
    STORAGE = 8
    BUSY = 9

    @classmethod
    def of(cls, kind: FaultKind) -> "ExitCode":
        """Return the code that a command ends with after a failure of ``kind``: the one of the same name."""
        return cls[kind.name]


class Duration(click.ParamType[int]):
    """``90s``, ``30m``, ``1h`` or ``7d``, as seconds; at most ``longest_days``."""

    name = "duration"

    def __init__(self, longest_days: int) -> None:
        self.longest_days = longest_days

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds. Raises `click.BadParameter` for anything else."""
        try:
            seconds = parse_duration(str(value))
        except QuantityError:
            seconds = 0
        if not 1 <= seconds <= self.longest_days * DAY_SECONDS:
            limits = f"from 1s to {self.longest_days}d, such as 30m, 1h or 7d"
            self.fail(f"{str(value)!r} is not a duration {limits}.", param, ctx)
        return seconds


PORTS = click.IntRange(1, 65_535)
"""What an option for a port takes."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for tools.")


def say(text: str) -> None:
    """Print a sentence for people on standard output, in the language of the screens."""
    click.echo(in_words(text))


def say_error(message: str) -> None:
    """Print what has failed on standard error, in the language of the screens."""
    click.echo(f"{tr('error:')} {printable_lines(in_words(message))}", err=True)


def print_json(value: Any) -> None:
    """Print ``value``, of builtins and `Struct`s, as one JSON document, indented for people, stable for tools."""
    click.echo(json_text(value))


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return ``value`` as JSON; without ``indent``, in one line.

    Texts keep every character; one that is no visible sign is written as JSON's escape.
    """
    text = json.dumps(msgspec.to_builtins(value), indent=indent, ensure_ascii=False)
    return re.sub(r"[^ -~\n]", lambda found: _in_json(found[0]), text)


def _in_json(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


class ErrorFacts(msgspec.Struct, frozen=True):
    """What has failed."""

    kind: str
    """Whose fault it is: the name of the exit code in small letters, such as bad_input."""
    message: str
    """What happened and what to do, in English."""
    exit_code: int
    """The exit code that the command ends with."""


class ErrorDocument(msgspec.Struct, frozen=True):
    """What a command prints on standard output instead of its answer, when ``--json`` was given and it fails."""

    error: ErrorFacts
    """What has failed."""


def _exit_with(error: UserError, *, as_json: bool) -> NoReturn:
    code = ExitCode.of(error.kind)
    if as_json:
        print_json(ErrorDocument(ErrorFacts(error.kind.name.lower(), error.message, code.value)))
    say_error(error.message)  # people and logs read this one, in every case
    sys.exit(code)


def _choose_language(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        use(value)
        _help_in_words(context.find_root().command)


def _help_in_words(command: click.Command) -> None:
    """Say what the commands and options are for in the language of the screens; longer explanations stay English."""
    command.short_help = in_words(command.short_help or "") or None
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = in_words(parameter.help)
    _each_below(command, _help_in_words)


def with_language(command: click.Command) -> click.Command:
    """Give ``command`` and all commands below it the option ``--lang``, and return it."""
    option = click.Option(
        ["--lang"],
        type=click.Choice(LANGUAGES),
        expose_value=False,
        is_eager=True,  # what is wrong with the other options is said in it
        callback=_choose_language,
        help="Language of the screens; by default the system's (LC_ALL, LC_MESSAGES, LANG). --json is English always.",
    )
    command.params.append(option)
    _each_below(command, with_language)
    return command


def _each_below(command: click.Command, change: Callable[[click.Command], object]) -> None:
    if isinstance(command, LazyGroup):
        command.lazy.change_each(change)
    elif isinstance(command, click.Group):
        for below in command.commands.values():
            change(below)


def run_command_line(command: Callable[..., Any], **given: Any) -> None:
    """Run a click command, with what is ``given`` to it; a `UserError` becomes its text and its exit code."""
    open_standard_streams()
    use(wanted(os.environ))
    if isinstance(command, click.Command):
        _help_in_words(command)
    as_json = "--json" in sys.argv
    try:
        command(**given)
    except (UserError, BaseExceptionGroup) as error:  # trio nurseries wrap what their tasks raise
        first = first_error(error)
        if not isinstance(first, UserError):
            raise
        _exit_with(first, as_json=as_json)
    except (SystemExit, OSError) as error:
        if reason := failed_output(error):
            _exit_with(UserError(f"The output cannot be written: {reason}.", FaultKind.STORAGE), as_json=False)
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone: not an error of ours (head, less)
            sys.exit(ExitCode.OK)
        raise
