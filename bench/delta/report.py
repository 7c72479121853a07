"""Writes bench/results/delta.json and its part of docs/benchmarks.md."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.delta.cases import PCS, Case, all_cases, whole, without
from bench.delta.pairs import PAIRS, pair_named
from bench.delta.records import DeltaRun, PairFacts
from bench.delta.summary import summary
from bench.lab.report import PAGE, number
from bench.lab.scenario import MB
from bench.page_table import table, write_between
from bench.result_lines import read_lines, write_lines
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "delta.json"
BEGIN, END = "<!-- delta:begin -->\n", "<!-- delta:end -->"


class Skipped(msgspec.Struct, frozen=True):
    """A pair that could not be had."""

    pair: str
    reason: str


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    pairs: list[PairFacts]
    runs: list[DeltaRun]
    skipped: list[Skipped]


def results_of(pairs: Iterable[PairFacts], runs: Iterable[DeltaRun], skipped: Mapping[str, str]) -> Results:
    """Return what is to be written: of each pair and case the last, in their order, and of what is defined now."""
    facts, found = {one.pair: one for one in pairs}, {run.case: run for run in runs}
    in_order = [facts[pair.name] for pair in PAIRS if pair.name in facts]
    cases = [case for case in all_cases() if case in found]
    measured = [found[case] for case in cases if found[case].is_current]
    left_out = [Skipped(name, reason) for name, reason in skipped.items() if name not in facts]
    return Results(summary(in_order, measured), in_order, measured, left_out)


def committed(path: Path = RESULTS) -> Results:
    """Return the committed results."""
    return read_lines(path, Results) or Results([], [], [], [])


def write_results(results: Results, path: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the file, and the tables between the page's marks."""
    write_lines(results, path)
    write_between(page, BEGIN, END, page_text(results))


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    if not results.runs:
        return "Not measured yet.\n"
    parts = [summary_table(results.summary), _pairs_table(results)]
    parts += [_cases_table(results.runs)]
    parts += [f"{one.pair} was left out: {one.reason}.\n" for one in results.skipped]
    return "\n".join(parts)


def _pairs_table(results: Results) -> str:
    runs = {run.case: run for run in results.runs}
    head = (
        "from, to", "shipped", "stored", "zstd --patch-from", "expected", "over the line", "÷ zstd", "÷ shipped",
        "with no former version ÷ shipped", "publish --repack, as before",
    )  # fmt: skip
    rows = []
    for facts in results.pairs:
        pair, run = pair_named(facts.pair), runs.get(Case(facts.pair))
        line = run.line_bytes if run else None
        alone = runs.get(without(facts.pair))
        rows.append(
            [
                f"{pair.name} {pair.former.version}, {pair.new.version}",
                _mb(facts.shipped_bytes[1]),
                _mb(facts.stored_bytes[1]),
                _mb(facts.limit_bytes),
                _mb(facts.expected_bytes),
                _mb(line),
                number(line / facts.limit_bytes if line is not None and facts.limit_bytes else None),
                number(line / facts.shipped_bytes[1] if line is not None else None, 3),
                number(alone.line_bytes / facts.shipped_bytes[1] if alone and alone.seconds else None, 3),
                f"{facts.publish_seconds:.1f} s, {facts.plain_seconds:.1f} s",
            ]
        )
    left_alone = [
        f"{one.pair} is stored as it is shipped: {one.left_alone}\n" for one in results.pairs if one.left_alone
    ]
    return "\n".join([f"One of {PCS} PCs has the former version; MB:\n", table(head, rows), *left_alone])


def _cases_table(runs: Sequence[DeltaRun]) -> str:
    before = {run.case.pair: run for run in runs if run.case == whole(run.case.pair)}
    head = (
        "case", "over the line, MB", "pieces, MB", "built, MB", "wasted, MB", "last PC, s", "with publishing, s",
        "÷ whole", "a PC's processor, s", "processors busy, %",
    )  # fmt: skip
    rows = []
    for run in runs:
        reference = before.get(run.case.pair)
        times = run.seconds / reference.seconds if run.seconds and reference and reference.seconds else None
        rows.append(
            [
                run.case.name,
                _mb(run.line_bytes),
                _mb(run.sent_bytes),
                _mb(sum(pc.bytes_built for pc in run.pcs)),
                _mb(sum(pc.bytes_wasted for pc in run.pcs)),
                "not finished" if run.seconds is None else number(run.seconds, 1),
                number(run.total_seconds, 1),
                number(times),
                number(max(pc.cpu_seconds for pc in run.pcs), 1),
                number(100 * run.processor.busy_share, 0),
            ]
        )
    return table(head, rows)


def _mb(count: int | None) -> str:
    return number(None if count is None else count / MB, 3 if count is not None and count < MB else 1)
