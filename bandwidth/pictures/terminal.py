"""A rate over the last minute or so, drawn in the terminal while somebody watches."""

from collections import deque

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from bandwidth.core.quantities import rate_text
from bandwidth.core.units import BytesPerSecond

LOOKS_KEPT = 240  # as wide as a terminal gets
ROWS = 6
LABEL_COLUMNS = 13  # "999 kbit/s" and a space on each side
BLOCKS = " ▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = " #"
"""For a terminal that knows ASCII alone."""

NOW = "now"

_DIM, _BAR = Style(dim=True), Style(color="green")


class RateChart:
    """A column for each of the newest looks, the last one at the right; the top is the line's or the highest rate."""

    def __init__(self, title: str = "", *, look_seconds: float = 1.0) -> None:
        """``look_seconds``: the time between two looks."""
        self._title = title
        self._look_seconds = look_seconds
        self._rates: deque[int] = deque(maxlen=LOOKS_KEPT)
        self._line: int | None = None

    def add(self, rate: BytesPerSecond, line: BytesPerSecond | None) -> None:
        """Add a look: what is sent, and what the line carries (None: not known)."""
        self._rates.append(rate)
        self._line = line

    @property
    def is_flat(self) -> bool:
        """Whether nothing was sent in all that is kept."""
        return not any(self._rates)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = max(1, options.max_width - LABEL_COLUMNS)
        rates = list(self._rates)[-shown:]
        top = BytesPerSecond(max(1, self._line or 0, *rates))
        blocks = PLAIN_BLOCKS if options.ascii_only else BLOCKS
        labels = [rate_text(top), *[""] * (ROWS - 2), rate_text(0)]
        if self._title:
            yield Segment(self._title, Style(bold=True))
            yield Segment.line()
        for row, label in enumerate(labels):
            yield Segment(label.rjust(LABEL_COLUMNS - 2) + " ", _DIM)
            yield Segment("".join(_cell(rate / top * ROWS - (ROWS - 1 - row), blocks) for rate in rates), _BAR)
            yield Segment.line()
        yield Segment(" " * (LABEL_COLUMNS - 1) + self._times(len(rates)), _DIM)
        yield Segment.line()

    def _times(self, looks: int) -> str:
        """Return the axis of time: how long ago the first of so many looks was, and where now is."""
        first = f"{(looks - 1) * self._look_seconds:.0f} s ago"
        return f"{first}{NOW.rjust(looks - len(first))}" if looks > len(first) + len(NOW) else NOW.rjust(looks)


def _cell(filled: float, blocks: str) -> str:
    """Return the character of which the part ``filled`` is drawn; beyond 0 to 1 it is empty or full."""
    steps = len(blocks) - 1
    return blocks[min(steps, max(0, round(filled * steps)))]
