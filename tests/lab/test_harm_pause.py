"""A limiter that is harmful on purpose, on a real line beside real business: leasing there pauses, business recovers.

Real daemons on a branch; two of its PCs are at work on a connection to head office, as a terminal or a remote desktop
is. The server's controller sends more than the line carries, whatever it hears (`tests.helpers.harmful_server`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest
import trio

from bench.fleet_processes import run_command
from bench.lab.business import business_server, flow, read_lines, running
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.programs import SERVICE_PORT
from bench.lab.queue_log import MANAGED, read_log
from bench.lab.topology import LabShape, open_lab
from bench.lab.wan_link import line_shape
from p2pdist.status.reasons import WhyReason
from seed_server.line.harm_bound import HARM_LOOK_MOST_SECONDS, HarmRule
from seed_server.line.harm_evidence import HARM_BOUND_SECONDS, HarmReason
from seed_server.store.database import Database
from seed_server.store.rows import HarmPauseRow
from tests.helpers import harmful_server
from tests.helpers.sources import ROOT

pytestmark = pytest.mark.processes

LINE_MBIT, RTT_MS, BUFFER_MS = 20.0, 40.0, 200.0
STOPPED_SECONDS = 60.0  # after the breach, at most
QUIET_MBIT = 1.0  # a second with less of the line has no piece in it
NEVER_PAUSED_SECONDS = 60.0
AT_WORK_EVERY_SECONDS = 0.1

AT_WORK = f"""
import json, socket, sys, time
with socket.create_connection((sys.argv[1], {SERVICE_PORT})) as line, open(sys.argv[2], "w") as log:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        begun = time.monotonic_ns()
        line.sendall(b"get 200\\n")
        left = 200
        while left > 0:
            left -= len(line.recv(left))
        log.write(json.dumps([begun, time.monotonic_ns() - begun]) + "\\n")
        log.flush()
        time.sleep({AT_WORK_EVERY_SECONDS})
"""


def answers_ms(log: Path, begin_ms: float, end_ms: float) -> list[float]:
    """Return how long a person at work waited for each answer."""
    return [took / 1e6 for at, took in read_lines(log) if begin_ms <= at / 1e6 < end_ms]


def now_ms() -> float:
    return time.monotonic_ns() / 1e6


def breach_ms(rule: HarmRule, queue_ms: list[float], begin_ms: float) -> float:
    """Return when the third minute had its seconds of harm, by the line's own queue, second by second."""
    harmful: dict[int, int] = {}
    for second, queue in enumerate(queue_ms):
        at = begin_ms + 1_000 * second
        if queue > 1_000 * HARM_BOUND_SECONDS:
            minute = int(at / 1_000 / rule.minute_seconds)
            harmful[minute] = harmful.get(minute, 0) + 1
        if sum(count >= rule.harmful_seconds for count in harmful.values()) >= rule.harmful_minutes:
            return at + 1_000
    raise AssertionError("the line was not harmed enough")


