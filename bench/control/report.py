"""The results for people: tables for the terminal, and the same as Markdown for docs/bandwidth-control.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.control.ahead import ALL_QUEUES, HARMS, Beside
from bench.control.cells import OURS, OURS_HIDDEN, RIVALS, SENDERS
from bench.control.plots import ALL_PICTURES
from bench.control.results import Results
from bench.control.sources import ROOT
from bench.control.summary import Measured, SummaryRow
from bench.control.targets import TARGETS, Over, Target, Unit, show
from bench.summary_rows import MET

PAGE = ROOT / "docs" / "bandwidth-control.md"
BEGIN, END = "<!-- benchmark:begin -->\n", "<!-- benchmark:end -->"
NOTHING_YET = "No results are committed yet: `make bench-control` writes them.\n"
_VERDICTS = {"ahead": "less harm", "even": "same harm", "behind": "**more harm**"}


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table for the terminal or for the page."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False
    """Whether the page shows only its title at first."""

    def markdown(self) -> str:
        """Return it for the page."""
        lines = ["| " + " | ".join(self.head) + " |", "|" + "---|" * len(self.head)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        if self.folded:
            return "\n".join([f"<details><summary>{self.title}</summary>", "", *lines, "", "</details>", ""])
        return "\n".join([f"### {self.title}", "", *lines, ""])

    def for_terminal(self) -> Table:
        """Return it for rich."""
        table = Table(title=self.title, title_justify="left", header_style="bold")
        for column in self.head:
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*(text.replace("**", "").replace("<br>", "\n") for text in row))
        return table


def tables(results: Results) -> list[TextTable]:
    """Return all tables that have something to say, each from the results alone."""
    senders = [sender for sender in SENDERS if any(results.senders[sender].values())]
    every = [
        [target.metric, *(_short(target, results.senders[sender][target.metric]) for sender in senders)]
        for target in TARGETS
    ]
    worst = [
        [row.metric, "<br>".join(row.measured.worst_cells)]
        for row in results.summary
        if row.measured and row.measured.worst_cells
    ]
    found = [
        TextTable("Targets", ("metric", "target", "measured", "met"), _target_rows(results.summary)),
        TextTable("Where it is worst", ("metric", "cells"), worst),
        TextTable("Every sender, by the same targets (✓: met)", ("metric", *senders), every),
    ]
    for sender, seen in ((OURS, "seen"), (OURS_HIDDEN, "hidden")):
        asked = [each for each in results.comparisons if each.sender == sender]
        for by_queue, words in ((False, ""), (True, ", by queue")):
            some = [each for each in asked if (each.queue != ALL_QUEUES) == by_queue]
            rivals = [rival for rival in RIVALS if any(each.rival == rival for each in some)]
            head = ("business (harm)", "ours: harm, use", *rivals)
            found.append(TextTable(f"Who is ahead, business {seen}{words}", head, _ahead_rows(some, rivals), by_queue))
    return [table for table in found if table.rows]


def print_tables(results: Results, console: Console) -> None:
    """Print what was measured, and the cells to look at."""
    for table in tables(results):
        if table.rows:
            console.print(table.for_terminal())


def page_block(results: Results | None) -> str:
    """Return what stands between the markers of the page."""
    if results is None:
        return NOTHING_YET
    about = results.about
    seconds = ", ".join(f"{name}: {length:g} s" for name, length in about.run_seconds.items())
    intro = (
        f"{about.runs} runs with {about.seeds} seeds; length of a run by line (Mbit/s down/up): {seconds}. "
        "In brackets: 95 % intervals of the median, by the bootstrap over cells.\n"
    )
    pictures = "\n\n".join(f"![{picture.words}](pictures/{picture.file_name})" for picture in ALL_PICTURES)
    parts = [table.markdown() for table in tables(results)]
    return "\n".join([intro, *parts, pictures, ""])


def write_page(results: Results | None) -> None:
    """Put the block between the page's markers."""
    PAGE.write_text(with_block(PAGE.read_text(encoding="utf-8"), page_block(results)), encoding="utf-8")


def with_block(page: str, block: str) -> str:
    """Return ``page`` with ``block`` between its markers. Raises `ValueError` where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN.strip()} … {END}")
    return before + BEGIN + block + END + after


def _target_rows(rows: Sequence[SummaryRow]) -> list[list[str]]:
    told = []
    for row in rows:
        measured = row.measured.text if row.measured else "–"
        for words, other in (("hidden", row.measured_hidden), ("rate learned", row.measured_learned)):
            if other is not None:
                measured += f"<br>{words}: {other.text}"
        told.append([row.metric, row.target, measured, MET[row.met]])
    return told


def _short(target: Target, measured: Measured | None) -> str:
    """Return only the numbers that the limits are about, and a mark where all are kept."""
    if measured is None:
        return "–"
    numbers: list[str] = []
    for bound, part in zip(target.bounds, measured.bounds, strict=True):
        value = show(part.value, bound.unit)
        if bound.is_of_events:
            value = f"{bound.over.value} {value}"
        elif bound.over is Over.EVERY_CELL:
            already = numbers and not bound.label  # the median is there already
            value = f"worst {value}" if already else f"{show(part.median, bound.unit)}, worst {value}"
        numbers.append(f"{bound.label} {value}".strip())
    return ("<br>" if target.bounds[0].label else ", ").join(numbers) + (" ✓" if measured.met else "")


def _ahead_rows(comparisons: Sequence[Beside], rivals: Sequence[str]) -> list[list[str]]:
    rows: dict[tuple[str, str], list[str]] = {}
    for each in comparisons:
        harm = HARMS[each.business]
        name = f"{each.business} ({harm.words})" if each.queue == ALL_QUEUES else f"{each.business}, {each.queue}"
        ours = f"{show(each.harm, harm.unit)}, {show(each.use, Unit.SHARE)}"
        row = rows.setdefault((each.queue, each.business), [name, ours, *["–"] * len(rivals)])
        theirs = f"{show(each.rival_harm, harm.unit)}, {show(each.rival_use, Unit.SHARE)}"
        low_use = "" if each.use_is_enough else ", **less use**"
        row[2 + rivals.index(each.rival)] = f"{_VERDICTS[each.harm_verdict]}{low_use}<br>{theirs}"
    return list(rows.values())
