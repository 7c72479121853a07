"""Effective limits and weeks, for people and for tools."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bandwidth.commands.json_answers import Explanation, PlottedDay, PlottedRun, PlottedWeek, Rule, RuleAnswer
from bandwidth.core.quantities import MINUTES_PER_DAY, clock_text, rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.precedence import Measure, RuleKind
from bandwidth.profiles.resolve import EffectiveLimit, RuleState
from bandwidth.profiles.week import Cell, DayRow, Run, Week

CHARACTER_MINUTES = 30  # a day is 48 characters: with its name, a week fits a terminal of 80
_LEVELS = "123456789abcdefghijklmnopqrstuvwxyz"
_STOPPED, _SKIPPED, _UNLIMITED = "·", " ", "#"
_STYLES = (
    "black on #d1e5f0",
    "black on #9fc5e0",
    "black on #6fa3cf",
    "white on #3f78b5",
    "white on #1f5597",
    "white on #084081",
)


def limit_text(rate: BytesPerSecond | None) -> str:
    """Return a limit in words."""
    return "no limit" if rate is None else "stopped" if rate == 0 else rate_text(rate)


def explanation(
    profile: Profile, site: str | None, at: datetime, limit: EffectiveLimit, *, ambiguous: bool
) -> Explanation:
    """Return ``limit`` for `explain --json`."""
    return Explanation(
        profile=profile.name,
        site=profile.site(site).name,
        at=at.isoformat(),
        ambiguous=ambiguous,
        rate=limit.rate,
        floor=limit.floor,
        floor_reason=limit.floor_reason,
        blackout=limit.blackout,
        boost=limit.boost,
        sensitivity=limit.sensitivity,
        rule=shown_rule(limit),
        considered=[
            RuleAnswer(rule.kind, rule.name, rule.measure, rule.limit, rule.state) for rule in limit.considered
        ],
    )


def shown_rule(limit: EffectiveLimit) -> Rule:
    """Return the rule that won, for `--json`."""
    return Rule(limit.rule.kind, limit.rule.name, limit.rule.measure)


def print_limit(
    console: Console, profile: Profile, site: str | None, at: datetime, limit: EffectiveLimit, *, ambiguous: bool
) -> None:
    """Print ``limit`` with every rule that was considered."""
    console.print(Text(heading(profile, site, at)))
    if ambiguous:
        console.print("this hour comes twice; the stricter of both is shown", style="yellow")
    if limit.rate is None:
        console.print(Text("limit  none by the profile: patches take what the line gives"))
    else:
        console.print(Text.assemble("limit  ", (limit_text(limit.rate), "bold"), f"  by {limit.rule}"))
    console.print(Text(f"floor  {rate_text(limit.floor) if limit.floor else '0'}  ({limit.floor_reason})"))
    console.print(Text(f"sensitivity  {limit.sensitivity}"))
    console.print()
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("rule", "name", "its limit", "state"):
        table.add_column(column, overflow="fold", no_wrap=column in {"rule", "its limit"})
    for rule in limit.considered:
        won = rule is limit.rule
        state = f"{rule.state}, won" if won else str(rule.state)
        unknown = "–" if rule.kind is RuleKind.ADAPTIVE else "not known"
        words = unknown if rule.limit is None else limit_text(rule.limit)
        style = "bold" if won else "" if rule.counts else "dim"
        kind = f"window: {rule.measure}" if rule.kind is RuleKind.WINDOW else rule.kind_words
        name = "" if rule.measure is Measure.CONTROLLER else rule.name
        table.add_row(*(Text(cell) for cell in (kind, name, words, state)), style=style)
    console.print(table)
    for measure, option in ((Measure.LINE, "--line"), (Measure.SPARE, "--spare")):
        if any(rule.state is RuleState.UNKNOWN and rule.measure is measure for rule in limit.considered):
            console.print(
                Text(f"\na {measure} counts where it is known; here give {option} '20 Mbit/s'", style="yellow")
            )


def heading(profile: Profile, site: str | None, at: datetime) -> str:
    """Return what is looked at: profile, site, and time by the site's clock."""
    offset = at.isoformat()[19:]
    return f"{profile.name}, {profile.site(site).name}, {at:%a %Y-%m-%d %H:%M} (UTC{offset})"


def plotted_week(profile: Profile, site: str, week: Week) -> PlottedWeek:
    """Return ``week`` for `plot --json`."""
    days = [PlottedDay(row.day.isoformat(), row.holiday, [_plotted_run(run) for run in row.runs]) for row in week.days]
    return PlottedWeek(profile.name, site, week.time_zone, days)


def _plotted_run(run: Run) -> PlottedRun:
    cell = run.cell
    return PlottedRun(run.start, run.end, cell.rate, cell.rule, cell.skipped, cell.twice)


def print_week(console: Console, week: Week, title: str, subtitle: str) -> None:
    """Print ``week`` as a picture: a row a day, half an hour a character, the strictest of its minutes shown."""
    console.print(Text(title, style="bold"))
    console.print(Text(subtitle, style="dim"))
    console.print(Text(" " * 11 + "".join(f"{hour:02}".ljust(6) for hour in range(0, 24, 3)) + "24"))
    for row in week.days:
        drawn = Text(f"{row.day:%a} {row.day.day:2} {row.day:%b} ")
        for cells in _halves(row):
            drawn.append(*_character(_strictest(cells), week.rates))
        drawn.append(f" {row.holiday}" if row.holiday else "")
        console.print(drawn, soft_wrap=True)
    for cell, words in _legend(week):
        console.print(Text.assemble("  ", _character(cell, week.rates), f"  {words}"))


def _halves(row: DayRow) -> Iterator[list[Cell]]:
    for start in range(0, MINUTES_PER_DAY, CHARACTER_MINUTES):
        yield [run.cell for run in row.runs if run.start < start + CHARACTER_MINUTES and run.end > start]


def _strictest(cells: Sequence[Cell]) -> Cell:
    return min(cells, key=lambda cell: (cell.skipped, cell.rate is None, cell.rate or 0))


def _character(cell: Cell, rates: Sequence[BytesPerSecond | None]) -> tuple[str, str]:
    if cell.skipped:
        return _SKIPPED, ""
    if cell.stopped:
        return _STOPPED, "red"
    place = rates.index(cell.rate)
    style = _STYLES[-1] if len(rates) == 1 else _STYLES[place * (len(_STYLES) - 1) // (len(rates) - 1)]
    return (_UNLIMITED if cell.rate is None else _LEVELS[min(place, len(_LEVELS) - 1)]), style


def _legend(week: Week) -> Iterator[tuple[Cell, str]]:
    cells = [run.cell for row in week.days for run in row.runs]
    stopped = next((cell for cell in cells if cell.stopped), None)
    if stopped is not None:
        yield stopped, "stopped"
    for rate in week.rates:
        rules = {cell.rule for cell in cells if cell.rate == rate and not cell.skipped and not cell.stopped}
        yield Cell(rate, ""), f"{limit_text(rate)}: {', '.join(sorted(rules))}"
    for row in week.days:
        for run in row.runs:
            if run.cell.skipped or run.cell.twice:
                hours = f"{clock_text(run.start)} to {clock_text(run.end)}"
                words = "is skipped" if run.cell.skipped else "comes twice; the stricter is shown"
                yield run.cell, f"{row.day:%a} {hours} {words}"
