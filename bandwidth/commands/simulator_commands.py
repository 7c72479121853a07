"""`bandwidth simulate` and `bandwidth compare`: what would happen on a line, before it happens."""

import dataclasses
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.text import Text

from bandwidth.commands import simulator_views
from bandwidth.commands.completing import profile_files
from bandwidth.commands.console import InputError, print_json, progress, terminal
from bandwidth.commands.json_answers import ComparisonAnswer, HarmRow, Passing, Simulation
from bandwidth.commands.picture_file import picture_option, write_picture
from bandwidth.commands.profile_commands import MOMENT, RATE, open_profile, readings
from bandwidth.commands.profile_views import heading, limit_text, shown_rule
from bandwidth.core.quantities import rate_text
from bandwidth.core.units import MBIT, BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.passing import next_night, passing_bytes, there_at
from bandwidth.profiles.values import nearest
from bandwidth.simulator import figures
from bandwidth.simulator.building import BUSINESS, SCAVENGERS
from bandwidth.simulator.policy import UnderPolicy
from bandwidth.simulator.scenario import LawMaker, Result, Scenario, shipped_law
from bandwidth.simulator.scenario import simulate as run_once

SCENARIOS: dict[str, Scenario] = {
    "idle": Scenario(business="idle"),
    "download": Scenario(business="cubic"),
    "calls": Scenario(business="voip"),
    "web": Scenario(business="web"),
    "on-off": Scenario(business="on/off"),
    "office": Scenario(business="mix"),
    "busy": Scenario(business="voip+web+on/off"),
    "slow-line": Scenario(line_mbit=2.0, rtt_seconds=0.1, business="web"),
}
"""What `--scenario` offers: a branch line of 20 Mbit/s and 40 ms, unless the name says otherwise."""

GB = 10**9
MOST_FLOWS = 100  # of business: a branch line with more is one that is down
LONGEST_RUN_SECONDS = 600.0
LARGEST_SIMULATED_MBIT = 1_000.0  # a simulated second of more takes longer than a real one
_NO_RIVALS = {"ours", "none", "cubic"}  # cubic: an ordinary download, no scavenger

_QUEUE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(packets|ms|bdp)|(codel|fq_codel|pie)", re.ASCII)


class _Number(click.FloatRange):
    """A range of numbers, without "nan"."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


class _Queue(click.ParamType[str]):
    """As `Scenario.queue`."""

    name = "queue"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        match = _QUEUE.fullmatch(value)
        if match is None:
            self.fail(
                f"no such queue: {value!r}; write '250 ms', '20 packets', '1 bdp', fq_codel, codel or pie", param, ctx
            )
        return match[3] or f"{match[1]} {match[2]}"


class _BusinessNames(click.ParamType[str]):
    """As `Scenario.business`."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        flows = 0
        for part in value.split("+"):
            count, _, name = part.rpartition(" ")
            known = ("idle", "mix", *BUSINESS)
            if name not in known or not (count or "1").isdecimal():
                hint = f"the nearest is {nearest(name, known)!r}" if name else "a name is missing"
                self.fail(f"no such business: {part!r}; {hint} of {', '.join(known)}", param, ctx)
            flows += int(count or 1)
        if flows > MOST_FLOWS:
            self.fail(f"{flows} flows are more than {MOST_FLOWS}", param, ctx)
        return str(value)


def _line_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document for tools."),
        picture_option,
        click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Repeats a run exactly."),
        click.option("--hidden", is_flag=True, help="Business traffic cannot be measured, only its queue felt."),
        click.option("--seconds", type=_Number(20, LONGEST_RUN_SECONDS), help="Length of the run. [60]"),
        click.option(
            "--queue", type=_Queue(), metavar="Q", help="Such as '250 ms', '20 packets', '1 bdp', fq_codel, codel, pie."
        ),
        click.option("--rtt-ms", type=_Number(0.1, 2_000), help="Round trip of the empty line in ms."),
        click.option("--line-mbit", type=_Number(0.1, LARGEST_SIMULATED_MBIT), help="The same as a number."),
        click.option("--line", type=RATE, help="The line's rate: '20 Mbit/s'."),
    ):
        command = option(command)
    return command


