"""`p2pdist.pc.process_memory`, in a process of its own: what glibc was told holds for its whole life."""

import platform
import subprocess
import sys

import pytest

CODE = """
import sys
from p2pdist.pc import process_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1])

process_memory.keep_small()
kept = []
blocks = [bytearray(100_000) for _ in range(1_000)]  # below the size that is mapped by itself
kept.append(bytearray(1_000))
full = resident()
blocks = None
process_memory.give_back()
sys.exit(resident() > full / 2)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_free_memory_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from p2pdist.pc import process_memory

    monkeypatch.setattr(sys, "platform", "win32")
    process_memory.keep_small()
    process_memory.give_back()
