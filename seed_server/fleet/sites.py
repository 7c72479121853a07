"""What each site is sent, from the database. Nothing here writes. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seed_server.fleet.context import Context
from seed_server.fleet.paging import number_of_site
from seed_server.fleet.problems import FleetProblem, fleet_problems
from seed_server.store.rows import SiteLimitRow
from seed_server.store.serve_lock import is_serving


@dataclass(frozen=True)
class SiteStatus:
    """One site: its limit, and what has gone there."""

    limit: SiteLimitRow
    wan_bytes: int
    file_bytes: int
    """Length of all payloads of which anything was sent there."""
    shared_identities: tuple[str, ...] = ()
    """Its endpoints whose identity several PCs show."""

    @property
    def origin_ratio(self) -> float | None:
        """WAN bytes ÷ file bytes; None: nothing was sent."""
        return self.wan_bytes / self.file_bytes if self.file_bytes else None


@dataclass(frozen=True)
class SitesStatus:
    """One look at the sites."""

    sites: list[SiteStatus]
    """Every site that was ever sent to."""
    serving: bool
    """Whether a server serves now."""
    problems: Sequence[FleetProblem] = ()
    """What the operator should know, the worst first."""


@dataclass(frozen=True)
class SiteLook:
    """One look at a site."""

    site: SiteStatus
    serving: bool
    """Whether a server serves now."""
    number: int | None
    """In the tables; None: no PC was seen there, and nothing was sent."""


def site_statuses(
    limits: Iterable[SiteLimitRow],
    sent: Mapping[str, tuple[int, int]],
    shared: Mapping[str, Sequence[str]] | None = None,
) -> list[SiteStatus]:
    """Join what is known of each site; those that are being sent to come first.

    ``sent``: bytes that went there, and those of the files. ``shared``: its endpoints whose identity several PCs show.
    """
    copied = shared or {}
    statuses = [SiteStatus(limit, *sent.get(limit.site, (0, 0)), tuple(copied.get(limit.site, ()))) for limit in limits]
    return sorted(statuses, key=lambda status: (not status.limit.active, status.limit.site))


def read_sites(context: Context) -> SitesStatus:
    """Return the state of the sites. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        endpoints, at_work = database.endpoint_counts(), database.sites_at_work(context.clock.now())
        statuses = site_statuses(database.site_limits(), database.sent_to_sites(), database.shared_identities())
    serving = is_serving(context.home)
    return SitesStatus(statuses, serving, fleet_problems(context, endpoints, serving=serving, at_work=at_work))


def read_site(context: Context, name: str) -> SiteLook:
    """Return the state of one site. Raises `UserError`; BAD_INPUT for one that is not known."""
    context.settings()
    with context.database() as database:
        number = number_of_site(context, database, name)
        limits = database.site_limits(name) or [never_sent(name)]
        (status,) = site_statuses(limits, database.sent_to_sites(name), database.shared_identities())
    return SiteLook(status, is_serving(context.home), number)


def never_sent(name: str) -> SiteLimitRow:
    """Return what is known of a site to which nothing was ever sent: it was never recorded, and ``at`` is 0."""
    return SiteLimitRow(
        site=name, at=0.0, active=False, endpoints=0, fetchers=0, rate=0, capacity=None, configured=False,
        state="learn", reason="", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
    )  # fmt: skip
