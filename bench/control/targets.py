"""What the limiter must reach: each target as limits on the figures of cells."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from bench.control.cells import IDLE, LOSSES, OURS, OURS_HIDDEN, OURS_LEARNED, Cell


class Over(Enum):
    """Over what a limit holds."""

    MEDIAN = "median"
    """The median of the cells."""
    EVERY_CELL = "worst cell"
    P50 = "p50"
    """The median of all onsets or ends of all cells."""
    P95 = "p95"


class Unit(Enum):
    """How a number is written."""

    SHARE = "share"
    GROWTH = "growth"
    MILLISECONDS = "ms"
    SECONDS = "s"
    """Seconds, of a figure in milliseconds."""
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
        return f"{labelled(self.label, self.over.value)} {sign} {show(self.limit, self.unit)}"


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the summary."""

    metric: str
    cells: Callable[[Cell], bool]
    bounds: tuple[Bound, ...]
    lossy: bool = False
    """Whether it is asked of lines that lose packets at random, instead of the others."""
    beside: str | None = OURS_HIDDEN
    """The sender whose figures are told beside ours."""
    sender: str = OURS
    """Whose figures are asked for."""

    def asks(self, cell: Cell) -> bool:
        """Whether the figures of ``cell`` count: lines that lose packets at random have targets of their own."""
        return self.lossy == bool(cell.loss) and self.cells(cell)

    def __str__(self) -> str:
        return ", ".join(map(str, self.bounds))


def _is_idle_and_loses(loss: float, cell: Cell) -> bool:
    return cell.business == IDLE and cell.loss == loss


ONE_DOWNLOAD = ("cubic", "4 cubic")
ELASTIC = (*ONE_DOWNLOAD, "bbr", "on/off")

BUFFER_PACKETS = 40  # behind less, a download's first two windows overflow the queue before anything can show them
LOSSY_USE = {0.2: 0.85, 1.0: 0.75, 3.0: 0.5}
"""Of an idle line, by the per cent that it loses at random."""

KEEPS = (
    Bound("keeps", Over.MEDIAN, 0.98, Unit.SHARE, at_least=True),
    Bound("keeps", Over.EVERY_CELL, 0.95, Unit.SHARE, at_least=True),
)
CUBIC_FIFO = Target(
    f"CUBIC keeps (FIFO of {BUFFER_PACKETS} packets or more)",
    lambda cell: cell.fifo and cell.business in ONE_DOWNLOAD and cell.buffer_packets >= BUFFER_PACKETS,
    KEEPS,
)
BBR_NEAR, CUBIC_FAIR, PAGES = (
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
        "Web pages: added time",
        lambda cell: cell.business == "web",
        (
            Bound("page_growth_p50", Over.EVERY_CELL, 0.03, Unit.GROWTH, label="median page"),
            Bound("page_growth_p95", Over.EVERY_CELL, 0.08, Unit.GROWTH, label="p95 page"),
        ),
    ),
)
TARGETS = (
    CUBIC_FIFO,
    Target(
        f"CUBIC keeps (FIFO of less than {BUFFER_PACKETS} packets)",
        lambda cell: cell.fifo and cell.business in ONE_DOWNLOAD and cell.buffer_packets < BUFFER_PACKETS,
        KEEPS,
    ),
    BBR_NEAR,
    CUBIC_FAIR,
    Target(
        "VoIP: added one-way delay",
        lambda cell: cell.business == "voip",
        (
            Bound("voip_added_p95_ms", Over.EVERY_CELL, 5.0, Unit.MILLISECONDS, label="p95"),
            Bound("voip_added_p99_ms", Over.EVERY_CELL, 10.0, Unit.MILLISECONDS, label="p99"),
        ),
    ),
    PAGES,
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


def _of(target: Target, sender: str, words: str, *bounds: Bound) -> Target:
    """Return ``target`` as it is asked of another of our senders, perhaps with other limits."""
    return replace(
        target, metric=f"{target.metric}, {words}", bounds=bounds or target.bounds, sender=sender, beside=None
    )


def _worst_keeps(limit: float) -> Bound:
    return Bound("keeps", Over.EVERY_CELL, limit, Unit.SHARE, at_least=True)


HIDDEN_TARGETS = (
    # what is asked for where nobody can measure business; the other targets are for business that is seen
    _of(CUBIC_FIFO, OURS_HIDDEN, "hidden"),
    _of(BBR_NEAR, OURS_HIDDEN, "hidden", _worst_keeps(0.85)),
    _of(CUBIC_FAIR, OURS_HIDDEN, "hidden", _worst_keeps(0.75)),
)
LEARNED_TARGETS = (
    # and where nobody has configured the line's rate, either
    _of(CUBIC_FIFO, OURS_LEARNED, "hidden, rate learned"),
    _of(
        PAGES,
        OURS_LEARNED,
        "hidden, rate learned",
        Bound("page_growth_p50", Over.EVERY_CELL, 0.05, Unit.GROWTH, label="median page"),
        Bound("page_growth_p95", Over.EVERY_CELL, 0.10, Unit.GROWTH, label="p95 page"),
    ),
)
LOSSY_TARGETS = (
    *(
        Target(
            f"Idle line that loses {loss:g} % at random: our use",
            partial(_is_idle_and_loses, loss),
            (Bound("idle_use", Over.EVERY_CELL, LOSSY_USE[loss], Unit.SHARE, at_least=True),),
            lossy=True,
            beside=OURS_LEARNED,
        )
        for loss in LOSSES
        if loss
    ),
    Target(
        "CUBIC keeps, random loss",
        lambda cell: cell.business in ONE_DOWNLOAD,
        (_worst_keeps(0.95),),
        lossy=True,
    ),
    Target(
        "Web pages: added time, random loss",
        lambda cell: cell.business == "web",
        (Bound("page_growth_p50", Over.EVERY_CELL, 0.05, Unit.GROWTH, label="median page"),),
        lossy=True,
    ),
)
ALL_TARGETS = tuple(
    asked
    for target in (*TARGETS, *LOSSY_TARGETS)
    for asked in (
        target,
        *(more for more in (*HIDDEN_TARGETS, *LEARNED_TARGETS) if more.metric.startswith(f"{target.metric}, ")),
    )
)
"""The rows of the summary: each hidden or learned one after its visible one."""


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


def labelled(label: str, words: str) -> str:
    """Return ``words`` after ``label``, where there is one."""
    return f"{label}: {words}" if label else words
