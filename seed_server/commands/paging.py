"""Pages on the command line: their options, and how a page says what comes next."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.store.count_rows import MAX_PAGE_ROWS


def paging_options(rows: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what gives a command the options of pages of these ``rows``, as ``size`` and ``after``."""
    size = click.option(
        "--page-size", "size", default=0, metavar="NUMBER", type=click.IntRange(0, MAX_PAGE_ROWS),
        help=f"{rows} of a page; without it, as many as a screen has room for.",
    )  # fmt: skip
    after = click.option(
        "--after", default="", metavar="END", help="The next page: END as the one before has named it."
    )
    return lambda command: size(after(command))


def next_page(command: Sequence[str], *, size: int, after: str) -> str:
    """Return the command that shows the page behind ``after``."""
    sized = ["--page-size", str(size)] if size else []
    return printable(shlex.join([*command, *sized, "--after", after]))


def end_of_rows(number: int, total: int | None, following: str) -> Iterator[Text]:
    """Yield how many rows of how many are shown, and the command for the next ones; nothing where that is all."""
    if following and total is None:
        words = tr("{number} shown; the next: {command}", number=number, command=following)
    elif following:
        words = tr("{number} of {all} shown; the next: {command}", number=number, all=total, command=following)
    elif total is not None and total > number:
        words = tr("{number} of {all} shown; these are the last", number=number, all=total)
    else:
        return
    yield Text(words, style="dim")


def text_of(typed: str) -> str:
    """Return what was typed as text: a terminal may send what is none, which no database takes."""
    return typed.encode(errors="replace").decode()
