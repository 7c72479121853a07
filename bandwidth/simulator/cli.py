"""`bandwidth simulate` and `bandwidth compare`: what would happen on a line, before it happens."""

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from bandwidth.console import InputError, print_json, terminal
from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import Sample
from bandwidth.pictures import Panel, Series, time_series_svg
from bandwidth.profiles.cli import MOMENT, open_profile
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit
from bandwidth.simulator.building import BUSINESS, SCAVENGERS
from bandwidth.simulator.scenario import LawMaker, Metrics, Result, Scenario, run, shipped_law
from bandwidth.units import BytesPerSecond

SCENARIOS: dict[str, Scenario] = {
    "idle": Scenario(business="idle"),
    "download": Scenario(business="cubic"),
    "calls": Scenario(business="voip"),
    "web": Scenario(business="web"),
    "on-off": Scenario(business="on/off"),
    "office": Scenario(business="mix"),
    "slow-line": Scenario(line_mbit=2.0, rtt_seconds=0.1, business="web"),
}
"""What `simulate --scenario` offers: a branch line of 20 Mbit/s and 40 ms, unless the name says otherwise."""

LONGEST_RUN_SECONDS = 600.0
LARGEST_LINE_MBIT = 1_000.0  # a simulated second of more takes longer than a real one


def _line_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--line-mbit", type=click.FloatRange(0.1, LARGEST_LINE_MBIT), help="Rate of the line in Mbit/s."),
        click.option("--rtt-ms", type=click.FloatRange(0.1, 2_000), help="Round trip of the empty line in ms."),
        click.option("--queue", metavar="Q", help="Such as '250 ms', '20 packets', '1 bdp', fq_codel, codel, pie."),
        click.option("--seconds", type=click.FloatRange(20, LONGEST_RUN_SECONDS), help="Length of the run."),
        click.option("--hidden", is_flag=True, help="Business traffic cannot be measured, only its queue felt."),
        click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Repeats a run exactly."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object for tools."),
    ):
        command = option(command)
    return command


def _scenario(base: Scenario, facts: dict[str, Any]) -> Scenario:
    duration = facts["seconds"] or base.duration_seconds
    return dataclasses.replace(
        base,
        line_mbit=facts["line_mbit"] or base.line_mbit,
        rtt_seconds=(facts["rtt_ms"] or base.rtt_seconds * 1_000) / 1_000,
        queue=facts["queue"] or base.queue,
        duration_seconds=duration,
        business_from_seconds=duration / 6,
        business_until_seconds=duration * 5 / 6,
        seed=facts["seed"],
        business_visible=not facts["hidden"],
    )


def _run(scenario: Scenario, law: LawMaker = shipped_law) -> Result:
    try:
        return run(scenario, law)
    except ValueError as error:
        raise InputError(f"{error}. Correct the value and try again.") from error


class _UnderPolicy:
    """The shipping controller under a profile's ceiling."""

    def __init__(self, scenario: Scenario, limit: EffectiveLimit) -> None:
        capacity = BytesPerSecond(int(scenario.line_rate)) if scenario.capacity_configured else None
        self._law = Controller(ControllerSettings(capacity=capacity), 0.0)
        self._limit = limit

    def update(self, sample: Sample, now: float) -> Decision:
        """As `Controller.update`, with the ceiling."""
        return self._law.update(sample, now, ceiling=self._limit.rate, blackout=self._limit.blackout)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--scenario", "name", type=click.Choice(list(SCENARIOS)), default="office", show_default=True)
