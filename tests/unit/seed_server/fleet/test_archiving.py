"""`seed_server.fleet.archiving`: months become files; whenever somebody is killed, nothing is lost or told twice."""

import errno
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import legal_holds
from seed_server.fleet.actor import Actor
from seed_server.fleet.archives import list_archives
from seed_server.fleet.archiving import Archivist
from seed_server.fleet.audit_queries import Wanted, newest_entries, verify_log
from seed_server.fleet.context import Context
from seed_server.fleet.history_queries import HistoryReader
from seed_server.fleet.problems import history_problems
from seed_server.settings.sections import RetentionSettings
from seed_server.store.database import Database
from seed_server.store.event_rows import Asked, HistoryRow
from tests.helpers.fake_clock import FakeClock
from tests.helpers.history_home import copied, let_happen, moment, new_home

ADA = Actor.local_user("ada")
NOW = moment(2026, 11, 15)
RULES = RetentionSettings(hot_months=2)


class Killed(BaseException):
    """Nothing of the code catches it, as nothing catches a kill."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_home(tmp_path_factory.mktemp("history"))


@pytest.fixture
def context(home: Path, tmp_path: Path) -> Context:
    return copied(home, tmp_path, NOW)


@pytest.fixture
def database(context: Context) -> Iterator[Database]:
    with context.database() as opened:
        yield opened


def tidy(context: Context, database: Database, rules: RetentionSettings = RULES) -> None:
    for _ in range(2):  # a table goes the next time
        Archivist(context, database, rules, others_turn=lambda: None).tidy()


def told(context: Context, asked: Asked | None = None) -> list[HistoryRow]:
    reader = HistoryReader(context, asked or Asked())
    rows = [row for _, row in reader.rows()]
    assert reader.problems == []
    return rows


def states(context: Context) -> dict[str, str]:
    return {one.month or one.file: one.state for one in list_archives(context, check=True)}


def entries(context: Context, operation: str) -> list[str]:
    return [one.entry.subject for one in newest_entries(context, Wanted(operation=operation), 100)][::-1]


def test_months_that_are_over_become_files_that_the_audit_log_vouches_for(context: Context, database: Database) -> None:
    for month in range(6, 12):
        let_happen(database, moment(2026, month))
    before = told(context)
    assert len(before) == 6 * 16
    tidy(context, database)
    assert states(context) == {"2026-06": "intact", "2026-07": "intact", "2026-08": "intact"}
    assert entries(context, "archive month") == ["2026-06", "2026-07", "2026-08"]
    assert verify_log(context).verdict.problems == ()
    assert told(context) == before
    with database.reading() as connection:
        tables = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_schema")}
    assert {name for name in tables if name.startswith("events_") and name.endswith("_0")} == {
        "events_202609_0", "events_202610_0", "events_202611_0",
    }  # fmt: skip
    tidy(context, database)
    assert len(states(context)) == 3, "nothing more is due"


def test_a_clock_that_was_set_back_writes_into_another_part(context: Context, database: Database) -> None:
    let_happen(database, moment(2026, 6))
    tidy(context, database)
    let_happen(database, moment(2026, 6, 20))
    before = told(context)
    assert len(before) == 32
    tidy(context, database)
    assert states(context) == {"2026-06": "intact", "2026-06.1": "intact"}
    assert told(context) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a kill closes no file
def test_whenever_it_is_killed_nothing_is_lost_or_told_twice(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any line of what archives, writes files and changes the database; the next one goes on."""
    for month in range(1, 6):
        let_happen(database, moment(2026, month))
    expected, random = told(context), Random(18)
    files = tuple(f"{name}.py" for name in ("archiving", "archives", "archived_months", "durable_files", "month_file"))
    rounds = 0
    while set(states(context).values()) != {"intact"} or len(states(context)) < 5:
        lines = random.randrange(1, 900)

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal lines
            if not frame.f_code.co_filename.endswith(files):
                return None
            lines -= event == "line"
            if lines < 0:
                raise Killed
            return trace

        sys.settrace(trace)
        try:
            tidy(context, database)
        except Killed:
            pass
        finally:
            sys.settrace(None)
        rounds += 1
        assert told(context) == expected
        assert rounds < 100
    assert rounds > 5, "it was killed many times"
    vouched = entries(context, "archive month")
    assert sorted(set(vouched)) == [f"2026-{month:02}" for month in range(1, 6)]
    tidy(context, database)
    assert told(context) == expected
    assert verify_log(context).verdict.problems == ()


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_table_is_dropped_only_beside_the_file_that_is_vouched_for(
    context: Context, database: Database, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_happen(database, moment(2026, 6))
    expected = told(context)
    monkeypatch.setattr(Archivist, "_drop", lambda _self, _part: None)
    tidy(context, database)
    monkeypatch.undo()
    (file,) = context.home.archive.iterdir()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert states(context) == {"2026-06": damage}
    tidy(context, database)
    assert told(context) == expected
    assert states(context) == {"2026-06": "intact"}


def test_what_a_killed_server_left_half_written_is_removed(context: Context, database: Database) -> None:
    let_happen(database, moment(2026, 6))
    context.home.archive.mkdir()
    left = context.home.archive / ".events-2026-06.archive.0123456789ab.tmp"
    left.write_bytes(b"half")
    tidy(context, database)
    assert not left.exists()
    assert states(context) == {"2026-06": "intact"}


def test_where_no_file_can_be_written_the_month_stays(context: Context, database: Database) -> None:
    let_happen(database, moment(2026, 6))
    expected = told(context)
    context.home.archive.write_text("not a folder")
    with pytest.raises(UserError, match="stays in the database") as caught:
        tidy(context, database)
    assert caught.value.kind is FaultKind.STORAGE
    assert told(context) == expected
    context.home.archive.unlink()
    tidy(context, database)
    assert told(context) == expected
    assert states(context) == {"2026-06": "intact"}


def test_a_disk_that_writes_something_else_costs_nothing(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_happen(database, moment(2026, 6))
    expected = told(context)
    monkeypatch.setattr(durable_files, "write_file", lambda path, parts: path.write_bytes(b"".join(parts)[:-9]))
    with pytest.raises(UserError, match="is not what was written"):
        tidy(context, database)
    monkeypatch.undo()
    assert (told(context), entries(context, "archive month")) == (expected, [])


@pytest.mark.parametrize("read_before", [1, 3, 6, 15, 16])
def test_a_month_that_moves_while_it_is_read_is_read_on_in_its_file(
    context: Context, database: Database, read_before: int
) -> None:
    let_happen(database, moment(2026, 6))
    expected = told(context)
    reader = HistoryReader(context, Asked(), rows_at_a_time=3)
    rows = (row for _, row in reader.rows())
    found = [next(rows) for _ in range(read_before)]
    tidy(context, database)
    assert [*found, *rows] == expected
    assert reader.problems == []


def test_who_is_forgotten_is_named_in_a_file_for_ever(context: Context, database: Database) -> None:
    let_happen(database, moment(2026, 6))
    expected = told(context)
    (gone, *_) = {row.endpoint_id for row in expected}
    database.forget_endpoint(gone, NOW)
    assert told(context) == expected
    tidy(context, database, RetentionSettings(hot_months=2, forgotten_pcs_days=1))
    assert told(context) == expected
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM event_texts").scalar_one() == 0


def test_files_go_after_their_time_unless_they_are_held(context: Context, database: Database) -> None:
    for month in (1, 5, 9):
        let_happen(database, moment(2026, month))
    rules = RetentionSettings(hot_months=1, archive_months=6)
    held = legal_holds.hold_history(context, ADA, "case 17")
    tidy(context, database, rules)
    assert states(context) == {"2026-01": "intact", "2026-05": "intact", "2026-09": "intact"}
    with pytest.raises(UserError, match="has a reason"):
        legal_holds.hold_history(context, ADA, " ")
    legal_holds.release_history(context, ADA, held.number, "it is over")
    with pytest.raises(UserError, match="No legal hold 1 holds"):
        legal_holds.release_history(context, ADA, held.number, "again")
    tidy(context, database, rules)
    assert states(context) == {"2026-01": "removed", "2026-05": "intact", "2026-09": "intact"}
    assert sorted(path.name for path in context.home.archive.iterdir()) == [
        "events-2026-05.archive", "events-2026-09.archive",
    ]  # fmt: skip
    assert entries(context, "remove archive") == ["2026-01"]
    reader = HistoryReader(context, Asked())
    assert len(list(reader.rows())) == 32
    assert (reader.problems, reader.removed) == ([], ["2026-01"])


def test_a_clock_that_is_years_ahead_removes_nothing(context: Context, database: Database) -> None:
    """Archives do not come back: a clock is set right again within the hour."""
    for month in (1, 9):
        let_happen(database, moment(2026, month))
    (pc, *_) = {row.endpoint_id for row in database.endpoints()}
    database.save_findings({pc: ["clock"]})
    rules = RetentionSettings(hot_months=1, archive_months=6, findings_days=10)
    ahead = replace(context, clock=FakeClock(moment(2090, 1)))
    tidy(ahead, database, rules)
    assert states(context) == {"2026-01": "intact", "2026-09": "intact"}
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM endpoint_findings").scalar_one() == 1
    tidy(context, database, rules)
    assert states(context) == {"2026-01": "removed", "2026-09": "intact"}


def test_where_the_disk_is_full_what_has_had_its_time_makes_room(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in (1, 2):
        let_happen(database, moment(2026, month))
    tidy(context, database)
    for month in (7, 8):
        let_happen(database, moment(2026, month))
    expected, write = told(context), durable_files.write_file

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable_files, "write_file", full)
    rules = RetentionSettings(hot_months=2, archive_months=6)
    with pytest.raises(UserError, match="2026-07 is not archived, and stays in the database"):
        tidy(context, database, rules)
    assert states(context) == {"2026-01": "removed", "2026-02": "removed"}
    assert list(context.home.archive.iterdir()) == []
    monkeypatch.setattr(durable_files, "write_file", write)
    tidy(context, database, rules)
    reader = HistoryReader(context, Asked())
    assert [row for _, row in reader.rows()] == [row for row in expected if row.at >= moment(2026, 7)]


def test_answers_and_findings_go_after_their_time(context: Context, database: Database) -> None:
    (pc, *_) = {row.endpoint_id for row in database.endpoints()}
    database.save_findings({pc: ["clock"]})
    rules = RetentionSettings(findings_days=1_000)
    tidy(context, database, rules)

    def findings() -> int:
        with database.reading() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM endpoint_findings").scalar_one())

    assert findings() == 1
    tidy(context, database, RetentionSettings(findings_days=100))
    assert findings() == 0


def test_who_looks_at_the_status_is_told_what_does_not_move_and_what_is_missing(
    context: Context, database: Database
) -> None:
    let_happen(database, moment(2026, 6))
    assert history_problems(context, database, serving=False) == []
    (late,) = history_problems(context, database, serving=True)
    assert "should have left the database 14 days ago" in late.text
    tidy(context, database)
    assert history_problems(context, database, serving=True) == []
    (context.home.archive / "events-2026-06.archive").unlink()
    (missing,) = history_problems(context, database, serving=True)
    assert missing.text == "Archives of history are missing (1: 2026-06)."


def test_what_is_changed_missing_and_unknown_are_three(context: Context, database: Database) -> None:
    for month in (1, 2, 3, 4):
        let_happen(database, moment(2026, month))
    tidy(context, database)
    folder = context.home.archive
    changed, missing = folder / "events-2026-02.archive", folder / "events-2026-03.archive"
    changed.write_bytes(changed.read_bytes() + b"\0")
    missing.unlink()
    (folder / "events-2025-01.archive").write_bytes(b"somebody's")
    with database._writing() as connection:
        connection.exec_driver_sql("UPDATE event_months SET entry = 0 WHERE month = 202604")
    assert states(context) == {
        "2026-01": "intact", "2026-02": "changed", "2026-03": "missing", "2026-04": "unknown", "2025-01": "unknown",
    }  # fmt: skip
    reader = HistoryReader(context, Asked())
    assert len(list(reader.rows())) == 16
    assert len(reader.problems) == 3
    assert "events-2026-03.archive is not in this: it is missing." in reader.problems