def test_what_makes_a_server_harmful_is_in_the_product() -> None:
    """The tests that use it are slow, and run before a release: this one fails when the product has changed."""
    words = "from tests.helpers.harmful_server import be_harmful; be_harmful(20.0, 60.0)"
    subprocess.run([sys.executable, "-c", words], check=True, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("minute_seconds", [8.0, 60.0], ids=["short minutes", "the product's minutes"])
async def test_a_harmful_limiter_is_stopped_and_business_recovers(
    tmp_path: Path, minute_seconds: float, record_property: Callable[[str, object], None]
) -> None:
    rule = HarmRule(minute_seconds=minute_seconds, harmful_seconds=round(minute_seconds / 4))
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(int(5 * minute_seconds * LINE_MBIT / 8 * 1e6)))
    shape = LabShape((line_shape(LINE_MBIT, LINE_MBIT, rtt_ms=RTT_MS, buffer_ms=BUFFER_MS),), endpoints=3)
    serve = (sys.executable, harmful_server.__file__, f"{LINE_MBIT:g}", f"{minute_seconds:g}")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        lab = await enter(open_lab(shape, tmp_path))
        fleet = await enter(open_lab_fleet(lab, tmp_path, serve_command=serve))
        await enter(business_server(lab.head, tmp_path))
        branch = lab.branches[0]
        logs = [tmp_path / f"work{k}.jsonl" for k in range(2)]
        for host, log in zip(branch.endpoints[:2], logs, strict=True):
            await enter(running(host, log.stem, [sys.executable, "-c", AT_WORK, lab.head.address, log], tmp_path))
        alone_ms = now_ms()
        await trio.sleep(2.0)
        await fleet.publish(payload, "harm")
        begun_ms = now_ms()
        pause = await paused(fleet.server.home, 4 * minute_seconds + STOPPED_SECONDS)
        seen_ms = now_ms()
        await trio.sleep(3.0)
        why: Any = msgspec.json.decode(
            await run_command("p2pdist", "why", "harm", "--home", fleet.endpoints[3].home, "--json")
        )
        end_ms = now_ms()
        await branch.line.counters()

    line = read_log(branch.line.log).down
    carried = line.rate_series(begun_ms, end_ms, 1_000, [MANAGED])
    stopped_ms = begun_ms + 1_000 * (1 + max(k for k, mbit in enumerate(carried) if mbit > QUIET_MBIT))
    breach = breach_ms(rule, line.queue_series(begun_ms, end_ms, 1_000), begun_ms)
    alone, beside, after = (
        [median(answers_ms(log, *times)) for log in logs]
        for times in ((alone_ms, begun_ms), (stopped_ms - 5_000, stopped_ms - 1_000), (seen_ms, end_ms))
    )
    record_property("stopped_seconds_after_breach", round((stopped_ms - breach) / 1_000, 1))
    record_property("answers_ms_alone_beside_after", f"{alone} {beside} {after}")
    assert min(beside) > 2 * max(alone), "it was harmful"
    assert stopped_ms - breach <= 1_000 * STOPPED_SECONDS
    assert seen_ms - stopped_ms <= 1_000 * (HARM_LOOK_MOST_SECONDS + 3)
    assert max(after) <= 1.2 * max(alone) + 5
    assert (pause.reason, pause.in_a_row) == (HarmReason.SLOWED.value, 1)
    assert pause.ends_at - pause.begun_at == pytest.approx(rule.pause_seconds)
    (row,) = why["patches"]
    assert row["reason"] == WhyReason.LINE_SPARED.value, row


@pytest.mark.slow
@pytest.mark.parametrize("buffer_ms", [50.0, BUFFER_MS])
async def test_the_shipped_limiter_beside_all_kinds_of_business_is_never_paused(
    tmp_path: Path, buffer_ms: float
) -> None:
    """Its PCs see all of it: people at work, downloads with pauses, and pages. Minutes are of five seconds."""
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(400_000_000))
    shape = LabShape((line_shape(LINE_MBIT, LINE_MBIT, rtt_ms=RTT_MS, buffer_ms=buffer_ms),), endpoints=3)
    serve = (sys.executable, harmful_server.__file__, "0", "5")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        lab = await enter(open_lab(shape, tmp_path))
        fleet = await enter(open_lab_fleet(lab, tmp_path, serve_command=serve))
        await enter(business_server(lab.head, tmp_path))
        first, second, third = lab.branches[0].endpoints
        for host in (first, second):
            log = tmp_path / f"work-{host.address}.jsonl"
            await enter(running(host, log.stem, [sys.executable, "-c", AT_WORK, lab.head.address, log], tmp_path))
        await enter(flow("onoff", first, lab.head, tmp_path))
        await enter(flow("web", third, lab.head, tmp_path))
        await fleet.publish(payload, "harm")
        await trio.sleep(NEVER_PAUSED_SECONDS)
        with Database.open(fleet.server.home / "state.db") as database:
            (row,) = database.site_limits()
        assert row.sending_seconds > NEVER_PAUSED_SECONDS / 2
        assert row.yield_seconds > 1, "it saw business"
        assert row.harm is None


async def paused(home: Path, within_seconds: float) -> HarmPauseRow:
    """Wait for the server's pause."""
    with Database.open(home / "state.db") as database, trio.fail_after(within_seconds):
        while True:
            for row in await trio.to_thread.run_sync(database.site_limits):
                if row.harm is not None:
                    return row.harm
            await trio.sleep(0.2)
