"""The months in which PCs did something: their tables are made, found, read together, closed and dropped. Blocking.

Every function works within the transaction of the connection it is given. Moments are seconds since
`tables.REPORTED_SINCE`, months are numbers as 202611, in UTC.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, Select, Subquery, Table, func, literal, select, union_all
from sqlalchemy.schema import CreateIndex, CreateTable

from p2pdist.shared.wire.codec import Record
from seed_server.store.audited_words import FURTHER_TEXTS
from seed_server.store.columns import LARGEST_INTEGER
from seed_server.store.engines import insert_into
from seed_server.store.interned import parts
from seed_server.store.tables import REPORTED_SINCE
from seed_server.store.tables_events import CLOSED, EVENT_MONTHS, EVENT_TEXTS, OPEN, events_of

MAX_EVENT_TEXTS = 20_000  # a PC can make up new ones without end
NO_ENTRY = -1


class MonthPart(Record, frozen=True):
    """One part of a month; columns as in `event_months`."""

    month: int
    part: int
    state: int
    events: int = 0
    bytes: int = 0
    entry: int = NO_ENTRY
    archived_at: float = 0.0
    sha256: str = ""

    @property
    def name(self) -> str:
        """What people call it: 2026-11, or 2026-11.1 for what came after that was archived."""
        return f"{self.month // 100:04}-{self.month % 100:02}" + (f".{self.part}" if self.part else "")

    @property
    def key(self) -> tuple[int, int]:
        """The month, and which part of it."""
        return self.month, self.part

    @property
    def events_table(self) -> Table:
        """Its table, whether it is there or not."""
        return events_of(self.month, self.part)


_COLUMNS = [EVENT_MONTHS.c[name] for name in MonthPart.__struct_fields__]


def month_of(moment: int) -> int:
    """Return the month of a moment."""
    at = datetime.fromtimestamp(moment + REPORTED_SINCE, UTC)
    return at.year * 100 + at.month


def begin_of(month: int) -> int:
    """Return the first moment of a month."""
    return int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp()) - REPORTED_SINCE


def month_after(month: int, months: int = 1) -> int:
    """Return the month that is so many later, or (less than 0) earlier."""
    years, place = divmod(month // 100 * 12 + month % 100 - 1 + months, 12)
    return years * 100 + place + 1


def open_part(connection: Connection, month: int) -> Table:
    """Return the table that steps of a month are written into; it is made where there is none."""
    query = select(EVENT_MONTHS.c.part, EVENT_MONTHS.c.state).where(EVENT_MONTHS.c.month == month)
    known = dict(connection.execute(query).all())
    for part, state in known.items():
        if state == OPEN:
            return events_of(month, part)
    part = max(known, default=-1) + 1
    made = events_of(month, part)
    make_table(connection, made)
    row = msgspec.structs.asdict(MonthPart(month, part, OPEN))
    connection.execute(insert_into(connection, EVENT_MONTHS), row)
    return made


def make_table(connection: Connection, table: Table) -> None:
    """Make the table of a month."""
    connection.execute(CreateTable(table))
    if connection.dialect.name == "postgresql":
        # it grows at its end alone: a tenth of each page would stay free for what never comes
        connection.exec_driver_sql(f"ALTER INDEX {table.primary_key.name} SET (fillfactor = 100)")
    for index in table.indexes:
        connection.execute(CreateIndex(index))


def month_parts(connection: Connection) -> list[MonthPart]:
    """Return every part of every month that was ever written, the oldest first."""
    query = select(*_COLUMNS).order_by(EVENT_MONTHS.c.month, EVENT_MONTHS.c.part)
    return [MonthPart(*row) for row in connection.execute(query)]


def hot_parts(connection: Connection, since: int = -LARGEST_INTEGER) -> list[MonthPart]:
    """Return the parts that are in the database, and nowhere else, of the month of ``since`` and later ones."""
    query = select(*_COLUMNS).where(EVENT_MONTHS.c.state.in_((OPEN, CLOSED)), EVENT_MONTHS.c.month >= month_of(since))
    return [MonthPart(*row) for row in connection.execute(query.order_by(EVENT_MONTHS.c.month, EVENT_MONTHS.c.part))]


def hot_events(connection: Connection, since: int) -> Subquery:
    """Return all steps in the database at ``since`` and later, of however many months, as one table."""
    tables = [part.events_table for part in hot_parts(connection, since)]
    return union(_of_none() if not tables else [select(table).where(table.c.at >= since) for table in tables])


def union(queries: Sequence[Select[*tuple[Any, ...]]]) -> Subquery:
    """Return what several queries find as one table."""
    return (queries[0] if len(queries) == 1 else union_all(*queries)).subquery()


def _of_none() -> list[Select[*tuple[Any, ...]]]:
    columns = (literal(0, Integer).label(column.name) for column in events_of(197001, 0).c)
    return [select(*columns).where(literal(0) == 1)]


def event_text_numbers(
    connection: Connection, texts: Sequence[str], month: int, *, most: int = MAX_EVENT_TEXTS
) -> dict[str, int]:
    """Return the number of each text, which a PC says in this month; new ones get theirs while there is room."""
    known: dict[str, int] = {}
    columns = (EVENT_TEXTS.c.text, EVENT_TEXTS.c.number, EVENT_TEXTS.c.last_month)
    for part in parts(sorted(set(texts))):
        query = select(*columns).where(EVENT_TEXTS.c.text.in_(part))
        found = {text: (number, last) for text, number, last in connection.execute(query)}
        earlier = [number for number, last in found.values() if last < month]
        if earlier:
            said = EVENT_TEXTS.c.number.in_(earlier)
            connection.execute(EVENT_TEXTS.update().where(said).values(last_month=month))
        known |= {text: number for text, (number, _) in found.items()}
        for text in part:
            if text not in known:
                known[text] = _new_text(connection, text, month, most)
    return known


def _new_text(connection: Connection, text: str, month: int, most: int) -> int:
    if (connection.scalar(select(func.count()).select_from(EVENT_TEXTS)) or 0) >= most:
        text = FURTHER_TEXTS
    insert = insert_into(connection, EVENT_TEXTS).values(text=text, last_month=month)
    statement = insert.on_conflict_do_update(index_elements=["text"], set_={"last_month": month})
    return int(connection.execute(statement.returning(EVENT_TEXTS.c.number)).scalar_one())
