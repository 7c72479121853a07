"""What a company's size costs one server: 10,000 real connections, 25,000 PCs, 300 live patches, 4,000 published.

Usage: `make bench-fleet`, or a part of it: `make bench-fleet ARGS='--only connections,return'`; with --quick in small,
with `--size name=number` in other sizes. A finished run is kept in build/bench/fleet-runs.jsonl, so that scenarios can
be run one at a time; --again measures anew. Leave the machine alone meanwhile.
"""

import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import structlog
import trio
from rich.console import Console
from rich.table import Table

from bench.fleet_size.records import Run
from bench.fleet_size.report import Results, figure_text, read_results, results_of, write_page, write_results
from bench.fleet_size.run_file import RunFile
from bench.fleet_size.scenarios import SCENARIOS, run_scenario
from bench.fleet_size.sizes import FULL, QUICK, Sizes, changed
from bench.until_signal import cause_of, until_signal


async def run_all(names: Sequence[str], sizes: Sizes, runs: RunFile, console: Console) -> int:
    """Run scenarios one after the other until a signal; return the exit code."""

    async def job() -> int:
        exit_code = 0
        for name in names:
            exit_code |= await run_one(name, sizes, runs, console)
        return exit_code

    return await until_signal(job, lambda name: console.print(f"{name}: ending what was started"))


async def run_one(name: str, sizes: Sizes, runs: RunFile, console: Console) -> int:
    """Run one scenario, keep and print its run; a failure is printed and does not stop the others."""
    console.print(f"[bold]{name}[/bold]")
    try:
        with tempfile.TemporaryDirectory(prefix="p2pdist-fleet-", ignore_cleanup_errors=True) as directory:
            run = await run_scenario(name, sizes, Path(directory))
    except Exception as error:  # noqa: BLE001 - one broken scenario must not cost the others
        console.print(f"  failed: {cause_of(error)}", markup=False)
        return 1
    runs.append(run)
    show(run, console)
    return 0


def show(run: Run, console: Console) -> None:
    """Print a run for the person who waits."""
    console.print(f"  {run.kind}; {run.seconds:.0f} s, processors {100 * run.busy_share:.0f} % busy", markup=False)
    for name, value in run.figures.items():
        console.print(f"  {name.replace('_', ' ')}: {figure_text(value)}", markup=False)
    for line in (*(f"{name}: {why}" for name, why in run.missing.items()), *run.notes):
        console.print(f"  {line}", markup=False)


def print_summary(runs: Sequence[Run], console: Console) -> None:
    """Print the targets."""
    shown = Table(title="Targets", title_justify="left")
    for column in ("metric", "target", "measured", "met"):
        shown.add_column(column)
    for row in results_of(runs).summary:
        shown.add_row(row.metric, row.target, row.measured or "–", {True: "yes", False: "no", None: "–"}[row.met])
    console.print(shown)


def write_everything(runs: Sequence[Run], console: Console) -> None:
    """Write the files that are committed."""
    results = results_of(runs)
    write_results(results)
    write_page(results)
    console.print("written: bench/results/fleet.json, docs/benchmarks.md")


def merged(runs: Sequence[Run], committed: Results | None) -> list[Run]:
    """Return these runs, and the committed ones of scenarios that have none of them; in the order of the scenarios."""
    newest = {run.scenario: run for run in (*(committed.runs if committed else ()), *runs)}
    return [newest[name] for name in SCENARIOS if name in newest]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", help=f"Of {', '.join(SCENARIOS)}.")
@click.option("--quick", is_flag=True, help="Small sizes, in minutes; nothing that is committed is written.")
@click.option("--size", "size_words", multiple=True, help="name=number, another size than usual; as --quick.")
@click.option("--again", is_flag=True, help="Also repeat runs that are kept.")
@click.option("--list", "list_only", is_flag=True, help="Print the scenarios and end.")
@click.option("--render", is_flag=True, help="Run nothing: write the page from the committed results.")
@click.option(
    "--merge",
    is_flag=True,
    help="Run nothing: write results and page, with the runs that are kept in the place of the committed ones.",
)
def main(
    *,
    only: str | None,
    quick: bool,
    size_words: tuple[str, ...],
    again: bool,
    list_only: bool,
    render: bool,
    merge: bool,
) -> None:
    """Measure what a company's size costs.

    Exit codes: 0 done (whatever was measured), 1 a scenario failed, 2 wrong usage, 130 interrupted.
    """
    console = Console(highlight=False)
    names = [name.strip() for name in only.split(",")] if only else list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise click.BadParameter(
            f"there is no {unknown[0]!r}; choose from: {', '.join(SCENARIOS)}", param_hint="--only"
        )
    if list_only:
        print("\n".join(names))
        return
    if render:
        committed = read_results()
        if committed is None:
            raise click.UsageError("there are no committed results to render; run the benchmark first.")
        write_everything(committed.runs, console)
        return
    try:
        sizes = changed(QUICK if quick else FULL, size_words)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--size") from error
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not each publication
    runs = RunFile()
    if merge:
        write_everything(merged(runs.results(list(SCENARIOS), FULL), read_results()), console)
        return
    todo = [name for name in names if again or runs.newest(name, sizes) is None]
    exit_code = trio.run(run_all, todo, sizes, runs, console)
    if sizes == FULL:  # other sizes say nothing of the targets
        print_summary(runs.results(names, sizes), console)
    if exit_code == 0 and sizes == FULL and len(runs.results(list(SCENARIOS), FULL)) == len(SCENARIOS):
        write_everything(runs.results(list(SCENARIOS), FULL), console)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
