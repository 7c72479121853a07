"""Writes docs/benchmarks.md, its pictures and bench/results/lab.json, all from the records."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from bench.lab import scenarios as names
from bench.lab.records import Record
from bench.lab.rivals import RIVALS
from bench.lab.scenarios import OURS
from bench.lab.summary import SummaryRow, call_added_ms, find, kept_percent, page_median_percent, summary

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "lab.json"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- lab:begin -->\n", "<!-- lab:end -->"
PICTURED = (names.IDLE_LINE, names.BESIDE_CUBIC, names.BESIDE_CALL, names.BESIDE_WEB)
OURS_PEN, BUSINESS_PEN = Pen("patch", "#0b5cad", width=2.4), Pen("business", "#d55e00", "6 2")
QUEUE_PEN = Pen("queue", "#52606d", "2 2")
_MET = {True: "yes", False: "**no**", None: "–"}


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    runs: list[Record]


def results_of(records: Sequence[Record]) -> Results:
    """Compute everything from the runs."""
    return Results(summary(records, list(RIVALS)), list(records))


def write_results(results: Results, path: Path = RESULTS) -> None:
    """Write each row and each run on a line of its own, so that a change of one changes one line."""
    encode = msgspec.json.encode
    parts = [
        b'"' + name.encode() + b'":[\n' + b",\n".join(map(encode, getattr(results, name))) + b"\n]"
        for name in Results.__struct_fields__
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{\n" + b",\n".join(parts) + b"\n}\n")


def read_results(path: Path = RESULTS) -> Results | None:
    """Return the committed file; None while there is none."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else None


# --- the page ----------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for a table."""
    return "–" if value is None else f"{value:.{digits}f}"


def methods_table(records: Sequence[Record]) -> str:
    """Return ours and the alternatives, side by side."""
    rows = []
    for method in (OURS, *RIVALS):
        idle, cubic, call, web = (find(records, scenario, method) for scenario in PICTURED)
        if idle is None and cubic is None and call is None and web is None:
            continue
        rows.append(
            [
                method,
                number(idle.wan_ratio if idle else None, 3),
                number(idle.time_ratio if idle else None),
                number(kept_percent(cubic) if cubic else None, 1),
                number(call_added_ms(call) if call else None, 1),
                number(page_median_percent(web) if web else None, 1),
                number(idle.queue_p95_ms if idle else None, 1),
            ]
        )
    head = ("way", "WAN bytes ÷ file", "last PC ÷ line limit", "CUBIC keeps, %", "call p95 added, ms",
            "page median longer by, %", "queue p95 on an idle line, ms")  # fmt: skip
    return table(head, rows)


def runs_table(records: Sequence[Record]) -> str:
    """Return every run."""
    rows = [
        [
            record.scenario,
            record.method,
            number(record.wan_ratio, 3),
            number(record.seconds, 1) if record.finished else "not finished",
            number(100 * record.use, 0),
            f"{number(record.queue_p50_ms, 1)} / {number(record.queue_p95_ms, 1)}",
            number(kept_percent(record), 1),
            number(call_added_ms(record), 1),
            number(record.regained_seconds, 1),
            number(record.longest_stall_seconds, 1),
            f"{100 * record.processor.busy_share:.0f} %" + (" **void**" if record.processor_was_the_limit else ""),
        ]
        for record in records
    ]
    head = ("scenario", "way", "WAN ÷ file", "seconds", "line used, %", "queue p50 / p95, ms", "CUBIC keeps, %",
            "call p95 added, ms", "regained after, s", "longest stall, s", "processor")  # fmt: skip
    return table(head, rows)


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    rows = [[row.metric, row.target, row.measured or "not run", _MET[row.met]] for row in results.summary]
    parts = ["### Targets\n", table(("metric", "target", "measured", "met"), rows)]
    if results.runs:
        parts += ["### Ours and what a user would pick instead\n", methods_table(results.runs)]
        parts += [f"![{scenario}](pictures/{picture_name(scenario)})\n" for scenario in _pictured(results)]
        parts += ["### Every run\n", runs_table(results.runs)]
    return "\n".join(parts)


def write_page(results: Results, path: Path = PAGE) -> None:
    """Put the tables between the page's marks."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + BEGIN + page_text(results) + END + after)


# --- pictures ----------------------------------------------------------------------------------


def picture_name(scenario: str) -> str:
    """Return the file name of a scenario's picture."""
    return "lab-" + "".join(letter if letter.isalnum() else "-" for letter in scenario.lower()) + ".svg"


def _pictured(results: Results) -> list[str]:
    return [scenario for scenario in PICTURED if find(results.runs, scenario) is not None]


def picture(scenario: str, records: Sequence[Record]) -> str:
    """Return a sheet: one chart for each way, the patch, the business and the queue over time."""
    charts = []
    for method in (OURS, *RIVALS):
        record = find(records, scenario, method)
        if record is None:
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
