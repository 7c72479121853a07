"""What another process sees of the server's state: which reports are committed, and what a row takes.

The one place here that knows tables. Blocking, but for `CommitTimes.watch`.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence

import trio
from sqlalchemy import Connection, Table, func, select

from bench.fleet_size.crowd import Said
from bench.fleet_size.speech import STAMPS_PER_SECOND
from seed_server.store.database import Database
from seed_server.store.event_months import begin_of, event_text_numbers, month_after, open_part
from seed_server.store.interned import text_numbers
from seed_server.store.tables import ENDPOINTS, REPORTED_SINCE, STANDING

LOOK_SECONDS = 0.01  # how exactly the moment of a commit is known
FILLED_AT_ONCE = 500_000  # steps of one transaction
MOST_VARIABLES = 500  # of one statement

# each gives a number that another process's commit changes
_VERSION = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
}
_WEIGHT = {
    "sqlite": "SELECT sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) WHERE tbl_name = '{table}'",
    "postgresql": "SELECT pg_total_relation_size('{table}')",
}


def commit_version(database: Database) -> int:
    """Return a number that changes with each commit of others; one thread asks, so that one connection answers."""
    with database.reading() as connection:
        return _number(connection, _VERSION[connection.dialect.name])


def stamps_of(database: Database, endpoints: Sequence[str]) -> dict[str, int]:
    """Return the newest stamp of each of these PCs that has one."""
    newest = func.max(STANDING.c.bytes_from_origin)
    query = (
        select(ENDPOINTS.c.endpoint_id, newest)
        .join(STANDING, STANDING.c.endpoint == ENDPOINTS.c.number)
        .group_by(ENDPOINTS.c.endpoint_id)
    )
    found: dict[str, int] = {}
    with database.reading() as connection:
        for at in range(0, len(endpoints), MOST_VARIABLES):
            part = endpoints[at : at + MOST_VARIABLES]
            rows = connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
            found |= {str(endpoint): int(stamp) for endpoint, stamp in rows}
    return found


def standing_bytes(database: Database) -> int:
    """Return what the table of standing takes, with its indexes."""
    return table_bytes(database, STANDING)


def table_bytes(database: Database, table: Table) -> int:
    """Return what a table takes, with its indexes."""
    with database.reading() as connection:
        return _number(connection, _WEIGHT[connection.dialect.name].format(table=table.name))


def fill_month(database: Database, month: int, events: int, *, pcs: int, patches: int, sites: int) -> None:
    """Let so many steps have happened in a month: at moments, of PCs and patches by chance; one of fifty says why."""
    whole = begin_of(month_after(month)) - begin_of(month)
    with database.batch(), database.reading() as connection:
        event_text_numbers(connection, [f"exit code {code}: it failed" for code in range(500)], month)
        table = open_part(connection, month).name
        sqlite = connection.dialect.name == "sqlite"
    chance = "abs(random()) % {most}" if sqlite else "floor(random() * {most})::int"
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
        if sqlite
        else "WITH n(i) AS (SELECT generate_series({first}::bigint, {last})) "
    )
    pc, patch = (f"1 + {chance.format(most=most)}" for most in (pcs, patches))
    for first in range(0, events, FILLED_AT_ONCE):
        last = min(first + FILLED_AT_ONCE, events) - 1
        chosen = (
            f"{numbers.format(first=first, last=last)}, "
            f"m AS MATERIALIZED (SELECT i, {pc} AS pc, {patch} AS patch FROM n) "
            f"SELECT {begin_of(month)} + i * {whole} / {events}, pc, patch, 2 + pc % {sites}, "
            "CASE WHEN i % 50 = 0 THEN 1 + (i / 50) % 500 ELSE 0 END, "
            "CASE i % 5 WHEN 0 THEN 2 * 16 WHEN 1 THEN 3 * 16 WHEN 2 THEN 4 * 16 + 2 WHEN 3 THEN 4 * 16 + 3 "
            "ELSE 4 * 16 + 6 END FROM m"
        )
        with database.batch(), database.reading() as connection:
            columns = "at, endpoint, patch, site, text, said"
            insert = f"INSERT OR IGNORE INTO {table}" if sqlite else f"INSERT INTO {table}"
            ending = " WHERE true" if sqlite else " ON CONFLICT DO NOTHING"
            _carried_out(connection, f"{insert} ({columns}) {chosen}{ending}")


# of a hundred PCs, by chance that is the same each time: so many have it, wait for a window, have failed, need it not,
# fetch it; one has said nothing
_SAID = (
    "CASE WHEN h < 94 THEN 4 * 16 + 6 WHEN h < 96 THEN 4 * 16 + 2 WHEN h < 97 THEN 4 * 16 + 9 WHEN h < 98 THEN 1 "
    "ELSE 2 * 16 END"
)


def fill_standing(database: Database, patches: Sequence[int], since: float, until: float) -> int:
    """Let every PC have its word on every patch, most of them done since a moment of that time; return the rows.

    Half of those who are done were so in the first tenth of it.
    """
    begin, lasts = int(since) - REPORTED_SINCE, int(until - since)
    with database.batch(), database.reading() as connection:
        for index in STANDING.indexes:  # it is faster to make them afterwards
            index.drop(connection)
    for patch in patches:
        with database.batch(), database.reading() as connection:
            (reason,) = text_numbers(connection, [""]).values()
            chance = f"SELECT number AS pc, (number * 7919 + {patch} * 104729) % 9973 AS c FROM endpoints"
            hundred = f"SELECT pc, c % 99 AS h, c * c % 9973 AS late FROM ({chance}) AS chance WHERE c % 100 <> 0"
            done = f"{begin} + CAST({lasts} AS BIGINT) * late / 9973 * late / 9973 * late / 9973"
            _carried_out(
                connection,
                "INSERT INTO standing (bytes_from_origin, bytes_from_peers, patch, endpoint, seconds, reported_at, "
                f"reason, said, progress, done_at) SELECT 0, 1000, {patch}, pc, 60, {begin + lasts}, {reason}, "
                f"{_SAID}, 1000, CASE WHEN h < 94 THEN {done} WHEN h = 97 THEN -1 ELSE 0 END "
                f"FROM ({hundred}) AS hundred ORDER BY pc",
            )
    with database.batch(), database.reading() as connection:
        for index in STANDING.indexes:
            index.create(connection)
        _carried_out(
            connection,
            "INSERT INTO tallies SELECT patch, site, reason, said, count(*) FROM standing JOIN endpoints "
            "ON number = endpoint GROUP BY patch, site, reason, said",
        )
        _carried_out(
            connection,
            "INSERT INTO done_tallies SELECT patch, done_at / 3600, count(*) FROM standing WHERE done_at > 0 "
            "GROUP BY patch, done_at / 3600",
        )
        return _number(connection, "SELECT count(*) FROM standing")


def _carried_out(connection: Connection, statement: str) -> None:
    """Carry out a statement without parameters: to the driver of PostgreSQL, a single % begins one."""
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(statement if sqlite else statement.replace("%", "%%"))


def _number(connection: Connection, statement: str) -> int:
    return int(connection.exec_driver_sql(statement).scalar_one())


class CommitTimes:
    """How long the reports of some PCs take to be committed."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self.endpoints = endpoints
        self.seconds: list[float] = []
        """From when a report was sent until its commit was seen."""
        self.seen: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._all = frozenset(endpoints)

    def note(self, stamps: Mapping[str, int], now: float) -> None:
        """Take note of what is committed at ``now``, seconds since 1970."""
        for endpoint, stamp in stamps.items():
            if stamp > self._newest.get(endpoint, 0):
                self._newest[endpoint] = stamp
                self.seen[endpoint] = self.seen.get(endpoint, 0) + 1
                self.seconds.append(now - stamp / STAMPS_PER_SECOND)

    async def watch(self, database: Database) -> None:
        """Look at each commit, until cancelled."""
        seen = -1
        while True:
            version = commit_version(database)
            if version != seen:
                now = time.time()
                self.note(stamps_of(database, self.endpoints), now)
                seen = version
            await trio.sleep(LOOK_SECONDS)

    def lost(self, said: Mapping[str, Said]) -> int:
        """Return how many reports of the watched PCs were never seen."""
        return sum(one.reports - self.seen.get(endpoint, 0) for endpoint, one in said.items() if endpoint in self._all)


def behind(said: Mapping[str, Said], stamps: Mapping[str, int]) -> int:
    """Return of how many PCs the last report is not in the state."""
    return sum(stamps.get(endpoint, 0) != one.stamp for endpoint, one in said.items())


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the least of ``values`` that so many percent of them do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
