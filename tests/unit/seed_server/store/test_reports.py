"""`seed_server.store.reports`: what PCs say, with the tallies and steps that follow, on both databases."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, func, select

from p2pdist.shared.wire.messages import PatchReport
from seed_server.store.database import Database
from seed_server.store.event_months import month_of
from seed_server.store.reports import TEXTS_BETWEEN_SWEEPS
from seed_server.store.rows import PatchBytes, SeenRow, ServedPayload
from seed_server.store.tables import (
    ENDPOINTS,
    REPORTED_SINCE,
    SITES,
    STANDING,
    STANDING_NOTES,
    TALLIES,
    TEXTS,
    states_of,
)
from seed_server.store.tables_events import events_of
from tests.helpers.stored_rows import all_reports, tallies

NOW = REPORTED_SINCE + 86_400.0
EVENTS = events_of(month_of(86_400), 0)


def patch(patch_id: str) -> ServedPayload:
    return ServedPayload(
        patch_id=patch_id,
        version="1",
        title="a patch",
        severity="high",
        cvss=None,
        file_name="file",
        sha256="cd" * 32,
        length_bytes=1_000_000,
        torrent_hash=patch_id * 64,
        piece_length_bytes=262_144,
        piece_count=4,
        sequence=1,
        published_at=5.0,
    )


def report(patch_id: str = "p", **changes: object) -> PatchReport:
    values: dict = {
        "patch_id": patch_id,
        "version": "1",
        "state": "fetching",
        "progress": 0.5,
        "bytes_from_origin": 10,
        "bytes_from_peers": 20,
        "bytes_wasted": 0,
        "seconds": 1.5,
        "error": "",
    }
    return PatchReport(**(values | changes))


def seen(site: str) -> SeenRow:
    return SeenRow(site=site, address="127.0.42.1", software="test", connected=True, last_seen_at=NOW)


@pytest.fixture
def fleet(database: Database) -> Database:
    """Return a database with the patches p and q, and the PCs a, b and c, of which c is elsewhere."""
    database.add_patch(patch("p"))
    database.add_patch(patch("q"))
    for name in "abc":
        database.add_endpoint(name, f"pc-{name}", 1.0)
    database.save_seen({"a": seen("tokyo"), "b": seen("tokyo"), "c": seen("osaka")})
    database.save_reports({name: [report("p"), report("q")] for name in "abc"}, NOW)
    return database


def counted(database: Database) -> Counter[tuple[str, str]]:
    """Count PCs by site and state, from the tallies; they have to agree with the rows."""
    with database.reading() as connection:
        sites = dict(connection.execute(select(SITES.c.number, SITES.c.name)).all())
        found: Counter[tuple[str, str]] = Counter()
        for tally in tallies(connection):
            found[sites[tally.site], states_of(tally.said)[0]] += tally.endpoints
    sites_of = {row.endpoint_id: row.site for row in database.endpoints() if not row.denied}
    rows = [row for row in all_reports(database) if row.endpoint_id in sites_of]
    assert found == Counter((sites_of[row.endpoint_id], row.state) for row in rows)
    return found


def test_many_pcs_at_once(fleet: Database) -> None:
    assert counted(fleet) == {("tokyo", "fetching"): 4, ("osaka", "fetching"): 2}
    fleet.save_reports({"a": [report(state="verified")], "nobody": [report()], "b": [report("unknown")]}, NOW)
    assert counted(fleet) == {("tokyo", "fetching"): 3, ("tokyo", "verified"): 1, ("osaka", "fetching"): 2}


def test_a_pc_that_moves_counts_where_it_is(fleet: Database) -> None:
    fleet.save_seen({"a": seen("osaka"), "nobody": seen("tokyo")})
    assert counted(fleet) == {("tokyo", "fetching"): 2, ("osaka", "fetching"): 4}


def test_who_moves_is_known_with_how_much_moves_along(fleet: Database) -> None:
    assert fleet.moving({"a": seen("osaka"), "b": seen("tokyo"), "nobody": seen("tokyo")}) == {"a": 2}


def test_who_is_denied_or_forgotten_is_not_counted(fleet: Database) -> None:
    for _ in range(2):
        fleet.set_denied("a", True)
        assert counted(fleet) == {("tokyo", "fetching"): 2, ("osaka", "fetching"): 2}
    fleet.save_seen({"a": seen("osaka")})
    fleet.save_reports({"a": [report(state="verified")]}, NOW)
    assert counted(fleet) == {("tokyo", "fetching"): 2, ("osaka", "fetching"): 2}
    fleet.set_denied("a", False)
    assert counted(fleet) == {("tokyo", "fetching"): 2, ("osaka", "fetching"): 3, ("osaka", "verified"): 1}
    fleet.set_denied("b", True)
    fleet.forget_endpoint("b")
    fleet.forget_endpoint("a")
    assert counted(fleet) == {("osaka", "fetching"): 2}


def test_a_patch_that_goes_takes_its_tallies_along(fleet: Database) -> None:
    fleet.remove_patch("p", "1")
    assert counted(fleet) == {("tokyo", "fetching"): 2, ("osaka", "fetching"): 1}


def test_what_few_pcs_add_is_kept_until_they_say_nothing_of_it(fleet: Database) -> None:
    added = report(error="disk full", install_output="E: no space", bytes_wasted=1 << 50)
    fleet.save_reports({"a": [added]}, NOW)
    (row,) = [row for row in all_reports(fleet) if row.error]
    assert (row.endpoint_id, row.install_output, row.bytes_wasted) == ("a", "E: no space", 1 << 50)
    fleet.save_reports({"a": [report()]}, NOW)
    assert [row for row in all_reports(fleet) if row.error or row.install_output or row.bytes_wasted] == []
    with fleet.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(STANDING_NOTES)) == 0


def test_what_pcs_have_built_is_kept_and_counted(fleet: Database) -> None:
    fleet.save_reports({"a": [report(bytes_built=1 << 50, bytes_from_origin=7)], "b": [report(bytes_built=5)]}, NOW)
    rows = {row.endpoint_id: row.bytes_built for row in all_reports(fleet) if row.patch_id == "p"}
    assert rows == {"a": 1 << 50, "b": 5, "c": 0}
    patch = next(one.number for one in fleet.patch_heads() if one.patch_id == "p")
    found = fleet.bytes_of(patch)
    assert found.built == (1 << 50) + 5
    assert found.from_origin >= 7
    assert fleet.bytes_of(10_000) == PatchBytes(0, 0, 0)


def test_nothing_that_a_pc_may_say_spoils_the_reports_of_others(fleet: Database) -> None:
    nul = report(error="a\0b", install_reason="c\0d", install_output="\0", seconds=1e10, bytes_from_peers=1 << 50)
    fleet.save_seen({"a": SeenRow("tokyo", "127.0.42.1", "so\0ft", True, NOW, claimed_site="\0")})
    fleet.save_refusals({"a": "\0"})
    fleet.save_reports({"a": [nul, report("\0")], "b": [report(state="verified")]}, 1e12)
    rows = {(row.endpoint_id, row.patch_id): row for row in all_reports(fleet)}
    said = rows["a", "p"]
    assert (said.error, said.install_reason, said.install_output) == ("a�b", "c�d", "�")
    assert rows["b", "p"].state == "verified"


def test_only_what_is_whole_is_kept_as_whole(fleet: Database) -> None:
    fleet.save_reports({"a": [report(progress=0.99999)], "b": [report(progress=1.0)]}, NOW)
    assert [row.progress for row in all_reports(fleet) if row.patch_id == "p"] == [0.999, 1.0, 0.5]


def test_a_forgotten_pcs_number_is_given_to_no_other(fleet: Database) -> None:
    fleet.forget_endpoint("c")
    fleet.add_endpoint("d", "pc-d", 1.0)
    with fleet.reading() as connection:
        gone = select(EVENTS.c.endpoint).where(EVENTS.c.endpoint.not_in(select(ENDPOINTS.c.number)))
        assert len(set(connection.scalars(gone))) == 1


def test_reasons_that_nobody_gives_any_more_are_forgotten(fleet: Database) -> None:
    fleet.save_reports({"b": [report(install="waiting", install_reason="window at 22:00")]}, NOW)
    fleet.set_denied("b", True)
    for number in range(20):
        fleet.save_reports({"a": [report(install_reason=f"reason {number}")]}, NOW)
    fleet._texts_named = TEXTS_BETWEEN_SWEEPS
    fleet.save_reports({"a": [report("p", install_reason="the last")]}, NOW)
    with fleet.reading() as connection:
        assert sorted(connection.scalars(select(TEXTS.c.text))) == ["", "the last", "window at 22:00"]


def test_no_report_reads_a_whole_table_of_reports(fleet: Database) -> None:
    """Millions of rows would be read each second; few rows hide it."""
    statements: dict[str, Any] = {}

    def keep(
        _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool
    ) -> None:
        statements[statement] = parameters[0] if many else parameters

    if fleet._engines.path is None:
        pytest.skip("PostgreSQL chooses its plans by what is in the tables")
    event.listen(fleet._engines.writer, "before_cursor_execute", keep)
    fleet.save_seen({"a": seen("osaka")})
    fleet.save_reports({name: [report(state="verified", error="disk full"), report("q")] for name in "abc"}, NOW)
    fleet._texts_named = TEXTS_BETWEEN_SWEEPS
    fleet.save_reports({name: [report("p"), report("q")] for name in "abc"}, NOW)
    fleet.set_denied("a", True)
    event.remove(fleet._engines.writer, "before_cursor_execute", keep)
    large = {table.name for table in (STANDING, STANDING_NOTES, TALLIES, EVENTS)}
    plans = {}
    with fleet.reading() as connection:
        for statement, parameters in statements.items():
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans[statement] = {row.detail.split(" USING")[0] for row in plan}
    assert any(f"SEARCH {STANDING.name}" in steps for steps in plans.values())
    assert any(statement.startswith(f"DELETE FROM {TEXTS.name}") for statement in plans), "the sweep of reasons too"
    whole = {f"SCAN {name}" for name in large}
    # a sweep reads the tallies, of which there is one where thousands of PCs say the same
    read = {statement: steps & whole for statement, steps in plans.items()}
    allowed = {f"SCAN {TALLIES.name}"}
    assert {
        s: r for s, r in read.items() if r - (allowed if s.startswith(f"DELETE FROM {TEXTS.name}") else set())
    } == {}