def _scenario(base: Scenario, facts: dict[str, Any], site_line: BytesPerSecond | None = None) -> Scenario:
    if facts["line"] is not None and facts["line_mbit"] is not None:
        raise click.UsageError("--line and --line-mbit say the same: give one of them.")
    line = facts["line"] or (None if facts["line_mbit"] else site_line)
    line_mbit = facts["line_mbit"] or (line / MBIT if line else base.line_mbit)
    if not 0.1 <= line_mbit <= LARGEST_SIMULATED_MBIT:
        message = f"a line of {line_mbit:g} Mbit/s cannot be simulated; give one from 0.1 to 1000 with --line."
        raise InputError(message)
    duration = facts["seconds"] or base.duration_seconds
    return dataclasses.replace(
        base,
        line_mbit=line_mbit,
        rtt_seconds=(facts["rtt_ms"] or base.rtt_seconds * 1_000) / 1_000,
        queue=facts["queue"] or base.queue,
        duration_seconds=duration,
        business_from_seconds=duration / 6,
        business_until_seconds=duration * 5 / 6,
        seed=facts["seed"],
        business_visible=not facts["hidden"],
    )


def _run(scenario: Scenario, senders: list[str], law: LawMaker = shipped_law) -> list[tuple[str, Result]]:
    """Run each of ``senders`` beside the scenario's business, and the business alone, once for all of them."""
    seconds = int(scenario.duration_seconds)
    with progress((len(senders) + 1) * seconds) as step:
        try:
            alone = run_once(dataclasses.replace(scenario, scavenger="none"), on_second=partial(step, "business alone"))
            results = []
            for name in senders:
                own = dataclasses.replace(scenario, scavenger=name)
                together = run_once(own, law, partial(step, f"with {name}"))
                results.append((name, Result(own, together, alone)))
        except ValueError as error:
            raise InputError(f"{error}. Correct the value and try again.") from error
    return results


