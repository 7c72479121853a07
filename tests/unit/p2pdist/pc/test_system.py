"""`p2pdist.pc.system` on this PC."""

import os
import subprocess
import sys

import pytest

from p2pdist.pc import system
from p2pdist.shared.priority import NICE

GIVES_WAY = """
import os, subprocess, sys, threading
import psutil
from p2pdist.pc import system

def show(process):
    print(process.nice(), process.ionice().ioclass.name if sys.platform == "linux" else "", flush=True)

for _ in range(2):
    system.give_way()
    show(psutil.Process())
child = subprocess.Popen(["sleep", "60"])
show(psutil.Process(child.pid))
system.give_way_no_more(child.pid)
show(psutil.Process(child.pid))
child.kill()
child.wait()
system.give_way_no_more(child.pid)
"""


def test_the_processors_time_goes_on() -> None:
    busy, total = system.processor_seconds()
    assert 0 <= busy <= total
    sum(range(2_000_000))
    again = system.processor_seconds()
    assert again[1] > total
    assert again[0] >= busy


@pytest.mark.skipif(os.name != "posix", reason="niceness is POSIX")
@pytest.mark.parametrize("nicer_by", [0, 5])
def test_a_process_and_what_it_starts_give_way_but_for_what_must_not(nicer_by: int) -> None:
    command = ["nice", "-n", str(NICE + nicer_by if nicer_by else 0), sys.executable, "-c", GIVES_WAY]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    # whoever runs the tests may have made them nice; 19 is the nicest
    begun = min(19, os.getpriority(os.PRIO_PROCESS, 0) + (NICE + nicer_by if nicer_by else 0))
    own = f"{max(NICE, begun)} {'IOPRIO_CLASS_IDLE' if sys.platform == 'linux' else ''}"
    assert lines[:3] == [own] * 3, "what an administrator made nicer stays so"
    if os.geteuid() == 0:
        assert lines[3] == f"0 {'IOPRIO_CLASS_NONE' if sys.platform == 'linux' else ''}"
