"""Scenarios of history: what a step of a PC takes, what a month that goes costs others, and status after two years."""

import base64
import hashlib
import resource
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import trio

from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import CHUNK_PCS, DURABLE, why_no_postgresql
from bench.fleet_size.sizes import Sizes
from bench.fleet_size.state import fill_month, table_bytes
from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet.archives import archive_path
from seed_server.fleet.archiving import Archivist
from seed_server.fleet.context import Context
from seed_server.fleet.standing import StatusQuestion
from seed_server.fleet.status import read_screen
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import RetentionSettings
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.event_months import MonthPart, begin_of, month_after
from seed_server.store.rows import SeenRow, ServedPayload
from seed_server.store.tables import REPORTED_SINCE
from seed_server.store.tables_events import ARCHIVED
from tests.helpers.fake_clock import FakeClock
from tests.helpers.postgresql import running_server

FIRST_MONTH = 202601
PATCHES = 300
SAID_PATCHES = 5  # of which each PC has a row in the state
STATUS_TIMES = 31
LOOK_SECONDS = 0.02
NOT_MEASURED = ("archived_bytes_per_event", "hot_bytes_per_event", "drop_seconds", "status_ratio")


async def history(sizes: Sizes, directory: Path) -> Outcome:
    """Fill a month, archive and drop it beside a writer and a reader; then look at status after many months."""
    return await trio.to_thread.run_sync(_history, sizes, directory, "")


async def history_postgresql(sizes: Sizes, directory: Path) -> Outcome:
    """As `history`, with the state in PostgreSQL."""
    if reason := why_no_postgresql():
        return Outcome("not run", missing=dict.fromkeys(NOT_MEASURED, reason))
    with running_server(options=DURABLE) as server:
        return await trio.to_thread.run_sync(_history, sizes, directory, server.new_database())


