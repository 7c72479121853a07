"""The terminal that both command lines draw tables and colours on."""

import os
import shutil
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from p2pdist.shared.printable_text import printable_lines

WIDE_COLUMNS = 100  # a narrower terminal gets shorter tables
PIPE_COLUMNS = 240  # the reader of a pipe wants whole names


class PlainConsole(Console):
    """A terminal that draws texts and obeys none: without rich's markup and emoji names, links and control characters.

    Styles come from `rich.text.Text` and columns alone, so a text from outside needs no escaping.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, soft_wrap=not stream.isatty(), highlight=False, markup=False, emoji=False)
        if self.is_dumb_terminal:  # rich takes it for one of 80 columns
            self.size = ConsoleDimensions(*shutil.get_terminal_size())

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of ``renderable``; only rich's own control codes pass."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)


def terminal() -> Console:
    """Return a console for standard output; rich itself respects NO_COLOR and pipes."""
    return PlainConsole()


def wide_terminal() -> Console:
    """Return a console for standard output that cuts nothing in a pipe, unless COLUMNS names its width."""
    console = terminal()
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = PIPE_COLUMNS
    return console
