"""Pictures as SVG text: a week of limits, and time series. No library: the files open in every browser.

Colours hold up in greyscale and for colour-blind eyes: rates go from light to dark in one hue, and what is
stopped or skipped is hatched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from bandwidth.profiles.model import MINUTES_PER_DAY
from bandwidth.profiles.values import rate_label
from bandwidth.profiles.week import Cell, DayRow, Week
from bandwidth.units import BytesPerSecond

WIDTH = 1000
MARGIN_LEFT, MARGIN_RIGHT = 104, 24
PLOT_WIDTH = WIDTH - MARGIN_LEFT - MARGIN_RIGHT
ROW_HEIGHT, ROW_GAP = 40, 6
CHARACTER_WIDTH = 6.8  # of 12 px sans-serif, on the wide side
LEGEND_ENTRY_GAP = 26
LIGHT, DARK = (209, 229, 240), (8, 64, 129)
WHITE_TEXT_FROM = 0.6  # of the way from light to dark; keeps the contrast at 4.5 or more
SERIES_COLOURS = ("#0b5cad", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9")  # after Okabe and Ito
PANEL_HEIGHT, PANEL_GAP = 150, 56

_STYLE = (
    "text{font:12px sans-serif;fill:#1f2933}.title{font-size:17px;font-weight:bold}.small{font-size:11px;fill:#52606d}"
    ".axis{stroke:#9aa5b1;stroke-width:1}.grid{stroke:#e4e7eb;stroke-width:1}.line{fill:none;stroke-width:1.6}"
)
_PATTERNS = (
    '<pattern id="stopped" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="7" height="7" fill="#f3d9d3"/><rect width="2.5" height="7" fill="#b3402a"/></pattern>'
    '<pattern id="skipped" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect width="5" height="5" fill="#ffffff"/><circle cx="2" cy="2" r="1" fill="#7b8794"/></pattern>'
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: ``points`` are (seconds, value), in order of time."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of `time_series_svg`, with its unit in ``title``."""

    title: str
    series: Sequence[Series]


def week_svg(week: Week, title: str, subtitle: str) -> str:
    """Return ``week`` as a picture: a row a day, hours from left to right, the rate by colour and in words."""
    top = 96
    legend_top = top + len(week.days) * (ROW_HEIGHT + ROW_GAP) + 18
    body = [_text(MARGIN_LEFT, 30, title, "title"), _text(MARGIN_LEFT, 51, subtitle, "small")]
    body += _hours(top, legend_top - 18)
    for index, row in enumerate(week.days):
        body += _day(row, top + index * (ROW_HEIGHT + ROW_GAP), week)
    legend, height = _legend(week, legend_top)
    return _document(height, title, [*body, *legend])


def time_series_svg(title: str, panels: Sequence[Panel]) -> str:
    """Return ``panels`` below each other over one common axis of seconds; each starts at 0 on its own scale."""
    points = [point for panel in panels for series in panel.series for point in series.points]
    first, last = min((p[0] for p in points), default=0.0), max((p[0] for p in points), default=1.0)
    span = (last - first) or 1.0
    body = [_text(MARGIN_LEFT, 30, title, "title")]
    for index, panel in enumerate(panels):
        body += _panel(panel, 78 + index * (PANEL_HEIGHT + PANEL_GAP), first, span)
    return _document(78 + len(panels) * (PANEL_HEIGHT + PANEL_GAP), title, body)


# --- the week --------------------------------------------------------------------------------


def _hours(top: int, bottom: int) -> Iterator[str]:
    for hour in range(0, 25, 2):
        x = _x_of_minute(hour * 60)
        yield f'<line class="axis" x1="{x:.1f}" y1="{top - 8}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, top - 14, f"{hour:02}:00", "small", anchor="middle")


def _day(row: DayRow, top: int, week: Week) -> Iterator[str]:
    name = f"{row.day:%a} {row.day.day} {row.day:%b}"
    middle = top + ROW_HEIGHT / 2 + 4
    yield _text(MARGIN_LEFT - 10, middle - 7 if row.holiday else middle, name, "", anchor="end")
    if row.holiday:
        yield _text(MARGIN_LEFT - 10, middle + 8, _cut(row.holiday, 14), "small", anchor="end")
    for run in row.runs:
        x, width = _x_of_minute(run.start), _x_of_minute(run.end) - _x_of_minute(run.start)
        fill, text_fill = _fill(run.cell, week)
        told = f"{name} {_clock(run.start)}–{_clock(run.end)}: {_label(run.cell)} ({run.cell.rule})"
        box = f'x="{x:.1f}" y="{top}" width="{width:.1f}" height="{ROW_HEIGHT}"'
        yield f'<rect {box} fill="{fill}" stroke="#ffffff"><title>{escape(told)}</title></rect>'
        label = next((text for text in _labels(run.cell) if len(text) * CHARACTER_WIDTH < width - 6), "")
        if label and run.cell.stopped:  # letters on hatching need a ground
            ground = len(label) * CHARACTER_WIDTH + 8
            left = x + width / 2 - ground / 2
            yield f'<rect x="{left:.1f}" y="{middle - 14}" width="{ground:.1f}" height="20" fill="#ffffff" rx="3"/>'
        if label:
            yield _text(x + width / 2, middle, label, "", anchor="middle", fill=text_fill)


