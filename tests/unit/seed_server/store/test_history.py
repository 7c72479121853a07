"""`seed_server.store.history`: what a PC did with patches, over months, on both databases."""

from typing import cast

import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.fleet.problems import flood_problems
from seed_server.store.audited_words import FURTHER_TEXTS, AuditedWords
from seed_server.store.database import Database
from seed_server.store.event_rows import Asked, HistoryRow
from seed_server.store.rows import LeftOut, SeenRow, ServedPayload
from seed_server.store.step_pace import STEPS_MISSING, StepPace
from seed_server.store.tables import REPORTED_SINCE

DAY = 86_400.0
NOW = REPORTED_SINCE + DAY  # 2 January 2025


def patch(patch_id: str) -> ServedPayload:
    return ServedPayload(
        patch_id=patch_id, version="1", title="", severity="high", cvss=None, file_name="file", sha256="cd" * 32,
        length_bytes=1, torrent_hash=patch_id * 64, piece_length_bytes=262_144, piece_count=1, sequence=1,
        published_at=5.0,
    )  # fmt: skip


def report(state: str = "fetching", install: str = "", reason: str = "", error: str = "", of: str = "p") -> PatchReport:
    return PatchReport(
        patch_id=of, version="1", state=cast("PatchState", state), progress=0.5, bytes_from_origin=0,
        bytes_from_peers=0, bytes_wasted=0,
        seconds=1.0, error=error, install=cast("InstallState", install), install_reason=reason,
    )  # fmt: skip


def seen(site: str) -> SeenRow:
    return SeenRow(site=site, address="127.0.42.1", software="test", connected=True, last_seen_at=NOW)


@pytest.fixture
def fleet(database: Database) -> Database:
    """Return a database with the patches p and q, and the PCs a and b."""
    for name in "pq":
        database.add_patch(patch(name))
    for name in "ab":
        database.add_endpoint(name, f"pc-{name}", 1.0)
    database.save_seen({"a": seen("tokyo"), "b": seen("osaka")})
    return database


def test_what_a_pc_did_is_told_over_months_the_newest_first(fleet: Database) -> None:
    fleet.save_reports({"a": [report()], "b": [report()]}, NOW)
    fleet.save_seen({"a": seen("osaka")})
    fleet.save_reports({"a": [report("verified", "failed", "exit code 1603")]}, NOW + 40 * DAY)
    assert [part.name for part in fleet.month_parts()] == ["2025-01", "2025-02"]
    newest, oldest = fleet.history_of("a", 10)
    assert oldest == HistoryRow(NOW, "a", "pc-a", "tokyo", "p", "1", "fetching", "", "")
    assert newest == HistoryRow(NOW + 40 * DAY, "a", "pc-a", "osaka", "p", "1", "verified", "failed", "exit code 1603")
    assert fleet.history_of("a", 1) == [newest]
    assert fleet.history_of("nobody", 10) == []


def test_why_is_kept_of_what_an_auditor_asks_about(fleet: Database) -> None:
    said = [
        report("failed", error="disk full"),
        report("verified", "waiting", "window at 22:00"),
        report("verified", "rolled_back", "crashes\0" + "x" * 1_000),
    ]
    for second, one in enumerate(said):
        fleet.save_reports({"a": [one]}, NOW + second)
    crashed, waits, failed = fleet.history_of("a", 10)
    assert (failed.because, waits.because) == ("disk full", "")
    assert crashed.because == ("crashes\N{REPLACEMENT CHARACTER}" + "x" * 1_000)[:500]


