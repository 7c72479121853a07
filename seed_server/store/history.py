"""What PCs did with patches and when, as far as it is in the database, with names to show. Blocking.

Months that are archived are no longer here: `archive_files` reads them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from p2pdist.shared.wire.codec import Record
from seed_server.store.event_months import MonthPart, hot_parts, month_parts
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS, PATCHES, REPORTED_SINCE, SITES, states_of
from seed_server.store.tables_events import EVENT_TEXTS, FORGOTTEN_ENDPOINTS
from seed_server.store.transactions import Transactions


class Event(NamedTuple):
    """One step of a PC, in numbers, in the order in which a month is read: by PC, then by time."""

    endpoint: int
    at: int
    """In seconds since `tables.REPORTED_SINCE`."""
    patch: int
    site: int
    """Where the PC was then; 0: not known."""
    text: int
    """Why, as a number of a text; 0: nothing is kept of that."""
    said: int


EventKey = tuple[int, int, int]
"""The first three of an `Event`: no other one has them."""


class EventNames(Record, frozen=True):
    """What the numbers of events stand for; those that nobody knows any more are missing."""

    endpoints: dict[int, tuple[str, str]]
    """The id and the host name."""
    patches: dict[int, tuple[str, str]]
    """The id and the version."""
    sites: dict[int, str]
    texts: dict[int, str]


class Sought(Record, frozen=True):
    """Which events are sought, in numbers; None: any."""

    endpoints: frozenset[int] | None = None
    patches: frozenset[int] | None = None
    sites: frozenset[int] | None = None
    since: int | None = None
    """The first moment."""
    until: int | None = None
    """The first moment that is not sought any more."""

    def fits(self, event: Event) -> bool:
        """Whether it is one of them."""
        return (
            (self.endpoints is None or event.endpoint in self.endpoints)
            and (self.patches is None or event.patch in self.patches)
            and (self.sites is None or event.site in self.sites)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )

    @property
    def nothing(self) -> bool:
        """Whether there can be no such event."""
        return frozenset() in {self.endpoints, self.patches, self.sites}


class HistoryRow(Record, frozen=True):
    """One step of a PC with a patch, in words."""

    at: float
    """Seconds since 1970."""
    endpoint_id: str
    """Empty: nobody knows any more who it was."""
    hostname: str
    site: str | None
    """Where the PC was then; None: not known."""
    patch_id: str
    version: str
    state: str
    install: str
    because: str
    """Why, in the PC's words; empty: nothing is kept of that."""


class HistoryTable(Transactions):
    """The part of `Database` that is about what happened; raises as all of it."""

    def history_of(self, endpoint_id: str, limit: int) -> list[HistoryRow]:
        """Return the newest ``limit`` steps of a PC that are in the database, the newest first.

        Empty for a PC that has done nothing in the months that are here, and for one that nobody knows.
        """
        with self.reading() as connection:
            numbers = _numbers_of_endpoint(connection, endpoint_id)
            found: list[Event] = []
            for part in reversed(hot_parts(connection)):
                if len(found) >= limit:
                    break
                table = part.events_table
                query = select(*(table.c[name] for name in Event._fields)).where(table.c.endpoint.in_(numbers))
                query = query.order_by(table.c.at.desc(), table.c.patch).limit(limit)
                found += [Event(*row) for row in connection.execute(query)]
            # parts of one month overlap
            newest = sorted(found, key=lambda event: event.at, reverse=True)[:limit]
            names = _names_of(connection, newest)
        return [worded(event, names) for event in newest]

    def month_parts(self) -> list[MonthPart]:
        """Return every part of every month that was ever written, the oldest first."""
        with self.reading() as connection:
            return month_parts(connection)

    def events_of_month(
        self, part: MonthPart, after: EventKey | None, limit: int, sought: Sought | None = None
    ) -> list[Event]:
        """Return the next ``limit`` events of a month that is in the database, behind ``after``, in their order."""
        table = part.events_table
        columns = [table.c[name] for name in Event._fields]
        order = (table.c.endpoint, table.c.at, table.c.patch)
        wanted = [] if sought is None else _conditions(sought, part)
        found: list[Event] = []
        with self.reading() as connection:
            if after is not None:
                endpoint, at, patch = after
                # of one PC by itself: an index has its rows, while OR would have the whole table read
                later = or_(table.c.at > at, and_(table.c.at == at, table.c.patch > patch))
                same = select(*columns).where(table.c.endpoint == endpoint, later, *wanted)
                found = [Event(*row) for row in connection.execute(same.order_by(*order).limit(limit))]
                wanted = [*wanted, table.c.endpoint > endpoint]
            if len(found) < limit:
                rest = select(*columns).where(*wanted).order_by(*order).limit(limit - len(found))
                found += [Event(*row) for row in connection.execute(rest)]
        return found

    def sought_numbers(
        self, *, endpoint: str = "", patch_id: str = "", version: str = "", site: str = ""
    ) -> tuple[frozenset[int] | None, frozenset[int] | None, frozenset[int] | None]:
        """Return the numbers of a PC (its id or host name, also of one that is forgotten), a patch, a site.

        None: nothing is sought there. Empty: the database knows none of that name; an archive may.
        """
        with self.reading() as connection:
            endpoints = frozenset(_numbers_of_endpoint(connection, endpoint, by_name=True)) if endpoint else None
            ours = and_(PATCHES.c.patch_id == patch_id, *([PATCHES.c.version == version] if version else []))
            patches = frozenset(connection.scalars(select(PATCHES.c.number).where(ours))) if patch_id else None
            sites = frozenset(connection.scalars(select(SITES.c.number).where(SITES.c.name == site))) if site else None
        return endpoints, patches, sites

    def event_names(self, events: Iterable[Event]) -> EventNames:
        """Return what the numbers of these events stand for; PCs that are forgotten have their names still."""
        with self.reading() as connection:
            return _names_of(connection, list(events))


