"""The limiter's benchmark: the law that ships and its rivals beside business on hundreds of simulated lines.

Usage: `make bench-control`, or for a part of the matrix `make bench-control ARGS='--lines 20 --rtts 30,60 --seeds 2'`.
Finished runs are kept under build/bench/, so it can be interrupted and goes on where it stopped, and a change of our
law repeats only our own runs. The whole matrix writes bench/results/control_quality.json, the tables of
docs/bandwidth-control.md and docs/pictures/control-*.svg; a part of it prints tables and writes nothing.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from bench.control.cells import BUSINESSES, IDLE, LINES, LOSSES, QUEUES, RTTS_MS, SEEDS, SENDERS, Selection
from bench.control.core_cost import measure_in_own_process
from bench.control.plots import write_pictures
from bench.control.report import print_tables, write_page
from bench.control.results import Results, about, read_results, results_of, write_results
from bench.control.runner import RUN_FILE, RunFailedError, RunFile, gather, measure, terminated_like_interrupted
from bench.control.sources import check_imports

T = TypeVar("T")
INTERRUPTED = 130
PIPE_COLUMNS = 180


def _chosen(everything: Sequence[T], name: Callable[[T], str]) -> Callable[..., Sequence[T]]:
    """Return a click callback that takes a comma-separated choice from ``everything``."""

    def choose(_context: click.Context, _option: click.Parameter, text: str | None) -> Sequence[T]:
        if text is None:
            return tuple(everything)
        wanted = [word.strip() for word in text.split(",")]
        known = {name(each): each for each in everything}
        for word in wanted:
            if word not in known:
                raise click.BadParameter(f"there is no {word!r}; choose from {', '.join(known)}")
        return tuple(each for each in everything if name(each) in wanted)

    return choose


def _text(value: object) -> str:
    return str(value)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--lines", callback=_chosen(LINES, lambda line: f"{line.down_mbit:g}"), help="Such as 2,20 (Mbit/s down)."
)
@click.option("--rtts", callback=_chosen(RTTS_MS, _text), help="Such as 30,60 (ms).")
@click.option("--queues", callback=_chosen(QUEUES, _text), help="Such as '1 bdp,fq_codel'.")
@click.option("--business", callback=_chosen((*BUSINESSES, IDLE), _text), help="Such as 'web,4 cubic,idle'.")
@click.option("--senders", callback=_chosen(SENDERS, _text), help=f"Of {', '.join(SENDERS)}.")
@click.option("--losses", callback=_chosen(LOSSES, lambda loss: f"{loss:g}"), help="Such as 0,1 (per cent, at random).")
@click.option("--seeds", type=click.IntRange(1, SEEDS), default=SEEDS, show_default=True, help="The first so many.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--core-cost", is_flag=True, help="Measure the law's own cost, also with a part of the matrix.")
@click.option("--render", is_flag=True, help="Run nothing: write page and pictures from the committed results.")
@click.option("--run-file", type=click.Path(dir_okay=False, path_type=Path), default=RUN_FILE, hidden=True)
def main(jobs: int, core_cost: bool, render: bool, run_file: Path, **chosen: Any) -> None:
    """Measure the limiter and its rivals over the matrix of docs/bandwidth-control.md.

    Exit codes: 0 done (whatever was measured), 1 a run failed, 2 wrong usage, 130 interrupted.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if render:
        committed = read_results()
        if committed is None:
            raise click.UsageError("there are no committed results to render; run the whole matrix first.")
        write_everything(committed.recomputed(), console)
        return
    check_imports()
    selection = Selection(
        lines=chosen["lines"],
        rtts_ms=chosen["rtts"],
        queues=chosen["queues"],
        businesses=chosen["business"],
        senders=chosen["senders"],
        losses=chosen["losses"],
        seeds=chosen["seeds"],
    )
    try:
        with terminated_like_interrupted():
            file = RunFile(run_file)
            measure(selection, file, jobs, console)
            # after the runs: nothing else takes the processor's time
            cost = measure_in_own_process() if core_cost or selection.is_whole else None
            results = results_of(gather(selection, file), cost, about(selection))
    except KeyboardInterrupt:
        console.print(f"interrupted; what is finished is in {run_file}, and the same command goes on from there")
        sys.exit(INTERRUPTED)
    except RunFailedError as error:
        raise click.ClickException(str(error)) from error
    print_tables(results, console)
    if selection.is_whole:
        write_everything(results, console)


def write_everything(results: Results, console: Console) -> None:
    """Write what is committed: results, page and pictures."""
    write_results(results)
    write_page(results)
    write_pictures(results)
    console.print("written: bench/results/control_quality.json, docs/bandwidth-control.md, docs/pictures/control-*.svg")


if __name__ == "__main__":
    main()
