"""Writes docs/benchmarks.md, its pictures and bench/results/lab.json, all from the records."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from bench.lab import figures as of
from bench.lab import usual_lines as usual
from bench.lab.records import Record
from bench.lab.rivals import RIVALS
from bench.lab.scenario import OURS
from bench.lab.standing import Standing, line_verdict, random_names, random_standing
from bench.lab.summary import summary
from bench.page_table import table, write_between
from bench.result_lines import read_lines, write_lines
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "lab.json"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- lab:begin -->\n", "<!-- lab:end -->"
PICTURED = (usual.IDLE_LINE, usual.BESIDE_CUBIC, usual.BESIDE_CALL, usual.BESIDE_WEB)
OURS_PEN, BUSINESS_PEN = Pen("patch", "#0b5cad", width=2.4), Pen("business", "#d55e00", "6 2")
QUEUE_PEN = Pen("queue", "#52606d", "2 2")


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    runs: list[Record]


def results_of(records: Sequence[Record]) -> Results:
    """Compute everything from the runs; only what has a picture keeps its series."""
    return Results(summary(records, list(RIVALS)), [_light(record, records) for record in records])


def _light(record: Record, records: Sequence[Record]) -> Record:
    if record.scenario in PICTURED and record is of.middle_run(records, record.scenario, record.method):
        return record
    return msgspec.structs.replace(record, series=None)


def write_results(results: Results, path: Path = RESULTS) -> None:
    """Write each row and each run on a line of its own."""
    write_lines(results, path)


def read_results(path: Path = RESULTS) -> Results | None:
    """Return the committed file; None while there is none."""
    return read_lines(path, Results)


# --- the page ----------------------------------------------------------------------------------


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for a table."""
    return "–" if value is None else f"{value:.{digits}f}"


def cell(runs: Sequence[Record], value: of.Value, digits: int, *, at_least: bool = False) -> str:
    """Return the median of those runs that have the number, and its spread."""
    numbers = [found for run in runs if (found := value(run)) is not None]
    spread = of.spread(numbers, at_least=at_least)
    if spread is None or spread.median is None or spread.best is None or spread.worst is None:
        return "–"
    least, most = sorted((number(spread.best, digits), number(spread.worst, digits)), key=float)
    return number(spread.median, digits) + (f" ({least}–{most})" if least != most else "")


Column = tuple[str, Callable[[Sequence[Record]], str]]


def _column(head: str, value: of.Value, digits: int, *, at_least: bool = False) -> Column:
    return head, lambda runs: cell(runs, value, digits, at_least=at_least)


def methods_table(records: Sequence[Record]) -> str:
    """Return ours and the alternatives, side by side."""
    columns = (
        (usual.IDLE_LINE, _column("WAN bytes ÷ file", lambda run: run.wan_ratio, 3)),
        (usual.IDLE_LINE, _column("last PC ÷ line limit", of.time_ratio, 2)),
        (usual.BESIDE_CUBIC, _column("CUBIC keeps, %", of.kept_percent, 1, at_least=True)),
        (usual.BESIDE_CALL, _column("call p95 added, ms", of.call_added_ms, 1)),
        (usual.BESIDE_WEB, _column("page median longer by, %", of.page_median_percent, 1)),
        (usual.IDLE_LINE, _column("queue p95 on an idle line, ms", lambda run: run.queue_p95_ms, 1)),
    )
    rows = []
    for method in (OURS, *RIVALS):
        cells = [show(of.valid(of.runs_of(records, scenario, method))) for scenario, (_, show) in columns]
        if set(cells) != {"–"}:
            rows.append([method, *cells])
    return table(["way", *(head for _, (head, _) in columns)], rows)


def random_table(records: Sequence[Record]) -> str:
    """Return the random lines: ours, the best number that any alternative has there, and who is not behind in what."""

    def both(own: Standing | None, others: Sequence[Standing], name: str, best: Callable[..., float]) -> str:
        """Ours / the best of the others."""
        digits = 1 if name in ("kept_percent", "call_added_ms") else 2
        known = [value for each in others if (value := getattr(each, name)) is not None]
        return f"{number(getattr(own, name, None), digits)} / {number(best(known) if known else None, digits)}"

    rows = []
    for line in random_names(records):
        own = random_standing(records, line, OURS)
        others = [found for rival in RIVALS if (found := random_standing(records, line, rival))]
        columns = (("wan_ratio", min), ("time_ratio", min), ("kept_percent", max), ("call_added_ms", min))
        cells = [both(own, others, name, best) for name, best in columns]
        rows.append([line, *cells, line_verdict(records, line, list(RIVALS))])
    head = ("line", "WAN bytes ÷ file: ours / best other", "line's time ÷ limit", "CUBIC keeps, %",
            "call p95 added, ms", "ours is")  # fmt: skip
    return table(head, rows)


