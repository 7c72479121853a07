"""Looks at a site, in the database alone. Changes nothing. Blocking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist import __version__
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.paging import number_of_site
from seed_server.fleet.reason_codes import named_by
from seed_server.store.count_rows import ReasonCount
from seed_server.store.opening import is_outdated
from seed_server.store.rows import SiteLimitRow
from seed_server.store.serve_lock import is_serving
from seed_server.store.site_health import NO_PCS, Affected, SiteHealth

UNSEEN_SECONDS = 7 * DAY_SECONDS  # a holiday is longer, a weekend is not
PATCHES_LOOKED_AT = 50  # the newest: what older ones wait for, newer ones do too
REASONS_LOOKED_AT = 40  # of these patches, those that most PCs give


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """All that was seen of a site, for `answers.site_findings` to judge."""

    now: float
    site: str
    serving: bool
    release: str
    """Of this server's own software."""
    places: str
    """The server's two ports, as PCs call them."""
    health: SiteHealth
    elsewhere: int
    """PCs that are connected from other sites."""
    limit: SiteLimitRow | None = None
    """None: nothing was ever sent there."""
    wan_bytes: int = 0
    file_bytes: int = 0
    clock: Affected = NO_PCS
    """PCs whose patches wait because their clock cannot be believed."""
    full: Affected = NO_PCS
    """PCs whose patches wait because their disk is full."""


def look_at_site(context: Context, name: str) -> SiteFacts:
    """Return what is known of a site. Raises `UserError`; BAD_INPUT for one that is not known."""
    settings = context.settings()
    if is_outdated(context.home, settings):
        raise UserError(
            "The database is of an earlier release. Start the server, or run 'seed-server status', which changes its "
            "tables, and run this again.",
            FaultKind.BAD_INPUT,
        )
    now, serving = context.clock.now(), is_serving(context.home)
    with context.database() as database, database.one_state():
        number = number_of_site(context, database, name)
        site = -1 if number is None else number
        patches = [head.number for head in database.patch_heads()[-PATCHES_LOOKED_AT:]]
        reasons = database.reason_counts(patches, most=REASONS_LOOKED_AT, site=site) if patches else []
        sent = database.sent_to_sites().get(name, (0, 0))
        address = f"[{settings.address}]" if ":" in settings.address else settings.address
        return SiteFacts(
            now=now,
            site=name,
            serving=serving,
            release=f"p2pdist {__version__}",
            places=f"{address}:{settings.web_port}, {address}:{settings.origin_port}",
            health=database.site_health(site, now - UNSEEN_SECONDS),
            elsewhere=database.connected_elsewhere(site),
            limit=next((limit for limit in database.site_limits() if limit.site == name), None),
            wan_bytes=sent[0],
            file_bytes=sent[1],
            clock=_most(reasons, named_by("clock")),
            full=_most(reasons, named_by("disk_full")),
        )


def _most(reasons: Sequence[ReasonCount], meant: Callable[[str], bool]) -> Affected:
    """Return the PCs that give such a reason for one patch: for several, some would be counted twice."""
    found = [one for one in reasons if meant(one.reason)]
    if not found:
        return NO_PCS
    first = max(found, key=lambda one: one.endpoints)
    return Affected(first.endpoints, tuple(host for _, host in first.examples))