@click.command(short_help="Show what a profile would do on a line, and why.")
@click.argument("file", metavar="FILE", shell_complete=profile_files)
@click.option("--scenario", "name", type=click.Choice(list(SCENARIOS)), default="office", show_default=True)
@click.option("--site", metavar="NAME", help="The site; without it, one that the profile does not name.")
@click.option("--at", type=MOMENT, help="When, such as 2026-06-01T10:00; without an offset, by the site's clock. [now]")
@click.option("--every", type=click.IntRange(1), help="Seconds in a row of the table.")
@click.option(
    "--file-gb",
    type=_Number(0.001, 1_000),
    default=4.0,
    show_default=True,
    help="Say when a file of so many GB (10^9 bytes) is there.",
)
@_line_options
def simulate(
    file: str,
    name: str,
    site: str | None,
    at: datetime | None,
    every: int | None,
    file_gb: float,
    output: Path | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """Show what a profile would do on a line: our rate, business's, the queue, and why.

    FILE is a path, or the name of a shipped profile. The line is the site's, as the profile
    says, else the scenario's: 20 Mbit/s and 40 ms. Business runs from 1/6 to 5/6 of the time.

    \b
    Scenarios:
      idle       nobody else           calls      one telephone call
      download   one download          web        one person who reads web pages
      on-off     downloads that come and go
      office     a call, two who read web pages, a video
      busy       a call, one who reads web pages, downloads that come and go
      slow-line  web pages on 2 Mbit/s and 100 ms

    \b
    Examples:
      bandwidth simulate office-hours --scenario download
      bandwidth simulate branches.toml --site leeds -o leeds.png
      bandwidth simulate overnight --at 2026-06-01T05:59:30 --scenario idle
      bandwidth simulate gentle --scenario slow-line --every 1 --json

    Exit codes: 0 done, 1 the picture cannot be written, 2 wrong usage, 7 bad file or value.
    """
    profile, place = open_profile(file, site)
    scenario = _scenario(SCENARIOS[name], facts, profile.site(place).line)
    moment = _moment(at, profile, place)
    file_bytes = round(file_gb * GB)
    laws: list[UnderPolicy] = []

    def law(scenario: Scenario) -> UnderPolicy:
        laws.append(UnderPolicy(scenario, profile, place, moment))
        return laws[-1]

    [(_, result)] = _run(scenario, ["ours"], law)
    limits = laws[0].limits
    title, subtitle = heading(profile, place, moment), f"{name}: {_line_words(scenario)}"
    if output is not None:
        write_picture(output, simulator_views.run_svg(title, subtitle, result, limits))
    if as_json:
        print_json(
            Simulation(
                **msgspec.structs.asdict(simulator_views.run_figures(result)),
                profile=profile.name,
                site=profile.site(place).name,
                at=moment.isoformat(),
                scenario=scenario,
                rule=shown_rule(limits[0]),
                passing=_passing(profile, place, moment, scenario.line_rate, file_bytes),
                business=[HarmRow(*row) for row in figures.harm(result)],
                reason_seconds={
                    reason: round(seconds, 2)
                    for reason, seconds in figures.reason_seconds(result.together, scenario.duration_seconds).items()
                },
                seconds=list(simulator_views.simulated_seconds(result, limits)),
            )
        )
        return
    console = terminal()
    console.print(Text(title, style="bold"))
    console.print(Text(subtitle, style="dim"))
    passing = _passing(profile, place, moment, scenario.line_rate, file_bytes)
    rate = limits[0].rate
    words = "none by the profile" if rate is None else f"{limit_text(rate)}, by {limits[0].rule}"
    console.print(Text(f"limit at the start: {words}"))
    step = every or simulator_views.rows_every(int(scenario.duration_seconds))
    console.print(simulator_views.seconds_table(result, limits, step, console.width))
    console.print()
    console.print(simulator_views.harm_table(result))
    console.print()
    console.print(simulator_views.use_table(result))
    console.print()
    console.print(Text(simulator_views.passing_words(passing), style="bold"))
    if output is not None:
        click.echo(f"written: {output}")


@click.command()
@click.option("--scenario", "name", type=click.Choice(list(SCENARIOS)), default="busy", show_default=True)
@click.option(
    "--business",
    type=_BusinessNames(),
    metavar="NAMES",
    help=f"What runs beside, instead: idle, mix, {', '.join(BUSINESS)}; '4 cubic+voip' for several.",
)
@_line_options
def compare(name: str, business: str | None, output: Path | None, as_json: bool, **facts: Any) -> None:
    """Put the limiter and its rivals on the same line, side by side.

    Each sender runs beside the very same business. What business keeps, and what is added to
    its calls and pages, is against business alone on the line. Scenarios are those of simulate.

    \b
    Examples:
      bandwidth compare
      bandwidth compare --scenario office -o office.png
      bandwidth compare --business 'voip+2 web+on/off' --queue fq_codel
      bandwidth compare --business bbr --queue '1 bdp' --hidden --json

    Exit codes: 0 done, 1 the picture cannot be written, 2 wrong usage, 7 bad value.
    """
    scenario = _scenario(SCENARIOS[name], facts)
    if business is not None:
        scenario = dataclasses.replace(scenario, business=business)
    results = _run(scenario, ["ours", *sorted(set(SCAVENGERS) - _NO_RIVALS)])
    title, subtitle = f"The limiter and its rivals beside: {scenario.business}", _line_words(scenario)
    if output is not None:
        write_picture(
            output,
            simulator_views.comparison_picture(
                title, f"{subtitle}. Queue: p95 of each second; calls: p95 / p99, pages: median / p95", results
            ),
        )
    if as_json:
        print_json(
            ComparisonAnswer(scenario, {sender: simulator_views.run_figures(result) for sender, result in results})
        )
        return
    console = terminal()
    console.print(Text(title, style="bold"))
    console.print(Text(subtitle, style="dim"))
    console.print(simulator_views.comparison_table(results))
    console.print(Text(figures.COMPARED_EXPLAINED, style="dim"))
    if output is not None:
        click.echo(f"written: {output}")


def _passing(profile: Profile, site: str | None, start: datetime, line: float, file_bytes: int) -> Passing:
    """Return how much passes by the profile and the line alone, and when a file is there."""
    zone = ZoneInfo(profile.site(site).time_zone or profile.time_zone)
    rate = BytesPerSecond(int(line))
    begins, ends = next_night(start, zone)
    there = there_at(profile, site, start, file_bytes, rate)
    return Passing(
        night_begins=begins.astimezone(zone).isoformat(),
        night_ends=ends.astimezone(zone).isoformat(),
        night_bytes=round(passing_bytes(profile, site, begins, ends, rate)),
        file_bytes=file_bytes,
        file_there_at=None if there is None else there.astimezone(zone).isoformat(),
    )


def _moment(at: datetime | None, profile: Profile, site: str | None) -> datetime:
    """Return the instant on the site's clock; of a time that comes twice, the first."""
    zone = ZoneInfo(profile.site(site).time_zone or profile.time_zone)
    return readings(at or datetime.now(UTC).replace(microsecond=0), zone)[0].astimezone(zone)


def _line_words(scenario: Scenario) -> str:
    hidden = "" if scenario.business_visible else ", business hidden"
    line = rate_text(scenario.line_rate)
    business = f"business from {scenario.business_from_seconds:.3g} to {scenario.business_until_seconds:.3g} s"
    return (
        f"{line}, {scenario.rtt_seconds * 1_000:g} ms, queue {scenario.queue}, {business}{hidden}, seed {scenario.seed}"
    )
