"""The targets, and what was measured of each: computed from the cells' figures alone.

The figure of a cell is of all its seeds. A target holds for the median over cells, for the worst cell, or for all
onsets and ends of all cells together; whether it is met is said by the measured numbers, never by hand.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import msgspec

from bandwidth.simulator.meters import percentile
from bench.control.cells import IDLE, OURS, OURS_HIDDEN, OURS_LEARNED, Cell
from bench.control.estimates import interval, median_of, resampled_medians
from bench.control.figures import CellFigures

Figures = Mapping[tuple[Cell, str], CellFigures]
WORST_NAMED = 3


class Over(Enum):
    """Over what a limit holds."""

    MEDIAN = "median"
    """Of the cells."""
    EVERY_CELL = "worst cell"
    P50 = "p50"
    """Of all onsets or ends of all cells."""
    P95 = "p95"


class Unit(Enum):
    """How a number is written."""

    SHARE = "share"
    GROWTH = "growth"
    MILLISECONDS = "ms"
    SECONDS = "s"
    """Of milliseconds."""
    TIMES = "×"


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit of a target."""

    figure: str
    """The name of a field of `CellFigures`."""
    over: Over
    limit: float
    unit: Unit
    at_least: bool = False
    label: str = ""
    """Which figure, where a target has several."""

    @property
    def is_of_events(self) -> bool:
        """Whether it is of all onsets or ends, not of cells."""
        return self.over in (Over.P50, Over.P95)

    def holds(self, value: float) -> bool:
        """Whether ``value`` is within the limit."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{_join(self.label, self.over.value)} {sign} {show(self.limit, self.unit)}"


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the summary."""

    metric: str
    cells: Callable[[Cell], bool]
    bounds: tuple[Bound, ...]
    beside: str | None = OURS_HIDDEN
    """Whose figures are told beside ours."""

    def __str__(self) -> str:
        return ", ".join(map(str, self.bounds))


class BoundMeasured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured of one `Bound`. Shares and milliseconds; None: never within the run."""

    limit: str
    value: float | None
    met: bool
    cells: int
    share_of_cells_met: float | None = None
    median: float | None = None
    median_interval: tuple[float | None, float | None] | None = None
    """95 %, by the bootstrap over cells."""
    worst: float | None = None
    events: int | None = None
    """Onsets or ends."""
    never: int | None = None
    """Of them, those that were not seen within the run."""


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured of a target."""

    text: str
    bounds: tuple[BoundMeasured, ...] = ()
    worst_cells: tuple[str, ...] = ()
    facts: dict[str, float | int | str] = {}

    @property
    def met(self) -> bool:
        """Whether every limit holds."""
        return all(bound.met for bound in self.bounds)


class SummaryRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One target; ``met`` and ``measured`` are None where no cell was measured."""

    metric: str
    target: str
    measured: Measured | None
    met: bool | None
    measured_hidden: Measured | None = None
    """With business that we cannot measure."""
    measured_learned: Measured | None = None
    """With the line's rate not configured."""


ONE_DOWNLOAD = ("cubic", "4 cubic")
ELASTIC = (*ONE_DOWNLOAD, "bbr", "on/off")

