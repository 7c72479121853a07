"""Writes bench/results/fleet.json and its part of docs/benchmarks.md, from the runs."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.fleet_size.records import Machine, Run
from bench.fleet_size.targets import summary
from bench.lab.report import PAGE
from bench.page_table import table, write_between
from bench.result_lines import read_lines, write_lines
from bench.summary_rows import SummaryRow, summary_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "fleet.json"
BEGIN, END = "<!-- fleet:begin -->\n", "<!-- fleet:end -->"


class Results(msgspec.Struct, frozen=True):
    """The content of the committed file."""

    summary: list[SummaryRow]
    runs: list[Run]


def results_of(runs: Sequence[Run]) -> Results:
    """Compute everything from the runs."""
    return Results(summary(runs), list(runs))


def write_results(results: Results, path: Path = RESULTS) -> None:
    """Write each row and each run on a line of its own."""
    write_lines(results, path)


def read_results(path: Path = RESULTS) -> Results | None:
    """Return the committed file; None while there is none."""
    return read_lines(path, Results)


# --- the page ----------------------------------------------------------------------------------


def figure_text(value: float) -> str:
    """Return a figure with as many digits as say something."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def machine_text(machine: Machine) -> str:
    """Return one line about a machine."""
    return (
        f"{machine.processors} processors ({machine.processor}), {machine.memory_bytes / 1e9:.0f} GB of memory, Linux "
        f"{machine.kernel}, Python {machine.python}; a process may have {machine.max_open_files:,} files"
    )


def run_text(run: Run) -> str:
    """Return everything that a run says."""
    about = (
        f"{run.kind}. Version {run.version} at {run.revision or 'no revision'}; it took {run.seconds:.0f} s, with the "
        f"processors {100 * run.busy_share:.0f} % busy."
    )
    lines = [f"### {run.scenario}\n", about + "".join(f" Note: {note}." for note in run.notes) + "\n"]
    rows = [[name.replace("_", " "), figure_text(value)] for name, value in run.figures.items()]
    rows += [[name.replace("_", " "), reason] for name, reason in run.missing.items()]
    return "\n".join([*lines, table(("figure", "value"), rows)])


def page_text(results: Results) -> str:
    """Return the text between the page's marks."""
    if not results.runs:
        return "Not measured yet.\n"
    parts = [summary_table(results.summary)]
    machines = dict.fromkeys(machine_text(run.machine) for run in results.runs)
    parts += [f"Measured on {words}. The server and those who play the PCs share it.\n" for words in machines]
    return "\n".join([*parts, *map(run_text, results.runs)])


def write_page(results: Results, path: Path = PAGE) -> None:
    """Put the tables between the page's marks."""
    write_between(path, BEGIN, END, page_text(results))
