"""The database's alarms of PCs: which have seen another audit log than the one that is here. Blocking."""

from collections.abc import Mapping

from sqlalchemy import func, select

from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_audit import WITNESS_ALARMS
from seed_server.store.transactions import Transactions


class WitnessAlarmRow(Record, frozen=True):
    """What a PC says of the audit log."""

    endpoint_id: str
    hostname: str
    fault: str
    """As `WitnessFault`."""
    known: int
    """How many entries it had."""
    told: int
    """How many it is said to have; 0: that could not be read."""
    at: float
    """When the PC said so last, seconds since 1970."""


class WitnessAlarmTable(Transactions):
    """The part of `Database` that is about these alarms; raises as all of it. They go with a PC that is forgotten."""

    def save_witness_alarms(self, said: Mapping[str, AuditAlarm], now: float) -> None:
        """Keep what endpoints say, by their ids; it goes where they say that it is over. Unknown ones are skipped."""
        if not said:
            return
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number)
        with self._writing() as connection:
            numbers = {
                endpoint: number
                for part in parts(sorted(said))
                for endpoint, number in connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
            }
            rows = [
                {"endpoint": numbers[pc], "fault": one.fault, "known": one.known, "told": one.told, "at": now}
                for pc, one in said.items()
                if pc in numbers and one.fault is not None
            ]
            if rows:
                connection.execute(upsert(connection, WITNESS_ALARMS), rows)
            over = [number for pc, number in numbers.items() if said[pc].fault is None]
            for part in parts(over):
                connection.execute(WITNESS_ALARMS.delete().where(WITNESS_ALARMS.c.endpoint.in_(part)))

    def witness_alarm_count(self) -> int:
        """Return how many PCs have seen another log."""
        with self.reading() as connection:
            return connection.scalar(select(func.count()).select_from(WITNESS_ALARMS)) or 0

    def witness_alarms(self, most: int | None = None) -> list[WitnessAlarmRow]:
        """Return these, by their names; at most so many."""
        columns = WITNESS_ALARMS.c
        query = (
            select(
                ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, columns.fault, columns.known, columns.told, columns.at
            )
            .join_from(WITNESS_ALARMS, ENDPOINTS)
            .order_by(ENDPOINTS.c.hostname, ENDPOINTS.c.number)
            .limit(most)
        )
        with self.reading() as connection:
            return [WitnessAlarmRow(*row) for row in connection.execute(query)]