@dataclass
class Waits:
    """The longest that a small write, and a small look, took in a thread each."""

    context: Context
    longest: dict[str, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def during(self, work: Callable[[], None]) -> dict[str, float]:
        """Return them for the time of ``work``."""
        self.longest, self._ended = {"write": 0.0, "read": 0.0}, threading.Event()
        with self.context.database() as opened, ThreadPoolExecutor(2) as pool:
            writing = pool.submit(self._repeat, "write", lambda: _write(opened))
            reading = pool.submit(self._repeat, "read", lambda: opened.history_of(_id(1), 5))
            try:
                work()
            finally:
                self._ended.set()
            writing.result()
            reading.result()
        return self.longest

    def _repeat(self, name: str, one: Callable[[], object]) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            began = time.monotonic()
            one()
            self.longest[name] = max(self.longest[name], time.monotonic() - began)


def _history(sizes: Sizes, directory: Path, url: str) -> Outcome:
    context, clock = _home(sizes, directory, url)
    rules = RetentionSettings(hot_months=2)
    outcome = Outcome(f"{sizes.month_events:,} steps of {sizes.pcs:,} PCs at random moments: hard to compress")
    with context.database() as database:
        _fill(database, sizes, FIRST_MONTH, sizes.month_events)
        month = database.month_parts()[-1]
        figures = {"hot_bytes_per_event": table_bytes(database, month.events_table) / sizes.month_events}
        waits = Waits(context)
        quiet = waits.during(lambda: time.sleep(sizes.settle_seconds))
        clock.wall = _begin(month_after(FIRST_MONTH, 3))
        archivist, began = Archivist(context, database, rules), time.monotonic()
        archiving = waits.during(archivist.tidy)
        figures["archive_seconds"] = time.monotonic() - began
        figures["peak_memory_bytes"] = 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        month = _archived(database)
        figures["archived_bytes_per_event"] = archive_path(context, month).stat().st_size / month.events
        began = time.monotonic()
        dropping = waits.during(archivist.tidy)
        figures["drop_seconds"] = time.monotonic() - began
        for when, longest in (("quiet", quiet), ("archiving", archiving), ("dropping", dropping)):
            figures |= {f"longest_{name}_{when}_seconds": seconds for name, seconds in longest.items()}
        for number in range(3, 3 + sizes.months):
            at = month_after(FIRST_MONTH, number)
            _fill(database, sizes, at, sizes.further_month_events)
            clock.wall = _begin(month_after(at))
            archivist.tidy()
            if number == 3:
                figures["status_first_seconds"] = _status_seconds(context)
        figures["status_last_seconds"] = _status_seconds(context)
    figures["status_ratio"] = figures["status_last_seconds"] / figures["status_first_seconds"]
    outcome.figures = figures
    outcome.notes.append(
        f"status after {sizes.months} months of {sizes.further_month_events:,} steps each, against after the first"
    )
    return outcome


def _home(sizes: Sizes, directory: Path, url: str) -> tuple[Context, FakeClock]:
    home, clock = ServerHome(directory / "home"), FakeClock(_begin(FIRST_MONTH))
    settings = ServerSettings(name="bench", address="127.0.0.1", database_url=url)
    initialise(home, settings, passphrase=None, now=clock.now())
    context = Context(home, clock)
    with context.database() as database:
        with database.batch():
            for number in range(1, PATCHES + 1):
                database.add_patch(_patch(number))
        for start in range(1, sizes.pcs + 1, CHUNK_PCS):
            some = range(start, min(start + CHUNK_PCS, sizes.pcs + 1))
            with database.batch():
                for number in some:
                    database.add_endpoint(_id(number), f"pc-{number:05}.branch-{number % sizes.sites}.example.com", 1.0)
                seen = {_id(number): f"branch-{number % sizes.sites}" for number in some}
                database.save_seen({pc: SeenRow(site, "10.0.0.1", "", False, clock.now()) for pc, site in seen.items()})
            reports = [_report(number) for number in range(1, SAID_PATCHES + 1)]
            database.save_reports({_id(number): reports for number in some}, _begin(202512))
        clock.wall = _begin(FIRST_MONTH)
        Archivist(context, database, RetentionSettings()).tidy()
        _forget_months(database)
    return context, clock


def _forget_months(database: Database) -> None:
    """Leave the steps of filling up out of what is weighed."""
    for part in database.month_parts():
        database.close_months(_begin(month_after(part.month, 2)), 1)
        database.archive_month(part)
        database.drop_month(part)


def _fill(database: Database, sizes: Sizes, month: int, events: int) -> None:
    fill_month(database, month, events, pcs=sizes.pcs, patches=PATCHES, sites=sizes.sites)


def _archived(database: Database) -> MonthPart:
    (found,) = (part for part in database.month_parts() if part.state == ARCHIVED)
    return found


def _status_seconds(context: Context) -> float:
    taken = []
    for _ in range(STATUS_TIMES):
        began = time.monotonic()
        read_screen(context, StatusQuestion())
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def _begin(month: int) -> float:
    return float(begin_of(month) + REPORTED_SINCE)


def _id(number: int) -> str:
    return base64.b32encode(hashlib.sha256(str(number).encode()).digest())[:26].decode().lower()


def _write(database: Database) -> None:
    database.save_refusals({_id(1): str(time.monotonic())})


def _report(patch: int) -> PatchReport:
    return PatchReport(
        patch_id=f"patch-{patch:03}", version="1.0", state="verified", progress=1.0, bytes_from_origin=1,
        bytes_from_peers=1, bytes_wasted=0, seconds=1.0, error="",
    )  # fmt: skip


def _patch(number: int) -> ServedPayload:
    return ServedPayload(
        patch_id=f"patch-{number:03}", version="1.0", title="", severity="high", cvss=None, file_name="file",
        sha256=f"{number:064x}", length_bytes=1, torrent_hash=f"{number:064x}", piece_length_bytes=262_144,
        piece_count=1, sequence=number, published_at=1.0,
    )  # fmt: skip
