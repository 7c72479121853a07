"""`seed_server.store.database` on a real file, and most of it on PostgreSQL too."""

import concurrent.futures
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, func, select

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer, PatchReport
from seed_server.store.database import Database, ServedPayload
from seed_server.store.rows import Recorded, SeenRow
from seed_server.store.tables import DIAGNOSES
from tests.helpers.stored_rows import all_reports

ENDPOINT = "a" * 26
TORRENT = "ab" * 32


def patch(**changes: object) -> ServedPayload:
    values: dict = {
        "patch_id": "KB1",
        "version": "1.0",
        "title": "a patch",
        "severity": "high",
        "cvss": None,
        "file_name": "kb1.msu",
        "sha256": "cd" * 32,
        "length_bytes": 1_000_000,
        "torrent_hash": TORRENT,
        "piece_length_bytes": 262_144,
        "piece_count": 4,
        "sequence": 1,
        "published_at": 5.0,
    }
    return ServedPayload(**(values | changes))


def report(**changes: object) -> PatchReport:
    values: dict = {
        "patch_id": "KB1",
        "version": "1.0",
        "state": "fetching",
        "progress": 0.5,
        "bytes_from_origin": 10,
        "bytes_from_peers": 20,
        "bytes_wasted": 0,
        "seconds": 1.5,
        "error": "",
    }
    return PatchReport(**(values | changes))


