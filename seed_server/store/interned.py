"""Numbers in the place of texts that many rows share: names of sites, reasons, ids of PCs. Blocking.

Every function works within the transaction of the connection it is given.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, select

from seed_server.store.engines import insert_into
from seed_server.store.tables import ENDPOINTS, SITES, STANDING, TALLIES, TEXTS

MAX_NAMES_AT_ONCE = 500  # named in one query; SQLite takes 32,766 values

_T = TypeVar("_T")


def parts(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield ``values`` in parts that one query can name."""
    for start in range(0, len(values), MAX_NAMES_AT_ONCE):
        yield values[start : start + MAX_NAMES_AT_ONCE]


def text_numbers(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """Return the number of each text; new ones get theirs."""
    return _numbers(connection, TEXTS, "text", texts)


def site_numbers(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the number of each site; new ones get theirs. The site without a name is that of PCs never seen."""
    return _numbers(connection, SITES, "name", names)


def _numbers(connection: Connection, table: Table, column: str, texts: Iterable[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for part in parts(sorted(set(texts))):
        query = select(table.c[column], table.c.number).where(table.c[column].in_(part))
        found = dict(connection.execute(query).all())
        if missing := [{column: text} for text in part if text not in found]:
            connection.execute(insert_into(connection, table).on_conflict_do_nothing(), missing)
            found = dict(connection.execute(query).all())
        known |= found
    return known


def forget_unused_texts(connection: Connection) -> None:
    """Forget the texts that no PC says any more: PCs can make up as many as they like."""
    said = select(TALLIES.c.reason)
    denied = select(ENDPOINTS.c.number).where(ENDPOINTS.c.denied)
    said_by_denied = select(STANDING.c.reason).where(STANDING.c.endpoint.in_(denied))  # not tallied; few, by the index
    connection.execute(TEXTS.delete().where(TEXTS.c.number.not_in(said), TEXTS.c.number.not_in(said_by_denied)))