def _seconds(runs: Sequence[Record]) -> str:
    missing = sum(not run.finished for run in runs)
    if missing == len(runs):
        return "not finished"
    return cell(runs, of.seconds, 1) + (f", {missing} not finished" if missing else "")


RUN_COLUMNS: tuple[Column, ...] = (
    _column("WAN ÷ file", lambda run: run.wan_ratio, 3),
    ("seconds", _seconds),
    _column("÷ limit", of.time_ratio, 2),
    _column("line used, %", lambda run: 100 * run.use, 0),
    _column("queue p95, ms", lambda run: run.queue_p95_ms, 1),
    _column("CUBIC keeps, %", of.kept_percent, 1, at_least=True),
    _column("call p95 added, ms", of.call_added_ms, 1),
    _column("regained after, s", lambda run: run.regained_seconds, 1),
    _column("longest stall, s", lambda run: run.longest_stall_seconds, 1),
    _column("first byte after, s", of.first_byte_seconds, 2),
    _column("verified after last byte, s", lambda run: run.after_last_byte_seconds, 2),
    _column("processor, %", lambda run: 100 * run.processor.busy_share, 0),
)


def runs_table(records: Sequence[Record]) -> str:
    """Return every scenario and way: the median of its runs, and from where to where it goes."""
    rows = []
    for scenario, method in dict.fromkeys((record.scenario, record.method) for record in records):
        runs = of.runs_of(records, scenario, method)
        counted = of.valid(runs)
        void = len(runs) - len(counted)
        how_many = f"{len(runs)}" + (f", {void} **void**" if void else "")
        known = "yes" if runs[0].configured else "no"
        rows.append([scenario, method, known, how_many, *(show(counted or runs) for _, show in RUN_COLUMNS)])
    return table(["scenario", "way", "configured", "runs", *(head for head, _ in RUN_COLUMNS)], rows)


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    parts = ["### Targets\n", summary_table(results.summary)]
    if results.runs:
        parts += ["### Ours and what a user would pick instead\n", methods_table(results.runs)]
        parts += [f"![{scenario}](pictures/{picture_name(scenario)})\n" for scenario in _pictured(results)]
        if random_names(results.runs):
            parts += ["### Random lines\n", random_table(results.runs)]
        parts += ["### Every scenario\n", runs_table(results.runs)]
    return "\n".join(parts)


def write_page(results: Results, path: Path = PAGE) -> None:
    """Put the tables between the page's marks."""
    write_between(path, BEGIN, END, page_text(results))


# --- pictures ----------------------------------------------------------------------------------


def picture_name(scenario: str) -> str:
    """Return the file name of a scenario's picture."""
    return "lab-" + "".join(letter if letter.isalnum() else "-" for letter in scenario.lower()) + ".svg"


def _pictured(results: Results) -> list[str]:
    return [scenario for scenario in PICTURED if of.middle_run(results.runs, scenario) is not None]


def picture(scenario: str, records: Sequence[Record]) -> str:
    """Return a sheet: one chart for each way, the patch, the business and the queue over time."""
    charts = []
    for method in (OURS, *RIVALS):
        record = of.middle_run(records, scenario, method)
        if record is None or record.series is None:
            continue
        series = record.series
        step = series.step_ms / 1000
        count = len(series.managed_mbit) - 1  # the last step is not a whole one
        top = max(record.rate_mbit * 1.1, 1.0)
        # the queue shares the axis, in tens of milliseconds: 200 ms are 20
        lines = [
            PlotLine(pen, [(k * step, value * scale) for k, value in enumerate(values[:count])])
            for pen, values, scale in (
                (QUEUE_PEN, series.queue_ms, 0.1),
                (BUSINESS_PEN, series.business_mbit, 1.0),
                (OURS_PEN, series.managed_mbit, 1.0),
            )
        ]
        charts.append(
            Chart(
                method,
                Axis.over("", 0.0, count * step, unit="s"),
                Axis.over("Mbit/s; queue in 10 ms", 0.0, max(top, 22.0)),
                lines,
            )
        )
    pens = [OURS_PEN, BUSINESS_PEN, QUEUE_PEN]
    title, subtitle = f"The line, {scenario}", "What it carried for the patch and for the business, and its true queue"
    return sheet(title, subtitle, charts, pens, columns=2, height=150)


def write_pictures(results: Results, directory: Path = PICTURES) -> None:
    """Write one picture for each scenario that ours and the alternatives share."""
    directory.mkdir(parents=True, exist_ok=True)
    for scenario in _pictured(results):
        (directory / picture_name(scenario)).write_text(picture(scenario, results.runs))
