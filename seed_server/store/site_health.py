"""The database's health of a site: how many of its PCs have which trouble, and who some of them are. Blocking.

PCs that are denied are counted nowhere. What a PC says is wrong with it and its network is a few codes, one row each.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, not_, select

from p2pdist.shared.wire.codec import Record
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS, SITES
from seed_server.store.tables_facts import ENDPOINT_FINDINGS
from seed_server.store.transactions import Transactions

MOST_HOSTS = 4  # in one sentence
MOST_GROUPS = 50  # of releases, and of codes

_PC = ENDPOINTS.c


@dataclass(frozen=True, slots=True)
class Affected:
    """PCs of a site that have something in common."""

    count: int = 0
    hosts: tuple[str, ...] = ()
    """The names of some of them."""


NO_PCS = Affected()


class SiteHealth(Record, frozen=True):
    """How a site's PCs are."""

    allowed: int
    connected: int
    newest_seen: float
    """When one of them was seen last; 0: never."""
    silent: Affected
    """Not seen since the time that was asked for."""
    shared: Affected
    """Several PCs show their identity."""
    claiming: Affected
    """They say that they are in another site."""
    claimed: str
    """Where one of these says that it is."""
    refusing: Affected
    """They are connected, and refuse what is signed."""
    refuses: str
    """Why, as one of these says."""
    releases: Mapping[str, int]
    """Connected PCs by their software."""
    findings: Mapping[str, Affected]
    """Connected PCs by what they say is wrong."""


class SiteTrouble(NamedTuple):
    """A site, and how many of its connected PCs say that something is wrong."""

    site: str
    connected: int
    troubled: int


class PcsOfSite(NamedTuple):
    """How many PCs a site has."""

    allowed: int
    connected: int
    troubled: int
    """Connected ones that say that something is wrong."""


class SiteHealthTable(Transactions):
    """The part of `Database` that is about the health of sites; raises as all of it."""

    def save_findings(self, said: Mapping[str, Sequence[str]]) -> None:
        """Keep what endpoints say is wrong with them, by their ids, in place of before; unknown ones are skipped."""
        if not said:
            return
        query = select(_PC.endpoint_id, _PC.number)
        with self._writing() as connection:
            for part in parts(sorted(said)):
                numbers = dict(connection.execute(query.where(_PC.endpoint_id.in_(part))).all())
                connection.execute(
                    ENDPOINT_FINDINGS.delete().where(ENDPOINT_FINDINGS.c.endpoint.in_(sorted(numbers.values())))
                )
                rows = [
                    {"endpoint": number, "code": code}
                    for endpoint, number in numbers.items()
                    for code in dict.fromkeys(said[endpoint])
                ]
                if rows:
                    connection.execute(ENDPOINT_FINDINGS.insert(), rows)

    def site_health(self, site: int, silent_before: float) -> SiteHealth:
        """Return how the PCs of the site with this number are; silent are those not seen since ``silent_before``."""
        ours = and_(_PC.site == site, not_(_PC.denied))
        here = _PC.connected_to.is_not(None)
        with self.reading() as connection:
            allowed, connected, newest = connection.execute(
                select(func.count(), func.count().filter(here), func.max(_PC.last_seen_at)).where(ours)
            ).one()
            silent = _affected(connection, and_(ours, not_(here), _PC.last_seen_at < silent_before))
            claiming = and_(ours, _PC.claimed_site != "")
            refusing = and_(ours, here, _PC.refuses != "")
            releases = select(_PC.software, func.count()).where(ours, here).group_by(_PC.software).limit(MOST_GROUPS)
            return SiteHealth(
                allowed=allowed,
                connected=connected,
                newest_seen=newest or 0.0,
                silent=silent,
                shared=_affected(connection, and_(ours, _PC.shared_with != "")),
                claiming=_affected(connection, claiming),
                claimed=connection.scalar(select(_PC.claimed_site).where(claiming).limit(1)) or "",
                refusing=_affected(connection, refusing),
                refuses=connection.scalar(select(_PC.refuses).where(refusing).limit(1)) or "",
                releases=dict(connection.execute(releases).all()),
                findings=_findings(connection, and_(ours, here)),
            )

    def connected_elsewhere(self, site: int) -> int:
        """Return how many PCs are connected that are not in this site."""
        query = select(func.count()).select_from(ENDPOINTS)
        with self.reading() as connection:
            return connection.scalar(query.where(_PC.site != site, _PC.connected_to.is_not(None))) or 0

    def pcs_of_sites(self, sites: Collection[str]) -> dict[str, PcsOfSite]:
        """Return how many PCs these sites have; without those with none."""
        here = _PC.connected_to.is_not(None)
        troubled = here & _PC.number.in_(select(ENDPOINT_FINDINGS.c.endpoint))
        found: dict[str, PcsOfSite] = {}
        with self.reading() as connection:
            for part in parts(sorted(sites)):
                query = (
                    select(SITES.c.name, func.count(), func.count().filter(here), func.count().filter(troubled))
                    .join_from(ENDPOINTS, SITES)
                    .where(not_(_PC.denied), SITES.c.name.in_(part))
                )
                found |= {row[0]: PcsOfSite(*row[1:]) for row in connection.execute(query.group_by(SITES.c.name))}
        return found

    def troubled_sites(self, most: int) -> list[SiteTrouble]:
        """Return the sites where most connected PCs say that something is wrong, by their share; at most so many."""
        here = and_(not_(_PC.denied), _PC.connected_to.is_not(None))
        troubled = _PC.number.in_(select(ENDPOINT_FINDINGS.c.endpoint))
        count, said = func.count(), func.count().filter(troubled)
        query = select(SITES.c.name, count, said).join_from(ENDPOINTS, SITES).where(here).group_by(SITES.c.name)
        with self.reading() as connection:
            rows = [SiteTrouble(*row) for row in connection.execute(query) if row[2]]
        return sorted(rows, key=lambda row: (-row.troubled / row.connected, row.site))[:most]


def _affected(connection: Connection, condition: ColumnElement[bool]) -> Affected:
    count = connection.scalar(select(func.count()).select_from(ENDPOINTS).where(condition)) or 0
    if not count:
        return NO_PCS
    names = connection.scalars(select(_PC.hostname).where(condition).order_by(_PC.number).limit(MOST_HOSTS))
    return Affected(count, tuple(names))


def _findings(connection: Connection, condition: ColumnElement[bool]) -> dict[str, Affected]:
    table = ENDPOINT_FINDINGS.c
    joined = ENDPOINT_FINDINGS.join(ENDPOINTS, _PC.number == table.endpoint)
    counts = select(table.code, func.count()).select_from(joined).where(condition).group_by(table.code)
    found: list[tuple[str, int]] = [(code, count) for code, count in connection.execute(counts.limit(MOST_GROUPS))]
    names = select(_PC.hostname).select_from(joined).where(condition).order_by(_PC.number).limit(MOST_HOSTS)
    return {
        code: Affected(count, tuple(connection.scalars(names.where(table.code == code))))
        for code, count in sorted(found)
    }
