"""How busy the processor was: whether a run measured the network or this machine; and programs that keep it busy."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

_TICKS = os.sysconf("SC_CLK_TCK")

_BUSY_TURN_SECONDS = 0.05

# computes for its share of each turn and sleeps for the rest; ends with its parent, also when that is killed
_BUSY = """
import os, sys, time
parent, busy, rest = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
while os.getppid() == parent:
    until = time.process_time() + busy
    while time.process_time() < until:
        pass
    time.sleep(rest)
"""


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Processor seconds of the whole machine since it started."""

    total: float
    idle: float

    def busy_share_since(self, before: "MachineTime") -> float:
        """Return the share of all processors that was in use since ``before``."""
        total = self.total - before.total
        return 1 - (self.idle - before.idle) / total if total > 0 else 0.0


def machine_time(stat: str | None = None) -> MachineTime:
    """Return the time now, from the text of /proc/stat."""
    text = Path("/proc/stat").read_text() if stat is None else stat
    # user nice system idle iowait irq softirq steal; the guests' time is within the user's
    ticks = [int(word) for word in text.splitlines()[0].split()[1:9]]
    return MachineTime(sum(ticks) / _TICKS, (ticks[3] + ticks[4]) / _TICKS)


@asynccontextmanager
async def busy_processors(share: float = 1.0) -> AsyncIterator[None]:
    """Keep every processor of this machine busy for as long as the context is open, or for a share of that time."""
    times = [str(_BUSY_TURN_SECONDS * share), str(_BUSY_TURN_SECONDS * (1 - share))]
    async with trio.open_nursery() as nursery:
        for _ in range(os.cpu_count() or 1):
            command = [sys.executable, "-c", _BUSY, str(os.getpid()), *times]
            run = partial(trio.run_process, command, check=False, stdin=subprocess.DEVNULL, start_new_session=True)
            await nursery.start(run)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
