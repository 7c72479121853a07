"""`seed_server.store.upgrading` and its revisions: a database of 0.2.0, new ones, and what is not understood."""

import concurrent.futures
import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Integer, Table, inspect, select

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store import migrations, upgrading
from seed_server.store.database import Database
from seed_server.store.engines import Engines
from seed_server.store.event_months import hot_events, hot_parts, make_table
from seed_server.store.migrations import REVISIONS
from seed_server.store.rows import ReportRow
from seed_server.store.tables import ALEMBIC_VERSION, METADATA, REVISION, SERVERS, SITES, THIS_SERVER
from seed_server.store.tables_events import events_of
from seed_server.store.upgrading import prepare
from tests.helpers.sources import PACKAGES, files_of, imports_of, module_of
from tests.helpers.stored_rows import all_reports, tallies

RELEASE_0_2_0 = Path(__file__).with_name("schema_9.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file as release 0.2.0 has left it."""
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.executescript(RELEASE_0_2_0.read_text())
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert all(raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)
    return path


def shape(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        return raw.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()


def made(connection: Connection) -> list[tuple[str, ...]]:
    """Return all that the database itself says of our tables: columns, keys, constraints, indexes, storage."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    else:
        query = """
            SELECT relname, attname, format('%s %s %s', attnum, attnotnull, format_type(atttypid, atttypmod))
                FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0
                AND relnamespace = 'public'::regnamespace
            UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT relname, relkind::text, reloptions::text
                FROM pg_class WHERE relnamespace = 'public'::regnamespace"""
    rows = sorted(tuple(map(str, row)) for row in connection.exec_driver_sql(query))
    assert len(rows) > len(METADATA.tables)
    return rows


def test_nothing_that_release_0_2_0_knew_is_lost(old: Path) -> None:
    with Database.open(old) as database:
        first, second = database.endpoints()
        assert (first.endpoint_id, first.site, first.connected, first.tags) == ("aa", "tokyo", True, ("lab", "x64"))
        assert (first.claimed_site, first.refuses, first.shared_with) == ("osaka", "expired", "pc-2")
        assert (first.enrolled_at, first.last_seen_at, first.denied) == (1001.5, 1100.25, False)
        assert (second.endpoint_id, second.site, second.connected, second.denied, second.pending) == (
            "bb", "", False, True, True,
        )  # fmt: skip
        assert [(row.file_name, row.number, row.cvss, row.emergency, row.damaged) for row in database.payloads()] == [
            ("a.msi", 0, 9.8, True, ""),
            ("b.deb", 1, 9.8, True, "changed on disk"),
            ("c.bin", 0, None, False, ""),
        ]
        assert database.payloads()[0].length_bytes == 5_000_000_000
        assert all_reports(database) == [
            ReportRow(
                endpoint_id="aa", patch_id="editor", version="2.0", state="verified", progress=1.0,
                bytes_from_origin=6_000_000_000, bytes_from_peers=12, bytes_wasted=3, seconds=62.0, error="",
                reported_at=1090.0, install="failed", install_reason="exit code 1603", install_output="no space",
            ),
            ReportRow(
                endpoint_id="bb", patch_id="viewer", version="1", state="failed", progress=0.5, bytes_from_origin=0,
                bytes_from_peers=0, bytes_wasted=0, seconds=0.0, error="disk full", reported_at=1091.0,
            ),
        ]  # fmt: skip
        with database.reading() as connection:
            assert [tally.endpoints for tally in tallies(connection)] == [1], "a denied PC is not counted"
        (limit,) = database.site_limits()
        assert (limit.site, limit.rate, limit.active, limit.seconds) == ("tokyo", 250_000, True, {"limited": 3.5})
        assert (limit.learned_at, limit.large_packets_lost) == (1094.0, True)
        assert database.wan_bytes() == {("tokyo", "t1"): 6_000_000_001}
        assert [(row.label, row.needed, row.reason) for row in database.diagnoses("office")] == [
            ("editor", False, "newer is there"),
            ("viewer", None, ""),
        ]
        newest, oldest = database.tokens()
        assert (newest.token_id, newest.uses_left, newest.expires_at, newest.tags) == (
            "0a0b",
            2,
            2000.5,
            ("lab", "x64"),
        )
        assert (newest.made_by, newest.approval, newest.enrolled) == ("anna", True, ("aa",))
        assert (oldest.token_id, oldest.revoked_at) == ("0c0d", 1500.0)


def test_a_state_that_no_release_says_any_more_stops_no_migration(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as raw:
        raw.execute("UPDATE reports SET state = 'queued', install = 'asked' WHERE endpoint_id = 'bb'")
    with Database.open(old) as database:
        assert [(row.state, row.install) for row in all_reports(database)] == [("verified", "failed"), ("waiting", "")]


def test_a_migrated_database_is_as_a_new_one(old: Path, tmp_path: Path) -> None:
    Database.open(old).close()
    Database.create(tmp_path / "new.db").close()
    assert shape(old) == shape(tmp_path / "new.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.db", "state.db"], "the copy is gone"


def test_a_migration_that_was_cut_off_leaves_the_old_file_and_begins_anew(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shape(old)
    monkeypatch.setattr(upgrading, "_mark", lambda _connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Database.open(old)
    assert shape(old) == before
    (copy,) = (path for path in old.parent.iterdir() if "before" in path.name)
    assert shape(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    monkeypatch.undo()
    with Database.open(old) as database:
        assert len(all_reports(database)) == 2
    assert not copy.exists()


def test_two_that_open_an_old_file_at_once(old: Path) -> None:
    def endpoints(_: int) -> int:
        with Database.open(old) as database:
            return len(database.endpoints())

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert list(pool.map(endpoints, range(3))) == [2, 2, 2]


@pytest.mark.parametrize(("mark", "words"), [(8, "Upgrade to 0.2.0 first"), (99, "newer seed-server")])
def test_what_is_not_understood_is_refused_in_words(old: Path, mark: int, words: str) -> None:
    with contextlib.closing(sqlite3.connect(old)) as raw:
        raw.execute(f"PRAGMA user_version = {mark}")
    with pytest.raises(UserError, match=words) as caught:
        Database.open(old)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_tables_of_a_newer_release_are_refused_in_words(engines: Engines) -> None:
    with engines.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match="newer seed-server") as caught:
        prepare(engines, create=False)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_the_revisions_make_what_the_tables_say(engines: Engines) -> None:
    """A change of a table without a revision would leave migrated databases behind new ones."""
    with engines.writing() as connection:
        new = made(connection)
        METADATA.drop_all(connection)
        upgrading._migrate(connection, "")
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert made(connection) == new
        assert connection.scalar(select(SERVERS.c.number)) == THIS_SERVER


def test_tables_of_every_revision_become_the_newest_and_keep_their_rows(engines: Engines) -> None:
    for number in range(1, len(REVISIONS)):
        with engines.writing() as connection:
            METADATA.drop_all(connection)
            with Operations.context(MigrationContext.configure(connection)):
                for step in REVISIONS[:number]:
                    step.upgrade()
            connection.execute(ALEMBIC_VERSION.insert().values(version_num=REVISIONS[number - 1].REVISION_NUMBER))
            connection.execute(SITES.insert().values(name="tokyo"))
        prepare(engines, create=False)
        with engines.writing() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
            assert connection.scalar(select(ALEMBIC_VERSION.c.version_num)) == REVISION
            assert connection.scalar(select(SITES.c.name)) == "tokyo"


def test_steps_of_before_there_were_months_move_into_theirs(engines: Engines) -> None:
    day = 86_400
    with engines.writing() as connection:
        METADATA.drop_all(connection)
        with Operations.context(MigrationContext.configure(connection)):
            earlier = [step for step in REVISIONS if step.REVISION_NUMBER < "0004"]
            for step in earlier:
                step.upgrade()
        connection.execute(ALEMBIC_VERSION.insert().values(version_num=earlier[-1].REVISION_NUMBER))
        for at in (day, 2 * day, 40 * day, 400 * day):
            connection.exec_driver_sql(f"INSERT INTO events (at, endpoint, patch, said) VALUES ({at}, 1, 2, 3)")
    prepare(engines, create=False)
    with engines.writing() as connection:
        assert not inspect(connection).has_table("events")
        assert [part.name for part in hot_parts(connection)] == ["2025-01", "2025-02", "2026-02"]
        steps = hot_events(connection, 0)
        found = connection.execute(select(steps).order_by(steps.c.at)).mappings().all()
        assert [row["at"] for row in found] == [day, 2 * day, 40 * day, 400 * day]
        assert dict(found[0]) == {"at": day, "endpoint": 1, "patch": 2, "said": 3, "site": 0, "text": 0}
        make_table(connection, events_of(202501, 1))
        assert shape_of(connection, events_of(202501, 0)) == shape_of(connection, events_of(202501, 1))


def shape_of(connection: Connection, table: Table) -> list[tuple[str, ...]]:
    return [
        tuple(text.replace(table.name, "TABLE") for text in row) for row in made(connection) if table.name in str(row)
    ]


def test_a_new_database_has_the_newest_revision(engines: Engines) -> None:
    numbers = [revision.REVISION_NUMBER for revision in REVISIONS]
    assert numbers == sorted(set(numbers))
    with engines.reading() as connection:
        assert connection.scalar(select(ALEMBIC_VERSION.c.version_num)) == REVISIONS[-1].REVISION_NUMBER


def test_a_revision_makes_no_tables_that_came_later(engines: Engines) -> None:
    later = Table("later", METADATA, Column("number", Integer, primary_key=True))
    try:
        with engines.writing() as connection:
            METADATA.drop_all(connection)
            upgrading._migrate(connection, "")
            assert not inspect(connection).has_table("later")
    finally:
        METADATA.remove(later)


def test_revisions_take_nothing_from_what_changes() -> None:
    own = module_of(Path(migrations.__file__))
    taken = {name for path in files_of("seed_server/store/migrations") for name in imports_of(path)}
    assert {name for name in taken if name.startswith(PACKAGES) and not name.startswith(own)} == set()


def test_a_database_without_our_tables_is_not_used(engines: Engines) -> None:
    with engines.writing() as connection:
        METADATA.drop_all(connection)
        assert inspect(connection).get_table_names() in ([], ["sqlite_sequence"])
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA user_version = 0")
    with pytest.raises(UserError) as caught:
        prepare(engines, create=False)
    assert caught.value.kind in {FaultKind.STORAGE, FaultKind.NOT_SET_UP}


def test_who_had_a_patch_before_the_upgrade_has_it_since_the_first_time_that_is_known(engines: Engines) -> None:
    installed, fetching, checking, other = 4 * 16 + 6, 2 * 16, 1 * 16 + 6, 1
    with engines.writing() as connection:
        METADATA.drop_all(connection)
        with Operations.context(MigrationContext.configure(connection)):
            for step in REVISIONS:
                if step.REVISION_NUMBER < "0012":
                    step.upgrade()
        connection.execute(ALEMBIC_VERSION.insert().values(version_num="0011"))
        connection.exec_driver_sql("INSERT INTO sites (number, name) VALUES (1, 'tokyo')")
        connection.exec_driver_sql("INSERT INTO texts (number, text) VALUES (1, ''), (2, 'replaced: 2 is installed')")
        denied = "1" if connection.dialect.name == "sqlite" else "true"
        allowed = "0" if connection.dialect.name == "sqlite" else "false"
        for number in range(1, 7):
            connection.exec_driver_sql(
                "INSERT INTO endpoints (number, endpoint_id, hostname, enrolled_at, denied, pending, site, address, "
                "software, last_seen_at, tags, claimed_site, refuses, shared_with, recorded_of, recorded) VALUES "
                f"({number}, 'pc-{number}', '', 1.0, {denied if number == 6 else allowed}, {allowed}, 1, '', '', 1.0, "
                "'', '', '', '', '', 0)"
            )
        connection.exec_driver_sql(
            "INSERT INTO patches (number, patch_id, version, title, severity, sequence, published_at, emergency) "
            f"VALUES (1, 'p', '1', '', 'high', 1, 1.0, {allowed})"
        )
        said = {1: (installed, 1), 2: (installed, 1), 3: (fetching, 1), 4: (other, 2), 5: (other, 1), 6: (installed, 1)}
        for pc, (code, reason) in said.items():
            connection.exec_driver_sql(
                "INSERT INTO standing (bytes_from_origin, bytes_from_peers, patch, endpoint, seconds, reported_at, "
                f"reason, said, progress) VALUES (0, 0, 1, {pc}, 1, 99000, {reason}, {code}, 1000)"
            )
        make_table(connection, events_of(202501, 0))
        connection.exec_driver_sql(
            "INSERT INTO event_months (events, bytes, entry, archived_at, month, part, state, sha256) VALUES "
            "(0, 0, -1, 0.0, 202501, 0, 0, '')"
        )
        for at, code in ((5000, fetching), (7300, installed), (50000, checking), (60000, installed)):
            connection.exec_driver_sql(
                f"INSERT INTO events_202501_0 (at, endpoint, patch, site, text, said) VALUES ({at}, 1, 1, 1, 0, {code})"
            )
    prepare(engines, create=False)
    with engines.reading() as connection:
        found = connection.exec_driver_sql("SELECT endpoint, done_at, said FROM standing ORDER BY endpoint").all()
        assert [(pc, at) for pc, at, _ in found] == [(1, 7300), (2, 99000), (3, 0), (4, 99000), (5, -1), (6, 99000)]
        assert [code for *_, code in found] == [code for code, _ in said.values()]
        tallied = connection.exec_driver_sql("SELECT patch, hour, endpoints FROM done_tallies ORDER BY hour").all()
        assert [tuple(row) for row in tallied] == [(1, 2, 1), (1, 27, 2)], "a denied PC is not counted"
