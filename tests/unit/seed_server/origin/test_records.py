"""`seed_server.origin.records` on both databases: what is much is several transactions, and others get a turn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.custody import Custody, CustodyRecord, custody_statement
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.wire.custody import CustodyTold, CustodyWanted
from p2pdist.shared.wire.messages import PatchReport, Report
from seed_server.line.site_seen import LineSeen
from seed_server.origin.records import OriginRecords
from seed_server.store.database import Database
from seed_server.store.plan_rows import THIRD_SECONDS
from seed_server.store.rows import Recorded, SeenRow, ServedPayload, SiteLimitRow
from tests.helpers.fake_clock import FakeClock
from tests.helpers.state_databases import database, place, postgres_server
from tests.helpers.statements import Company
from tests.helpers.stored_rows import all_reports, tallies

__all__ = ["database", "place", "postgres_server"]

PCS = [EndpointId(f"{n:026}") for n in range(60)]
SEEN = SeenRow(site="tokyo", address="127.0.42.1", software="test", connected=True, last_seen_at=1.0)
REPORT = PatchReport(
    patch_id="p", version="1", state="verified", progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
    bytes_wasted=0, seconds=1.0, error="",
)  # fmt: skip
PATCH = ServedPayload(
    patch_id="p", version="1", title="p", severity="low", cvss=None, file_name="f", sha256="ab", length_bytes=1,
    torrent_hash="cd", piece_length_bytes=1, piece_count=1, sequence=1, published_at=1.0,
)  # fmt: skip


@pytest.fixture
def records(database: Database) -> OriginRecords:
    """Return the records of 60 PCs that have all come back in one second, in three parts."""
    database.add_patch(PATCH)
    with database.batch():
        for endpoint in PCS:
            database.add_endpoint(endpoint, "pc", 1.0)
    records = OriginRecords(database, SystemClock(), most_rows=80)
    for endpoint in PCS:
        records.seen(endpoint, SEEN)
        records.report(endpoint, Report(patches=[REPORT], refuses=""), Recorded("run", 1))
    records.sent(SiteName("tokyo"), TorrentHash("cd"), 7)
    return records


async def test_who_waits_writes_before_the_last_part_is_written(
    records: OriginRecords, database: Database, place: Path | str
) -> None:
    with Database.open(place) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(records.flush)
            while not all_reports(database):  # noqa: ASYNC110
                await trio.sleep(0.01)
            await trio.to_thread.run_sync(other.set_denied, PCS[0], True)
            assert 0 < len(all_reports(database)) < len(PCS)
    assert len(all_reports(database)) == len(PCS)
    with database.reading() as connection:
        assert [tally.endpoints for tally in tallies(connection)] == [len(PCS) - 1]


async def test_a_part_that_cannot_be_written_leaves_nothing_wrong_and_comes_again(
    records: OriginRecords, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[[Any, float], None] = database.save_reports
    failing = [False, True]

    def save(reports: Mapping[str, Any], now: float) -> None:
        if failing and failing.pop(0):
            raise UserError("The disk is full.", FaultKind.STORAGE)
        write(reports, now)

    monkeypatch.setattr(database, "save_reports", save)
    await records.flush()
    written = {row.endpoint_id for row in all_reports(database)}
    assert 0 < len(written) < len(PCS)
    assert {row.endpoint_id for row in database.endpoints() if row.recorded} == written
    with database.reading() as connection:
        assert [tally.endpoints for tally in tallies(connection)] == [len(written)]
    await records.flush()
    assert len(all_reports(database)) == len(PCS)
    assert all(row.recorded for row in database.endpoints())
    assert database.wan_bytes() == {("tokyo", "cd"): 7}


async def test_what_is_cut_off_in_between_is_written_with_the_last(records: OriginRecords, database: Database) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(records.run)
        while not all_reports(database):  # noqa: ASYNC110
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert len(all_reports(database)) == len(PCS)
    assert database.wan_bytes() == {("tokyo", "cd"): 7}


async def test_who_repeats_much_holds_back_nobody_s_news(database: Database) -> None:
    """A part of it at a time: in between comes what others say, and what the same PCs say anew."""
    patches = [msgspec.structs.replace(PATCH, patch_id=f"p{n}", torrent_hash=f"{n:064x}") for n in range(60)]
    for patch in patches:
        database.add_patch(patch)
    for endpoint in PCS:
        database.add_endpoint(endpoint, "pc", 1.0)
    records = OriginRecords(database, SystemClock(), most_rows=80)
    repeated = [msgspec.structs.replace(REPORT, patch_id=patch.patch_id, progress=0.5) for patch in patches]
    for endpoint in PCS[:20]:
        records.report(endpoint, Report(patches=repeated, refuses=""), Recorded("run", 1))
    assert await records.flush()
    new = msgspec.structs.replace(REPORT, patch_id="p59")
    records.report(PCS[19], Report(patches=[new], refuses=""), Recorded("run", 2))
    records.report(PCS[40], Report(patches=[new], refuses=""), Recorded("run", 1))
    assert await records.flush()
    written = {(row.endpoint_id, row.patch_id): row.progress for row in all_reports(database)}
    assert len(written) < 4 * 80
    assert written[PCS[40], "p59"] == written[PCS[19], "p59"] == 1.0
    assert [row.recorded for row in database.endpoints() if row.endpoint_id == PCS[19]] == [0], "some is not kept"
    while await records.flush():
        pass
    written = {(row.endpoint_id, row.patch_id): row.progress for row in all_reports(database)}
    assert len(written) == 20 * 60 + 1
    assert [progress for (endpoint, _), progress in written.items() if endpoint == PCS[19]].count(1.0) == 1
    assert [row.recorded for row in database.endpoints() if row.recorded] == [*[1] * 19, 2, 1]


async def test_a_part_of_much_that_cannot_be_written_comes_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.add_endpoint(PCS[0], "pc", 1.0)
    patches = [msgspec.structs.replace(PATCH, patch_id=f"p{n}", torrent_hash=f"{n:064x}") for n in range(60)]
    for patch in patches:
        database.add_patch(patch)
    records = OriginRecords(database, SystemClock())
    said = [msgspec.structs.replace(REPORT, patch_id=patch.patch_id) for patch in patches]
    records.report(PCS[0], Report(patches=said, refuses=""), Recorded("run", 1))
    with monkeypatch.context() as broken:
        broken.setattr(database, "save_reports", full_disk)
        assert not await records.flush(), "it is not to be tried again at once"
    assert not all_reports(database)
    await records.flush()
    assert len(all_reports(database)) == len(patches)


def full_disk(*_: object) -> None:
    raise UserError("The disk is full.", FaultKind.STORAGE)


async def test_install_records_are_asked_for_once_they_are_written_and_unsigned_ones_are_refused(
    database: Database, tmp_path: Path
) -> None:
    pc = Company(tmp_path / "ca", 1.9e9).pc(1.9e9)
    endpoint = EndpointId(pc.endpoint_id)
    database.add_endpoint(endpoint, "pc", 1.0)
    records = OriginRecords(database, SystemClock())
    asked: list[CustodyWanted] = []
    custody = Custody().with_record(CustodyRecord(1, "acme", "2", 7, 1, "installed"))
    state = CustodyTold(1, custody.root())
    records.custody(endpoint, state, asked.append)
    await records.flush()
    assert asked == [CustodyWanted(0, Custody().root())]
    statement = sign_statement(pc, custody_statement(pc.endpoint_id, custody, 1.9e9))
    forged = statement[:-8] + "AAAAAAAA"
    for said, kept in ((forged, 0), (statement, 1)):
        records.custody(endpoint, CustodyTold(1, custody.root(), b"", custody.records, said), asked.append)
        await records.flush()
        assert len(database.custody_logs(endpoint)) == kept
    records.custody(endpoint, state, asked.append)
    await records.flush()
    assert len(asked) == 1, "the server has it"
    (fault,) = database.custody_faults(0.0)
    assert (fault.endpoint_id, fault.fault) == (endpoint, "malformed"), "what was forged is said, not only logged"


async def test_what_lines_carried_and_when_pcs_were_there_is_written_when_an_hour_is_over(database: Database) -> None:
    for endpoint in PCS[:2]:
        database.add_endpoint(endpoint, "pc", 1.0)
    clock = FakeClock(1_800_230_400.0)  # a Monday, 00:00 UTC
    records = OriginRecords(database, clock)
    records.seen(PCS[0], msgspec.structs.replace(SEEN, last_seen_at=clock.wall))
    records.sent(SiteName("tokyo"), TorrentHash("cd"), 7)
    clock.wall += 3_599.0
    await records.flush()
    assert database.line_hours() == {}
    clock.wall += 2.0
    records.sent(SiteName("tokyo"), TorrentHash("cd"), 9)  # of the next hour, or of the last second of this one
    await records.flush()
    (hour,) = database.line_hours()["tokyo"]
    assert (hour.hour, hour.watched, hour.pc_seconds, hour.sent) == (0, 3_600.0, 3_600.0, 16.0)
    third = int(1_800_230_400 // THIRD_SECONDS)
    assert sorted(database.pc_thirds().values()) == [(1.0, 0, 0), (1.0, 1, third)]


async def test_what_a_line_did_is_written_when_ten_minutes_are_over_and_at_the_end(database: Database) -> None:
    clock = FakeClock(1_800_230_400.0)
    records = OriginRecords(database, clock)
    limit = SiteLimitRow(
        site="tokyo", at=clock.wall, active=True, endpoints=2, fetchers=1, rate=1_000, capacity=None, configured=False,
        state="scavenge", reason="policy ceiling: office hours", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
    )  # fmt: skip
    records.site_limit(limit, LineSeen())
    records.sent(SiteName("tokyo"), TorrentHash("cd"), 7)
    clock.wall += 1.0
    records.site_limit(msgspec.structs.replace(limit, at=clock.wall, active=False), LineSeen(30, 1.0, 1.0, {0: 1}))
    await records.flush()
    assert database.watched_slots(0.0) == [], "ten minutes are not over"
    clock.wall += 600.0
    await records.flush()
    (number,) = [number for number in range(9) if database.line_minutes(number, 0.0)]
    (row,) = database.line_minutes(number, 0.0)
    assert (row.sent, row.allowed, row.active, row.cause) == (7, 1_000.0, 1.0, "policy ceiling")
    assert (row.business, row.business_seconds, row.harm_seconds, row.queue) == (30, 1.0, 1.0, 0.0)
    records.sent(SiteName("tokyo"), TorrentHash("cd"), 9)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(records.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [row.sent for row in database.line_minutes(number, 0.0)] == [7, 9]