def worded(event: Event, names: EventNames) -> HistoryRow:
    """Return an event in words; what a number stood for that nobody knows any more is empty."""
    endpoint_id, hostname = names.endpoints.get(event.endpoint, ("", ""))
    patch_id, version = names.patches.get(event.patch, ("", ""))
    state, install = states_of(event.said)
    return HistoryRow(
        at=float(event.at + REPORTED_SINCE),
        endpoint_id=endpoint_id,
        hostname=hostname,
        site=names.sites.get(event.site),
        patch_id=patch_id,
        version=version,
        state=state,
        install=install,
        because=names.texts.get(event.text, ""),
    )


def _numbers_of_endpoint(connection: Connection, name: str, *, by_name: bool = False) -> list[int]:
    found: set[int] = set()
    for table in (ENDPOINTS, FORGOTTEN_ENDPOINTS):
        ours = table.c.endpoint_id == name
        if by_name:
            ours = or_(ours, table.c.hostname == name)
        found.update(connection.scalars(select(table.c.number).where(ours)))
    return sorted(found)


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


def _names_of(connection: Connection, events: Sequence[Event]) -> EventNames:
    endpoints: dict[int, tuple[str, str]] = {}
    numbers = _distinct(event.endpoint for event in events)
    for table in (FORGOTTEN_ENDPOINTS, ENDPOINTS):
        query = select(table.c.number, table.c.endpoint_id, table.c.hostname)
        for part in parts(numbers):
            for number, endpoint_id, hostname in connection.execute(query.where(table.c.number.in_(part))):
                endpoints[number] = (endpoint_id, hostname)
    patches: dict[int, tuple[str, str]] = {}
    named = select(PATCHES.c.number, PATCHES.c.patch_id, PATCHES.c.version)
    for part in parts(_distinct(event.patch for event in events)):
        for number, patch_id, version in connection.execute(named.where(PATCHES.c.number.in_(part))):
            patches[number] = (patch_id, version)
    sites: dict[int, str] = {}
    for part in parts(_distinct(event.site for event in events)):
        query_sites = select(SITES.c.number, SITES.c.name).where(SITES.c.number.in_(part))
        sites.update(connection.execute(query_sites).all())
    texts: dict[int, str] = {}
    for part in parts(_distinct(event.text for event in events)):
        query_texts = select(EVENT_TEXTS.c.number, EVENT_TEXTS.c.text).where(EVENT_TEXTS.c.number.in_(part))
        texts.update(connection.execute(query_texts).all())
    return EventNames(endpoints, patches, sites, texts)


def _distinct(numbers: Iterable[int]) -> list[int]:
    return sorted(set(numbers))
