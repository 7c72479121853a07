"""What two processes use together, seen on a parent with one child."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.process_pair import cpu_seconds, forget_peak, memory_bytes, peak_bytes, processes_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's /proc")

MB = 1_000_000
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE)
for line in sys.stdin:
    spared = b"x" * {50 * MB}
    del spared
    print("was big", flush=True)
child.kill()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n", "the child"
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def resident(process: Path) -> int:
    (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def test_both_count_and_what_they_share_of_a_file_counts_once(parent: subprocess.Popen[bytes]) -> None:
    processes = processes_of(parent.pid)
    assert len(processes) == 2
    rss = [resident(process) for process in processes]
    assert max(rss) < memory_bytes(parent.pid) < sum(rss)
    assert cpu_seconds(parent.pid) >= 0


def test_the_peak_is_what_they_held_since_it_was_forgotten(parent: subprocess.Popen[bytes]) -> None:
    assert parent.stdin is not None
    assert parent.stdout is not None
    forget_peak(parent.pid)
    small = peak_bytes(parent.pid)
    assert small == pytest.approx(memory_bytes(parent.pid), abs=2 * MB)
    parent.stdin.write(b"grow\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == b"was big\n"
    assert peak_bytes(parent.pid) - small == pytest.approx(50 * MB, abs=2 * MB)
    assert memory_bytes(parent.pid) == pytest.approx(small, abs=2 * MB)


def test_a_daemon_that_has_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(OSError, match=str(process.pid)):
        memory_bytes(process.pid)
