"""Writes bench/results/pages.json and its part of docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from bench.fleet_size.report import machine_text
from bench.lab.report import PAGE
from bench.page_table import table, write_between
from bench.pages.records import DATABASES, PageFigures, PageRun
from bench.result_lines import read_lines, write_lines
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "pages.json"
KEPT = ROOT / "build" / "bench" / "pages"
BEGIN, END = "<!-- pages:begin -->\n", "<!-- pages:end -->"
MOST_P95_MS, MOST_LATE_MS, MOST_BYTES = 200.0, 5.0, 60_000
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    runs: list[PageRun]


def results_of(runs: Iterable[PageRun]) -> Results:
    """Return what is to be written; one run of each database, in their order."""
    newest = {run.database: run for run in runs}
    ordered = [newest[name] for name in DATABASES if name in newest]
    return Results([row for run in ordered for row in rows_of(run)], ordered)


def rows_of(run: PageRun) -> list[SummaryRow]:
    """Return what a run shows of the targets."""
    size = f"{run.sizes.pcs:,} PCs × {run.sizes.patches} patches, reports flowing, {NAMES[run.database]}"
    seen = [page for page in run.pages if page.looks]
    failed = sum(run.failed.values())
    rows = []
    if seen:
        slowest = max(seen, key=lambda page: page.p95_ms)
        over = sum(page.p95_ms > MOST_P95_MS for page in seen)
        everything = f"{run.p95_ms:.0f} ms, {sum(page.looks for page in seen):,} looks"
        rows.append(
            SummaryRow(f"{size}: all looks, p95", f"≤ {MOST_P95_MS:g} ms", everything, run.p95_ms <= MOST_P95_MS)
        )
        rows.append(
            SummaryRow(
                f"{size}: the slowest page, p95", f"≤ {MOST_P95_MS:g} ms",
                f"{slowest.p95_ms:.0f} ms, {slowest.page}; {over} of {len(seen)} pages over it",
                slowest.p95_ms <= MOST_P95_MS,
            )
        )  # fmt: skip
        heaviest = max(seen, key=lambda page: page.weight_bytes)
        weight = f"{heaviest.weight_bytes / 1e3:.1f} kB, {heaviest.page}"
        rows.append(
            SummaryRow(
                f"{size}: the heaviest page, with style and scripts", "≤ 60 kB", weight,
                heaviest.weight_bytes <= MOST_BYTES,
            )
        )  # fmt: skip
    rows.append(SummaryRow(f"{size}: looks that failed", "0", str(failed), failed == 0))
    late = run.late_p99_ms
    rows.append(
        SummaryRow(
            f"{size}: controllers' lateness meanwhile, p99", f"≤ {MOST_LATE_MS:g} ms",
            None if late is None else f"{late:g} ms; {_or_none(run.late_p99_ms_before)} before",
            None if late is None else late <= MOST_LATE_MS,
        )
    )  # fmt: skip
    return rows


def _or_none(value: float | None) -> str:
    return "nothing told" if value is None else f"{value:g} ms"


def keep(run: PageRun, folder: Path = KEPT) -> None:
    """Keep a finished run, in the place of one before on this database."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run.database}.json").write_bytes(msgspec.json.encode(run))


def kept(folder: Path = KEPT) -> list[PageRun]:
    """Return the runs that are kept."""
    return [msgspec.json.decode(path.read_bytes(), type=PageRun) for path in sorted(folder.glob("*.json"))]


def committed(path: Path = RESULTS) -> Results:
    """Return the committed results."""
    return read_lines(path, Results) or Results([], [])


def write_results(results: Results, path: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the file, and the tables between the page's marks."""
    write_lines(results, path)
    write_between(page, BEGIN, END, page_text(results))


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    if not results.runs:
        return "Not measured yet.\n"
    parts = [summary_table(results.summary)]
    parts += [f"Measured on {words}. All of it shares that machine.\n" for words in machines(results.runs)]
    shown = {page.page: page.weight_bytes for run in results.runs for page in run.pages}
    by_run = [{page.page: page for page in run.pages} for run in results.runs]
    headings = ("page", *(f"{NAMES[run.database]}: p50, p95" for run in results.runs), "weight")
    lines = [
        [f"`{page}`", *(_times(pages.get(page)) for pages in by_run), f"{weight / 1e3:.1f} kB" if weight else "–"]
        for page, weight in shown.items()
    ]
    return "\n".join([*parts, table(headings, lines)])


def machines(runs: Sequence[PageRun]) -> list[str]:
    """Return a line for each machine."""
    return list(dict.fromkeys(machine_text(run.machine) for run in runs))


def _times(page: PageFigures | None) -> str:
    return f"{page.p50_ms:.0f}, {page.p95_ms:.0f} ms" if page is not None and page.looks else "–"
