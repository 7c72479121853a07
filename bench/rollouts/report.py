"""Writes bench/results/rollouts.json and its part of docs/benchmarks.md."""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.lab.report import PAGE
from bench.page_table import table, write_between
from bench.result_lines import read_lines, write_lines
from bench.rollouts.world import Outcome
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "rollouts.json"
BEGIN, END = "<!-- rollouts:begin -->\n", "<!-- rollouts:end -->"
MOST_LOOK_SECONDS = 0.2


class EndCount(msgspec.Struct, frozen=True):
    """How many rollouts came to an end alike."""

    state: str
    reason: str
    rollouts: int


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    ends: list[EndCount]
    notes: list[str]


def results_of(
    outcomes: Sequence[Outcome], looks: Sequence[float], rings: tuple[int, int], *, pcs: int, rollouts: int
) -> Results:
    """Return what is to be written; ``looks`` are in seconds, ``rings`` are asked and differing pairs."""
    broken = [one for one in outcomes if one.broken]
    endless = [one for one in outcomes if not one.ended]
    median, worst = statistics.median(looks), max(looks)
    size = f"{len(outcomes):,} rollouts × {pcs:,} PCs"
    summary = [
        SummaryRow(f"{size}: rules broken", "0", f"{len(broken)}", not broken),
        SummaryRow(f"{size}: without an end", "0", f"{len(endless)}", not endless),
        SummaryRow(
            f"one evaluation with {rollouts} live rollouts and {pcs:,} PCs", "≤ 200 ms",
            f"median {1e3 * median:.0f} ms, {1e3 * min(looks):.0f} to {1e3 * worst:.0f} ms in {len(looks)}",
            worst <= MOST_LOOK_SECONDS,
        ),
        SummaryRow(
            f"ring membership, server = PC, {rings[0]:,} pairs", "100 %",
            f"{100 * (1 - rings[1] / max(1, rings[0])):g} %", rings[1] == 0,
        ),
    ]  # fmt: skip
    ends = Counter((one.state, one.reason) for one in outcomes)
    reports, looked = sum(one.reports for one in outcomes), sum(one.evaluations for one in outcomes)
    notes = [
        (
            f"{looked:,} evaluations of {reports:,} reports, {sum(one.virtual_days for one in outcomes):,.0f} days of "
            f"virtual time; {sum(one.opened for one in outcomes):,} rings were opened."
        ),
        *(f"seed {one.seed}: {one.broken or 'no end'}" for one in [*broken, *endless][:20]),
    ]
    return Results(summary, [EndCount(*key, count) for key, count in ends.most_common()], notes)


def write_results(results: Results, path: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the file, and the tables between the page's marks."""
    write_lines(results, path)
    write_between(page, BEGIN, END, page_text(results))


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    ends = [[one.state, one.reason, str(one.rollouts)] for one in results.ends]
    parts = [
        summary_table(results.summary),
        *(f"{note}\n" for note in results.notes[:1]),
        table(("ended as", "because", "rollouts"), ends),
    ]
    return "\n".join(parts)


def read_results(path: Path = RESULTS) -> Results | None:
    """Return the committed file; None while there is none."""
    return read_lines(path, Results)
