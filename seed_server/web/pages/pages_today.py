"""The page *today*: what needs the reader, how much is done, what runs, where it is bad."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from p2pdist.shared.language import in_words, tr
from seed_server.fleet.actor import Actor
from seed_server.fleet.coverage import Reached
from seed_server.fleet.fleet_problem import FleetProblem
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_words import why_sentence
from seed_server.reporting.compliance import Compliance
from seed_server.reporting.compliance_pictures import MOST_RULES_DRAWN, compliance_picture
from seed_server.reporting.priority_words import LEVELS_SHOWN
from seed_server.reporting.today import (
    FOLLOW_UP_DAYS,
    MOST_OF_A_KIND,
    Today,
    TodayRollout,
    read_today,
    read_today_compliance,
)
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Asked, Form, Page, Shown

MOST_NEEDS = 20  # of the list: what is more, its own page has
_PATCH_PAGE, _ROLLOUT_PAGE, _SITE_PAGE = "/patches/{patch}", "/rollouts/{number}", "/sites/{site}"
_MENDED_AT = (
    (re.compile(r"seed-server rollout (?:why|show) ([0-9]+)"), "/rollouts/{}", _ROLLOUT_PAGE),
    (re.compile(r"seed-server rollout list"), "/rollouts", "/rollouts"),
    (re.compile(r"seed-server priority (\S+@\S+)"), "/patches/{}", _PATCH_PAGE),
    (re.compile(r"seed-server sites"), "/sites", "/sites"),
    (re.compile(r"seed-server endpoints"), "/pcs", "/pcs"),
    (re.compile(r"seed-server exception"), "/exceptions", "/exceptions"),
    (re.compile(r"seed-server audit"), "/audit", "/audit"),
    (re.compile(r"seed-server webhook"), "/webhooks", "/webhooks"),
)
"""Where pages show what a command of ours would: its form, an address, and the row of the table that has it."""


@dataclass(frozen=True)
class PageLink:
    """Where something is shown."""

    words: str
    address: str
    page: str
    """Its row of the table: whoever may not see that gets the words alone."""


@dataclass(frozen=True)
class Need:
    """One thing that needs a person."""

    tone: str
    kind: str
    """What it is, in a word or two."""
    text: str
    """In the reader's language, as the rest."""
    mend: str = ""
    """What to do."""
    command: str = ""
    """The command that does it."""
    link: PageLink | None = None


def rollout_link(one: TodayRollout) -> PageLink:
    """Return where a rollout is shown."""
    row = one.listed.kept.row
    return PageLink(f"{row.number}: {row.ref}", f"/rollouts/{row.number}", _ROLLOUT_PAGE)


def patch_link(ref: str) -> PageLink:
    """Return where a patch is shown."""
    return PageLink(ref, f"/patches/{quote(ref, safe='@')}", _PATCH_PAGE)


def site_link(name: str) -> PageLink:
    """Return where a site is shown."""
    return PageLink(name, f"/sites/{quote(name, safe='')}", _SITE_PAGE)


def needs(today: Today, actor: Actor) -> list[Need]:
    """Return what needs ``actor``, or somebody, the worst first."""
    found = [*_of_rollouts(today, actor), *_of_patches(today)]
    if today.head.repository_problem:
        found.append(Need("bad", tr("server"), in_words(today.head.repository_problem)))
    found += map(_of_problem, today.head.problems)
    order = {"bad": 0, "open": 1}
    return sorted(found, key=lambda one: order[one.tone])


def _of_rollouts(today: Today, actor: Actor) -> Iterator[Need]:
    for one in today.approvals_of(actor):
        yield Need(
            "open", tr("your approval"), _why(one), tr("Read what is approved, and say so."), link=rollout_link(one)
        )
    for one in today.stopped:
        tone = "bad" if one.state is RolloutState.HALTED or one.listed.fault is not None else "open"
        mend = tr("Read why; then resume it, or end it.")
        yield Need(tone, in_words(one.state.value), _why(one), mend, link=rollout_link(one))
    for broken in today.broken:
        link = PageLink(str(broken.row.number), f"/rollouts/{broken.row.number}", _ROLLOUT_PAGE)
        words = tr("Its record cannot be read: {words}", words=broken.words)
        yield Need("bad", tr("broken rollout"), words, link=link)


