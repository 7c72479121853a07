"""The targets, and what was measured of each: computed from the cells' figures alone.

The figure of a cell covers all its seeds. A target holds for the median over cells, for the worst cell, or for all
onsets and ends of all cells together; whether it is met is computed, never entered by hand.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from bandwidth.simulator.meters import percentile
from bench.control.cells import OURS_HIDDEN, OURS_LEARNED, Cell
from bench.control.estimates import interval, median_of, resampled_medians
from bench.control.figures import CellFigures
from bench.control.targets import ALL_TARGETS, Bound, Over, Target, Unit, labelled, show

Figures = Mapping[tuple[Cell, str], CellFigures]
WORST_NAMED = 3


class BoundMeasured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured of one `Bound`. Shares and milliseconds; None: never within the run."""

    limit: str
    value: float | None
    met: bool
    cells: int
    share_of_cells_met: float | None = None
    median: float | None = None
    median_interval: tuple[float | None, float | None] | None = None
    """95 % interval, by the bootstrap over cells."""
    worst: float | None = None
    events: int | None = None
    """How many onsets or ends there were."""
    never: int | None = None
    """How many of these saw no yield or no regain within the run."""


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
    """The same with business that we cannot measure."""
    measured_learned: Measured | None = None
    """The same with the line's rate not configured."""


def summary_rows(figures: Figures) -> list[SummaryRow]:
    """Return the rows that follow from the cells."""
    rows = []
    for target in ALL_TARGETS:
        measured = measure(target, target.sender, figures)
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
    return rows


def measure(target: Target, sender: str, figures: Figures) -> Measured | None:
    """Return what ``sender`` reaches of ``target``; None where none of its cells was measured."""
    cells = {
        cell: found for (cell, cell_sender), found in figures.items() if cell_sender == sender and target.asks(cell)
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
    """Return the cells that are farthest from a limit in proportion to it, the worst first, with the figure."""
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
    return labelled(bound.label, told)


def _known(value: float) -> float | None:
    return None if math.isinf(value) else value
