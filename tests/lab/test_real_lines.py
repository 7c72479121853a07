"""Lines and PCs as they are, in small: loss that nobody told the server of, and PCs that have other work."""

from pathlib import Path

import pytest

from bench.lab.engine import run_scenario
from bench.lab.records import Record
from bench.lab.scenario import MB, Scenario
from bench.lab.wan_link import line_shape

pytestmark = pytest.mark.processes

LOSS = 0.01
MAX_WAN_RATIO = 1.05  # loosely, as in test_smoke
LOSSY_TIME_RATIO = 5.0  # loosely: a sender that takes each loss for congestion needs ten and more
BUSY_BEFORE_SECONDS, BUSY_PERCENT = 4.0, 10.0  # half busy is enough for a mean over ten seconds to be above it
ENDED_SECONDS = 90.0  # takes a few; a machine may be busy, and each is to end at all
LOG_TAIL_LINES = 40


def what_happened(record: Record, directory: Path) -> str:
    """What the line carried, and the end of each process's log: such a run is hard to have again."""
    assert record.series is not None
    carried = f"Mbit/s: {record.series.managed_mbit}; queue, ms: {record.series.queue_ms}; {record.processor}"
    logs = sorted(directory.glob("[es]*.log"))
    tails = ["\n".join(log.read_text().splitlines()[-LOG_TAIL_LINES:]) for log in logs]
    return "\n".join([carried, *(f"--- {log.name}\n{tail}" for log, tail in zip(logs, tails, strict=True))])


async def test_loss_that_nobody_told_of_does_not_stop_a_file(tmp_path: Path) -> None:
    line = line_shape(34, 11, rtt_ms=26, buffer_ms=120, loss=LOSS)
    scenario = Scenario("lossy", line, 8 * MB, configured=False, endpoints=3, timeout_seconds=ENDED_SECONDS)
    record = await run_scenario(scenario, tmp_path)
    assert record.finished, what_happened(record, tmp_path)
    assert record.wan_ratio <= MAX_WAN_RATIO + LOSS
    assert record.time_ratio is not None
    assert record.time_ratio > 1
    # beside other tests the processors may be the limit, and then the time says nothing
    assert record.time_ratio <= LOSSY_TIME_RATIO or record.processor_was_the_limit


# all these PCs share one machine: beside other tests they would be starved, as no PC is
@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 1.0])
async def test_a_site_whose_pcs_are_all_busy_gets_its_file_once_over_the_line(tmp_path: Path, share: float) -> None:
    line = line_shape(25, 25, rtt_ms=1, buffer_ms=50)
    scenario = Scenario("busy", line, 6 * MB, configured=False, endpoints=4, lan_mbit=25, busy_processors=True,
                        busy_share=share, busy_before_seconds=BUSY_BEFORE_SECONDS, serve_up_to_cpu_percent=BUSY_PERCENT,
                        timeout_seconds=ENDED_SECONDS)  # fmt: skip
    record = await run_scenario(scenario, tmp_path)
    assert record.finished, what_happened(record, tmp_path)
    assert record.wan_ratio <= MAX_WAN_RATIO