def _legend(week: Week, top: int) -> tuple[list[str], int]:
    cells = [run.cell for row in week.days for run in row.runs]
    entries = [(_fill(Cell(rate, ""), week)[0], _rate_words(rate)) for rate in week.rates]
    if any(cell.stopped for cell in cells):
        entries.insert(0, ("url(#stopped)", "stopped"))
    if any(cell.skipped for cell in cells):
        entries.append(("url(#skipped)", "skipped by the clock"))
    if any(cell.boost for cell in cells):
        entries.append(("none", "!: boost, adaptation is skipped"))
    if any(cell.twice for cell in cells):
        entries.append(("none", "×2: comes twice, the stricter is shown"))
    drawn = []
    x, y = float(MARGIN_LEFT), top
    for fill, words in entries:
        width = 24 + len(words) * CHARACTER_WIDTH
        if x + width > WIDTH - MARGIN_RIGHT:
            x, y = float(MARGIN_LEFT), y + 24
        if fill != "none":
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="16" height="16" fill="{fill}" stroke="#7b8794"/>')
        drawn.append(_text(x + (22 if fill != "none" else 0), y + 12.5, words, ""))
        x += width + LEGEND_ENTRY_GAP
    return drawn, y + 36


def _fill(cell: Cell, week: Week) -> tuple[str, str]:
    if cell.skipped:
        return "url(#skipped)", "#1f2933"
    if cell.stopped:
        return "url(#stopped)", "#1f2933"
    rates = week.rates
    share = rates.index(cell.rate) / max(1, len(rates) - 1) if len(rates) > 1 else 0.5
    red, green, blue = (round(light + (dark - light) * share) for light, dark in zip(LIGHT, DARK, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}", "#ffffff" if share >= WHITE_TEXT_FROM else "#1f2933"


def _labels(cell: Cell) -> list[str]:
    """Return what may stand in a box, the longest first."""
    if cell.skipped:
        return []
    label = _label(cell)
    if cell.twice:
        return [f"×2 {label}", "×2"]
    if cell.boost:
        return [f"! {label}", f"! {label.partition(' ')[0]}", "!"]
    return [label, label.partition(" ")[0]] if label[0].isdigit() else [label]


def _label(cell: Cell) -> str:
    if cell.skipped:
        return "skipped"
    return "stopped" if cell.stopped else _rate_words(cell.rate)


def _rate_words(rate: BytesPerSecond | None) -> str:
    return "no limit" if rate is None else rate_label(rate)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _x_of_minute(minute: int) -> float:
    return MARGIN_LEFT + PLOT_WIDTH * minute / MINUTES_PER_DAY


# --- time series -----------------------------------------------------------------------------


def _panel(panel: Panel, top: int, first: float, span: float) -> Iterator[str]:
    bottom = top + PANEL_HEIGHT
    highest = max((value for series in panel.series for _, value in series.points), default=0.0)
    step = _round_step((highest or 1.0) / 4)
    ceiling = step * ceil((highest or 1.0) / step)
    yield _text(MARGIN_LEFT, top - 12, panel.title, "")
    x = float(WIDTH - MARGIN_RIGHT)
    for index in reversed(range(len(panel.series))):  # the legend, from the right
        name = panel.series[index].name
        x -= len(name) * CHARACTER_WIDTH + 24
        yield f'<rect x="{x:.1f}" y="{top - 19}" width="14" height="4" fill="{_colour(index)}"/>'
        yield _text(x + 18, top - 12, name, "")
    for number in range(round(ceiling / step) + 1):
        y = bottom - PANEL_HEIGHT * number * step / ceiling
        yield f'<line class="grid" x1="{MARGIN_LEFT}" y1="{y:.1f}" x2="{WIDTH - MARGIN_RIGHT}" y2="{y:.1f}"/>'
        yield _text(MARGIN_LEFT - 8, y + 4, f"{number * step:g}", "small", anchor="end")
    tick = _round_step(span / 10)
    for number in range(ceil(first / tick), floor((first + span) / tick) + 1):
        tick_x = MARGIN_LEFT + PLOT_WIDTH * (number * tick - first) / span
        yield f'<line class="axis" x1="{tick_x:.1f}" y1="{bottom}" x2="{tick_x:.1f}" y2="{bottom + 4}"/>'
        yield _text(tick_x, bottom + 17, f"{number * tick:g} s", "small", anchor="middle")
    yield f'<line class="axis" x1="{MARGIN_LEFT}" y1="{bottom}" x2="{WIDTH - MARGIN_RIGHT}" y2="{bottom}"/>'
    for index, series in enumerate(panel.series):
        path = " ".join(
            f"{MARGIN_LEFT + PLOT_WIDTH * (seconds - first) / span:.1f},"
            f"{bottom - PANEL_HEIGHT * max(0.0, value) / ceiling:.1f}"
            for seconds, value in series.points
        )
        yield f'<polyline class="line" stroke="{_colour(index)}" points="{path}"/>'


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 × a power of ten that is at least ``least`` (> 0)."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _colour(index: int) -> str:
    return SERIES_COLOURS[index % len(SERIES_COLOURS)]


# --- SVG -------------------------------------------------------------------------------------


def _document(height: int, title: str, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
    parts = [head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", f"<defs>{_PATTERNS}</defs>"]
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([*parts, ground, *body, "</svg>"]) + "\n"


def _text(x: float, y: float, words: str, style: str, *, anchor: str = "start", fill: str = "") -> str:
    classes = f' class="{style}"' if style else ""
    colour = f' style="fill:{fill}"' if fill else ""
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{colour}>{escape(words)}</text>'


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"
