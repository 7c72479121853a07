"""What a run was measured on, and what our processes use: from /proc."""

import os
import platform
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.fleet_size.records import Machine

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


def this_machine() -> Machine:
    """Return what this is."""
    names = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    name = next((value.strip() for key, _, value in names if key.strip() == "model name"), "")
    return Machine(
        processors=os.cpu_count() or 1,
        processor=name or platform.machine(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        max_open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    )


def revision() -> str:
    """Return the commit of the sources; empty where there is none."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def family(pid: int) -> list[int]:
    """Return a process and all that it has started, also through others. Raises `OSError` when it has gone."""
    found = [pid]
    for known in found:
        for task in Path(f"/proc/{known}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


@dataclass(frozen=True, slots=True)
class Use:
    """What a process and those that it has started use."""

    cpu_seconds: float
    """Since they began; of those that have ended, what their parents have waited for."""
    memory_bytes: int
    """Proportional set size: what several have mapped is divided among them."""
    at: float
    """On the clock of `os.times`."""

    def cpu_share_since(self, before: "Use") -> float:
        """Return the processor time since ``before`` in cores."""
        return (self.cpu_seconds - before.cpu_seconds) / (self.at - before.at)


def use_of(pid: int) -> Use:
    """Return what is used now. Raises `OSError` when the process has gone."""
    ticks, kib = 0, 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            if member == pid:
                raise
            continue  # one that it had started has ended since: its time counts as waited for
        ticks += sum(map(int, fields[11:15]))
        kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return Use(ticks / _TICKS, kib * 1024, os.times().elapsed)
