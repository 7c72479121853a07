"""The page of one site: what limits it, what its line did, its profile, its plans, and what is wrong there."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, tr
from seed_server.answers.doctor import SiteFinding
from seed_server.answers.site_findings import judge_site
from seed_server.fleet.context import Context
from seed_server.fleet.profile_queries import read_profiles_in_force
from seed_server.fleet.site_looks import look_at_site
from seed_server.fleet.sites import SiteLook, read_site
from seed_server.fleet.unmanaged import read_unmanaged
from seed_server.reporting.line_documents import MOST_STRETCHES
from seed_server.reporting.line_history import (
    DAY_HOURS,
    WEEK_HOURS,
    coarser,
    read_line_history,
    stretches,
)
from seed_server.reporting.line_pictures import line_picture
from seed_server.reporting.plan_answers import read_site_plans
from seed_server.reporting.site_list import SiteState, read_site_pcs, state_of
from seed_server.reporting.site_words import why_limited
from seed_server.store.rows import SiteLimitRow
from seed_server.web.api.given import MAX_GIVEN_NAME_CHARS, Given
from seed_server.web.frame.page import Asked, Page, Shown
from seed_server.web.pages.profile_look import week_about
from seed_server.web.pages.profile_words import limit_words, rule_words, week_picture, week_rows

MOST_PLANS = 5
MOST_MACHINES_SHOWN = 50
SiteTab: TypeAlias = Literal["line", "findings", "profile", "plans"]
Span: TypeAlias = Literal["day", "week"]
_HOURS: dict[Span, int] = {"day": DAY_HOURS, "week": WEEK_HOURS}
_FIGURES_OF: dict[Span, int] = {"day": 6, "week": 24}
"""Steps of the chart in one row of its figures: an hour, a day."""
SITE_TONES: dict[SiteState, str] = {
    "sending": "good", "waiting": "open", "paused": "bad", "quiet": "quiet", "never": "quiet",
}  # fmt: skip
VERDICT_TONES = {"fine": "good", "wrong": "bad", "unknown": "quiet"}


class WhichSite(Given, frozen=True):
    """A site, and what of it."""

    site: Annotated[str, Meta(min_length=1, max_length=MAX_GIVEN_NAME_CHARS)]
    show: SiteTab = "line"
    span: Span = "day"


def _site(asked: Asked[WhichSite]) -> Shown:
    context, given = asked.context, asked.given
    look = read_site(context, given.site)
    limit = look.site.limit
    state = state_of(look.site, asked.now, serving=look.serving)
    values: dict[str, Any] = {
        "site": given.site,
        "show": given.show,
        "span": given.span,
        "look": look,
        "limit": limit,
        "why": why_limited(limit, asked.now, serving=look.serving),
        "state": state,
        "tone": SITE_TONES[state],
        "pcs": read_site_pcs(context, given.site),
        "tabs": [
            ("line", tr("Line")),
            ("profile", tr("Profile of the week")),
            ("plans", tr("Plan and actual")),
            ("findings", tr("Findings and neighbours")),
        ],
    }
    parts = {"line": _line, "findings": _findings, "profile": _profile, "plans": _plans}
    return Shown(given.site, values | parts[given.show](context, asked, look))


def _line(context: Context, asked: Asked[WhichSite], look: SiteLook) -> dict[str, Any]:
    span = asked.given.span
    history = read_line_history(context, look.site.limit.site, _HOURS[span])
    return {
        "history": history,
        "chart": line_picture(history),
        "figures": coarser(history, _FIGURES_OF[span])[::-1],
        "stretches": [(one, in_words(one.cause)) for one in stretches(history, MOST_STRETCHES)],
        "reasons": _reasons(look.site.limit),
    }


def _reasons(limit: SiteLimitRow) -> list[tuple[str, float]]:
    """Return for how long each reason limited the site, ever; the longest first."""
    longest = sorted(limit.seconds.items(), key=lambda item: -item[1])
    return [(in_words(cause), seconds) for cause, seconds in longest if seconds >= 1]


def _findings(context: Context, asked: Asked[WhichSite], _look: SiteLook) -> dict[str, Any]:
    found = judge_site(look_at_site(context, asked.given.site))
    return {
        "findings": [_finding(one) for one in found if one.verdict != "fine"],
        "fine": [_finding(one) for one in found if one.verdict == "fine"],
        "unmanaged": read_unmanaged(context, asked.given.site, most=MOST_MACHINES_SHOWN),
    }


def _finding(one: SiteFinding) -> tuple[str, SiteFinding, str]:
    menders = {
        "operator": tr("the operator of this server"),
        "administrator": tr("who administers the PCs"),
        "network": tr("the network team"),
    }
    return VERDICT_TONES[one.verdict], one, menders[one.mender] if one.mender else ""


def _profile(context: Context, asked: Asked[WhichSite], look: SiteLook) -> dict[str, Any]:
    site, profile = asked.given.site, read_profiles_in_force(context).get(asked.given.site)
    if profile is None:
        return {"profile": None}
    capacity = look.site.limit.capacity
    line = None if capacity is None else BytesPerSecond(capacity)
    limit, now = profile.limit_at(asked.now, line), datetime.fromtimestamp(asked.now, UTC)
    values = {"profile": profile.rules.name, "limit_now": limit_words(limit), "rule": rule_words(limit.rule)}
    try:
        week = week_about(profile.rules, site, line, now, asked.now)
    except UserError as error:  # it has too many rules to be drawn here
        return values | {"picture": "", "undrawn": error.message}
    title = f"{profile.rules.name}: {site}"
    return values | {"picture": week_picture(week, title), "figures": tuple(week_rows(week))}


def _plans(context: Context, asked: Asked[WhichSite], _look: SiteLook) -> dict[str, Any]:
    return {"plans": read_site_plans(context, asked.given.site, MOST_PLANS)}


SITE_PAGE = Page("/sites/{site}", "site", _site, WhichSite, live=("rollout",))
