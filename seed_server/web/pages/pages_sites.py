"""The page *sites*: each site's line, what goes over it now, and what limits that."""

from typing import Annotated
from urllib.parse import quote

from msgspec import Meta

from p2pdist.shared.language import in_words, tr
from seed_server.reporting.site_list import (
    SITE_ORDERS,
    SITE_STATES,
    SITES_OF_A_PAGE,
    SiteOrder,
    SiteRow,
    SitesQuestion,
    SiteState,
    read_site_list,
)
from seed_server.web.api.given import MAX_GIVEN_NAME_CHARS, Given
from seed_server.web.frame.page import Asked, Form, Page, Shown
from seed_server.web.pages.view_site import SITE_PAGE, SITE_TONES


class WhichSites(Given, frozen=True):
    """Which sites, in which order."""

    q: Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS)] = ""
    state: SiteState | None = None
    sort: SiteOrder = "busy"
    limit: Annotated[int, Meta(ge=1, le=200)] = SITES_OF_A_PAGE
    after: Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS)] = ""


def state_words(state: SiteState) -> str:
    """Return how people call a state."""
    return {
        "sending": tr("sending"),
        "waiting": tr("PCs wait"),
        "paused": tr("paused"),
        "quiet": tr("quiet"),
        "never": tr("never used"),
    }[state]


def order_words(order: SiteOrder) -> str:
    """Return how people call an order."""
    return {
        "busy": tr("busy first"),
        "name": tr("name"),
        "rate": tr("rate now"),
        "line": tr("line"),
    }[order]


def _row(row: SiteRow) -> dict[str, object]:
    limit = row.status.limit
    return {
        "row": row,
        "limit": limit,
        "address": f"/sites/{quote(limit.site, safe='')}",
        "tone": SITE_TONES[row.state],
        "state": state_words(row.state),
        "reason": in_words(limit.harm.reason if row.state == "paused" and limit.harm else limit.reason),
    }


def _sites(asked: Asked[WhichSites]) -> Shown:
    given = asked.given
    found = read_site_list(
        asked.context, SitesQuestion(given.q, given.state or "", given.sort, given.limit, given.after)
    )
    return Shown(
        tr("Sites"),
        {
            "found": found,
            "rows": [_row(row) for row in found.rows],
            "states": [("", tr("any"))] + [(one, state_words(one)) for one in SITE_STATES],
            "orders": [(one, order_words(one)) for one in SITE_ORDERS],
            "counts": [(one, state_words(one), found.counts[one], SITE_TONES[one]) for one in SITE_STATES],
            "given": given,
        },
    )


SITES_PAGES = (
    Page("/sites", "sites", _sites, WhichSites, live=("rollout",)),
    SITE_PAGE,
)
SITES_FORMS: tuple[Form[WhichSites, WhichSites], ...] = ()
