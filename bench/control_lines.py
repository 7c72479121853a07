"""The limiter alone on some lines as they are: what to look at after each change of the law, in a minute or two.

Usage: `make bench-compiled`, then `PYTHONSAFEPATH=1 PYTHONPATH=build/compiled:. python -m bench.control_lines`.
`--save FILE` keeps the figures; `--against FILE` shows them in brackets, where they differ. The lines are slow, fast,
far and near, lossy, with small and large buffers, most of them described to nobody. The whole matrix, and the rivals,
have `bench.control_quality`.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bandwidth.core.units import LARGEST_PACKET_BYTES, MBIT, BytesPerSecond, packet_bytes
from bandwidth.simulator.figures import reason_seconds
from bandwidth.simulator.meters import percentile
from bandwidth.simulator.ours import WINDOWS
from bandwidth.simulator.scenario import Metrics, Scenario, simulate
from bench.control.cells import ACK_BYTES

HEADER_BYTES = 52  # IPv4, TCP, time stamps
FIRST_SECONDS = 20.0  # the use of a free line is counted over so long, its ramp included
AFTER_SECONDS = 20.0  # what business, a drop or a cut costs afterwards is counted over so long
FULL_SHARE = 0.9
PIPE_COLUMNS = 220
REASONS_SHOWN = 4
IDLE, CUBIC, PAGES = "idle", "cubic", "lab web+voip"


@dataclass(frozen=True, slots=True)
class LineCell:
    """A line, what is beside us, and what we know of them."""

    name: str
    scenario: Scenario
    seeds: int = 1


class LineFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a cell: medians over its seeds, percentiles of all pages. None: there is nothing of the kind."""

    used: float | None
    """Payload ÷ capacity, over the first `FIRST_SECONDS`, or until somebody comes."""
    full_after: float | None
    """Seconds until 90 % of the line is used."""
    times_limit: float | None
    """Seconds for the payload that the line carries in `FIRST_SECONDS`, headers not counted, ÷ these."""
    queue_p95_ms: float
    long_queue_s: float
    """Seconds over 50 ms of queue."""
    lost: int
    """Packets that the queue dropped."""
    keeps: float | None = None
    page_p50: float | None = None
    page_p95: float | None = None
    call_p95_ms: float | None = None
    """Added to the one-way delay."""
    regain: float | None = None
    """Seconds from the end of business or of a drop until a second in which 90 % of the line is used."""
    late: float | None = None
    """Seconds of the line that were not used in the `AFTER_SECONDS` after business or a drop."""
    spare: float | None = None
    """What we carry beside business ÷ what business alone leaves."""
    reasons: dict[str, float] = {}
    """Seconds by the name of the reason, the longest first."""


def line(  # noqa: PLR0913 (a line has as many sides)
    rates: str,
    rtt_ms: float,
    queue: str,
    business: str = IDLE,
    *,
    known: bool = False,
    seen: bool = False,
    loss: float = 0.0,
    drop: tuple[float, float, float] | None = None,
    joins: float = 0.0,
    seconds: float = 30.0,
    seeds: int = 1,
) -> LineCell:
    """Return a cell. ``loss`` in per cent; ``drop``: from and until when, and to which part of the rate.

    ``joins``: business is there before us, and we begin so many seconds later.
    """
    down, up = (float(rate) for rate in rates.split("/"))
    begins, ends = {IDLE: (seconds, seconds), CUBIC: (8.0, 28.0)}.get(business, (8.0, seconds - 2.0))
    if joins:
        begins, ends = 0.0, seconds
    scenario = Scenario(
        line_mbit=down,
        rtt_seconds=rtt_ms / 1_000 + ACK_BYTES / (up * MBIT),
        queue=queue,
        business=business,
        duration_seconds=seconds if business != CUBIC else ends + AFTER_SECONDS,
        scavenger_from_seconds=joins,
        business_from_seconds=begins,
        business_until_seconds=ends,
        business_visible=seen,
        capacity_configured=known,
        loss=loss / 100,
    )
    words = [f"{rates} {rtt_ms:g} ms {queue}"]
    if loss:
        words.append(f"loss {loss:g} %")
    if business != IDLE:
        words.append(f"{business} {'seen' if seen else 'unseen'}")
    if joins:
        words.append("there first")
    if drop is not None:
        begin, end, share = drop
        words.append(f"{'cut' if share < 0.01 else f'to {share:.0%}'} {end - begin:g} s")
        scenario = replace(scenario, drop_from_seconds=begin, drop_until_seconds=end, drop_share=share)
    words.append("known" if known else "unknown")
    return LineCell(", ".join(words), scenario, seeds)


