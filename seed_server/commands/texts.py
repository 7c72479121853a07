"""Words that several commands print."""

import datetime as dt
from collections.abc import Iterable

from rich.text import Text

from p2pdist.shared.language import in_words
from p2pdist.shared.printable_text import printable_lines
from seed_server.fleet.problems import FleetProblem

FULL_COLUMNS = 118  # a terminal with less gets tables with fewer columns


def utc_minute(seconds: float) -> str:
    """Return a moment, given in seconds since 1970: ``2026-12-01 18:00 UTC``."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def counted(number: int, noun: str) -> str:
    """Return ``1 item`` or ``3 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def problem_lines(problems: Iterable[FleetProblem]) -> list[Text]:
    """Return what the operator should know, each with what mends it."""
    return [
        Text(f"{_shown(problem.text)} → {_shown(problem.mend)}", style="red" if problem.urgent else "yellow")
        for problem in problems
    ]


def _shown(text: str) -> str:
    # each line is a sentence of its own: all mistakes of a file are told at once
    return "\n".join(map(in_words, printable_lines(text).split("\n")))