class TestEndpoints:
    def test_enrolling_again_replaces_the_tags(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0, ("branch-7", "kiosk"))
        assert [row.tags for row in database.endpoints()] == [("branch-7", "kiosk")]
        database.add_endpoint(ENDPOINT, "pc", 2.0)
        assert [row.tags for row in database.endpoints()] == [()]

    def test_enrolling_again_keeps_the_denial(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.set_denied(ENDPOINT, True)
        database.add_endpoint(ENDPOINT, "pc-renamed", 2.0)
        row = database.endpoint(ENDPOINT)
        assert row is not None
        assert (row.denied, row.hostname, row.enrolled_at) == (True, "pc-renamed", 2.0)

    def test_denied_until_it_is_allowed(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        for denied, pending in ((True, True), (True, False), (False, False)):
            database.set_denied(ENDPOINT, denied, pending=pending)
            assert [(row.denied, row.pending) for row in database.endpoints()] == [(denied, pending)]

    def test_denied_namesakes_in_any_case(self, database: Database) -> None:
        for endpoint, name in (("a", "PC"), ("b", "pc"), ("c", "other")):
            database.add_endpoint(endpoint * 26, name, 1.0)
            database.set_denied(endpoint * 26, endpoint != "b")
        assert database.denied_named("pc", but="b" * 26) == ["a" * 26]
        assert database.denied_named("pc", but="a" * 26) == []

    def test_unknown_endpoint_is_none(self, database: Database) -> None:
        assert database.endpoint(ENDPOINT) is None

    def test_what_is_to_be_known_of_many_that_connect(self, database: Database) -> None:
        enrolled = [f"{number:026}" for number in range(600)]
        with database.batch():
            for endpoint in enrolled:
                database.add_endpoint(endpoint, "pc", 1.0)
        database.set_denied(enrolled[1], True)
        database.save_recorded({enrolled[2]: Recorded("run", 7)})
        asked = [*enrolled[:3], *enrolled[10:], "z" * 26]
        found = database.admissions(asked)
        assert set(found) == {*enrolled[:3], *enrolled[10:]}
        assert [found[endpoint] for endpoint in enrolled[:3]] == [(False, "", 0), (True, "", 0), (False, "run", 7)]
        assert database.enrolled() == {endpoint: endpoint == enrolled[1] for endpoint in enrolled}

    def test_where_those_were_seen_that_may_connect(self, database: Database) -> None:
        for endpoint, address in (("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.3"), ("d", "")):
            database.add_endpoint(endpoint * 26, "pc", 1.0)
            seen = SeenRow(site="hq", address=address, software="p2pdist 1", connected=True, last_seen_at=3.0)
            database.save_seen({endpoint * 26: seen})
        database.set_denied("c" * 26, True)
        assert database.enrolled_addresses() == ["10.0.0.1"]

    def test_seen_and_disconnected(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        seen = SeenRow(site="hq", address="10.0.0.1", software="p2pdist 1", connected=True, last_seen_at=3.0)
        database.save_seen({ENDPOINT: seen})
        assert [(row.site, row.connected, row.last_seen_at) for row in database.endpoints()] == [("hq", True, 3.0)]
        database.save_seen({ENDPOINT: msgspec.structs.replace(seen, claimed_site="leeds")})
        assert [row.claimed_site for row in database.endpoints()] == ["leeds"]
        database.disconnect_all(9.0)
        assert [(row.site, row.connected, row.last_seen_at) for row in database.endpoints()] == [("hq", False, 9.0)]


class TestPatchesAndReports:
    def test_patches_come_in_their_sequence(self, database: Database) -> None:
        later = patch(patch_id="KB0", sequence=2, torrent_hash="ef" * 32, cvss=9.8)
        database.add_patch(later)
        database.add_patch(patch())
        assert database.patches() == [patch(), later]

    def test_same_version_again_replaces_the_row(self, database: Database) -> None:
        database.add_patch(patch())
        database.add_patch(patch(sequence=7))
        assert database.patches() == [patch(sequence=7)]

    def test_damaged_and_repaired(self, database: Database) -> None:
        database.add_patch(patch())
        database.mark_damaged(TORRENT, "piece 3 does not match")
        assert database.patches()[0].damaged == "piece 3 does not match"
        database.mark_damaged(TORRENT, "")
        assert database.patches()[0].damaged == ""

    def test_removed_patch_takes_its_reports_along(self, database: Database) -> None:
        database.add_patch(patch())
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_reports({ENDPOINT: [report()]}, 1.0)
        database.remove_patch("KB1", "1.0")
        database.remove_patch("KB1", "1.0")
        assert database.patches() == []
        assert all_reports(database) == []

    def test_newest_report_stays(self, database: Database) -> None:
        database.add_patch(patch())
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_reports({ENDPOINT: [report()]}, 1.0)
        database.save_reports({ENDPOINT: [report(state="verified", progress=1.0)]}, 2.0)
        assert [(r.state, r.progress, r.reported_at) for r in all_reports(database)] == [("verified", 1.0, 2.0)]

    def test_state_of_an_installation_is_kept_with_its_reason(self, database: Database) -> None:
        database.add_patch(patch())
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_reports({ENDPOINT: [report(install="waiting", install_reason="window at 22:00")]}, 1.0)
        (row,) = all_reports(database)
        assert (row.install, row.install_reason, row.reported_at) == ("waiting", "window at 22:00", 1.0)
        database.save_reports({ENDPOINT: [report(install="installed")]}, 2.0)
        (row,) = all_reports(database)
        assert (row.install, row.install_reason, row.error) == ("installed", "", "")

    def test_report_of_what_does_not_exist_fills_nothing(self, database: Database) -> None:
        database.add_patch(patch())
        database.save_reports({ENDPOINT: [report()]}, 1.0)
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_reports({ENDPOINT: [report(patch_id=f"made-up-{n}") for n in range(50)]}, 1.0)
        assert all_reports(database) == []

    def test_batch_is_all_or_nothing(self, database: Database) -> None:
        def broken_batch() -> None:
            with database.batch():
                database.add_wan_bytes({("hq", TORRENT): 5})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            broken_batch()
        assert database.wan_bytes() == {}
        with database.batch():
            database.add_wan_bytes({("hq", TORRENT): 5})
            database.add_patch(patch())
        assert database.wan_bytes() == {("hq", TORRENT): 5}
        assert database.patches() == [patch()]

    def test_wan_bytes_add_up(self, database: Database) -> None:
        database.add_wan_bytes({("hq", TORRENT): 5})
        database.add_wan_bytes({("hq", TORRENT): 6})
        database.add_wan_bytes({("branch", TORRENT): 1})
        assert database.wan_bytes() == {("hq", TORRENT): 11, ("branch", TORRENT): 1}

    def test_what_went_to_each_site_is_added_up_of_what_is_published(self, database: Database) -> None:
        other = patch(number=1, torrent_hash="cd" * 32, length_bytes=6_000_000_000)
        database.add_patch(patch(), other)
        database.add_patch(patch(patch_id="KB2"))  # the same file
        went = {("hq", TORRENT): 11, ("hq", "cd" * 32): 6_000_000_001, ("branch", TORRENT): 1, ("oslo", "ef" * 32): 9}
        database.add_wan_bytes(went)
        assert database.sent_to_sites() == {"hq": (6_000_000_012, 6_001_000_000), "branch": (1, 1_000_000)}


def diagnosis(template: str = "december", **answers: bool | None) -> Diagnosis:
    return Diagnosis(
        template=template,
        answers=tuple(
            DiagnosisAnswer(label=label, applies=needed is not None, needed=needed, reason=f"because of {label}")
            for label, needed in answers.items()
        ),
    )


class TestDiagnoses:
    def test_newest_answers_replace_all_before(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        database.save_diagnosis(ENDPOINT, diagnosis(a=True, b=False), 1.0)
        database.save_diagnosis(ENDPOINT, diagnosis(b=True, c=None), 2.0)
        database.save_diagnosis(ENDPOINT, diagnosis("other", a=False), 3.0)
        assert [(row.label, row.applies, row.needed, row.reason, row.at) for row in database.diagnoses("december")] == [
            ("b", True, True, "because of b", 2.0),
            ("c", False, None, "because of c", 2.0),
        ]
        assert sorted(
            (one.label, one.needed, one.endpoints, one.at) for one in database.diagnosis_counts("december")
        ) == [
            ("b", True, 1, 2.0),
            ("c", None, 1, 2.0),
        ]
        database.forget_diagnoses("december", 2.0)
        assert database.diagnoses("december") == []
        assert database.diagnosis_counts("december") == []
        assert [row.needed for row in database.diagnoses("other")] == [False]

    def test_many_answers_are_forgotten_in_parts_and_those_to_the_new_template_stay(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pcs = [f"{n:026}" for n in range(10)]
        for pc in pcs:
            database.add_endpoint(pc, "pc", 1.0)
            database.save_diagnosis(pc, diagnosis(a=True, b=False), 1.0)
        left: list[int] = []

        def sleep(_: float) -> None:
            if not left:
                database.save_diagnosis(pcs[-1], diagnosis(a=False, b=False), 2.0)
            left.append(len(database.diagnoses("december")))

        monkeypatch.setattr("seed_server.store.diagnoses.time.sleep", sleep)
        database.forget_diagnoses("december", 1.0, at_once=4)
        assert len(left) > 2, "others could write in between"
        assert [row.endpoint_id for row in database.diagnoses("december")] == [pcs[-1]] * 2

    def test_answers_to_what_is_no_template_are_forgotten(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        for name in ("december", "gone", 'x"y'):
            database.save_diagnosis(ENDPOINT, diagnosis(name, a=True), 1.0)
        database.forget_other_diagnoses({"december", 'x"y'}, 1.0)
        assert [len(database.diagnoses(name)) for name in ("december", "gone", 'x"y')] == [1, 0, 1]
        database.forget_other_diagnoses([], 1.0)
        assert database.diagnoses("december") == []

    def test_templates_are_counted_once_whatever_the_number_of_answers(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        statements: list[str] = []
        event.listen(
            database._engines.writer,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, *_: statements.append(statement),
        )
        answers = tuple(
            msgspec.structs.replace(diagnosis(a=True).answers[0], label=f"item {number}") for number in range(50)
        )
        database.save_diagnosis(ENDPOINT, Diagnosis(template="december", answers=answers), 1.0)
        assert len(database.diagnoses("december")) == 50
        assert sum("count(" in statement for statement in statements) == 1

    def test_same_label_twice_is_one_answer(self, database: Database) -> None:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
        twice = Diagnosis(template="t", answers=diagnosis(a=True).answers * 2)
        database.save_diagnosis(ENDPOINT, twice, 1.0)
        assert len(database.diagnoses("t")) == 1

    def test_made_up_templates_fill_nobody_elses_room(self, database: Database) -> None:
        other = "b" * 26
        database.save_diagnosis(ENDPOINT, diagnosis(a=True), 1.0)
        assert database.diagnoses("december") == [], "an endpoint that is not enrolled"
        for endpoint in (ENDPOINT, other):
            database.add_endpoint(endpoint, "pc", 1.0)
        for number in range(2 * MAX_TEMPLATES):
            database.save_diagnosis(ENDPOINT, diagnosis(f"made-up-{number}", a=True, b=True), 1.0)
        with database.reading() as connection:
            assert connection.scalar(select(func.count()).select_from(DIAGNOSES)) == 2 * MAX_TEMPLATES
        database.save_diagnosis(ENDPOINT, diagnosis("made-up-0", a=False), 2.0)
        database.save_diagnosis(other, diagnosis("december", a=True), 2.0)
        assert [row.needed for row in database.diagnoses("made-up-0")] == [False]
        assert [row.endpoint_id for row in database.diagnoses("december")] == [other]


def test_another_process_sees_that_who_is_admitted_has_changed(database: Database, place: Path | str) -> None:
    with Database.open(place) as other:
        other.add_endpoint(ENDPOINT, "pc", 1.0)
        for change in (lambda: other.set_denied(ENDPOINT, True), lambda: other.forget_endpoint(ENDPOINT)):
            before = database.admissions_version()
            change()
            assert database.admissions_version() > before


def test_everything_is_there_after_opening_again(database: Database, place: Path | str) -> None:
    database.add_patch(patch())
    database.close()
    with Database.open(place) as again:
        assert again.patches() == [patch()]
    if isinstance(place, Path):
        with Database.create(place) as again:
            assert again.patches() == [patch()]


def test_a_writer_waits_for_another_process_and_then_gives_up_while_readers_go_on(
    database: Database, place: Path | str
) -> None:
    with Database.open(place, lock_seconds=0.01) as waiting, database.batch():
        database.add_patch(patch())
        assert waiting.patches() == []
        with pytest.raises(UserError, match="Another process") as caught:
            waiting.add_patch(patch())
    assert caught.value.kind == FaultKind.BUSY
    assert database.patches() == [patch()]


def test_what_a_batch_reads_includes_what_it_has_written_and_others_see_it_when_it_ends(database: Database) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as other, database.batch():
        database.add_patch(patch())
        assert database.patches() == [patch()]
        assert other.submit(database.patches).result() == []
    assert database.patches() == [patch()]


class TestTheFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "state.db"

    @pytest.fixture
    def database(self, path: Path) -> Iterator[Database]:
        with Database.create(path) as opened:
            yield opened

    def test_is_for_its_owner_only(self, database: Database, path: Path) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_missing(self, path: Path) -> None:
        with pytest.raises(UserError, match="init") as caught:
            Database.open(path)
        assert caught.value.kind == FaultKind.NOT_SET_UP

    @pytest.mark.parametrize("content", [b"", b"not a database" * 100])
    def test_other_file(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            Database.open(path)
        assert caught.value.kind == FaultKind.STORAGE

    def test_locked_by_another_process(self, database: Database, path: Path) -> None:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with Database.open(path, lock_seconds=0.01) as waiting:
            assert waiting.patches() == []
            with pytest.raises(UserError, match="Another process") as caught:
                waiting.add_patch(patch())
        holder.close()
        assert caught.value.kind == FaultKind.BUSY

    def test_full_disk_keeps_the_old_content(self, database: Database, path: Path) -> None:
        database.add_patch(patch())
        # a page limit makes SQLite give the very error of a full disk
        with database._engines.writer.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        def enrol_a_thousand() -> None:
            for number in range(1_000):
                database.add_endpoint(f"{number:026}", "x" * 255, 1.0)

        with pytest.raises(UserError, match="full") as caught:
            enrol_a_thousand()
        assert caught.value.kind == FaultKind.STORAGE
        assert database.patches() == [patch()]
        assert database.endpoints() != []


def test_what_the_operating_system_does_to_the_file_is_told_in_words(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        with sqlite3.connect(tmp_path / "state.db") as other:
            other.execute("DROP TABLE standing")
        other.close()
        with pytest.raises(UserError) as caught:
            database.reports_on(patch().ref)
    assert caught.value.kind is FaultKind.STORAGE


def test_a_patch_has_several_payloads_and_is_replaced_as_a_whole(database: Database) -> None:
    japanese = patch(number=1, torrent_hash="ef" * 32, sha256="12" * 32, language="ja-jp")
    database.add_patch(patch(), japanese)
    assert database.payloads() == [patch(), japanese]
    assert database.patches() == [patch()]
    database.mark_damaged(japanese.torrent_hash, "gone")
    assert [row.damaged for row in database.payloads()] == ["", "gone"]
    database.add_patch(patch(sequence=3))
    assert database.payloads() == [patch(sequence=3)]
    database.add_patch(patch(), japanese)
    database.remove_patch("KB1", "1.0")
    assert database.payloads() == []


def test_what_an_endpoint_refuses_is_kept_until_it_says_otherwise(database: Database) -> None:
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    database.save_refusals({ENDPOINT: "expired"})
    assert [row.refuses for row in database.endpoints()] == ["expired"]
    database.save_refusals({ENDPOINT: ""})
    assert [row.refuses for row in database.endpoints()] == [""]


def test_a_forgotten_endpoint_leaves_nothing(database: Database) -> None:
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    database.add_patch(patch())
    database.save_reports({ENDPOINT: [report()]}, 1.0)
    database.forget_endpoint(ENDPOINT)
    assert (database.endpoints(), all_reports(database)) == ([], [])
