"""A branch in the lab gets a file with real daemons: once over its line, and without a standing queue."""

import os
import time
from pathlib import Path

import pytest

from bench.fleet import is_verified
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.measures import line_limit_seconds
from bench.lab.queue_log import MANAGED, read_log
from bench.lab.topology import LabShape, open_lab
from bench.lab.wan_link import line_shape

pytestmark = pytest.mark.processes

FILE_BYTES = 16_000_003
LINE_MBIT = 20.0
WITHIN_SECONDS = 90.0  # takes 9 s; a machine may be busy
MAX_ORIGIN_RATIO = 1.05  # loosely: bytes above TCP, so TLS and control messages count as well
MAX_QUEUE_P95_MS = 60.0  # loosely: a download would keep the buffer's 200 ms full


def now_ms() -> float:
    return time.monotonic_ns() / 1e6


async def test_three_endpoints_get_a_file_once_and_leave_the_line_its_delay(tmp_path: Path) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(FILE_BYTES))
    shape = LabShape((line_shape(LINE_MBIT, LINE_MBIT, rtt_ms=40, buffer_ms=200),), endpoints=3)
    async with open_lab(shape, tmp_path) as lab, open_lab_fleet(lab, tmp_path) as fleet:
        line = lab.branches[0].line
        before = await line.counters()
        start = now_ms()
        await fleet.publish(payload, "smoke")
        members = fleet.endpoints.values()
        await fleet.wait_until(
            lambda: all(is_verified(member, "smoke") for member in members), WITHIN_SECONDS, "all having the file"
        )
        end = now_ms()
        after = await line.counters()
        for member in members:
            assert Path(member.patch("smoke").path or "").read_bytes() == payload.read_bytes()
        from_origin = sum(member.patch("smoke").bytes_from_origin for member in members)
        assert FILE_BYTES <= from_origin <= 1.02 * FILE_BYTES
        carried = after.down.classes[MANAGED].payload_bytes - before.down.classes[MANAGED].payload_bytes
        assert FILE_BYTES <= carried <= MAX_ORIGIN_RATIO * FILE_BYTES
        assert read_log(line.log).down.queue_percentile_ms(0.95, start, end) <= MAX_QUEUE_P95_MS
        assert (end - start) / 1000 > line_limit_seconds(FILE_BYTES, LINE_MBIT), "no way around the line"
