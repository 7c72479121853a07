"""Throttle profiles in the reader's language: limits, rules, the picture of a week and its figures."""

import re
from collections.abc import Iterator, Sequence

from bandwidth.core.quantities import clock_text, rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.svg import WIDTH
from bandwidth.pictures.week import WeekWords, week_svg
from bandwidth.profiles.precedence import Measure
from bandwidth.profiles.resolve import ConsideredRule, EffectiveLimit
from bandwidth.profiles.week import Cell
from p2pdist.shared.language import current, in_words, tr
from p2pdist.shared.printable_text import printable
from seed_server.web.frame.locale_text import week_day_text
from seed_server.web.pages.profile_look import ShownWeek

_NAMED_RULE = re.compile(r"([a-z ]+) (['\"])(.*)\2", re.DOTALL)
"""A rule as `ConsideredRule` says it."""


def rate_words(rate: BytesPerSecond | None) -> str:
    """Return a limit: ``20 Mbit/s``, stopped, no limit."""
    return tr("no limit") if rate is None else tr("stopped") if rate == 0 else rate_text(rate)


def limit_words(limit: EffectiveLimit | None) -> str:
    """Return what may be sent; None: there is no profile."""
    return tr("as its line allows") if limit is None or limit.rate is None else rate_words(limit.rate)


def rule_words(rule: ConsideredRule) -> str:
    """Return a rule with its kind and name."""
    if rule.measure is Measure.CONTROLLER:
        return tr("no rule: what the line gives")
    return _named(rule.kind_words, rule.name)


def _named(kind: str, name: str) -> str:
    word = tr("boost") if kind == "boost" else tr(kind)
    return tr("{kind} “{name}”", kind=word, name=printable(name))


def floor_words(limit: EffectiveLimit) -> str:
    """Return what is sent at least, whatever the line looks like, and how early the limiter yields."""
    sensitivity = tr("how early it yields: {sensitivity}", sensitivity=tr(limit.sensitivity.value))
    if not limit.floor:
        return tr("No rate is kept up whatever the line looks like; {sensitivity}.", sensitivity=sensitivity)
    return tr("At least {rate} is sent ({why}); {sensitivity}.", rate=rate_text(limit.floor),
              why=in_words(limit.floor_reason), sensitivity=sensitivity)  # fmt: skip


def _said(english: str) -> str:
    """Return what a picture says: a rule, a word of its own, or a rate, which has no language."""
    if (named := _NAMED_RULE.fullmatch(english)) is not None:
        return _named(named[1], named[3])
    words = {
        "now": tr("now"),
        "stopped": tr("stopped"),
        "no limit": tr("no limit"),
        "no limit by the profile": tr("no rule: what the line gives"),
        "skipped": tr("skipped by the clock"),
        "skipped by the clock": tr("skipped by the clock"),
        "the clocks are put forward": tr("the clocks are put forward"),
        "!: boost, adaptation is skipped": tr("!: boost, adaptation is skipped"),
        "×2: comes twice, the stricter is shown": tr("×2: comes twice, the stricter is shown"),
    }
    return words.get(english) or printable(english)


def week_picture(shown: ShownWeek, title: str, *, width: int = WIDTH) -> str:
    """Return the picture of a week, with now marked."""
    words = WeekWords(_said, lambda day: week_day_text(day, current()))
    return week_svg(shown.week, printable(title), printable(_subtitle(shown)), words, now=shown.now, width=width)


def _subtitle(shown: ShownWeek) -> str:
    line = rate_text(shown.line)
    if shown.assumed:
        return tr("{zone}. Nothing is known of the line: {line} is assumed.", zone=shown.week.time_zone, line=line)
    return tr("{zone}. Line: {line}.", zone=shown.week.time_zone, line=line)


def week_rows(shown: ShownWeek) -> Iterator[Sequence[str]]:
    """Yield the figures of the picture: a row a day with its name, and its hours with their limits and rules."""
    for row in shown.week.days:
        told = (
            f"{clock_text(run.start)}–{clock_text(run.end)} {_cell_words(run.cell)} ({_said(run.cell.rule)})"
            for run in row.runs
        )
        yield f"{week_day_text(row.day, current())} {printable(row.holiday)}".strip(), "; ".join(told)


def _cell_words(cell: Cell) -> str:
    if cell.skipped:
        return tr("skipped by the clock")
    words = rate_words(cell.rate)
    return tr("{limit} (the hour comes twice)", limit=words) if cell.twice else words


def site_clock(moment: str) -> str:
    """Return an ISO moment as a site's clock shows it, to the minute."""
    return moment[:16].replace("T", " ")
