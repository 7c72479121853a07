"""`seed_server.store.line_hours`: what plans learn from, and what was planned, on both databases."""

import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchReport
from seed_server.store.database import Database
from seed_server.store.line_hours import KEPT_A_WEEK
from seed_server.store.plan_rows import THIRD_SECONDS, THIRDS, DoneWord, LineHour, WatchedHour
from seed_server.store.rows import SeenRow, ServedPayload

MONDAY = 1_800_230_400.0  # 2027-01-18 00:00 UTC
WEEK = 7 * 86_400.0
HOUR = WatchedHour("osaka", MONDAY + 7_200, 3_600.0, 7_200.0, 2, 100.0, 50_000)


def test_parts_of_an_hour_are_added_up_and_weeks_ago_count_less(database: Database) -> None:
    database.add_line_hours([HOUR, HOUR._replace(site="kobe")])
    database.add_line_hours([HOUR._replace(sent=10_000, sending=50.0, arrivals=1)])
    squares = 50_000**2 / 100 + 10_000**2 / 50
    assert database.line_hours()["osaka"] == [LineHour(2, 7_200.0, 14_400.0, 3.0, 150.0, 60_000.0, squares, 2.0)]
    database.add_line_hours([HOUR._replace(at=HOUR.at + 2 * WEEK, sent=0, sending=0.0)])
    (later,) = database.line_hours()["osaka"]
    assert later.sent == pytest.approx(60_000 * KEPT_A_WEEK**2)
    assert later.watched == pytest.approx(7_200 * KEPT_A_WEEK**2 + 3_600)
    assert later.times == pytest.approx(2 * KEPT_A_WEEK**2), "an hour without sending is none"


def test_a_clock_that_is_set_back_forgets_nothing_and_multiplies_nothing(database: Database) -> None:
    database.add_line_hours([HOUR])
    database.add_line_hours([HOUR._replace(at=HOUR.at - 3 * WEEK)])
    assert database.line_hours()["osaka"][0].sent == 100_000.0


def test_thirds_of_days_are_shifted_and_the_oldest_is_forgotten(database: Database) -> None:
    database.add_endpoint("pc-1", "pc-1", 5.0, [])
    third = int(MONDAY // THIRD_SECONDS)
    for seen in (third, third, third + 1, third + 3, third + 2):
        database.save_pc_thirds({"pc-1": seen, "nobody": seen})
    (known,) = database.pc_thirds().values()
    assert known == (5.0, 0b1111, third + 3)
    database.save_pc_thirds({"pc-1": third + THIRDS - 1})
    assert (
        next(iter(database.pc_thirds().values())).thirds
        == 1 << THIRDS - 1 | 1 << THIRDS - 2 | 1 << 61 - 1 | 1 << 59 | 1
    )
    database.save_pc_thirds({"pc-1": third + 3 * THIRDS})
    assert next(iter(database.pc_thirds().values())).thirds == 1


def test_a_pc_that_was_never_seen_has_no_thirds(database: Database) -> None:
    database.add_endpoint("pc-1", "pc-1", 5.0, [])
    assert list(database.pc_thirds().values()) == [(5.0, 0, 0)]


def test_a_forecast_is_kept_by_its_rollout(database: Database) -> None:
    assert (database.forecast(1), database.forecast_rollouts()) == (None, set())
    database.keep_forecast(1, b"first", MONDAY)
    database.keep_forecast(1, b"second", MONDAY + 1)
    database.keep_forecast(2, b"other", MONDAY)
    assert (database.forecast(1), database.forecast_rollouts()) == (b"second", {1, 2})


def said(install: InstallState) -> list[PatchReport]:
    return [
        PatchReport(
            patch_id="office", version="1", state="verified", progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
            seconds=1.0, bytes_wasted=0, error="", install=install,
        )
    ]  # fmt: skip


def test_when_each_pc_was_first_done_and_how_long_installations_took(database: Database) -> None:
    database.add_patch(
            ServedPayload(
                patch_id="office", version="1", title="", severity="high", cvss=None, file_name="f", sha256="0" * 64,
                length_bytes=1, torrent_hash="0" * 64, piece_length_bytes=1, piece_count=1, sequence=1,
                published_at=MONDAY,
            )
    )  # fmt: skip
    for name in ("a", "b"):
        database.add_endpoint(name, name, MONDAY, [])
    database.save_seen({"a": SeenRow("osaka", "10.0.0.1", "p", True, MONDAY)})
    steps: list[tuple[str, InstallState, float]] = [
        ("a", "installing", 100), ("b", "installing", 150), ("a", "installed", 220), ("a", "retrying", 300),
        ("a", "installed", 400),
    ]  # fmt: skip
    for name, install, later in steps:
        database.save_reports({name: said(install)}, MONDAY + later)
    number = database.patch_number(PatchRef("office", "1"))
    assert number is not None
    done = [("verified", "installed")]
    assert database.done_since(number, MONDAY, done) == [DoneWord("osaka", MONDAY + 220)]
    assert database.done_since(number, MONDAY + 221, done) == [DoneWord("osaka", MONDAY + 400)]
    assert [(step.ended) for step in database.install_steps(10)] == [False, False, True, True]
    assert [(step.ended) for step in database.install_steps(2)] == [True, True]
