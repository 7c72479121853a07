"""All sites, a page at a time: those that were sent to, those in the map, and those where PCs were seen. Blocking."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.overview import UNFINISHED
from seed_server.fleet.paging import shown_no_more, site_asked
from seed_server.fleet.sites import SiteStatus, never_sent, site_statuses
from seed_server.line.site_map_file import load_sites
from seed_server.store.rows import EndpointFilter, PcState
from seed_server.store.serve_lock import is_serving
from seed_server.store.site_health import PcsOfSite

if TYPE_CHECKING:
    from seed_server.store.database import Database

SITES_OF_A_PAGE = 50
HARM_TOLD_SECONDS = DAY_SECONDS  # of which harm is told
NO_PCS_THERE = PcsOfSite(0, 0, 0)
SiteState: TypeAlias = Literal["sending", "waiting", "paused", "quiet", "never"]
SITE_STATES: tuple[SiteState, ...] = get_args(SiteState)
SiteOrder: TypeAlias = Literal["name", "rate", "line", "busy"]
SITE_ORDERS: tuple[SiteOrder, ...] = get_args(SiteOrder)


@dataclass(frozen=True)
class SitesQuestion:
    """Which sites a question is about; what is empty tells none apart."""

    part: str = ""
    """Of the name, whatever its case."""
    state: SiteState | Literal[""] = ""
    order: SiteOrder = "busy"
    """By name; the fastest first; the largest line first; those that are sent to first, then by name."""
    size: int = SITES_OF_A_PAGE
    after: str = ""
    """The site with which the page before has ended."""


@dataclass(frozen=True)
class SiteRow:
    """One site."""

    status: SiteStatus
    state: SiteState
    pcs: PcsOfSite = NO_PCS_THERE
    patches: int = 0
    """Patches that PCs there are not through with."""
    harm_seconds: float = 0.0
    """For how long business suffered there in the last day, while we sent."""


@dataclass(frozen=True)
class SiteList:
    """A page of sites."""

    serving: bool
    now: float
    rows: Sequence[SiteRow]
    total: int
    """How many rows all pages have."""
    counts: dict[SiteState, int]
    """Of all sites."""
    rate: int
    """Bytes a second to all of them, now."""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def state_of(status: SiteStatus, now: float, *, serving: bool) -> SiteState:
    """Return how a site stands."""
    limit = status.limit
    if not limit.at:
        return "never"
    if not serving:
        return "quiet"
    if limit.harm is not None and limit.harm.ends_at > now:
        return "paused"
    if not limit.active:
        return "quiet"
    return "sending" if limit.rate else "waiting"


def read_site_list(context: Context, question: SitesQuestion) -> SiteList:
    """Return a page of sites. Raises `UserError`; BAD_INPUT for an end of a page that is nowhere."""
    context.settings()
    now, serving = context.clock.now(), is_serving(context.home)
    with context.database() as database:
        statuses = _all_sites(context, database)
        every = [SiteRow(one, state_of(one, now, serving=serving)) for one in statuses]
        found = _ordered([row for row in every if _meant(row, question)], question.order)
        names = [row.status.limit.site for row in found]
        begin = 0
        if question.after:
            if question.after not in names:
                raise shown_no_more()
            begin = names.index(question.after) + 1
        shown = found[begin : begin + question.size]
        rows = _with_pcs(context, database, shown, now)
    return SiteList(
        serving=serving,
        now=now,
        rows=rows,
        total=len(found),
        counts={state: sum(row.state == state for row in every) for state in SITE_STATES},
        rate=sum(row.status.limit.rate for row in every if row.state == "sending"),
        after=names[begin + question.size - 1] if len(names) > begin + question.size else "",
    )


def read_site_pcs(context: Context, site: str) -> dict[PcState, int]:
    """Return how many PCs of a site are in which state. Raises `UserError`; BAD_INPUT for a site that is not known."""
    serving = is_serving(context.home)
    with context.database() as database:
        number = site_asked(context, database, site)
        return {
            state: database.endpoints_meant(EndpointFilter(number, state, serving=serving))
            for state in get_args(PcState)
        }


def _all_sites(context: Context, database: "Database") -> list[SiteStatus]:
    limits = database.site_limits()
    known = {limit.site for limit in limits}
    names = set(database.site_names())
    with contextlib.suppress(UserError):  # what is wrong with the map, `status` says
        names |= {mapped.name for mapped in load_sites(context.home).sites}
    limits += [never_sent(name) for name in sorted(names - known)]
    return site_statuses(limits, {}, database.shared_identities())


def _meant(row: SiteRow, question: SitesQuestion) -> bool:
    if question.state and row.state != question.state:
        return False
    return question.part.casefold() in row.status.limit.site.casefold()


def _ordered(rows: list[SiteRow], order: SiteOrder) -> list[SiteRow]:
    places: dict[SiteState, int] = {"sending": 0, "paused": 1, "waiting": 2, "quiet": 3, "never": 4}

    def key(row: SiteRow) -> tuple[float, str]:
        limit = row.status.limit
        first: dict[SiteOrder, float] = {
            "name": 0.0,
            "rate": -float(limit.rate if row.state == "sending" else 0),
            "line": -float(limit.capacity or 0),
            "busy": float(places[row.state]),
        }
        return first[order], limit.site

    return sorted(rows, key=key)


def _with_pcs(context: Context, database: "Database", rows: Sequence[SiteRow], now: float) -> list[SiteRow]:
    names = [row.status.limit.site for row in rows]
    pcs, harm = database.pcs_of_sites(names), database.harm_of_sites(names, now - HARM_TOLD_SECONDS)
    patches = context.lately(
        ("under way", *names),
        lambda: database.under_way_at(names, [head.number for head in database.patch_heads()], UNFINISHED),
        RECENTLY_SECONDS,
    )
    return [
        replace(
            row, pcs=pcs.get(name, NO_PCS_THERE), patches=patches.get(name, 0), harm_seconds=harm.get(name, 0.0)
        )
        for name, row in zip(names, rows, strict=True)
    ]  # fmt: skip