def test_who_is_forgotten_has_a_history_still(fleet: Database) -> None:
    fleet.save_reports({"a": [report()]}, NOW)
    fleet.forget_endpoint("a", NOW)
    fleet.add_endpoint("a", "pc-new", NOW)
    fleet.save_reports({"a": [report("verified")]}, NOW + 1)
    assert [(row.hostname, row.state) for row in fleet.history_of("a", 10)] == [
        ("pc-new", "verified"),
        ("pc-new", "fetching"),
    ], "with the same key it is who it was"
    for name in ("a", "pc-a", "pc-new"):
        assert len(fleet.sought(Asked(endpoint=name)).endpoints or ()) == 1
    fleet.forget_endpoint("a", NOW + 2)
    assert [row.hostname for row in fleet.history_of("a", 10)] == ["pc-new", "pc-new"]
    gone = fleet.forgotten_named("pc-new")
    assert gone is not None
    assert (gone.endpoint_id, gone.forgotten_at) == ("a", NOW + 2)


def test_a_month_is_read_in_pieces_that_miss_nothing(fleet: Database) -> None:
    for second in range(7):
        state = ("fetching", "verified")[second % 2]
        fleet.save_reports({name: [report(state), report(state, of="q")] for name in "ab"}, NOW + second)
    (part,) = fleet.month_parts()
    whole = fleet.events_of_month(part, None, 1_000) or []
    assert len(whole) == 28
    assert whole == sorted(whole)
    for size in (1, 3, 27):
        found, after = [], None
        while some := fleet.events_of_month(part, after, size):
            found += some
            after = some[-1][:3]
        assert found == whole
    assert fleet.sought(Asked(patch_id="q", version="2")).nothing
    for asked in (
        Asked(patch_id="q", version="1"),
        Asked(endpoint="pc-b"),
        Asked(site="osaka"),
        Asked(since=int(DAY) + 3, until=int(DAY) + 5),
    ):
        sought = fleet.sought(asked)
        assert fleet.events_of_month(part, None, 1_000, sought) == [event for event in whole if sought.fits(event)]
        assert 0 < len(fleet.events_of_month(part, None, 1_000, sought) or ()) < len(whole)


def test_a_pc_that_takes_steps_without_end_fills_no_month_and_others_lose_nothing(
    fleet: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_pace", StepPace(at_once=5, a_day=0))
    for step in range(20):
        state = ("fetching", "verified")[step % 2]
        fleet.save_reports({"a": [report(state), report(state, of="q")], "b": [report("fetching")]}, NOW + step)
    kept = fleet.history_of("a", 100)
    assert len(kept) == 5
    assert kept[0].because == STEPS_MISSING, "so that an archive tells it too"
    assert {row.because for row in kept[1:]} == {""}
    assert len(fleet.history_of("b", 100)) == 1
    assert [one.state for one in fleet.reports_on(PatchRef("p", "1")) if one.endpoint_id == "a"] == ["verified"]
    left_out = fleet.steps_left_out("a")
    assert left_out == LeftOut(35, NOW + 19)
    assert fleet.steps_left_out("b") is None
    assert (fleet.left_out_since(NOW + 19), fleet.left_out_since(NOW + 20)) == (["pc-a"], [])
    (problem,) = flood_problems(fleet, NOW)
    assert "(1: pc-a)" in problem.text
    assert flood_problems(fleet, NOW + 40 * DAY) == []


def test_a_pc_that_makes_up_words_without_end_takes_no_room_from_others(
    fleet: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_audited", AuditedWords(most=5))
    for step in range(8):
        one = report("failed", error=f"made up {step}") if step % 2 else report()
        fleet.save_reports({"a": [one, report("failed", error=f"another {step}", of="q")]}, NOW + step)
        fleet.save_reports({"a": [report(of="q")]}, NOW + step)
    fleet.save_reports({"b": [report("failed", error="disk full")]}, NOW + 999)
    assert [row.because for row in fleet.history_of("b", 1)] == ["disk full"]
    with fleet.reading() as connection:
        texts = set(connection.exec_driver_sql("SELECT text FROM event_texts").scalars())
    assert {FURTHER_TEXTS, "disk full"} < texts
    assert len(texts) == 5 + 2
