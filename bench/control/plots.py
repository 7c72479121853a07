"""The pictures of docs/bandwidth-control.md: all from the results, but the example, which is simulated anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bandwidth.core.units import MBIT
from bandwidth.pictures.plot import Axis, Chart, Dot, Pen, PlotLine
from bandwidth.pictures.sheet import HeatMap, sheet
from bandwidth.simulator.scenario import Metrics, simulate
from bench.control.ahead import ALL_QUEUES, HARMS, class_figures
from bench.control.cells import BUSINESSES, LINES, OURS, OURS_HIDDEN, QUEUES, RIVALS, RTTS_MS, Cell
from bench.control.estimates import interval, median_of, resampled_medians
from bench.control.results import Results
from bench.control.sources import ROOT
from bench.control.summary import Figures
from bench.control.targets import ELASTIC, Unit

PICTURES = ROOT / "docs" / "pictures"
COMPARED = (OURS, OURS_HIDDEN, *RIVALS)
_COLOURS = ("#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#52606d", "#e69f00", "#000000")  # after Okabe and Ito
_DASHES = ("6 2", "2 2", "8 2 2 2", "4 4", "1 3", "10 3", "3 1")
PENS = {
    OURS: Pen(OURS, "#0b5cad", width=2.6),
    OURS_HIDDEN: Pen(OURS_HIDDEN, "#56b4e9", "5 2", width=2.6),
} | {
    rival: Pen(rival, _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)])
    for number, rival in enumerate(RIVALS)
}
SHOWN_UP_TO = 0.95  # of all cells' harms: a few extreme ones would press the rest into a corner
HEAT_WORST = 0.5  # keeping this little is as dark as it gets
EXAMPLE = Cell(LINES[2], 60, "250 ms", "cubic")


@dataclass(frozen=True, slots=True)
class Picture:
    """What the page shows."""

    file_name: str
    words: str


HARM_USE = Picture(
    "control-harm-use.svg",
    "Harm and use of each sender, by the kind of business. The lower right corner is best.",
)
HARM_CELLS = Picture(
    "control-harm-cells.svg", "Harm over the cells: which share of them is harmed by at most so much. Left is best."
)
KEEPS = Picture(
    "control-keeps.svg", "What business keeps beside our limiter, by round trip and queue, on the worst of the lines."
)
SERIES = Picture("control-example.svg", f"An example: {EXAMPLE}, and each sender beside it.")
ALL_PICTURES = (HARM_USE, HARM_CELLS, KEEPS, SERIES)


def write_pictures(results: Results, directory: Path = PICTURES) -> None:
    """Write all pictures. A second or two for each sender of the example."""
    directory.mkdir(parents=True, exist_ok=True)
    figures = results.figures()
    drawn = {
        HARM_USE: harm_use(figures),
        HARM_CELLS: harm_cells(figures),
        KEEPS: keeps(figures),
        SERIES: example({sender: simulate(EXAMPLE.scenario(sender, 1)) for sender in COMPARED}),
    }
    for picture, svg in drawn.items():
        (directory / picture.file_name).write_text(svg, encoding="utf-8")


def harm_use(figures: Figures) -> str:
    """Return a scatter for each kind of business: a sender's median harm over its median use, with intervals."""
    charts = []
    for business in BUSINESSES:
        scale, label = _harm_axis(business)
        dots = []
        for sender in COMPARED:
            cells = class_figures(figures, sender, business, ALL_QUEUES)
            if cells:
                harms = tuple(scale * harm for harm, _ in cells.values())
                uses = tuple(100 * use for _, use in cells.values())
                dots.append(
                    Dot(
                        PENS[sender],
                        median_of(uses),
                        median_of(harms),
                        interval(resampled_medians(uses)),
                        interval(resampled_medians(harms)),
                    )
                )
        ends = [end for dot in dots for end in (*dot.y_interval, dot.y)]
        least = min((end for dot in dots for end in (*dot.x_interval, dot.x)), default=0.0)
        use = Axis.over("use of the line, %", 10 * (least // 10), 100.0)
        charts.append(Chart(business, use, _around(label, ends), dots=dots))
    return sheet("Harm and use", HARM_USE.words, charts, list(PENS.values()), columns=2, height=150)


def harm_cells(figures: Figures) -> str:
    """Return the distribution of harm over cells for each kind of business."""
    charts = []
    for business in BUSINESSES:
        scale, label = _harm_axis(business)
        by_sender = {}
        for sender in COMPARED:
            harms = sorted(scale * harm for harm, _ in class_figures(figures, sender, business, ALL_QUEUES).values())
            if harms:
                by_sender[sender] = harms
        shown = [harms[int(SHOWN_UP_TO * (len(harms) - 1))] for harms in by_sender.values()]
        lines = [PlotLine(PENS[sender], _steps(harms)) for sender, harms in by_sender.items()]
        axis = _around(label, [*shown, *(harms[0] for harms in by_sender.values())])
        charts.append(Chart(business, axis, Axis.over("share of cells, %", 0.0, 100.0), lines))
    return sheet("Harm over the cells", HARM_CELLS.words, charts, list(PENS.values()), columns=2, height=150)


def keeps(figures: Figures) -> str:
    """Return a heat map for each kind of transfer, seen and hidden."""
    charts = []
    for business in ELASTIC:
        for sender, seen in ((OURS, "seen"), (OURS_HIDDEN, "hidden")):
            rows = []
            for queue in QUEUES:
                row: list[tuple[float, str] | None] = []
                for rtt_ms in RTTS_MS:
                    kept = [
                        found.keeps
                        for (cell, cell_sender), found in figures.items()
                        if (cell_sender, cell.business, cell.queue, cell.rtt_ms, cell.loss)
                        == (sender, business, queue, rtt_ms, 0.0)
                        if found.keeps is not None
                    ]
                    worst = min(kept, default=None)
                    row.append(
                        None if worst is None else ((worst - HEAT_WORST) / (1 - HEAT_WORST), f"{100 * worst:.0f} %")
                    )
                rows.append(row)
            charts.append(HeatMap(f"{business}, {seen}", [f"{rtt} ms" for rtt in RTTS_MS], QUEUES, rows))
    return sheet("What business keeps beside us", KEEPS.words, charts, (), columns=2, height=96)


def example(runs: dict[str, Metrics]) -> str:
    """Return rates and the queue, second by second, for each sender."""
    ours, business = Pen("sender", "#0b5cad", width=2.0), Pen("business", "#d55e00", "6 2")
    queue = Pen("queue, p95 of each second", "#52606d")
    seconds = Axis.over("", 0.0, EXAMPLE.line.run_seconds, unit="s")
    longest = max((1_000 * value for metrics in runs.values() for value in metrics.queue_seconds), default=1.0)
    charts = []
    for sender, metrics in runs.items():
        rates = [
            PlotLine(pen, _series([rate / MBIT for rate in series]))
            for pen, series in ((ours, metrics.scavenger_rate), (business, metrics.business_rate))
        ]
        charts.append(Chart(sender, seconds, Axis.up_to("Mbit/s", EXAMPLE.line.down_mbit, ticks=5), rates))
        delays = [PlotLine(queue, _series([1_000 * value for value in metrics.queue_seconds]))]
        charts.append(Chart(f"{sender}: queue", seconds, Axis.up_to("ms", longest, ticks=5), delays))
    return sheet(
        "A CUBIC download, and each sender beside it",
        SERIES.words,
        charts,
        (ours, business, queue),
        columns=2,
        height=96,
    )


def _harm_axis(business: str) -> tuple[float, str]:
    """Return by what harm is multiplied for the axis, and the axis's words."""
    harm = HARMS[business]
    if harm.unit in (Unit.SHARE, Unit.GROWTH):
        return 100.0, f"{harm.words}, %"
    return 1.0, f"{harm.words}, {harm.unit.value}" if harm.unit is not Unit.TIMES else harm.words


def _around(label: str, values: Sequence[float]) -> Axis:
    low, high = min([0.0, *values]), max([0.0, *values])
    return Axis.over(label, low, high + 0.05 * (high - low) or 1.0)


def _steps(harms: Sequence[float]) -> list[tuple[float, float]]:
    return [(harm, 100 * (number + 1) / len(harms)) for number, harm in enumerate(harms)]


def _series(values: Sequence[float]) -> list[tuple[float, float]]:
    return [(second + 0.5, value) for second, value in enumerate(values)]