TARGETS = (
    Target(
        "CUBIC keeps (FIFO)",
        lambda cell: cell.fifo and cell.business in ONE_DOWNLOAD,
        (
            Bound("keeps", Over.MEDIAN, 0.98, Unit.SHARE, at_least=True),
            Bound("keeps", Over.EVERY_CELL, 0.95, Unit.SHARE, at_least=True),
        ),
    ),
    Target(
        "BBR keeps, RTT 10–60 ms",
        lambda cell: cell.rtt_ms <= 60 and cell.business == "bbr",
        (Bound("keeps", Over.EVERY_CELL, 0.97, Unit.SHARE, at_least=True),),
    ),
    Target(
        "CUBIC keeps (FQ-CoDel)",
        lambda cell: not cell.fifo and cell.business in ONE_DOWNLOAD,
        (Bound("keeps", Over.EVERY_CELL, 0.95, Unit.SHARE, at_least=True),),
    ),
    Target(
        "VoIP: added one-way delay",
        lambda cell: cell.business == "voip",
        (
            Bound("voip_added_p95_ms", Over.EVERY_CELL, 5.0, Unit.MILLISECONDS, label="p95"),
            Bound("voip_added_p99_ms", Over.EVERY_CELL, 10.0, Unit.MILLISECONDS, label="p99"),
        ),
    ),
    Target(
        "Web pages: added time",
        lambda cell: cell.business == "web",
        (
            Bound("page_growth_p50", Over.EVERY_CELL, 0.03, Unit.GROWTH, label="median page"),
            Bound("page_growth_p95", Over.EVERY_CELL, 0.08, Unit.GROWTH, label="p95 page"),
        ),
    ),
    Target(
        "Idle line: our use, and our own queue",
        lambda cell: cell.business == IDLE,
        (
            Bound("idle_use", Over.EVERY_CELL, 0.95, Unit.SHARE, at_least=True, label="use"),
            Bound("own_queue_p95_ms", Over.EVERY_CELL, 8.0, Unit.MILLISECONDS, label="queue p95"),
        ),
        beside=OURS_LEARNED,
    ),
    Target(
        "Spare captured beside on/off transfers",
        lambda cell: cell.business == "on/off",
        (Bound("spare", Over.EVERY_CELL, 0.85, Unit.SHARE, at_least=True),),
    ),
    Target(
        "Yield to 10 % after an onset",
        lambda cell: cell.business in ELASTIC,
        (
            Bound("yields_ms", Over.P50, 250, Unit.MILLISECONDS),
            Bound("yields_ms", Over.P95, 600, Unit.MILLISECONDS),
        ),
    ),
    Target(
        "Regain 90 % after business ends",
        lambda cell: cell.business in ELASTIC,
        (
            Bound("regains_ms", Over.P50, 3_000, Unit.SECONDS),
            Bound("regains_ms", Over.P95, 5_000, Unit.SECONDS),
        ),
    ),
)

HIDDEN_TARGETS = (
    # what is asked for where nobody can measure business; the other targets are for business that is seen
    replace(TARGETS[0], metric=f"{TARGETS[0].metric}, hidden"),
    replace(
        TARGETS[1],
        metric=f"{TARGETS[1].metric}, hidden",
        bounds=(Bound("keeps", Over.EVERY_CELL, 0.85, Unit.SHARE, at_least=True),),
    ),
    replace(
        TARGETS[2],
        metric=f"{TARGETS[2].metric}, hidden",
        bounds=(Bound("keeps", Over.EVERY_CELL, 0.75, Unit.SHARE, at_least=True),),
    ),
)


def summary_rows(figures: Figures) -> list[SummaryRow]:
    """Return the rows that follow from the cells, each hidden one after its visible one."""
    hidden = {target.metric.removesuffix(", hidden"): target for target in HIDDEN_TARGETS}
    rows = []
    for target in TARGETS:
        measured = measure(target, OURS, figures)
        beside = measure(target, target.beside, figures) if target.beside else None
        rows.append(
            SummaryRow(
                target.metric,
                str(target),
                measured,
                measured.met if measured else None,
                measured_hidden=beside if target.beside == OURS_HIDDEN else None,
                measured_learned=beside if target.beside == OURS_LEARNED else None,
            )
        )
        if target.metric in hidden:
            unseen = hidden[target.metric]
            found = measure(unseen, OURS_HIDDEN, figures)
            rows.append(SummaryRow(unseen.metric, str(unseen), found, found.met if found else None))
    return rows


def measure(target: Target, sender: str, figures: Figures) -> Measured | None:
    """Return what ``sender`` reaches of ``target``; None where none of its cells was measured."""
    cells = {
        cell: found for (cell, who), found in figures.items() if who == sender and target.cells(cell)
    }  # in the order of the matrix
    parts = [part for bound in target.bounds if (part := _measure_bound(bound, cells)) is not None]
    if len(parts) < len(target.bounds):
        return None
    # a figure with two limits is told once: its last limit is the one for every cell
    texts = {bound.figure: _text(bound, part) for bound, part in zip(target.bounds, parts, strict=True)}
    if target.bounds[0].is_of_events:
        texts = {"": ", ".join(_text(bound, part) for bound, part in zip(target.bounds, parts, strict=True))}
    return Measured("; ".join(texts.values()), tuple(parts), _worst_cells(target.bounds, cells))


