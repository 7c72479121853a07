"""Words and tables that several commands print."""

import datetime as dt
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from p2pdist.shared.language import in_words
from p2pdist.shared.printable_text import printable_lines
from seed_server.fleet.problems import FleetProblem

FULL_COLUMNS = 118  # a terminal with less gets tables with shorter and fewer columns


def utc_minute(seconds: float) -> str:
    """Return a moment, given in seconds since 1970: ``2026-12-01 18:00 UTC``."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def counted(number: int, noun: str) -> str:
    """Return ``1 item`` or ``3 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def plain_table(*, close: bool = False) -> Table:
    """Return a table without lines; a ``close`` one has one space between its columns."""
    return Table(box=None, header_style="bold", pad_edge=False, collapse_padding=close)


def cut(text: str, cells: int) -> str:
    """Return ``text`` in at most so many columns of a terminal; a wide sign takes two."""
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def problem_lines(problems: Iterable[FleetProblem]) -> list[Text]:
    """Return what the operator should know, each with what mends it."""
    return [
        Text(f"{_shown(problem.text)} → {_shown(problem.mend)}", style="red" if problem.urgent else "yellow")
        for problem in problems
    ]


def _shown(text: str) -> str:
    # each line is a sentence of its own: all mistakes of a file are told at once
    return "\n".join(map(in_words, printable_lines(text).split("\n")))
