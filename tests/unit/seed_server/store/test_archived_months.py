"""`seed_server.store.archived_months`: tables that go without keeping others waiting, on both databases."""

import concurrent.futures
import time

import pytest
from sqlalchemy import inspect

from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from seed_server.store.database import Database
from seed_server.store.event_months import MonthPart, open_part
from seed_server.store.rows import SeenRow
from seed_server.store.tables_events import ARCHIVED, CLOSED, DROPPED, OPEN
from tests.helpers.history_home import moment
from tests.unit.seed_server.store.test_history import NOW, fleet, report

__all__ = ["fleet"]


def month(database: Database) -> MonthPart:
    return database.month_parts()[0]


def has_table(database: Database) -> bool:
    with database.reading() as connection:
        return "events_202501_0" in inspect(connection).get_table_names()


def test_a_month_goes_one_step_after_the_other(fleet: Database) -> None:
    fleet.save_reports({"a": [report()]}, NOW)
    assert fleet.close_months(moment(2025, 3, 31), 2) == []
    assert not fleet.has_month_to_close(moment(2025, 3, 31), 2)
    (closed,) = fleet.close_months(moment(2025, 4, 1), 2)
    assert (closed.name, month(fleet).state) == ("2025-01", CLOSED)
    assert len(fleet.events_of_month(closed, None, 10) or ()) == 1
    fleet.archive_month(MonthPart(202501, 0, CLOSED, events=1, bytes=9, entry=3, sha256="ab"))
    assert (month(fleet).state, month(fleet).sha256, month(fleet).entry) == (ARCHIVED, "ab", 3)
    assert fleet.events_of_month(closed, None, 10) is None
    assert fleet.history_of("a", 10) == []
    fleet.back_to_closed(closed)
    assert len(fleet.history_of("a", 10)) == 1
    fleet.archive_month(MonthPart(202501, 0, CLOSED))
    assert fleet.drop_month(closed)
    assert (month(fleet).state, has_table(fleet)) == (DROPPED, False)
    assert fleet.drop_month(closed), "whoever was killed before may have done it"
    fleet.back_to_closed(closed)
    assert month(fleet).state == DROPPED, "nothing to go back to"


def test_what_is_archived_takes_nothing_new(fleet: Database) -> None:
    fleet.save_reports({"a": [report()]}, NOW)
    fleet.close_months(moment(2026, 1), 2)
    fleet.save_reports({"a": [report("verified")]}, NOW + 1)
    assert [(part.name, part.state) for part in fleet.month_parts()] == [("2025-01", CLOSED), ("2025-01.1", OPEN)]
    assert [row.state for row in fleet.history_of("a", 10)] == ["verified", "fetching"]


def test_whoever_reads_a_table_is_not_cut_off_and_nobody_waits_for_them(fleet: Database) -> None:
    fleet.save_reports({"a": [report()]}, NOW)
    (closed,) = fleet.close_months(moment(2026, 1), 2)
    fleet.archive_month(MonthPart(202501, 0, CLOSED))
    with concurrent.futures.ThreadPoolExecutor(1) as pool, fleet.reading() as connection:
        table = closed.events_table.name
        rows = connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
        dropped = pool.submit(fleet.drop_month, closed).result()
        began = time.monotonic()
        fleet.save_seen({"a": SeenRow("tokyo", "127.0.42.1", "test", connected=True, last_seen_at=NOW)})
        assert time.monotonic() - began < 4.0
        assert rows.scalar_one() == 1
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 1
    assert dropped is (fleet._engines.path is not None), "SQLite's reader keeps what it sees"
    assert fleet.drop_month(closed)
    assert not has_table(fleet)


def test_pages_of_a_dropped_month_are_not_written_once_more(fleet: Database) -> None:
    """Debian's SQLite zeroes each: a writer waited for a second."""
    if fleet._engines.path is None:
        pytest.skip("of SQLite")
    with fleet._writing() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        table = open_part(connection, 202501)
        many = [{"at": at, "endpoint": 1, "patch": 1, "site": 1, "text": 0, "said": 1} for at in range(20_000)]
        connection.execute(table.insert(), many)
    (closed,) = fleet.close_months(moment(2026, 1), 2)
    fleet.archive_month(MonthPart(202501, 0, CLOSED))
    log = fleet._engines.path.with_name(f"{fleet._engines.path.name}-wal")
    with fleet._writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    fleet._engines.writer.dispose()
    with fleet._writing() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    before = log.stat().st_size if log.exists() else 0
    assert fleet.drop_month(closed)
    assert log.stat().st_size - before < pages * 4_096 / 4
    with fleet._writing() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1, "as it was"


def test_what_is_old_goes_and_nothing_else(fleet: Database) -> None:
    fleet.save_reports({"a": [report("failed", error="disk full")]}, NOW)
    fleet.save_seen({
        name: SeenRow("tokyo", "127.0.42.1", "test", connected=name == "a", last_seen_at=100.0) for name in "ab"
    })  # fmt: skip
    fleet.save_findings({"a": ["clock"], "b": ["clock", "disk"]})
    assert fleet.forget_old_findings(100.0) == 0
    assert fleet.forget_old_findings(101.0) == 2, "of the PC that is away"
    beside = NeighboursSeen((), (NeighbourSeen("52:54:00:00:00:01", "10.0.0.9"),))
    fleet.save_neighbours({"a": beside}, 100.0)
    fleet.save_neighbours({"b": beside}, 200.0)
    assert fleet.forget_old_neighbours(100.0) == 0
    assert fleet.forget_old_neighbours(101.0) == 1, "although that PC tells no more"
    assert [row.seen_by for row in fleet.unmanaged(None, 9)] == [1]
    fleet.forget_endpoint("b", 500.0)
    fleet.forget_old_words()
    assert fleet.forget_old_names(1e12) == 1, "it was forgotten before all months that are here"
    fleet.forget_endpoint("a", NOW + 1)
    assert fleet.forget_old_names(1e12) == 0, "a month that is here may name it"
    (row,) = fleet.history_of("a", 10)
    assert (row.hostname, row.because) == ("pc-a", "disk full")
    assert fleet.forget_old_answers(1e12) == fleet.forget_old_pauses(1e12) == 0


def test_holds_are_kept_with_who_made_them(fleet: Database) -> None:
    assert not fleet.is_held()
    first, second = (fleet.add_legal_hold(f"case {n}", "ada", 5.0) for n in (1, 2))
    fleet.release_legal_hold(first, "bob", 7.0)
    fleet.release_legal_hold(first, "eve", 9.0)
    assert fleet.is_held()
    held = [(one.number, one.reason, one.begun_by, one.released_by, one.released_at) for one in fleet.legal_holds()]
    assert held == [(first, "case 1", "ada", "bob", 7.0), (second, "case 2", "ada", "", None)]
    fleet.release_legal_hold(second, "bob", 8.0)
    assert not fleet.is_held()
