"""What it costs to remember what lines did: rows a second, bytes, hours that are folded, and a site that is read.

python -m bench.line_minutes [--sites 2000] [--hours 24] [--postgresql]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bandwidth.core.states import Reason
from bench.fleet_size.reporting import DURABLE
from bench.fleet_size.state import table_bytes
from p2pdist.shared.clock import SystemClock
from seed_server.origin.records import MOST_ROWS
from seed_server.store.database import Database
from seed_server.store.minute_rows import HOUR_SLOTS, SLOTS_KEPT_SECONDS, LineSlot, WatchedSlot, slot_of
from seed_server.store.tables_lines import LINE_MINUTES
from tests.helpers.postgresql import running_server, why_not

KEPT_DAYS, SLOTS_KEPT_DAYS = 90, 8
READS = 50


def measured(place: Path | str, sites: int, hours: int) -> dict[str, float]:
    """Return what was measured: every site is sent to all the time, which is the worst that can be."""
    names = [f"site-{number:05d}" for number in range(sites)]
    first = slot_of(SystemClock().now())
    first -= first % HOUR_SLOTS
    with Database.create(place) as database:
        writes = [_taken(partial(_write, database, names, slot)) for slot in range(first, first + hours * HOUR_SLOTS)]
        size = table_bytes(database, LINE_MINUTES)
    with Database.open(place) as database:
        since = first * 600.0
        reads = [_taken(partial(database.line_minutes, number, since)) for number in range(1, READS + 1)]
        harm = _taken(partial(database.harm_of_sites, names[:50], since))
        later = (first + hours * HOUR_SLOTS) * 600.0 + SLOTS_KEPT_SECONDS
        folds = [_taken(partial(database.fold_line_minutes, later)) for _ in range(hours)]
    written = sites * hours * HOUR_SLOTS
    most = sites * (SLOTS_KEPT_DAYS * 24 * HOUR_SLOTS + (KEPT_DAYS - SLOTS_KEPT_DAYS) * 24)
    return {
        "sites": sites,
        "rows": written,
        "rows_per_second_in_service": round(sites / 600, 1),
        "rows_per_second_written": round(written / sum(writes)),
        "ten_minutes_ms_median": round(1_000 * sorted(writes)[len(writes) // 2], 1),
        "ten_minutes_ms_worst": round(1_000 * max(writes), 1),
        "bytes_per_row": round(size / written, 1),
        "megabytes_most": round(size / written * most / 1e6),
        "site_read_ms_worst": round(1_000 * max(reads), 1),
        "harm_of_50_sites_ms": round(1_000 * harm, 1),
        "hour_folded_ms_worst": round(1_000 * max(folds), 1),
    }


def _write(database: Database, names: list[str], slot: int) -> None:
    rows = [_row(name, slot, number) for number, name in enumerate(names)]
    for start in range(0, len(rows), MOST_ROWS):
        database.add_line_minutes(rows[start : start + MOST_ROWS], [WatchedSlot(slot, 1, 600.0)])


def _row(site: str, slot: int, number: int) -> LineSlot:
    many = slot % 977 + number
    return LineSlot(
        site, slot, active=599.0, sent=60_000_000 + 99_991 * many, allowed=6e8 + 7e5 * many, cause=Reason.QUEUE.value,
        cause_seconds=300.5, business=many * 777_777, business_seconds=590.3, harm_seconds=float(many % 7), queue=0.012,
    )  # fmt: skip


def _taken(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure, and print it. Raises `SystemExit` where there is no PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=2_000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--postgresql", action="store_true", help="in PostgreSQL instead of SQLite")
    given = parser.parse_args()
    if not given.postgresql:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(Path(folder) / "state.db", given.sites, given.hours), indent=2))
        return
    if reason := why_not():
        parser.error(reason)
    with running_server(options=DURABLE) as server:
        print(json.dumps(measured(server.new_database(), given.sites, given.hours), indent=2))


if __name__ == "__main__":
    main()
