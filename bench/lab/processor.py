"""How busy the processor was, and what single processes use: whether a run measured the network or this machine."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


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


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process has used, and holds now."""

    cpu_seconds: float
    rss_bytes: int


def process_use(pid: int) -> ProcessUse | None:
    """Return what a process uses, or None when it has gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return ProcessUse((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE_BYTES)
    return None
