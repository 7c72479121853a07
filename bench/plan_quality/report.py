"""Writes bench/results/plan.json and its part of docs/benchmarks.md."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.lab.report import PAGE
from bench.page_table import table, write_between
from bench.plan_quality.in_lab import LabFigures
from bench.plan_quality.play import CaseResult, SiteResult
from bench.result_lines import write_lines
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "plan.json"
BEGIN, END = "<!-- plan:begin -->\n", "<!-- plan:end -->"
MOST_LAB_ERROR = 0.2
MOST_ERROR, COVERED, MOST_BYTES, MOST_SECONDS = 0.15, (0.85, 0.95), 0.03, 2.0


class CaseFigures(msgspec.Struct, frozen=True):
    """What came of one case, over all companies."""

    case: str
    sites: int
    median_hours: float
    """From the start to a site's finish."""
    median_error: float
    """Of the planned time, without its sign."""
    bias: float
    """The median with its sign: above 0, plans are too late."""
    covered: float
    """Share of the sites that were done by p90."""
    bytes_error: float
    """Of the planned bytes over all lines."""
    plan_seconds: float
    """The longest that a plan took, in time of processor."""
    unfinished: int


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    cases: list[CaseFigures]
    notes: list[str]
    lab: list[LabFigures] = []
    lab_summary: list[SummaryRow] = []


def with_lab(results: Results, found: Sequence[LabFigures]) -> Results:
    """Return the results with what the lab showed, in place of what it showed of the same cases before."""
    anew = {one.case for one in found}
    lab = sorted([*(one for one in results.lab if one.case not in anew), *found], key=lambda one: (one.case, one.site))
    errors = [abs(one.error) for one in lab]
    error = statistics.median(errors)
    row = SummaryRow(
        f"{len(lab)} sites in the lab: median error of a site's finish", "≤ 20 %",
        f"{error:.1%}, at most {max(errors):.1%}", error <= MOST_LAB_ERROR,
    )  # fmt: skip
    return msgspec.structs.replace(results, lab=lab, lab_summary=[row])


def results_of(found: Sequence[CaseResult], *, sites: int, companies: int) -> Results:
    """Return what is to be written."""
    names = list(dict.fromkeys(one.name for one in found))
    cases = [_figures(name, [one for one in found if one.name == name]) for name in names]
    everything = [site for one in found for site in one.sites]
    error = statistics.median(abs(site.error) for site in everything)
    covered = sum(site.covered for site in everything) / len(everything)
    bytes_error = statistics.median(abs(site.planned_bytes / site.bytes - 1) for site in everything)
    worst = max(abs(site.planned_bytes / site.bytes - 1) for site in everything)
    slowest = max(one.plan_seconds for one in found)
    size = f"{companies} × {sites} simulated sites, {len(names)} patches"
    summary = [
        SummaryRow(f"{size}: median error of a site's finish", "≤ 15 %", f"{error:.1%}", error <= MOST_ERROR),
        SummaryRow(f"{size}: done by p90", "85 to 95 %", f"{covered:.1%}", COVERED[0] <= covered <= COVERED[1]),
        SummaryRow(
            f"{size}: bytes over a site's line", "± 3 %", f"median {bytes_error:.2%}, at most {worst:.1%}",
            bytes_error <= MOST_BYTES,
        ),
        SummaryRow(
            f"a plan of {sites} sites, time of processor", "≤ 2 s", f"at most {slowest:.2f} s", slowest <= MOST_SECONDS
        ),
    ]  # fmt: skip
    unfinished = sum(one.unfinished for one in found)
    notes = [f"{len(everything):,} sites were compared; {unfinished} did not finish in four weeks and are left out."]
    return Results(summary, cases, notes)


def _figures(name: str, found: Sequence[CaseResult]) -> CaseFigures:
    sites: list[SiteResult] = [site for one in found for site in one.sites]
    return CaseFigures(
        case=name,
        sites=len(sites),
        median_hours=round(statistics.median(site.seconds for site in sites) / 3_600, 1),
        median_error=round(statistics.median(abs(site.error) for site in sites), 3),
        bias=round(statistics.median(site.error for site in sites), 3),
        covered=round(sum(site.covered for site in sites) / len(sites), 3),
        bytes_error=round(sum(site.planned_bytes for site in sites) / sum(site.bytes for site in sites) - 1, 4),
        plan_seconds=round(max(one.plan_seconds for one in found), 2),
        unfinished=sum(one.unfinished for one in found),
    )


def committed(path: Path = RESULTS) -> Results:
    """Return the committed results."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write_results(results: Results, path: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the file, and the tables between the page's marks."""
    write_lines(results, path)
    write_between(page, BEGIN, END, page_text(results))


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    cases = [
        [
            one.case, f"{one.median_hours:g} h", f"{one.median_error:.1%}", f"{one.bias:+.1%}", f"{one.covered:.0%}",
            f"{one.bytes_error:+.2%}", f"{one.plan_seconds:g} s",
        ]
        for one in results.cases
    ]  # fmt: skip
    parts = [
        summary_table((*results.summary, *results.lab_summary)),
        *(f"{note}\n" for note in results.notes),
        table(("patch", "median time", "median error", "median with its sign", "done by p90", "bytes", "plan"), cases),
    ]
    if results.lab:
        heads = ("lab", "site", "planned", "p90", "was", "error", "processor")
        parts.append(table(heads, [_lab_row(one) for one in results.lab]))
    return "\n".join(parts)


def _lab_row(one: LabFigures) -> list[str]:
    return [
        one.case, one.site, f"{one.planned_seconds:.0f} s", f"{one.p90_seconds:.0f} s", f"{one.actual_seconds:.0f} s",
        f"{one.error:+.1%}", f"{one.processor:.0%}",
    ]  # fmt: skip
