"""A week of limits as a picture: SVG text, which opens in every browser. Pure.

Colours hold up in greyscale and for colour-blind eyes: rates go from light to dark in one hue, and what is
stopped or skipped is hatched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from bandwidth.core.quantities import MINUTES_PER_DAY, clock_text, rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.svg import MARGIN_LEFT, MARGIN_RIGHT, WIDTH, cut, document, text, width_of
from bandwidth.profiles.week import Cell, DayRow, Week

ROW_HEIGHT, ROW_GAP = 40, 6
LEGEND_ENTRY_GAP = 26
NARROW = 800  # pixels: below, every fourth hour has its mark
NOW_COLOUR = "#c2410c"
LIGHT, DARK = (209, 229, 240), (8, 64, 129)
WHITE_TEXT_FROM = 0.6  # of the way from light to dark; keeps the contrast at 4.5 or more


def _english_day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


@dataclass(frozen=True)
class WeekWords:
    """The language of a picture; by default English."""

    say: Callable[[str], str] = str
    """Return a finished English word or sentence in the language."""
    day: Callable[[date], str] = _english_day
    """Return a day as its row is called: short."""


ENGLISH = WeekWords()


def week_svg(
    week: Week,
    title: str,
    subtitle: str,
    words: WeekWords = ENGLISH,
    *,
    now: datetime | None = None,
    width: int = WIDTH,
) -> str:
    """Return ``week`` as a picture: a row a day, hours from left to right, the rate by colour and in ``words``.

    ``now``: by the site's clock; it is marked where the week has it. ``width``: in pixels, at least 400.
    """
    across = _Across(width - MARGIN_LEFT - MARGIN_RIGHT)
    top = 96
    legend_top = top + len(week.days) * (ROW_HEIGHT + ROW_GAP) + 18
    body = [text(MARGIN_LEFT, 30, title, "title"), text(MARGIN_LEFT, 51, subtitle, "small")]
    body += _hours(top, legend_top - 18, across)
    for index, row in enumerate(week.days):
        body += _day(row, top + index * (ROW_HEIGHT + ROW_GAP), week, words, across)
        if now is not None and row.day == now.date():
            body += _now(now, top + index * (ROW_HEIGHT + ROW_GAP), words, across)
    legend, height = _legend(week, legend_top, words, width - MARGIN_RIGHT)
    return document(height, title, [*body, *legend], width=width)


@dataclass(frozen=True)
class _Across:
    """The hours of a day from left to right."""

    width: int

    def x(self, minute: int) -> float:
        return MARGIN_LEFT + self.width * minute / MINUTES_PER_DAY


# --- the week --------------------------------------------------------------------------------


def _hours(top: int, bottom: int, across: _Across) -> Iterator[str]:
    for hour in range(0, 25, 2 if across.width >= NARROW else 4):
        x = across.x(hour * 60)
        yield f'<line class="axis" x1="{x:.1f}" y1="{top - 8}" x2="{x:.1f}" y2="{bottom}"/>'
        yield text(x, top - 14, f"{hour:02}:00", "small", anchor="middle")


def _day(row: DayRow, top: int, week: Week, words: WeekWords, across: _Across) -> Iterator[str]:
    name = words.day(row.day)
    middle = top + ROW_HEIGHT / 2 + 4
    yield text(MARGIN_LEFT - 10, middle - 7 if row.holiday else middle, name, "", anchor="end")
    if row.holiday:
        yield text(MARGIN_LEFT - 10, middle + 8, cut(row.holiday, 14), "small", anchor="end")
    for run in row.runs:
        x, width = across.x(run.start), across.x(run.end) - across.x(run.start)
        fill, text_fill = _fill(run.cell, week)
        said, rule = words.say(_label(run.cell)), words.say(run.cell.rule)
        told = f"{name} {clock_text(run.start)}–{clock_text(run.end)}: {said} ({rule})"
        box = f'x="{x:.1f}" y="{top}" width="{width:.1f}" height="{ROW_HEIGHT}"'
        yield f'<rect {box} fill="{fill}" stroke="#ffffff"><title>{escape(told)}</title></rect>'
        label = next((one for one in _labels(run.cell, words) if width_of(one) < width - 6), "")
        if label and run.cell.stopped:  # letters on hatching need a plain background
            ground = width_of(label) + 8
            left = x + width / 2 - ground / 2
            yield f'<rect x="{left:.1f}" y="{middle - 14}" width="{ground:.1f}" height="20" fill="#ffffff" rx="3"/>'
        if label:
            yield text(x + width / 2, middle, label, "", anchor="middle", fill=text_fill)


def _now(now: datetime, top: int, words: WeekWords, across: _Across) -> Iterator[str]:
    """Mark a moment: dark within white, so that it is seen on every colour, and a dot above the row."""
    x = across.x(now.hour * 60 + now.minute)
    for colour, width in (("#ffffff", 5), (NOW_COLOUR, 2.5)):
        line = f'x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{top + ROW_HEIGHT + 3}"'
        yield f'<line {line} stroke="{colour}" stroke-width="{width}"/>'
    told = f"{words.say('now')} {now:%H:%M}"
    dot = f'cx="{x:.1f}" cy="{top - 4}" r="4.5" fill="{NOW_COLOUR}" stroke="#ffffff"'
    yield f"<circle {dot}><title>{escape(told)}</title></circle>"


def _legend(week: Week, top: int, words: WeekWords, right: int) -> tuple[list[str], int]:
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
    for fill, english in entries:
        said = words.say(english)
        width = 24 + width_of(said)
        if x + width > right:
            x, y = float(MARGIN_LEFT), y + 24
        if fill != "none":
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="16" height="16" fill="{fill}" stroke="#7b8794"/>')
        drawn.append(text(x + (22 if fill != "none" else 0), y + 12.5, said, ""))
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


def _labels(cell: Cell, words: WeekWords) -> list[str]:
    """Return what may stand in a box, the longest first."""
    if cell.skipped:
        return []
    label = words.say(_label(cell))
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
    return "no limit" if rate is None else rate_text(rate)
