"""What it costs to remember what lines did: rows a second, bytes, hours that are folded, and a site that is read.

python -m bench.line_minutes [--sites 2000] [--hours 24]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from bandwidth.core.states import Reason
from p2pdist.shared.clock import SystemClock
from seed_server.store.database import Database
from seed_server.store.minute_rows import HOUR_SLOTS, SLOTS_KEPT_SECONDS, LineSlot, WatchedSlot, slot_of

PORTION = 5_000  # rows of a transaction, as `origin.records` writes them


def measured(folder: Path, sites: int, hours: int) -> dict[str, float]:
    """Return what was measured: every site is sent to all the time, which is the worst that can be."""
    place = folder / "state.db"
    names = [f"site-{number:05d}" for number in range(sites)]
    first = slot_of(SystemClock().now())
    first -= first % HOUR_SLOTS
    seconds = []
    with Database.create(place) as database:
        for slot in range(first, first + hours * HOUR_SLOTS):
            rows = [_row(name, slot, number) for number, name in enumerate(names)]
            begun = time.perf_counter()
            for start in range(0, len(rows), PORTION):
                database.add_line_minutes(rows[start : start + PORTION], [WatchedSlot(slot, 1, 600.0)])
            seconds.append(time.perf_counter() - begun)
    size = place.stat().st_size  # closed: nothing is in the log beside it
    with Database.open(place) as database:
        reads = []
        for number in range(1, 51):
            begun = time.perf_counter()
            database.line_minutes(number, first * 600.0)
            reads.append(time.perf_counter() - begun)
        later = (first + hours * HOUR_SLOTS) * 600.0 + SLOTS_KEPT_SECONDS
        folds = []
        for _ in range(hours):
            begun = time.perf_counter()
            database.fold_line_minutes(later)
            folds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        database.harm_of_sites(names[:50], first * 600.0)
        harm = time.perf_counter() - begun
    written = sites * hours * HOUR_SLOTS
    return {
        "sites": sites,
        "rows": written,
        "rows_per_second_in_service": round(sites / 600, 1),
        "rows_per_second_written": round(written / sum(seconds)),
        "ten_minutes_ms_worst": round(1_000 * max(seconds), 1),
        "bytes_per_row": round(size / written, 1),
        "megabytes_most": round(size / written * sites * (8 * 144 + 82 * 24) / 1e6),
        "site_read_ms_worst": round(1_000 * max(reads), 1),
        "hour_folded_ms_worst": round(1_000 * max(folds), 1),
        "harm_of_50_sites_ms": round(1_000 * harm, 1),
    }


def _row(site: str, slot: int, number: int) -> LineSlot:
    many = slot % 977 + number
    return LineSlot(
        site, slot, active=599.0, sent=60_000_000 + 99_991 * many, allowed=6e8 + 7e5 * many, cause=Reason.QUEUE.value,
        cause_seconds=300.5, business=many * 777_777, business_seconds=590.3, harm_seconds=float(many % 7), queue=0.012,
    )  # fmt: skip


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=2_000)
    parser.add_argument("--hours", type=int, default=24)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), given.sites, given.hours), indent=2))


if __name__ == "__main__":
    main()
