"""What each PC last said of each patch, what happened when, and how many PCs say so: written together. Blocking.

Every function works within the transaction of the connection it is given. PCs, patches,
sites and texts are named by their numbers in `tables`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, and_, select, tuple_

from p2pdist.shared.wire.codec import Record
from seed_server.store.engines import insert_into
from seed_server.store.tables import EVENTS, FLEET, RELEASES, STANDING, TALLIES, TEXTS

MAX_ROWS_AT_ONCE = 500  # pairs named in one query; SQLite takes 32,766 values
MAX_PAGE_ROWS = 1000


class StandingRow(Record, frozen=True):
    """One PC's word on one patch; columns as in the table `standing`."""

    patch: int
    endpoint: int
    state: int
    install: int
    reason: int
    progress: int
    bytes_from_origin: int
    bytes_from_peers: int
    seconds: int
    reported_at: int


class Tally(Record, frozen=True):
    """How many PCs of a site stand alike to a patch."""

    patch: int
    site: int
    state: int
    install: int
    reason: int
    endpoints: int


_Bucket = tuple[int, int, int, int, int]  # a tally's key: patch, site, state, install, reason


def text_numbers(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """Return the number of each text; new ones get theirs."""
    wanted = sorted(set(texts))
    known: dict[str, int] = {}
    for start in range(0, len(wanted), MAX_ROWS_AT_ONCE):
        part = wanted[start : start + MAX_ROWS_AT_ONCE]
        query = select(TEXTS.c.text, TEXTS.c.number).where(TEXTS.c.text.in_(part))
        found = dict(connection.execute(query).all())
        missing = [{"text": text} for text in part if text not in found]
        if missing:
            connection.execute(insert_into(connection, TEXTS).on_conflict_do_nothing(), missing)
            found = dict(connection.execute(query).all())
        known |= found
    return known


def save_standing(connection: Connection, rows: Iterable[StandingRow]) -> int:
    """Record the newest word of PCs on patches; return how many were recorded.

    Of several on one pair the last one counts. Unknown PCs and unpublished patches are skipped.
    """
    newest = {(row.patch, row.endpoint): row for row in rows}
    pairs = sorted(newest)
    saved = 0
    for start in range(0, len(pairs), MAX_ROWS_AT_ONCE):
        saved += _save(connection, [newest[pair] for pair in pairs[start : start + MAX_ROWS_AT_ONCE]])
    return saved


def _save(connection: Connection, rows: Sequence[StandingRow]) -> int:
    endpoints = {row.endpoint for row in rows}
    sites = select(FLEET.c.number, FLEET.c.site).where(FLEET.c.number.in_(endpoints))
    site_of = dict(connection.execute(sites).all())
    releases = select(RELEASES.c.number).where(RELEASES.c.number.in_({row.patch for row in rows}))
    published = set(connection.scalars(releases))
    known = [row for row in rows if row.endpoint in site_of and row.patch in published]
    if not known:
        return 0
    before = _buckets_before(connection, known, site_of)
    changes: Counter[_Bucket] = Counter()
    moved: list[StandingRow] = []
    for row in known:
        bucket = (row.patch, site_of[row.endpoint], row.state, row.install, row.reason)
        old = before.get((row.patch, row.endpoint))
        if old == bucket:
            continue
        changes[bucket] += 1
        if old is not None:
            changes[old] -= 1
        if old is None or old[2:4] != bucket[2:4]:
            moved.append(row)
    _upsert_standing(connection, known)
    _add_events(connection, moved)
    _change_tallies(connection, changes)
    return len(known)


def _buckets_before(
    connection: Connection, rows: Sequence[StandingRow], site_of: Mapping[int, int]
) -> dict[tuple[int, int], _Bucket]:
    table = STANDING.c
    query = select(table.patch, table.endpoint, table.state, table.install, table.reason).where(
        tuple_(table.patch, table.endpoint).in_([(row.patch, row.endpoint) for row in rows])
    )
    return {
        (patch, endpoint): (patch, site_of[endpoint], state, install, reason)
        for patch, endpoint, state, install, reason in connection.execute(query)
    }


def _upsert_standing(connection: Connection, rows: Sequence[StandingRow]) -> None:
    insert = insert_into(connection, STANDING)
    newer = {column.name: insert.excluded[column.name] for column in STANDING.c if not column.primary_key}
    statement = insert.on_conflict_do_update(index_elements=["patch", "endpoint"], set_=newer)
    connection.execute(statement, [{name: getattr(row, name) for name in row.__struct_fields__} for row in rows])


def _add_events(connection: Connection, rows: Sequence[StandingRow]) -> None:
    if not rows:
        return
    insert = insert_into(connection, EVENTS)
    # two steps within one second are one: the last is what counts
    last = {"state": insert.excluded.state, "install": insert.excluded.install}
    statement = insert.on_conflict_do_update(index_elements=["at", "endpoint", "patch"], set_=last)
    values = [
        {"at": r.reported_at, "endpoint": r.endpoint, "patch": r.patch, "state": r.state, "install": r.install}
        for r in rows
    ]
    connection.execute(statement, values)


def _change_tallies(connection: Connection, changes: Mapping[_Bucket, int]) -> None:
    names = ("patch", "site", "state", "install", "reason")
    values = [dict(zip(names, key, strict=True)) | {"endpoints": n} for key, n in sorted(changes.items()) if n]
    if not values:
        return
    insert = insert_into(connection, TALLIES)
    total = {"endpoints": TALLIES.c.endpoints + insert.excluded.endpoints}
    connection.execute(insert.on_conflict_do_update(index_elements=list(names), set_=total), values)
    connection.execute(TALLIES.delete().where(TALLIES.c.endpoints == 0))


def move_to_site(connection: Connection, endpoint: int, site: int) -> None:
    """Record that a PC is in another site now; what it said of patches counts there from now on."""
    old = connection.scalar(select(FLEET.c.site).where(FLEET.c.number == endpoint))
    if old is None or old == site:
        return
    table = STANDING.c
    query = select(table.patch, table.state, table.install, table.reason).where(table.endpoint == endpoint)
    changes: Counter[_Bucket] = Counter()
    for patch, state, install, reason in connection.execute(query):
        changes[patch, old, state, install, reason] -= 1
        changes[patch, site, state, install, reason] += 1
    connection.execute(FLEET.update().where(FLEET.c.number == endpoint).values(site=site))
    _change_tallies(connection, changes)


def tallies(connection: Connection, patches: Iterable[int] | None = None) -> list[Tally]:
    """Return how many PCs stand how, by patch and site; of all patches where none are named."""
    names = Tally.__struct_fields__
    query = select(*(TALLIES.c[name] for name in names)).order_by(*(TALLIES.c[name] for name in names[:-1]))
    if patches is not None:
        query = query.where(TALLIES.c.patch.in_(sorted(set(patches))))
    return [Tally(*row) for row in connection.execute(query)]


def standing_page(
    connection: Connection, patch: int, *, after: int = 0, limit: int = MAX_PAGE_ROWS
) -> list[StandingRow]:
    """Return what PCs last said of a patch, in the order of their numbers, from the one after ``after`` on."""
    query = (
        select(*(STANDING.c[name] for name in StandingRow.__struct_fields__))
        .where(and_(STANDING.c.patch == patch, STANDING.c.endpoint > after))
        .order_by(STANDING.c.endpoint)
        .limit(min(limit, MAX_PAGE_ROWS))
    )
    return [StandingRow(*row) for row in connection.execute(query)]