def _measure_bound(bound: Bound, cells: Mapping[Cell, CellFigures]) -> BoundMeasured | None:
    if bound.is_of_events:
        events = [each for found in cells.values() for each in _events(found, bound.figure)]
        if not events:
            return None
        at = percentile(events, _share_of(bound))
        never = sum(map(math.isinf, events))
        return BoundMeasured(str(bound), _known(at), bound.holds(at), len(cells), events=len(events), never=never)
    values = [value for found in cells.values() if (value := _in_cell(bound, found)) is not None]
    if not values:
        return None
    worst = min(values) if bound.at_least else max(values)
    middle = median_of(values)
    low, high = interval(resampled_medians(tuple(values)))
    value = middle if bound.over is Over.MEDIAN else worst
    return BoundMeasured(
        str(bound),
        value,
        bound.holds(value),
        len(values),
        share_of_cells_met=round(sum(map(bound.holds, values)) / len(values), 4),
        median=middle,
        median_interval=(low, high),
        worst=worst,
    )


def _in_cell(bound: Bound, found: CellFigures) -> float | None:
    if not bound.is_of_events:
        value: float | None = getattr(found, bound.figure)
        return value
    events = _events(found, bound.figure)
    return percentile(events, _share_of(bound)) if events else None


def _share_of(bound: Bound) -> float:
    return 0.5 if bound.over is Over.P50 else 0.95


def _events(found: CellFigures, figure: str) -> list[float]:
    return [math.inf if each is None else float(each) for each in getattr(found, figure)]


def _worst_cells(bounds: Sequence[Bound], cells: Mapping[Cell, CellFigures]) -> tuple[str, ...]:
    """Return the cells that are farthest off a limit for its size, the worst first, with the figure."""
    ranked = []
    for cell, found in cells.items():
        for bound in bounds:
            value = _in_cell(bound, found)
            if value is not None and bound.over is not Over.MEDIAN:
                excess = (bound.limit - value if bound.at_least else value - bound.limit) / abs(bound.limit)
                what = bound.over.value if bound.is_of_events else bound.label
                ranked.append((-excess, str(cell), f"{what} {show(value, bound.unit)}".strip()))
    worst: dict[str, str] = {}
    for _, name, told in sorted(ranked):
        worst.setdefault(name, told)
    return tuple(f"{name}: {told}" for name, told in list(worst.items())[:WORST_NAMED])


def _text(bound: Bound, part: BoundMeasured) -> str:
    if part.median is None or part.median_interval is None:
        return f"{bound.over.value} {show(part.value, bound.unit)}"
    low, high = part.median_interval
    between = f"{show(low, bound.unit).split(' ')[0]}…{show(high, bound.unit)}"
    told = f"median {show(part.median, bound.unit)} ({between})"
    told += f", worst {show(part.worst, bound.unit)}"
    if bound.over is Over.EVERY_CELL and part.share_of_cells_met is not None:
        told += f", {show(part.share_of_cells_met, Unit.SHARE)} of {part.cells} cells within"
    return _join(bound.label, told)


def show(value: float | None, unit: Unit) -> str:
    """Return ``value`` with its unit, for people; None is never."""
    if value is None or math.isinf(value):
        return "never"
    if unit is Unit.SHARE:
        return f"{value * 100:.1f} %".replace(".0 %", " %")
    if unit is Unit.GROWTH:
        return f"{value * 100:+.1f} %".replace(".0 %", " %")
    if unit is Unit.TIMES:
        return f"{value:.2f}×"
    if unit is Unit.SECONDS:
        return f"{value / 1_000:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{value:.1f}".removesuffix(".0") + " ms"


def _join(label: str, words: str) -> str:
    return f"{label}: {words}" if label else words


def _known(value: float) -> float | None:
    return None if math.isinf(value) else value
