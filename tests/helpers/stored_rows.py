"""What a state database holds of reports and tallies, all of it: more than the product ever reads at once."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from seed_server.store.database import Database
from seed_server.store.rows import ReportRow
from seed_server.store.tables import TALLIES


class Tally(NamedTuple):
    """A row of `tallies`."""

    patch: int
    site: int
    said: int
    reason: int
    endpoints: int


def all_reports(database: Database) -> list[ReportRow]:
    """Return the newest report of every PC on every patch."""
    rows = [row for head in database.patch_heads() for row in database.reports_on(head.ref)]
    return sorted(rows, key=lambda row: (row.patch_id, row.version, row.endpoint_id))


def tallies(connection: Connection) -> list[Tally]:
    """Return all rows."""
    columns = [TALLIES.c[name] for name in Tally._fields]
    return [Tally(*row) for row in connection.execute(select(*columns).order_by(*columns))]