@click.option("--site", help="The site whose rules hold.")
@click.option("--at", type=MOMENT, help="When, such as 2026-06-01T10:00; without an offset, UTC. [now]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write an SVG picture here.")
@_line_options
def simulate(
    file: str, name: str, site: str | None, at: datetime | None, output: Path | None, as_json: bool, **facts: Any
) -> None:
    """Show what a profile would do on a line: our rate, business's, and the queue.

    \b
    Examples:
      bandwidth simulate office-hours --scenario download
      bandwidth simulate branches.toml --site leeds --at 2026-06-01T10:00 --line-mbit 10 -o leeds.svg

    Exit codes: 0 done, 2 wrong usage, 7 bad file or value.
    """
    scenario = _scenario(SCENARIOS[name], facts)
    moment = at or datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    profile, place = open_profile(file, site)
    limit = effective_limit(profile, place, moment, line=BytesPerSecond(int(scenario.line_rate)), spare=None)
    result = _run(scenario, lambda s: _UnderPolicy(s, limit))
    if output is not None:
        output.write_text(_picture(f"{file}, {name}, {scenario.line_mbit:g} Mbit/s", result.together), encoding="utf-8")
    if as_json:
        print_json({"scenario": dataclasses.asdict(scenario), "rule": str(limit.rule), **_facts(result)})
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("second", "ours, Mbit/s", "business, Mbit/s"):
        table.add_column(column, justify="right")
    together = result.together
    for second in range(0, len(together.scavenger_rate), 5):
        table.add_row(
            str(second), f"{_mbit(together.scavenger_rate[second])}", f"{_mbit(together.business_rate[second])}"
        )
    terminal().print(table)
    terminal().print(_rows([("ours", result)]))


@click.command()
@click.option(
    "--business",
    default="cubic",
    show_default=True,
    metavar="NAMES",
    help=f"What runs beside: idle, mix, {', '.join(BUSINESS)}; '4 cubic+voip' for several.",
)
@_line_options
def compare(business: str, as_json: bool, **facts: Any) -> None:
    """Put the limiter and its rivals on the same line, side by side.

    \b
    Examples:
      bandwidth compare
      bandwidth compare --business bbr --queue '1 bdp' --hidden
      bandwidth compare --business voip --line-mbit 2 --rtt-ms 100 --json

    Exit codes: 0 done, 2 wrong usage, 7 bad value.
    """
    scenario = _scenario(Scenario(business=business), facts)
    results = [
        (name, _run(dataclasses.replace(scenario, scavenger=name)))
        for name in ["ours", *sorted(set(SCAVENGERS) - {"ours", "none", "cubic"})]
    ]
    if as_json:
        print_json({"scenario": dataclasses.asdict(scenario), "results": {n: _facts(r) for n, r in results}})
    else:
        terminal().print(_rows(results))


def _rows(results: list[tuple[str, Result]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("sender")
    for column in (
        "business\nkeeps",
        "calls\n+p95 ms",
        "pages\nslower",
        "queue\np95 ms",
        "idle line\nused",
        "yield\nms",
        "regain\ns",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results:
        facts = _facts(result)
        table.add_row(
            name,
            f"{result.business_keeps:.1%}",
            f"{result.voip_added_p95 * 1_000:.1f}",
            f"{result.page_growth(0.5):+.0%}",
            f"{result.together.queue_p95 * 1_000:.1f}",
            f"{result.together.idle_use:.1%}",
            "–" if facts["yield_seconds"] is None else f"{facts['yield_seconds'] * 1_000:.0f}",
            "–" if facts["regain_seconds"] is None else f"{facts['regain_seconds']:.1f}",
        )
    return table


def _facts(result: Result) -> dict[str, Any]:
    together = result.together
    return {
        "business_keeps": round(result.business_keeps, 4),
        "voip_added_p95_seconds": round(result.voip_added_p95, 5),
        "page_growth_p50": round(result.page_growth(0.5), 4),
        "queue_p95_seconds": round(together.queue_p95, 5),
        "idle_use": round(together.idle_use, 4),
        "spare_captured": round(result.spare_captured, 4),
        "yield_seconds": _worst(together.yield_seconds),
        "regain_seconds": _worst(together.regain_seconds),
    }


def _worst(values: tuple[float, ...]) -> float | None:
    """Return the longest; None where there was none, or one did not happen within the run."""
    return max(values) if values and not math.isinf(max(values)) else None


def _picture(title: str, metrics: Metrics) -> str:
    def series(name: str, rates: tuple[float, ...]) -> Series:
        return Series(name, [(float(second), rate * 8 / 1e6) for second, rate in enumerate(rates)])

    return time_series_svg(
        title,
        [Panel("Mbit/s", [series("patches", metrics.scavenger_rate), series("business", metrics.business_rate)])],
    )


def _mbit(rate: float) -> str:
    return f"{rate * 8 / 1e6:.2f}"