CUT_SHARE = 1e-5
CELLS = (
    line("34/11", 26, "120 ms"),
    line("34/11", 26, "120 ms", known=True),
    line("34/11", 26, "120 ms", loss=0.2, seeds=3),
    line("34/11", 26, "120 ms", loss=0.2, known=True, seeds=3),
    line("34/11", 26, "120 ms", loss=1, seeds=3),
    line("34/11", 26, "120 ms", loss=1, known=True, seeds=3),
    line("34/11", 26, "120 ms", loss=3, seeds=3),
    line("25/5", 560, "300 ms", seconds=40),
    line("25/5", 560, "300 ms", known=True, seconds=40),
    line("25/5", 560, "300 ms", loss=0.2, seconds=40, seeds=3),
    line("100/20", 5, "40 packets"),
    line("100/20", 120, "20 packets"),
    line("200/50", 56, "120 ms"),
    line("8/1", 56, "300 ms"),
    line("2/1", 26, "300 ms"),
    line("34/11", 26, "fq_codel"),
    line("34/11", 26, "120 ms", CUBIC),
    line("34/11", 26, "120 ms", CUBIC, known=True),
    line("34/11", 26, "120 ms", CUBIC, seen=True),
    line("34/11", 26, "120 ms", CUBIC, loss=0.2, seeds=3),
    line("34/11", 26, "40 packets", CUBIC, known=True),
    line("20/20", 40, "fq_codel", CUBIC, known=True),
    line("100/20", 120, "20 packets", CUBIC),
    line("8/1", 56, "300 ms", CUBIC, known=True),
    line("2/1", 100, "200 ms", CUBIC, known=True),
    line("20/20", 40, "200 ms", "lab web", known=True, seconds=60, seeds=3),
    line("8/1", 56, "300 ms", PAGES, known=True, seconds=60, seeds=3),
    line("8/1", 56, "300 ms", PAGES, seconds=60, seeds=3),
    line("2/1", 56, "300 ms", PAGES, known=True, seconds=90, seeds=3),
    line("34/11", 26, "120 ms", PAGES, seconds=60, seeds=3),
    line("8/1", 56, "300 ms", PAGES, joins=8, seconds=24, seeds=9),
    line("20/20", 40, "200 ms", PAGES, joins=8, seconds=24, seeds=9),
    line("20/20", 40, "200 ms", known=True, drop=(10, 25, 0.25), seconds=45),
    line("20/20", 40, "200 ms", drop=(10, 25, 0.25), seconds=45),
    line("34/11", 26, "120 ms", drop=(10, 25, CUT_SHARE), seconds=45),
)


