"""Which sender is ahead: our harm and our use of the line beside each rival's, for each kind of business.

Harm is in the units of the business: bytes lost, delay added, pages slower. A video call and the office mix have
several; their harm is the worst of these, each divided by its target, so 1 is just at a target.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from bench.control.cells import BUSINESSES, OURS, OURS_HIDDEN, QUEUES, RIVALS, VIDEO, Cell
from bench.control.estimates import interval, median_of, resampled_medians
from bench.control.figures import CellFigures
from bench.control.summary import Figures, Measured, SummaryRow
from bench.control.targets import Unit, show

USE_ENOUGH = 0.95  # of the best rival's use
DIVISORS = {"voip_added_p95_ms": 5.0, "frame_added_p95_ms": 5.0, "page_growth_p50": 0.03}
BYTES_LOST_DIVISOR = 0.02
ALL_QUEUES = "all"


@dataclass(frozen=True, slots=True)
class Harm:
    """How the harm to one kind of business is told."""

    of: Callable[[CellFigures], float | None]
    words: str
    unit: Unit


def _bytes_lost(found: CellFigures) -> float | None:
    return None if found.keeps is None else round(1 - found.keeps, 4)


def _worst(found: CellFigures) -> float | None:
    lost = _bytes_lost(found)
    if lost is None:
        return None
    parts = [lost / BYTES_LOST_DIVISOR]
    parts += [value / divisor for name, divisor in DIVISORS.items() if (value := getattr(found, name)) is not None]
    return round(max(parts), 4)


BYTES = Harm(_bytes_lost, "bytes lost", Unit.SHARE)
WORST = Harm(_worst, "worst of its harms ÷ target", Unit.TIMES)
HARMS: dict[str, Harm] = dict.fromkeys(("cubic", "4 cubic", "bbr", "on/off", "video"), BYTES) | {
    "voip": Harm(lambda found: found.voip_added_p95_ms, "added delay p95", Unit.MILLISECONDS),
    "web": Harm(lambda found: found.page_growth_p50, "pages slower", Unit.GROWTH),
    "video call": WORST,
    "mix": WORST,
}
assert VIDEO in HARMS


class Beside(msgspec.Struct, frozen=True):
    """One of our senders beside one rival: medians over the cells of a class."""

    sender: str
    business: str
    queue: str
    """``all``, or one kind."""
    rival: str
    cells: int
    harm: float
    rival_harm: float
    difference_interval: tuple[float, float]
    """95 % interval of our harm less the rival's, by resampling the same cells for both."""
    use: float
    rival_use: float

    @property
    def harm_verdict(self) -> str:
        """``ahead``, ``even`` (no difference beyond the noise) or ``behind``."""
        low, high = self.difference_interval
        return "ahead" if high < 0 else "behind" if low > 0 else "even"

    @property
    def use_is_enough(self) -> bool:
        """Whether our use is near the rival's or above it."""
        return self.use >= USE_ENOUGH * self.rival_use


def harm_of(cell: Cell, found: CellFigures) -> float | None:
    """Return the harm to the business of ``cell``; None where it has none, or it was not measured."""
    harm = HARMS.get(cell.business)
    return harm.of(found) if harm else None


def class_figures(figures: Figures, sender: str, business: str, queue: str) -> dict[Cell, tuple[float, float]]:
    """Return (harm, use) of ``sender`` in each cell of a class, in the order of the matrix."""
    return {
        cell: (harm, found.use)
        for (cell, cell_sender), found in figures.items()
        if (cell_sender, cell.business, cell.loss) == (sender, business, 0.0) and queue in (ALL_QUEUES, cell.queue)
        if (harm := harm_of(cell, found)) is not None
    }


def beside_rivals(figures: Figures) -> list[Beside]:
    """Return every comparison that the cells allow: each class, then each class by queue."""
    found = []
    for queue in (ALL_QUEUES, *QUEUES):
        for business in BUSINESSES:
            classes = {
                sender: class_figures(figures, sender, business, queue) for sender in (OURS, OURS_HIDDEN, *RIVALS)
            }
            found += [
                beside
                for sender in (OURS, OURS_HIDDEN)
                for rival in RIVALS
                if (beside := _beside(sender, business, queue, rival, classes)) is not None
            ]
    return found


def _beside(
    sender: str, business: str, queue: str, rival: str, classes: Mapping[str, dict[Cell, tuple[float, float]]]
) -> Beside | None:
    cells = [cell for cell in classes[sender] if cell in classes[rival]]
    if not cells:
        return None
    harm, use = zip(*(classes[sender][cell] for cell in cells), strict=True)
    rival_harm, rival_use = zip(*(classes[rival][cell] for cell in cells), strict=True)
    resampled = zip(resampled_medians(harm), resampled_medians(rival_harm), strict=True)
    low, high = interval([ours - theirs for ours, theirs in resampled])
    return Beside(
        sender,
        business,
        queue,
        rival,
        len(cells),
        median_of(harm),
        median_of(rival_harm),
        (round(low, 4), round(high, 4)),
        median_of(use),
        median_of(rival_use),
    )


def ahead_row(comparisons: list[Beside]) -> SummaryRow:
    """Return the row that asks for the lowest harm at nearly the best use, in every class and beside every rival."""
    measured, hidden = (_ahead(comparisons, sender) for sender in (OURS, OURS_HIDDEN))
    return SummaryRow(
        "Ahead of every rival, for each kind of business",
        f"harm ≤ the rival's within the noise, and use ≥ {show(USE_ENOUGH, Unit.SHARE)} of the best rival's",
        measured,
        None if measured is None else not measured.worst_cells,
        measured_hidden=hidden,
    )


def _ahead(comparisons: list[Beside], sender: str) -> Measured | None:
    asked = [each for each in comparisons if each.sender == sender and each.queue == ALL_QUEUES]
    if not asked:
        return None
    behind = [each for each in asked if each.harm_verdict == "behind"]
    wasteful = [each for each in asked if not each.use_is_enough]
    missed = tuple(
        f"{each.business} beside {each.rival}: {what}"
        for what, those in (("more harm", behind), ("less use", wasteful))
        for each in those
    )
    told = f"harm: ahead in {sum(each.harm_verdict == 'ahead' for each in asked)}, behind in {len(behind)}"
    return Measured(
        f"{told} of {len(asked)} comparisons; use: too low in {len(wasteful)}",
        worst_cells=missed,
        facts={"comparisons": len(asked), "more_harm": len(behind), "less_use": len(wasteful)},
    )
