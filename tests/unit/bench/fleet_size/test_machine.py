import os
import subprocess
import sys

from bench.fleet_size.machine import family, this_machine, use_of

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"


def test_what_a_process_has_started_counts_too() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE) as process:
        while len(family(process.pid)) < 2:
            pass
        assert family(process.pid)[0] == process.pid
        assert use_of(process.pid).memory_bytes > 0
        process.communicate(b"\n")


def test_processor_time_is_counted_in_cores() -> None:
    before = use_of(os.getpid())
    while os.times().elapsed - before.at < 0.2:
        pass
    assert 0.2 < use_of(os.getpid()).cpu_share_since(before) < 1.5
    assert this_machine().processors >= 1
