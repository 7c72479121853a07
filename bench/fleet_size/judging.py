"""Scenario of reports for managers: service levels of all patches on all PCs, and who lacks one of them."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import CHUNK_PCS
from bench.fleet_size.sizes import Sizes
from bench.fleet_size.state import fill_standing
from p2pdist.shared.clock import SystemClock
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.reporting.judged_patches import PatchesAsked
from seed_server.reporting.missing_queries import MissingQuestion, missing_look, read_missing
from seed_server.reporting.service_level_queries import read_service_levels
from seed_server.reporting.service_levels import tally
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import SlaRule
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.rollout_records import ExceptionRow
from seed_server.store.rows import SeenRow, ServedPayload

DAY = 86_400.0
RULES = (
    SlaRule(name="critical", share_percent=95, days=7, least_cvss=9.0),
    SlaRule(name="all", share_percent=95, days=30),
)
AWAY_EVERY, AWAY_DAYS = 50, 20  # PCs that were not seen for so long
TIMES = 5
SEVERITIES = ("low", "medium", "high", "critical")


async def judging(sizes: Sizes, directory: Path) -> Outcome:
    """Fill the state with what every PC says of every patch, and ask for the reports."""
    return await trio.to_thread.run_sync(_judging, sizes, directory)


def _judging(sizes: Sizes, directory: Path) -> Outcome:
    context = _home(sizes, directory)
    now = context.clock.now()
    with context.database() as database:
        numbers = [head.number for head in database.patch_heads()]
        begun = time.monotonic()
        rows = fill_standing(database, numbers, now - 60 * DAY, now)
        filled = time.monotonic() - begun
        database.add_exception(
            ExceptionRow(0, "", 'site == "branch-1"', "stocktaking", "Store IT", "local:ada", now - DAY, now + DAY)
        )
    asked = PatchesAsked(replaced=True)  # PCs are offered none of them: nothing is signed here
    levels = read_service_levels(context, asked)
    assert len(levels.levels) > sizes.live_patches
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    seconds = _slowest(lambda: read_service_levels(context, asked))
    cpu = (resource.getrusage(resource.RUSAGE_SELF).ru_utime - before) / TIMES
    question = MissingQuestion("p-7")
    missing = read_missing(context, question)
    all_seconds, all_missing = _all_missing(context)
    outcome = Outcome(
        f"{rows:,} rows of {sizes.pcs:,} PCs and {sizes.live_patches} patches, SQLite; the slowest of {TIMES}"
    )
    outcome.figures = {
        "rows": rows,
        "fill_seconds": filled,
        "levels": len(levels.levels),
        "sla_seconds": seconds,
        "sla_cpu_seconds": cpu,
        "missing_seconds": _slowest(lambda: read_missing(context, question)),
        "missing_pcs": missing.total,
        "all_missing_seconds": all_seconds,
        "all_missing": all_missing,
    }
    verdicts = ", ".join(f"{count} {verdict.value}" for verdict, count in tally(levels.levels).items())
    outcome.notes.append(f"one exception holds a branch back, one PC of {AWAY_EVERY} is silent; verdicts: {verdicts}")
    outcome.notes.append("missing: the reasons of all PCs that lack one patch, and a page of them")
    return outcome


def _all_missing(context: Context) -> tuple[float, int]:
    """Return how long it takes to go through all PCs that lack any patch, and how many rows that are."""
    begun = time.monotonic()
    with context.database() as database:
        look = missing_look(context, database, database.patch_heads())
        rows = sum(1 for _ in look.rows(database))
    return time.monotonic() - begun, rows


def _slowest(ask: Callable[[], Any]) -> float:
    slowest = 0.0
    for _ in range(TIMES):
        begun = time.monotonic()
        ask()
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


def _home(sizes: Sizes, directory: Path) -> Context:
    home, clock = ServerHome(directory / "home"), SystemClock()
    settings = ServerSettings(name="bench", address="127.0.0.1", sla=RULES)
    initialise(home, settings, passphrase=None, now=clock.now())
    with home.settings.open("a") as file:
        for rule in RULES:
            bound = "" if rule.least_cvss is None else f"least_cvss = {rule.least_cvss}\n"
            file.write(
                f'\n[[sla]]\nname = "{rule.name}"\nshare_percent = {rule.share_percent}\ndays = {rule.days}\n{bound}'
            )
    context, now = Context(home, clock), clock.now()
    with context.database() as database, database.batch():
        for number in range(sizes.live_patches):
            database.add_patch(_patch(number, now))
        for start in range(0, sizes.pcs, CHUNK_PCS):
            some = range(start, min(start + CHUNK_PCS, sizes.pcs))
            for number in some:
                database.add_endpoint(_id(number), f"pc-{number:05}", 1.0)
            database.save_seen({_id(number): _seen(number, sizes, now) for number in some})
    return context


def _id(number: int) -> str:
    return f"{number:026}"


def _seen(number: int, sizes: Sizes, now: float) -> SeenRow:
    away = number % AWAY_EVERY == 0
    at = now - AWAY_DAYS * DAY if away else now - 60
    return SeenRow(f"branch-{number % sizes.sites}", "10.0.0.1", "", connected=False, last_seen_at=at)


def _patch(number: int, now: float) -> ServedPayload:
    """Return a patch that counts as told to PCs, by its sequence: nothing is signed here."""
    severity = SEVERITIES[number % 4]
    return ServedPayload(
        patch_id=f"p-{number}", version="1", title=f"Product {number}", severity=severity,
        cvss=9.5 if severity == "critical" else 5.0, file_name="f", sha256=f"{number:064x}", length_bytes=1_000,
        torrent_hash=f"{number:064x}", piece_length_bytes=262_144, piece_count=1, sequence=0,
        published_at=now - 60 * DAY,
    )  # fmt: skip
