"""The lab's benchmark: real daemons, a real kernel and real business on branch lines; ours and the alternatives.

Usage: `make bench-lab` as root, or a part of it: `make bench-lab ARGS='--only "idle line" --methods p2pdist,curl'`.
Finished runs are kept in build/bench/lab-runs.jsonl, so that an interrupted benchmark continues where it stopped.
Delete the file, or give --again, to measure anew. It takes some five hours: leave the machine alone meanwhile.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
import trio
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.lab.engine import run_scenario
from bench.lab.figures import call_added_ms, kept_percent
from bench.lab.namespaces import LabError, remove_stale, why_not
from bench.lab.packages import install_missing
from bench.lab.random_lines import random_lines
from bench.lab.records import Record
from bench.lab.report import Results, read_results, results_of, write_page, write_pictures, write_results
from bench.lab.rivals import RIVALS
from bench.lab.run_file import Job, RunFile, jobs_of
from bench.lab.scenario import GROUPS, OURS, Group, Scenario
from bench.lab.scenarios import all_scenarios
from bench.lab.standing import line_verdict, random_names
from bench.until_signal import cause_of, until_signal
from p2pdist import __version__

METHODS = (OURS, *RIVALS)
SEEDED = "random:"


def chosen(words: str | None, known: Sequence[str], option: str) -> list[str]:
    """Return the names in a comma-separated choice, or all."""
    if words is None:
        return list(known)
    wanted = [word.strip() for word in words.split(";" if ";" in words else ",")]
    for word in wanted:
        if word not in known:
            raise click.BadParameter(f"there is no {word!r}; choose from: {'; '.join(known)}", param_hint=option)
    return wanted


def chosen_lines(words: str | None) -> tuple[list[Group], str]:
    """Return the groups of lines in a choice, and the seed of the random ones: the release, if none is given."""
    seed, wanted = __version__, []
    for word in (words or ",".join(GROUPS)).split(","):
        name = word.strip()
        if name.startswith(SEEDED):
            name, seed = "random", name.removeprefix(SEEDED)
        wanted.append(name)
    known = {group: group for group in GROUPS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise click.BadParameter(f"there is no {unknown[0]!r}; choose from: {', '.join(GROUPS)}, random:SEED")
    return [group for group in GROUPS if group in wanted], seed


def line_of(record: Record) -> str:
    """Return a run as a line of text, for the person who waits."""
    parts = [f"WAN {record.wan_ratio:.3f}", f"{record.seconds:.1f} s" if record.seconds else "not finished"]
    if (kept := kept_percent(record)) is not None:
        parts.append(f"CUBIC keeps {kept:.1f} %")
    if (added := call_added_ms(record)) is not None:
        parts.append(f"call {added:+.1f} ms")
    if record.regained_seconds is not None:
        parts.append(f"regained after {record.regained_seconds:.1f} s")
    if record.processor_was_the_limit:
        parts.append(f"VOID, processor {100 * record.processor.busy_share:.0f} % busy")
    return ", ".join(parts)


async def run_all(todo: Sequence[Job], runs: RunFile, console: Console) -> int:
    """Run scenarios one after the other until a signal; return the exit code. What is void is tried again, at once."""

    async def job() -> int:
        exit_code = 0
        for count, (scenario, repeat) in enumerate(todo, 1):
            failed = 0
            while not failed and not runs.is_done(scenario, repeat):
                failed = await run_one(scenario, repeat, f"{count}/{len(todo)}", runs, console)
            exit_code |= failed
        return exit_code

    return await until_signal(job, lambda name: console.print(f"{name}: taking the lab down"))


async def run_one(scenario: Scenario, repeat: int, which: str, runs: RunFile, console: Console) -> int:
    """Run one scenario, keep and print its record; a failure is printed and does not stop the others."""
    console.print(f"[bold]{which} {escape(scenario.key)}, run {repeat}[/bold]")
    try:
        with tempfile.TemporaryDirectory(prefix="p2pdist-lab-", ignore_cleanup_errors=True) as name:
            record = await run_scenario(scenario, Path(name), repeat)
    except Exception as error:  # noqa: BLE001 - one broken run must not cost the others
        console.print(f"  failed: {cause_of(error)}", markup=False)
        return 1
    runs.append(record)
    console.print(f"  {line_of(record)}", markup=False)
    return 0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", help="Scenarios, with commas (or semicolons, where a name has a comma).")
@click.option("--lines", help=f"Of {', '.join(GROUPS)}; random:SEED draws other random lines than the release's.")
@click.option("--methods", help=f"Of {', '.join(METHODS)}; with semicolons where a name has a comma.")
@click.option("--repeats", type=click.IntRange(1, 20), help="How often each scenario runs, instead of its own number.")
@click.option("--again", is_flag=True, help="Also repeat runs that are kept.")
@click.option("--list", "list_only", is_flag=True, help="Print the scenarios and end.")
@click.option(
    "--render",
    "write_from",
    flag_value="committed",
    help="Run nothing: write page and pictures from the committed results.",
)
@click.option(
    "--merge",
    "write_from",
    flag_value="kept",
    help="The same, with the runs that are kept in the place of the committed ones.",
)
@click.option("--install/--no-install", default=True, help="Install the alternatives' packages where they are missing.")
def main(
    *,
    only: str | None,
    lines: str | None,
    methods: str | None,
    repeats: int | None,
    again: bool,
    list_only: bool,
    write_from: Literal["committed", "kept"] | None,
    install: bool,
) -> None:
    """Measure ours and its alternatives on lines of the lab.

    Exit codes: 0 done (whatever was measured), 1 a run failed, 2 wrong usage or no lab here, 130 interrupted.
    """
    console = Console(highlight=False)
    groups, seed = chosen_lines(lines)
    everything = all_scenarios(tuple(RIVALS), seed, groups)
    if list_only:
        for scenario in everything:
            print(scenario.key)
        return
    if write_from is not None:
        kept = RunFile().results(everything) if write_from == "kept" else []
        if not (found := merged(kept, read_results(), seed)):
            raise click.UsageError("there are no results to render; run the benchmark first.")
        write_everything(found, console)
        return
    reason = why_not()
    if reason is not None:
        raise click.UsageError(reason)
    names = chosen(only, list(dict.fromkeys(scenario.name for scenario in everything)), "--only")
    ways = chosen(methods, METHODS, "--methods")
    selected = [scenario for scenario in everything if scenario.name in names and scenario.method in ways]
    runs = RunFile(ignore_old=again)
    todo = [job for job in jobs_of(selected, repeats) if not runs.is_done(*job)]
    try:
        if install and any(scenario.method != OURS for scenario, _ in todo):
            install_missing(console)
        trio.run(remove_stale)
        exit_code = trio.run(run_all, todo, runs, console)
    except LabError as error:
        raise click.ClickException(str(error)) from error
    measured = runs.results(selected)
    print_summary(measured, console)
    if exit_code == 0 and selected == all_scenarios(tuple(RIVALS), __version__):
        write_everything(measured, console)
    sys.exit(exit_code)


def merged(runs: Sequence[Record], committed: Results | None, seed: str) -> list[Record]:
    """Return these runs, and the committed ones of what they have not measured.

    Random lines that ``seed`` does not draw are an earlier release's: they go as soon as one of its own was run.
    """
    before = committed.runs if committed else ()
    measured = {(run.scenario, run.method) for run in runs}
    drawn = {line.name for line in random_lines(seed)}
    gone = {name for name in random_names(before) if name not in drawn} if drawn & set(random_names(runs)) else set()
    return [*(run for run in before if run.scenario not in gone and (run.scenario, run.method) not in measured), *runs]


def print_summary(records: Sequence[Record], console: Console) -> None:
    """Print the targets that were measured, and where ours stands on each random line."""
    shown = Table(title="Targets", title_justify="left")
    for column in ("metric", "target", "measured", "met"):
        shown.add_column(column)
    for row in results_of(records).summary:
        if row.measured is not None:
            shown.add_row(row.metric, row.target, row.measured, {True: "yes", False: "no", None: "–"}[row.met])
    console.print(shown)
    for line in random_names(records):
        console.print(f"{line}: {line_verdict(records, line, list(RIVALS))}", markup=False)


def write_everything(records: Sequence[Record], console: Console) -> None:
    """Write the files that are committed: results, page and pictures."""
    results = results_of(records)
    write_results(results)
    write_page(results)
    write_pictures(results)
    console.print("written: bench/results/lab.json, docs/benchmarks.md, docs/pictures/lab-*.svg")


if __name__ == "__main__":
    main()
