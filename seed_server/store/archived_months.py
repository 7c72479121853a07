"""The database's months on their way into files, what is held for the law, and what goes after its time. Blocking."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, Update, and_, func, select
from sqlalchemy.schema import DropTable

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.codec import Record
from seed_server.store.event_months import MonthPart, begin_of, hot_parts, month_after, month_parts
from seed_server.store.tables import DIAGNOSES, ENDPOINTS, HARM_PAUSES, REPORTED_SINCE
from seed_server.store.tables_events import (
    ARCHIVED,
    CLOSED,
    DROPPED,
    EVENT_MONTHS,
    EVENT_TEXTS,
    FORGOTTEN_ENDPOINTS,
    LEGAL_HOLDS,
    OPEN,
    REMOVED,
)
from seed_server.store.tables_facts import ENDPOINT_FINDINGS, SEEN_NEIGHBOURS
from seed_server.store.transactions import Transactions

FORGOTTEN_AT_ONCE = 1_000  # rows of one transaction
TABLE_WAIT_MS = 200  # for whoever reads a table that is to be dropped: behind that wait, new readers of it queue


class LegalHold(Record, frozen=True):
    """While it holds, nothing goes after its time."""

    number: int
    begun_at: float
    released_at: float | None
    """None: it holds."""
    reason: str
    begun_by: str
    released_by: str


class ArchivedMonthTable(Transactions):
    """The part of `Database` that is about months on their way out; raises as all of it."""

    def close_months(self, now: float, hot_months: int) -> list[MonthPart]:
        """Let nothing more be written into months that ended ``hot_months`` whole months ago; return these.

        What happens in such a month after that, by a clock that was set back, gets another part of it.
        """
        due = self._to_close(now, hot_months)
        for part in due:
            with self._writing() as connection:
                connection.execute(_of(part).values(state=CLOSED))
        return due

    def has_month_to_close(self, now: float, hot_months: int) -> bool:
        """Whether `close_months` would close one."""
        return bool(self._to_close(now, hot_months))

    def has_month_to_archive(self, now: float, hot_months: int) -> bool:
        """Whether a month of the database should be in a file by this time, closed or not."""
        with self.reading() as connection:
            return any(_is_due(part, now, hot_months) for part in hot_parts(connection))

    def _to_close(self, now: float, hot_months: int) -> list[MonthPart]:
        with self.reading() as connection:
            return [part for part in hot_parts(connection) if part.state == OPEN and _is_due(part, now, hot_months)]

    def archive_month(self, part: MonthPart) -> None:
        """Record that the file with this hash stands for a month that is closed: its table counts no more."""
        values = {**msgspec.structs.asdict(part), "state": ARCHIVED}
        with self._writing() as connection:
            connection.execute(_of(part).where(EVENT_MONTHS.c.state == CLOSED).values(values))

    def back_to_closed(self, part: MonthPart) -> None:
        """Let the table of a month stand for it again: its file is not what it was, and the table is still there."""
        with self._writing() as connection:
            connection.execute(_of(part).where(EVENT_MONTHS.c.state == ARCHIVED).values(state=CLOSED))

    def drop_month(self, part: MonthPart) -> bool:
        """Drop the table of a month that is archived; False: somebody reads it, another time then."""
        try:
            with self._writing() as connection, _quickly(connection):
                connection.execute(_of(part).where(EVENT_MONTHS.c.state == ARCHIVED).values(state=DROPPED))
                connection.execute(DropTable(part.events_table, if_exists=True))
        except UserError as error:
            if error.kind is not FaultKind.BUSY:
                raise
            return False
        return True

    def months_to_remove(self, now: float, archive_months: int) -> list[MonthPart]:
        """Return the months whose files have had their time: the last ``archive_months`` whole ones stay."""
        with self.reading() as connection:
            return [
                part for part in month_parts(connection) if part.state == DROPPED and _is_due(part, now, archive_months)
            ]

    def remove_month(self, part: MonthPart) -> None:
        """Record that the file of a month is removed after its time."""
        with self._writing() as connection:
            connection.execute(_of(part).values(state=REMOVED))

    # --- what else goes after its time -----------------------------------------------------

    def forget_old_words(self) -> None:
        """Forget why something failed where no month that is here says so any more."""
        with self._writing() as connection:
            # also of those whose tables may stand for them again
            oldest = min((part.month for part in month_parts(connection) if part.state < DROPPED), default=None)
            old = EVENT_TEXTS.c.last_month < oldest if oldest is not None else EVENT_TEXTS.c.number >= 0
            connection.execute(EVENT_TEXTS.delete().where(old))

    def forget_old_answers(self, before: float) -> int:
        """Forget some answers of PCs to templates from before a time; return how many, 0 where there are no more."""
        return self._forget(DIAGNOSES, lambda table: table.c.at < before, DIAGNOSES.c.endpoint)

    def forget_old_pauses(self, before: float) -> int:
        """Forget some pauses of leasing that ended before a time; return how many, as all of these."""
        return self._forget(HARM_PAUSES, lambda table: table.c.ends_at < before, HARM_PAUSES.c.site)

    def forget_old_findings(self, before: float) -> int:
        """Forget what some PCs said was wrong with them that were not seen since a time."""
        unseen = select(ENDPOINTS.c.number).where(ENDPOINTS.c.connected_to.is_(None), ENDPOINTS.c.last_seen_at < before)
        return self._forget(ENDPOINT_FINDINGS, lambda table: table.c.endpoint.in_(unseen), ENDPOINT_FINDINGS.c.endpoint)

    def forget_old_neighbours(self, before: float) -> int:
        """Forget which machines some PCs saw that have not told of them since a time: they may tell no more."""
        return self._forget(SEEN_NEIGHBOURS, lambda table: table.c.last_at < before, SEEN_NEIGHBOURS.c.endpoint)

    def forget_old_names(self, before: float) -> int:
        """Forget names of PCs that were forgotten before a time, and before all months that are here."""
        with self.reading() as connection:
            oldest = min((part.month for part in month_parts(connection) if part.state < DROPPED), default=None)
        if oldest is not None:
            before = min(before, float(begin_of(oldest) + REPORTED_SINCE))
        return self._forget(
            FORGOTTEN_ENDPOINTS, lambda table: table.c.forgotten_at < before, FORGOTTEN_ENDPOINTS.c.number
        )

    def _forget(self, table: Table, old: Callable[[Table], ColumnElement[bool]], key: ColumnElement[int]) -> int:
        """Delete rows that are ``old``, of some keys; return how many."""
        condition = old(table)
        some = select(key).where(condition).distinct().limit(FORGOTTEN_AT_ONCE)
        with self._writing() as connection:
            return connection.execute(table.delete().where(condition, key.in_(some))).rowcount

    # --- legal holds ---------------------------------------------------------------------

    def legal_holds(self) -> list[LegalHold]:
        """Return every legal hold, also those that were released, the oldest first."""
        columns = [LEGAL_HOLDS.c[name] for name in LegalHold.__struct_fields__]
        with self.reading() as connection:
            return [LegalHold(*row) for row in connection.execute(select(*columns).order_by(LEGAL_HOLDS.c.number))]

    def is_held(self) -> bool:
        """Whether any legal hold holds."""
        query = select(func.count()).select_from(LEGAL_HOLDS).where(LEGAL_HOLDS.c.released_at.is_(None))
        with self.reading() as connection:
            return bool(connection.scalar(query))

    def add_legal_hold(self, reason: str, who: str, now: float) -> int:
        """Record a legal hold; return its number."""
        values = {"begun_at": now, "reason": reason, "begun_by": who, "released_by": ""}
        with self._writing() as connection:
            return int(connection.execute(LEGAL_HOLDS.insert().returning(LEGAL_HOLDS.c.number), values).scalar_one())

    def release_legal_hold(self, number: int, who: str, now: float) -> None:
        """Record that a legal hold holds no more."""
        ours = and_(LEGAL_HOLDS.c.number == number, LEGAL_HOLDS.c.released_at.is_(None))
        with self._writing() as connection:
            connection.execute(LEGAL_HOLDS.update().where(ours).values(released_at=now, released_by=who))


def _of(part: MonthPart) -> Update:
    return EVENT_MONTHS.update().where(EVENT_MONTHS.c.month == part.month, EVENT_MONTHS.c.part == part.part)


def _is_due(part: MonthPart, now: float, months: int) -> bool:
    return begin_of(month_after(part.month, months + 1)) + REPORTED_SINCE <= now


@contextmanager
def _quickly(connection: Connection) -> Iterator[None]:
    """Let a table be dropped within the block without others waiting for long."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{TABLE_WAIT_MS}ms'")
        yield
        return
    # some builds of SQLite write zeros over each page that becomes free; the archive has what was there
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = OFF")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {int(before)}")
