"""What both command lines share: error output, exit codes, JSON, tables, colour."""

import enum
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
import msgspec
import structlog
from rich.console import Console

from p2pdist.shared.errors import FaultKind, UserError


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


PIPE_COLUMNS = 240  # whoever reads a pipe wants whole names


def terminal() -> Console:
    """Return a console for standard output; rich itself respects NO_COLOR and pipes."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def wide_terminal() -> Console:
    """Return a console for standard output that cuts nothing in a pipe."""
    console = terminal()
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console


def printable(text: str) -> str:
    """Return what another machine says without the signs that move a terminal's cursor."""
    return "".join(ch if ch.isprintable() else "?" for ch in text)


def print_json(value: Any) -> None:
    """Print ``value``, a Struct or what JSON has, as one JSON document, indented for people, stable for tools."""
    click.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def human_bytes(count: float) -> str:
    """Return ``count`` bytes as people read them, in powers of 1000: ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def human_seconds(seconds: float) -> str:
    """Return a duration as ``4.2 s``, ``3 m 20 s`` or ``2 h 05 m``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"


def configure_log(level: str) -> None:
    """Log to standard error: coloured for a terminal, one line of key=value otherwise."""
    on_terminal = sys.stderr.isatty()
    renderer: Any = (
        # its default shows local variables, keys and tokens among them, and takes seconds to draw them
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            *([] if on_terminal else [structlog.processors.format_exc_info]),  # the terminal's renderer does it itself
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # standard error may be another one later, as in a test
    )


def _exit_with(error: UserError) -> NoReturn:
    click.echo(f"error: {error.message}", err=True)
    sys.exit(ExitCode.of(error.kind))


def run_command_line(command: Callable[..., Any]) -> None:
    """Run a click command; a `UserError` becomes its text on standard error and its exit code."""
    try:
        command()
    except UserError as error:
        _exit_with(error)
    except BaseExceptionGroup as group:  # trio nurseries wrap what their tasks raise
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if not isinstance(first, UserError):
            raise
        _exit_with(first)
    except BrokenPipeError:
        # the reader of our output has gone: not an error of ours (head, less)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
