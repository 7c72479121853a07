from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select

from seed_server.store.event_months import hot_events
from seed_server.store.interned import MAX_NAMES_AT_ONCE, text_numbers
from seed_server.store.standing_rows import (
    StandingRow,
    move_to_sites,
    save_standing,
)
from seed_server.store.tables import ENDPOINTS, PATCHES, SAID_PLACES, SITES, STANDING, TALLIES, said_code
from tests.helpers.stored_rows import Tally, tallies

FETCHING, VERIFIED = said_code("fetching", ""), said_code("verified", "")
ROW = StandingRow(
    patch=1,
    endpoint=1,
    said=FETCHING,
    reason=1,
    progress=500,
    bytes_from_origin=1 << 40,
    bytes_from_peers=7,
    seconds=60,
    reported_at=1000,
)


def endpoint(number: int, site: int) -> dict[str, object]:
    return {
        "number": number,
        "endpoint_id": f"{number}",
        "hostname": "pc",
        "enrolled_at": 1.0,
        "denied": False,
        "site": site,
    }


def patch(number: int) -> dict[str, object]:
    return {
        "number": number,
        "patch_id": f"p{number}",
        "version": "1",
        "title": "",
        "severity": "",
        "sequence": number,
        "published_at": 1.0,
    }


@pytest.fixture
def connection(engines):
    with engines.writing() as connection:
        connection.execute(SITES.insert(), [{"number": n, "name": f"site {n}"} for n in (1, 2)])
        connection.execute(ENDPOINTS.insert(), [endpoint(n, n % 2 + 1) for n in range(1, 9)])
        connection.execute(PATCHES.insert(), [patch(n) for n in (1, 2, 3)])
        text_numbers(connection, ["", "no window"])
        yield connection


def counted(connection: Connection) -> Counter[tuple[int, ...]]:
    """Count the rows themselves, as the tallies ought to."""
    table = STANDING.c
    query = (
        select(table.patch, ENDPOINTS.c.site, table.said, table.reason)
        .join(ENDPOINTS, ENDPOINTS.c.number == table.endpoint)
        .where(~ENDPOINTS.c.denied)
    )
    return Counter(tuple(row) for row in connection.execute(query))


def rows_of(connection: Connection, patch: int) -> list[StandingRow]:
    columns = [STANDING.c[name] for name in StandingRow.__struct_fields__]
    return [StandingRow(*row) for row in connection.execute(select(*columns).where(STANDING.c.patch == patch))]


def kept(connection: Connection) -> Counter[tuple[int, ...]]:
    return Counter({(t.patch, t.site, t.said, t.reason): t.endpoints for t in tallies(connection)})


def test_the_newest_word_replaces_the_one_before(connection):
    assert save_standing(connection, [ROW]) == 1
    newer = replace(ROW, said=VERIFIED, progress=1000, reported_at=1001)
    assert save_standing(connection, [ROW, newer]) == 1
    assert rows_of(connection, 1) == [newer]
    assert tallies(connection) == [Tally(1, 2, VERIFIED, 1, 1)]


def test_unknown_pcs_and_patches_are_skipped(connection):
    assert save_standing(connection, [replace(ROW, endpoint=99), replace(ROW, patch=99), ROW]) == 1
    assert rows_of(connection, 1) == [ROW]
    assert rows_of(connection, 99) == []


def test_only_transitions_are_events(connection):
    save_standing(connection, [ROW])
    save_standing(connection, [replace(ROW, progress=700, reason=2, reported_at=1060)])
    save_standing(connection, [replace(ROW, said=VERIFIED, reported_at=1120)])
    steps = hot_events(connection, 0)
    columns = (steps.c.at, steps.c.endpoint, steps.c.patch, steps.c.said)
    assert [tuple(row) for row in connection.execute(select(*columns).order_by(steps.c.at))] == [
        (1000, 1, 1, FETCHING),
        (1120, 1, 1, VERIFIED),
    ]


def test_tallies_agree_with_the_rows_after_any_history(connection):
    random = Random(15)
    for at in range(60):
        rows = [
            replace(
                ROW,
                patch=random.randint(1, 3),
                endpoint=random.randint(1, 9),
                said=random.randrange(6) * SAID_PLACES + random.randrange(10),
                reason=random.randint(1, 2),
                reported_at=at,
            )
            for _ in range(random.randrange(12))
        ]
        save_standing(connection, rows)
        move_to_sites(connection, {random.randint(1, 9): random.randint(1, 2) for _ in range(2)})
        assert kept(connection) == counted(connection)
    assert all(count > 0 for count in connection.scalars(select(TALLIES.c.endpoints)))


def test_texts_keep_their_numbers(connection):
    first = text_numbers(connection, ["no window", "disk full"])
    assert text_numbers(connection, ["disk full", "no window", "disk full"]) == first
    assert len(set(first.values())) == 2


def test_more_rows_than_one_query_names(connection):
    many = MAX_NAMES_AT_ONCE + 1
    connection.execute(ENDPOINTS.insert(), [endpoint(100 + n, 1) for n in range(many)])
    assert save_standing(connection, [replace(ROW, endpoint=100 + n) for n in range(many)]) == many
    assert tallies(connection) == [Tally(1, 1, FETCHING, 1, many)]
    assert len(text_numbers(connection, [f"text {n}" for n in range(many)])) == many