def figures(cell: LineCell, window: str) -> LineFigures:
    """Simulate a cell."""
    scenarios = [replace(cell.scenario, seed=seed, window=window) for seed in range(1, cell.seeds + 1)]
    runs = [(scenario, simulate(scenario)) for scenario in scenarios]
    business = cell.scenario.business != IDLE
    alone = [simulate(replace(scenario, scavenger="none")) for scenario in scenarios if business]
    after, joins = _after(cell.scenario), cell.scenario.scavenger_from_seconds
    return LineFigures(
        used=None if joins else _middle(_used(*run) for run in runs),
        full_after=None if joins else _middle_or_never(metrics.ramp_seconds for _, metrics in runs),
        times_limit=None if business or after is not None else _middle_or_never(_times_limit(*run) for run in runs),
        queue_p95_ms=1_000 * _middle(_queue(*run) for run in runs),
        long_queue_s=_middle(metrics.long_queue_seconds for _, metrics in runs),
        lost=round(_middle(metrics.lost_packets for _, metrics in runs)),
        late=None if after is None else _middle(_late(scenario, metrics, after) for scenario, metrics in runs),
        regain=None if after is None else _middle_or_never(_regain(*run, after) for run in runs),
        reasons=_reasons(runs),
        **(_beside([metrics for _, metrics in runs], alone, joins) if business else {}),
    )


def _beside(together: Sequence[Metrics], alone: Sequence[Metrics], since: float) -> dict[str, float | None]:
    pairs = list(zip(together, alone, strict=True))
    # a page is the same in both runs by its number; a slower run has fewer of them
    pages = [
        (page, page_alone)
        for with_us, without in pairs
        for page, started, page_alone in zip(
            with_us.page_seconds, with_us.page_starts, without.page_seconds, strict=False
        )
        if started >= since
    ]
    growth = {
        share: percentile([page for page, _ in pages], share) / percentile([page for _, page in pages], share) - 1
        for share in (0.5, 0.95)
        if pages
    }
    calls = any(without.voip_p95 for _, without in pairs)
    return {
        "keeps": _middle(with_us.business_bytes / without.business_bytes for with_us, without in pairs),
        "page_p50": growth.get(0.5),
        "page_p95": growth.get(0.95),
        "call_p95_ms": 1_000 * _middle(a.voip_p95 - b.voip_p95 for a, b in pairs) if calls else None,
        "spare": _middle(a.scavenger_bytes / max(1.0, b.line_bytes - b.business_bytes) for a, b in pairs),
    }


def _after(scenario: Scenario) -> float | None:
    """Return when the line is free again; None where it is always, or never in the run."""
    if scenario.drop_until_seconds:
        return scenario.drop_until_seconds
    return scenario.business_until_seconds if scenario.business == CUBIC else None


def _payload_share(scenario: Scenario) -> float:
    packet = (
        packet_bytes(BytesPerSecond(int(scenario.line_rate))) if scenario.capacity_configured else LARGEST_PACKET_BYTES
    )
    return 1 - HEADER_BYTES / packet


def _carried(scenario: Scenario, metrics: Metrics, start: float, stop: float) -> float:
    """Return the payload from ``start`` to ``stop`` (whole seconds) ÷ what the line carries then."""
    rates = metrics.scavenger_rate[int(start) : int(stop)]
    return _payload_share(scenario) * sum(rates) / (len(rates) * scenario.line_rate)


def _used(scenario: Scenario, metrics: Metrics) -> float:
    until = min(FIRST_SECONDS, scenario.business_from_seconds, scenario.drop_from_seconds or FIRST_SECONDS)
    return _carried(scenario, metrics, 0, until)


def _times_limit(scenario: Scenario, metrics: Metrics) -> float | None:
    wanted = FIRST_SECONDS * scenario.line_rate
    carried = 0.0
    for second, rate in enumerate(metrics.scavenger_rate):
        new = rate * _payload_share(scenario)
        if carried + new >= wanted:
            return (second + (wanted - carried) / new) / FIRST_SECONDS
        carried += new
    return None


def _late(scenario: Scenario, metrics: Metrics, after: float) -> float:
    seconds = min(AFTER_SECONDS, scenario.duration_seconds - after)
    return seconds * (1 - _carried(scenario, metrics, after, after + seconds) / _payload_share(scenario))


def _regain(scenario: Scenario, metrics: Metrics, after: float) -> float | None:
    seconds = range(int(after), int(scenario.duration_seconds))
    full = (second for second in seconds if metrics.scavenger_rate[second] >= FULL_SHARE * scenario.line_rate)
    return next((second - after for second in full), None)


