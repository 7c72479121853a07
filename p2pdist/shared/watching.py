"""Shows a command's answer: once, or with ``--watch`` again and again until Ctrl-C."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from p2pdist.shared.console import print_json
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.terminal import wide_terminal

T = TypeVar("T")

WATCH_SECONDS = 1.0
PASSING = frozenset({FaultKind.NOT_RUNNING, FaultKind.BUSY})
"""Failures that may be over in a moment, without anybody correcting anything."""

watch_option = click.option("--watch", is_flag=True, help="Keep showing it until Ctrl-C.")


def is_live(*, as_json: bool, watch: bool) -> bool:
    """Whether one screen is redrawn: with ``--watch``, for a person, on a terminal that can move its cursor."""
    console = wide_terminal()
    return watch and not as_json and console.is_terminal and not console.is_dumb_terminal


def show(
    ask: Callable[[], T],
    document: Callable[[T], Any],
    view: Callable[[T, int], RenderableType],
    *,
    as_json: bool,
    watch: bool,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Print what ``ask`` answers: its ``document`` as JSON, or its ``view``, made for the terminal's columns.

    With ``watch``, once a second until Ctrl-C. On a terminal that is one screen, and a failure of a `PASSING` kind is
    shown until it is over; elsewhere answers follow each other. Raises what ``ask`` raises. The first failure is always
    raised: if nothing is there when somebody begins to watch, that is a mistake.
    """
    console = wide_terminal()

    def print_once() -> None:
        answer = ask()
        if as_json:
            print_json(document(answer))
        else:
            console.print(view(answer, console.width))

    if not watch:
        print_once()
        return
    with contextlib.suppress(KeyboardInterrupt):
        if is_live(as_json=as_json, watch=watch):
            _draw(console, lambda: view(ask(), console.width), pause)
        while True:
            print_once()
            pause(WATCH_SECONDS)


def _draw(console: Console, look: Callable[[], RenderableType], pause: Callable[[float], None]) -> NoReturn:
    with Live(look(), console=console, auto_refresh=False) as live:
        while True:
            pause(WATCH_SECONDS)
            try:
                screen = look()
            except UserError as error:
                if error.kind not in PASSING:
                    raise
                screen = Text(f"{error.message}\nWaiting for it; Ctrl-C ends.", style="yellow")
            live.update(screen, refresh=True)
