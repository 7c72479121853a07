"""The database's facts of endpoints: what PCs say of themselves, by which rings choose. Blocking."""

from collections.abc import Collection, Mapping

from sqlalchemy import select

from p2pdist.shared.manifest.ring_facts import TOLD_FACTS, ToldFacts
from p2pdist.shared.wire import codec
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_facts import ENDPOINT_FACTS
from seed_server.store.transactions import Transactions

MAX_FACTS_BYTES = 16 << 10  # `TOLD_FACTS` of at most 255 signs each, in any script


class EndpointFactTable(Transactions):
    """The part of `Database` that is about facts; raises as all of it."""

    def save_facts(self, facts: Mapping[str, Mapping[str, int | str]]) -> None:
        """Record what endpoints say of themselves, by their ids; unknown endpoints and facts are skipped.

        After a restart thousands say what is known already: of that, nothing is written.
        """
        if not facts:
            return
        said = {
            endpoint: codec.encode({name: values[name] for name in TOLD_FACTS if name in values})
            for endpoint, values in facts.items()
        }
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number, ENDPOINT_FACTS.c.facts).join_from(
            ENDPOINTS, ENDPOINT_FACTS, isouter=True
        )
        with self._writing() as connection:
            rows = [
                {"endpoint": number, "facts": said[endpoint]}
                for part in parts(sorted(said))
                for endpoint, number, known in connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
                if known != said[endpoint]
            ]
            if rows:
                connection.execute(upsert(connection, ENDPOINT_FACTS), rows)

    def told_facts(self, only: Collection[int] | None = None) -> dict[str, dict[str, int | str]]:
        """Return what every endpoint has said of itself, by its id; those that have said nothing are not in it.

        ``only``: of those with one of these numbers; the caller bounds how many these are.
        """
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINT_FACTS.c.facts).join_from(ENDPOINT_FACTS, ENDPOINTS)
        if only is not None:
            query = query.where(ENDPOINTS.c.number.in_(sorted(only)))
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return {endpoint: codec.decode(facts, ToldFacts, max_bytes=MAX_FACTS_BYTES) for endpoint, facts in rows}