def _queue(scenario: Scenario, metrics: Metrics) -> float:
    return metrics.queue_p95 if scenario.business != IDLE else metrics.own_queue_p95


def _reasons(runs: Sequence[tuple[Scenario, Metrics]]) -> dict[str, float]:
    spent: dict[str, float] = {}
    for scenario, metrics in runs:
        for reason, seconds in reason_seconds(metrics, scenario.duration_seconds).items():
            spent[reason.name.lower()] = spent.get(reason.name.lower(), 0.0) + seconds / len(runs)
    return dict(sorted(spent.items(), key=lambda each: -each[1]))


def _middle(values: Iterable[float]) -> float:
    return float(median(values))


def _middle_or_never(values: Iterable[float | None]) -> float | None:
    middle = median(math.inf if value is None else value for value in values)
    return None if math.isinf(middle) else float(middle)


# --- for people --------------------------------------------------------------------------


class _Column(NamedTuple):
    head: str
    figure: str
    text: str
    none: str
    times: float = 1.0


COLUMNS = (
    _Column("used\n%", "used", "{:.1f}", "", 100),
    _Column("90 %\nafter s", "full_after", "{:.2f}", "never"),
    _Column("×\nlimit", "times_limit", "{:.2f}", ""),
    _Column("keeps\n%", "keeps", "{:.1f}", "", 100),
    _Column("spare\n%", "spare", "{:.0f}", "", 100),
    _Column("page\np50 %", "page_p50", "{:+.1f}", "", 100),
    _Column("page\np95 %", "page_p95", "{:+.1f}", "", 100),
    _Column("call p95\n+ms", "call_p95_ms", "{:.1f}", ""),
    _Column("queue\np95 ms", "queue_p95_ms", "{:.1f}", ""),
    _Column("> 50 ms\ns", "long_queue_s", "{:.2f}", ""),
    _Column("lost", "lost", "{:.0f}", ""),
    _Column("regain\ns", "regain", "{:.1f}", ""),
    _Column("late\ns", "late", "{:.1f}", ""),
)


def _told(found: LineFigures, column: _Column) -> str:
    value = getattr(found, column.figure)
    return column.none if value is None else column.text.format(column.times * value)


def table(found: Mapping[str, LineFigures], before: Mapping[str, LineFigures]) -> Table:
    """Return the figures for the terminal; in brackets what they were ``before``, where that differs."""
    shown = Table(show_lines=False, header_style="bold", pad_edge=False)
    shown.add_column("line", min_width=34)
    for column in COLUMNS:
        shown.add_column(column.head, justify="right")
    shown.add_column("seconds by reason")
    for name, now in found.items():
        old = before.get(name)
        cells = []
        for column in COLUMNS:
            text, was = _told(now, column), _told(old, column) if old else ""
            cells.append(text if old is None or was == text else f"{text}\n({was or '–'})")
        reasons = ", ".join(f"{text} {seconds:.1f}" for text, seconds in list(now.reasons.items())[:REASONS_SHOWN])
        shown.add_row(name, *cells, reasons)
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", default="", help="Of the lines, those whose names have this in them.")
@click.option("--window", type=click.Choice(WINDOWS), default=WINDOWS[0], show_default=True, help="Of our own socket.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Keep the figures in this file.")
@click.option(
    "--against", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Compare with such a file."
)
def main(only: str, window: str, save: Path | None, against: Path | None) -> None:
    """Simulate the limiter on some lines as they are."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    before = msgspec.json.decode(against.read_bytes(), type=dict[str, LineFigures]) if against else {}
    chosen = [cell for cell in CELLS if only in cell.name]
    found = {cell.name: figures(cell, window) for cell in track(chosen, console=console, transient=True)}
    console.print(table(found, before))
    if save:
        save.write_bytes(msgspec.json.format(msgspec.json.encode(found)))


if __name__ == "__main__":
    main()
