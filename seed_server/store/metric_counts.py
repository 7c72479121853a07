"""The database's counts for a monitoring system: each is one sum in the database, whatever the size of the fleet."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, func, not_, select

from seed_server.store.event_months import hot_events
from seed_server.store.rows import PcState
from seed_server.store.tables import ENDPOINTS, REPORTED_SINCE, SITES, WAN_BYTES
from seed_server.store.tables_rollouts import ROLLOUTS
from seed_server.store.transactions import Transactions

CountedState: TypeAlias = PcState | Literal["silent"]


class SitePcs(NamedTuple):
    """How many PCs of a site are allowed here."""

    allowed: int
    connected: int


class MetricTable(Transactions):
    """The part of `Database` that is about figures; raises as all of it."""

    def pc_states(self, silent_since: float) -> Mapping[CountedState, int]:
        """Return how many PCs are in each state; silent: away, and not seen since ``silent_since``, 1970 seconds."""
        pc = ENDPOINTS.c
        allowed, connected = not_(pc.denied), pc.connected_to.is_not(None)
        away = allowed & ~connected & (pc.last_seen_at > 0)
        conditions: dict[CountedState, ColumnElement[bool]] = {
            "connected": allowed & connected,
            "away": away & (pc.last_seen_at >= silent_since),
            "silent": away & (pc.last_seen_at < silent_since),
            "never_seen": allowed & ~connected & (pc.last_seen_at == 0),
            "denied": pc.denied & ~pc.pending,
            "pending": pc.denied & pc.pending,
        }
        query = select(*(func.count().filter(one) for one in conditions.values())).select_from(ENDPOINTS)
        with self.reading() as connection:
            row = connection.execute(query).one()
        return dict(zip(conditions, map(int, row), strict=True))

    def site_pcs(self) -> Mapping[str, SitePcs]:
        """Return how many PCs each site has; empty: those that were never seen in one."""
        pc = ENDPOINTS.c
        query = (
            select(SITES.c.name, func.count(), func.count().filter(pc.connected_to.is_not(None)))
            .join_from(ENDPOINTS, SITES)
            .where(not_(pc.denied))
            .group_by(SITES.c.name)
        )
        with self.reading() as connection:
            return {site: SitePcs(allowed, connected) for site, allowed, connected in connection.execute(query)}

    def sent_bytes(self) -> Mapping[str, int]:
        """Return what the origin has sent to each site, of whatever was published ever."""
        query = select(SITES.c.name, func.sum(WAN_BYTES.c.bytes)).join_from(WAN_BYTES, SITES).group_by(SITES.c.name)
        with self.reading() as connection:
            return {site: int(sent) for site, sent in connection.execute(query)}

    def rollout_states(self) -> Mapping[str, int]:
        """Return how many rollouts are in each state."""
        query = select(ROLLOUTS.c.state, func.count()).group_by(ROLLOUTS.c.state)
        with self.reading() as connection:
            return dict(connection.execute(query).all())

    def steps_since(self, moment: float) -> int:
        """Return how many steps of PCs there were since ``moment``, in seconds since 1970."""
        with self.reading() as connection:
            steps = hot_events(connection, max(0, int(moment) - REPORTED_SINCE))
            return connection.scalar(select(func.count()).select_from(steps)) or 0
