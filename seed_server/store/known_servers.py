"""The database's word on which PCs know where the server is: those that have its newest signed list. Blocking."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_servers import KNOWN_SERVERS
from seed_server.store.transactions import Transactions

_PC = ENDPOINTS.c


class Uninformed(NamedTuple):
    """A PC that does not have the newest list."""

    hostname: str
    endpoint_id: str
    software: str
    """Name and version of its program; empty: it was never connected."""
    connected: bool
    last_seen_at: float
    """In seconds since 1970; 0: never."""


class KnownServersTable(Transactions):
    """The part of `Database` that is about these lists; raises as all of it."""

    def save_known_servers(self, said: Mapping[str, int]) -> None:
        """Record which list endpoints have, by their ids; unknown ones are skipped.

        After a restart thousands say what is known already: of that, nothing is written.
        """
        if not said:
            return
        known = KNOWN_SERVERS.c.list
        query = select(_PC.endpoint_id, _PC.number, known).join_from(ENDPOINTS, KNOWN_SERVERS, isouter=True)
        with self._writing() as connection:
            rows = [
                {"endpoint": number, "list": said[endpoint]}
                for part in parts(sorted(said))
                for endpoint, number, before in connection.execute(query.where(_PC.endpoint_id.in_(part)))
                if before != said[endpoint]
            ]
            if rows:
                connection.execute(upsert(connection, KNOWN_SERVERS), rows)

    def informed_count(self, number: int) -> tuple[int, int]:
        """Return how many PCs that are not denied have the list ``number`` or a newer one, and how many there are."""
        query = select(func.count().filter(KNOWN_SERVERS.c.list >= number), func.count())
        joined = query.join_from(ENDPOINTS, KNOWN_SERVERS, isouter=True).where(not_(_PC.denied))
        with self.reading() as connection:
            informed, everyone = connection.execute(joined).one()
        return informed, everyone

    def uninformed(self, number: int, limit: int, after: tuple[str, str] = ("", "")) -> list[Uninformed]:
        """Return PCs without the list ``number``, by name and id, from behind ``after`` on; not those denied."""
        lacks: ColumnElement[bool] = or_(KNOWN_SERVERS.c.list.is_(None), KNOWN_SERVERS.c.list < number)
        here = _PC.connected_to.is_not(None)
        query = select(_PC.hostname, _PC.endpoint_id, _PC.software, here, _PC.last_seen_at)
        query = query.join_from(ENDPOINTS, KNOWN_SERVERS, isouter=True).where(not_(_PC.denied), lacks)
        with self.reading() as connection:
            name = _PC.hostname if connection.dialect.name == "sqlite" else _PC.hostname.collate("C")
            later = or_(name > after[0], and_(name == after[0], _PC.endpoint_id > after[1]))
            found = connection.execute(query.where(later).order_by(name, _PC.endpoint_id).limit(limit))
            return [Uninformed(*row) for row in found]
