"""The scenarios in the smallest sizes, with a real server: that they work, not what they measure."""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from bench.fleet_size.scenarios import run_scenario
from bench.fleet_size.sizes import QUICK
from bench.fleet_size.targets import CONNECTIONS, HISTORY, INVENTORY_RETURN, REPORTS, RETURN, STANDING

pytestmark = pytest.mark.processes

TINY = replace(
    QUICK, connections=10, pcs=12, sites=3, settle_seconds=0.5, idle_seconds=1.0, report_seconds=1.5,
    reporting_seconds=2.0, reported_patches=1, sampled_pcs=6, live_patches=1,
    standing_pcs=50, packages=20, month_events=500, months=2, further_month_events=50,
)  # fmt: skip
MOST_SECONDS = 60.0


async def test_connections_are_real(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(CONNECTIONS, TINY, tmp_path)
    assert (run.figures["connected"], run.figures["lost"]) == (10, 0)
    assert "real TLS connections" in run.kind


@pytest.mark.slow
async def test_reports_are_timed_until_they_are_committed(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(REPORTS, TINY, tmp_path)
    assert (run.figures["connected"], run.figures["lost"]) == (12, 0)
    assert run.figures["timed_reports"] >= 6
    assert 0 < run.figures["committed_p99_seconds"] < 30


@pytest.mark.slow
async def test_all_pcs_return_as_frames_and_some_with_tls(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(RETURN, TINY, tmp_path)
    assert (run.figures["frames_connected"], run.figures["frames_lost"]) == (12, 0)
    assert run.missing == {}
    assert {"cpu_seconds", "memory_bytes"} <= run.figures.keys()


async def test_rows_of_standing_are_weighed(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(STANDING, TINY, tmp_path)
    assert run.figures["rows"] == 50
    assert 0 < run.figures["bytes_per_row"] < 1_000


async def test_all_pcs_tell_what_they_are_and_have(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(INVENTORY_RETURN, TINY, tmp_path)
    assert run.figures["connected"] == 12
    assert run.missing == {}
    assert {"seconds", "cpu_share", "memory_bytes"} <= run.figures.keys()


@pytest.mark.slow
async def test_a_month_is_archived_and_dropped_beside_others(tmp_path: Path) -> None:
    with trio.fail_after(MOST_SECONDS):
        run = await run_scenario(HISTORY, TINY, tmp_path)
    figures = run.figures
    assert 0 < figures["hot_bytes_per_event"] < 1_000
    assert 0 < figures["archived_bytes_per_event"] < 1_000
    assert 0 < figures["longest_write_dropping_seconds"] < figures["drop_seconds"] + 5
    assert figures["status_ratio"] > 0
