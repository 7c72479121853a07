"""A sheet of small charts and heat maps side by side, under one legend. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bandwidth.pictures.plot import Box, Chart, Pen, chart, names
from bandwidth.pictures.svg import MARGIN_LEFT, PLOT_WIDTH, document, text

COLUMN_GAP, ROW_GAP = 76, 84
FIRST_TOP = 118
LEGEND_TOP = 74
WORST_COLOUR, BEST_COLOUR = (165, 42, 24), (236, 244, 240)
WHITE_TEXT_BELOW = 0.35  # of the way from worst to best: there, white and black letters are as easy to read


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A table in colours: ``values`` are rows of (0 worst to 1 best, words); None: not measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Sequence[tuple[float, str] | None]]


def sheet(
    title: str, subtitle: str, charts: Sequence[Chart | HeatMap], pens: Sequence[Pen], *, columns: int, height: float
) -> str:
    """Return ``charts`` in rows of ``columns``, each ``height`` px, under one legend of ``pens``."""
    body = [text(MARGIN_LEFT, 30, title, "title"), text(MARGIN_LEFT, 49, subtitle, "small")]
    body += names(pens, MARGIN_LEFT, LEGEND_TOP)
    width = (PLOT_WIDTH - (columns - 1) * COLUMN_GAP) / columns
    for number, each in enumerate(charts):
        row, column = divmod(number, columns)
        box = Box(MARGIN_LEFT + column * (width + COLUMN_GAP), FIRST_TOP + row * (height + ROW_GAP), width, height)
        body += chart(each, box) if isinstance(each, Chart) else _heat_map(each, box)
    rows = -(-len(charts) // columns)
    return document(round(FIRST_TOP + rows * (height + ROW_GAP) - 20), title, body)


def _heat_map(what: HeatMap, box: Box) -> Iterator[str]:
    yield text(box.left, box.top - 26, what.title, "")
    width, height = box.width / len(what.columns), box.height / len(what.rows)
    for column, words in enumerate(what.columns):
        yield text(box.left + (column + 0.5) * width, box.top - 7, words, "small", anchor="middle")
    for row, words in enumerate(what.rows):
        y = box.top + row * height
        yield text(box.left - 7, y + height / 2 + 4, words, "small", anchor="end")
        for column, value in enumerate(what.values[row]):
            share, told = value or (1.0, "–")
            x, letters = box.left + column * width, "#ffffff" if share < WHITE_TEXT_BELOW else "#1f2933"
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<rect {place} fill="{_heat(share) if value else "#ffffff"}" stroke="#ffffff"/>'
            yield text(x + width / 2, y + height / 2 + 4, told, "", anchor="middle", fill=letters)


def _heat(share: float) -> str:
    share = min(1.0, max(0.0, share))
    red, green, blue = (
        round(worst + (best - worst) * share) for worst, best in zip(WORST_COLOUR, BEST_COLOUR, strict=True)
    )
    return f"#{red:02x}{green:02x}{blue:02x}"