def _of_patches(today: Today) -> Iterator[Need]:
    for ranked in today.urgent[:MOST_OF_A_KIND]:
        facts, level = ranked.decision.facts, LEVELS_SHOWN[ranked.decision.leaf.priority]
        words = tr(
            "{patch} has the priority {level}, and nobody has begun to roll it out. PCs that lack it: {number}.",
            patch=str(facts.ref), level=in_words(level), number=facts.missing,
        )  # fmt: skip
        yield Need("bad", tr("urgent patch"), words, command=ranked.step.command, link=patch_link(str(facts.ref)))
    if today.due.pcs:
        words = tr(
            "PCs about which somebody began to do something more than {days} days ago, and that lack patches still: "
            "{number}.",
            days=FOLLOW_UP_DAYS, number=today.due.pcs,
        )  # fmt: skip
        yield Need(
            "open", tr("follow-up"), words, tr("Look again, or end it."), link=PageLink("", "/missing", "/missing")
        )


def _of_problem(problem: FleetProblem) -> Need:
    found = next(
        ((address.format(*map(_quoted, match.groups())), page) for form, address, page in _MENDED_AT
         if (match := form.match(problem.mend))), None,
    )  # fmt: skip
    link = None if found is None else PageLink("", *found)
    is_command = problem.mend.startswith("seed-server ")
    return Need(
        "bad" if problem.urgent else "open",
        tr("server"),
        in_words(problem.text),
        "" if is_command else in_words(problem.mend),
        problem.mend if is_command else "",
        link,
    )


def _quoted(text: str) -> str:
    return quote(text, safe="@")


def _why(one: TodayRollout) -> str:
    fault = one.listed.fault
    if fault is not None:
        return tr("It is not carried on: {words}", words=in_words(fault.words))
    return in_words(why_sentence(one.listed.why))


def _have_it(one: TodayRollout) -> tuple[int, int] | None:
    """Return how many PCs have a rollout's patch, and to how many it applies; None: they were not counted."""
    if one.progress is None:
        return None
    counts = one.progress.counts
    done = counts[Reached.INSTALLED] + counts[Reached.DELIVERED]
    return done, one.progress.total - counts[Reached.NOT_APPLICABLE]


def _compliance_rows(found: Compliance) -> list[tuple[float, int, int, list[float | None]]]:
    rules = found.rules[:MOST_RULES_DRAWN]
    return [
        (day.at - 1, day.pairs, day.done, [day.share, *(rule.days[place].share for rule in rules)])
        for place, day in enumerate(found.days)
    ][::-1]


def _today(asked: Asked[Nothing]) -> Shown:
    today, done = read_today(asked.context), read_today_compliance(asked.context)
    every = needs(today, asked.actor)
    return Shown(
        tr("Today"),
        {
            "today": today,
            "needs": every[:MOST_NEEDS],
            "more": max(0, len(every) - MOST_NEEDS),
            "done": done,
            "chart": compliance_picture(done) if any(day.pairs for day in done.days) else "",
            "days": _compliance_rows(done),
            "rules": [rule.rule.name for rule in done.rules[:MOST_RULES_DRAWN]],
            "newest": done.days[-1],
            "rollouts": [(rollout_link(one), one, _have_it(one), _why(one)) for one in today.running[:MOST_OF_A_KIND]],
            "gaps": [(patch_link(str(gap.patch.ref)), gap) for gap in done.gaps[:MOST_OF_A_KIND]],
            "paused": [(site_link(site), pause) for site, pause in today.paused[:MOST_OF_A_KIND]],
            "troubled": [(site_link(one.site), one) for one in today.troubled],
        },
    )


TODAY_PAGES = (Page("/", "today", _today, Nothing, live=("rollout", "approval")),)
TODAY_FORMS: tuple[Form[Nothing, Nothing], ...] = ()
