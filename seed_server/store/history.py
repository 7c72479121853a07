"""What PCs did with patches and when, as far as it is in the database, with names to show. Blocking.

Months that are archived are no longer here: `month_file` reads them.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.event_months import MonthPart, begin_of, hot_parts, month_after, month_parts
from seed_server.store.event_rows import (
    Asked,
    EventKey,
    EventNames,
    EventNumbers,
    HistoryRow,
    PcEvent,
    Sought,
    worded,
)
from seed_server.store.interned import parts
from seed_server.store.pc_names import PcName
from seed_server.store.rows import ForgottenRow, LeftOut
from seed_server.store.tables import ENDPOINTS, PATCHES, SITES
from seed_server.store.tables_events import EVENT_TEXTS, FORGOTTEN_ENDPOINTS, STEPS_LEFT_OUT
from seed_server.store.transactions import Transactions


class HistoryTable(Transactions):
    """The part of `Database` that is about what happened; raises as all of it."""

    def history_of(self, endpoint_id: str, limit: int, sought: Sought | None = None) -> list[HistoryRow]:
        """Return the newest ``limit`` steps of a PC that are in the database, the newest first.

        ``sought``: only of these patches, and before this moment. Empty for a PC that has done nothing in the months
        that are here, and for one that nobody knows.
        """
        with self.reading() as connection:
            ours = _numbers_of_endpoint(connection, endpoint_id)
            found: list[PcEvent] = []
            for part in reversed(hot_parts(connection)):
                if len(found) >= limit:
                    break
                table = part.events_table
                query = select(*(table.c[name] for name in PcEvent._fields)).where(table.c.endpoint.in_(ours))
                if sought is not None and sought.patches is not None:
                    query = query.where(table.c.patch.in_(sorted(sought.patches)))
                if sought is not None and sought.until is not None:
                    query = query.where(table.c.at < sought.until)
                query = query.order_by(table.c.at.desc(), table.c.patch).limit(limit)
                found += [PcEvent(*row) for row in connection.execute(query)]
            # parts of one month overlap
            newest = sorted(found, key=lambda event: event.at, reverse=True)[:limit]
            numbers = EventNumbers()
            numbers.note(newest)
            names = _names_of(connection, numbers)
        return [worded(event, names) for event in newest]

    def steps_left_out(self, endpoint_id: str) -> LeftOut | None:
        """Return what the history has left out of what a PC did; None: nothing."""
        columns = (STEPS_LEFT_OUT.c.steps, STEPS_LEFT_OUT.c.last_at)
        query = select(*columns).join_from(STEPS_LEFT_OUT, ENDPOINTS).where(ENDPOINTS.c.endpoint_id == endpoint_id)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else LeftOut(*row)

    def left_out_since(self, since: float) -> list[str]:
        """Return the names of the PCs of which steps were left out since then, who lost most first."""
        query = select(ENDPOINTS.c.hostname).join_from(STEPS_LEFT_OUT, ENDPOINTS)
        query = query.where(STEPS_LEFT_OUT.c.last_at >= since)
        with self.reading() as connection:
            return list(connection.scalars(query.order_by(STEPS_LEFT_OUT.c.steps.desc(), ENDPOINTS.c.number)))

    def forgotten_named(self, text: str) -> ForgottenRow | None:
        """Return the PC that was forgotten last of those that ``text`` names best (`PcName`); None: there is none."""
        table = FORGOTTEN_ENDPOINTS.c
        query = select(table.endpoint_id, table.hostname, table.forgotten_at).order_by(table.forgotten_at, table.number)
        with self.reading() as connection:
            gone = [ForgottenRow(*row) for row in connection.execute(query)]
        found = PcName(text).best((row, row.endpoint_id, row.hostname) for row in gone)
        return found[-1] if found else None

    def month_parts(self) -> list[MonthPart]:
        """Return every part of every month that was ever written, the oldest first."""
        with self.reading() as connection:
            return month_parts(connection)

    def events_of_month(
        self, part: MonthPart, after: EventKey | None, limit: int, sought: Sought | None = None
    ) -> list[PcEvent] | None:
        """Return the next ``limit`` events of a month, behind ``after``, in their order; None: it is archived now."""
        table = part.events_table
        columns = [table.c[name] for name in PcEvent._fields]
        # by the index of PCs, or by all of the table where few of its rows are sought: then it must not lead
        pc: ColumnElement[int] = (
            table.c.endpoint + 0 if sought is not None and _seeks_few(sought, part) else table.c.endpoint
        )
        order = (pc, table.c.at, table.c.patch)
        wanted = [] if sought is None else _conditions(sought, part)
        found: list[PcEvent] = []
        with self.reading() as connection:
            if part.key not in {one.key for one in hot_parts(connection)}:
                return None
            if after is not None:
                endpoint, at, patch = after
                # of one PC by itself: an index has its rows, while OR would have the whole table read
                later = or_(table.c.at > at, and_(table.c.at == at, table.c.patch > patch))
                same = select(*columns).where(table.c.endpoint == endpoint, later, *wanted)
                found = [PcEvent(*row) for row in connection.execute(same.order_by(*order).limit(limit))]
                wanted = [*wanted, pc > endpoint]
            if len(found) < limit:
                rest = select(*columns).where(*wanted).order_by(*order).limit(limit - len(found))
                found += [PcEvent(*row) for row in connection.execute(rest)]
        return found

    def sought(self, asked: Asked) -> Sought:
        """Return in numbers what is asked for: PCs also by host name, and those that are forgotten.

        What the database knows none of is an empty set; an archive may.
        """
        endpoints = patches = sites = None
        with self.reading() as connection:
            if asked.endpoint:
                endpoints = frozenset(PcName(asked.endpoint).all(_named_endpoints(connection)))
            if asked.patch_id:
                of_version = [PATCHES.c.version == asked.version] if asked.version else []
                ours = and_(PATCHES.c.patch_id == asked.patch_id, *of_version)
                patches = frozenset(connection.scalars(select(PATCHES.c.number).where(ours)))
            if asked.site:
                sites = frozenset(connection.scalars(select(SITES.c.number).where(SITES.c.name == asked.site)))
        return Sought(endpoints, patches, sites, asked.since, asked.until)

    def event_names(self, numbers: EventNumbers) -> EventNames:
        """Return what the numbers of events stand for; PCs that are forgotten have their names still."""
        with self.reading() as connection:
            return _names_of(connection, numbers)


def _numbers_of_endpoint(connection: Connection, endpoint_id: str) -> list[int]:
    found: set[int] = set()
    for table in (ENDPOINTS, FORGOTTEN_ENDPOINTS):
        found.update(connection.scalars(select(table.c.number).where(table.c.endpoint_id == endpoint_id)))
    return sorted(found)


def _named_endpoints(connection: Connection) -> Iterator[tuple[int, str, str]]:
    for table in (ENDPOINTS, FORGOTTEN_ENDPOINTS):
        for row in connection.execute(select(table.c.number, table.c.endpoint_id, table.c.hostname)):
            yield row.number, row.endpoint_id, row.hostname


def _seeks_few(sought: Sought, part: MonthPart) -> bool:
    """Whether a look at the whole table, or at some hours of it, finds them sooner than one PC after the other."""
    if sought.endpoints is not None:
        return False
    if sought.patches is not None or sought.sites is not None:
        return True
    begin, end = begin_of(part.month), begin_of(month_after(part.month))
    since, until = (begin if sought.since is None else sought.since), (end if sought.until is None else sought.until)
    return min(until, end) - max(since, begin) < DAY_SECONDS


def _conditions(sought: Sought, part: MonthPart) -> list[ColumnElement[bool]]:
    table = part.events_table
    found: list[ColumnElement[bool]] = [
        table.c[name].in_(sorted(numbers))
        for name, numbers in (("endpoint", sought.endpoints), ("patch", sought.patches), ("site", sought.sites))
        if numbers is not None
    ]
    if sought.since is not None:
        found.append(table.c.at >= sought.since)
    if sought.until is not None:
        found.append(table.c.at < sought.until)
    return found


def _names_of(connection: Connection, numbers: EventNumbers) -> EventNames:
    endpoints: dict[int, tuple[str, str]] = {}
    for table in (FORGOTTEN_ENDPOINTS, ENDPOINTS):
        query = select(table.c.number, table.c.endpoint_id, table.c.hostname)
        for part in parts(sorted(numbers.endpoints)):
            for number, endpoint_id, hostname in connection.execute(query.where(table.c.number.in_(part))):
                endpoints[number] = (endpoint_id, hostname)
    patches: dict[int, tuple[str, str]] = {}
    named = select(PATCHES.c.number, PATCHES.c.patch_id, PATCHES.c.version)
    for part in parts(sorted(numbers.patches)):
        for number, patch_id, version in connection.execute(named.where(PATCHES.c.number.in_(part))):
            patches[number] = (patch_id, version)
    sites: dict[int, str] = {}
    for part in parts(sorted(numbers.sites)):
        query_sites = select(SITES.c.number, SITES.c.name).where(SITES.c.number.in_(part))
        sites.update(connection.execute(query_sites).all())
    texts: dict[int, str] = {}
    for part in parts(sorted(numbers.texts)):
        query_texts = select(EVENT_TEXTS.c.number, EVENT_TEXTS.c.text).where(EVENT_TEXTS.c.number.in_(part))
        texts.update(connection.execute(query_texts).all())
    return EventNames(endpoints, patches, sites, texts)
