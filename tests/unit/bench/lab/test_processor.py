import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import trio

from bench.lab.processor import busy_processors, machine_time

ROOT = Path(__file__).parents[4]
PROC = Path("/proc")
OWNER = """
import trio
from bench.lab.processor import busy_processors
async def main():
    async with busy_processors():
        print("busy", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


def test_busy_is_what_is_neither_idle_nor_waiting_for_a_disk() -> None:
    before = machine_time("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 …")
    after = machine_time("cpu  150 0 150 890 10 0 0 0 50 0\ncpu0 …")
    assert after.busy_share_since(before) == pytest.approx(0.5)
    assert before.busy_share_since(before) == 0


def children(pid: int) -> set[str]:
    return {each for task in (PROC / str(pid) / "task").iterdir() for each in (task / "children").read_text().split()}


@pytest.mark.skipif(not (PROC / "self").exists(), reason="needs Linux's /proc")
async def test_every_processor_is_kept_busy_until_the_context_closes() -> None:
    before = children(os.getpid())
    async with busy_processors():
        assert len(children(os.getpid()) - before) == os.cpu_count()
    assert children(os.getpid()) <= before


@pytest.mark.skipif(not (PROC / "self").exists(), reason="needs Linux's /proc")
async def test_busy_for_a_share_of_the_time_is_no_more_than_that() -> None:
    before = children(os.getpid())
    async with busy_processors(0.5):
        (one, *_) = children(os.getpid()) - before
        await trio.sleep(1.0)
        times = psutil.Process(int(one)).cpu_times()
    assert 0 < times.user + times.system <= 0.7  # less on a busy machine; its start is not counted in turns


@pytest.mark.skipif(not (PROC / "self").exists(), reason="needs Linux's /proc")
def test_what_keeps_them_busy_ends_with_a_parent_that_was_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"busy\n"
    busy = children(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until = time.monotonic() + 20
    while any((PROC / pid).exists() for pid in busy) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any((PROC / pid).exists() for pid in busy)
