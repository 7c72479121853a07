"""What an endpoint uses: its daemon and the network part that the daemon has started, together.

Memory is resident memory as the kernel counts it in /proc; what both have mapped of one file counts once.
"""

import os
from collections import defaultdict
from pathlib import Path


def processes_of(daemon: int) -> list[Path]:
    """Return the directories in /proc of a daemon and its network part. Raises `OSError` when the daemon has gone."""
    directory = Path(f"/proc/{daemon}")
    children = {child for task in (directory / "task").iterdir() for child in (task / "children").read_text().split()}
    return [directory, *(Path(f"/proc/{child}") for child in sorted(children))]


def memory_bytes(daemon: int) -> int:
    """Return what both hold now."""
    own_kib, shared_kib = 0, dict[str, int]()
    for process in processes_of(daemon):
        of_files = defaultdict[str, int](int)
        file = ""
        for line in (process / "smaps").read_text().splitlines():
            key, *values = line.split()
            if not key.endswith(":"):  # the head of a mapping: its file, if any, is the sixth field
                file = values[4] if len(values) > 4 else ""
            elif key in ("Shared_Clean:", "Shared_Dirty:") and file.startswith("/"):
                of_files[file] += int(values[0])
            elif key in ("Private_Clean:", "Private_Dirty:", "Shared_Clean:", "Shared_Dirty:"):
                own_kib += int(values[0])
        for name, kib in of_files.items():
            shared_kib[name] = max(shared_kib.get(name, 0), kib)
    return (own_kib + sum(shared_kib.values())) * 1024


def cpu_seconds(daemon: int) -> float:
    """Return the processor time that both have used since they began."""
    fields = [(process / "stat").read_text().rpartition(")")[2].split() for process in processes_of(daemon)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def forget_peak(daemon: int) -> None:
    """Let `peak_bytes` begin anew."""
    for process in processes_of(daemon):
        (process / "clear_refs").write_text("5\n")


def peak_bytes(daemon: int) -> int:
    """Return the most that each has held since `forget_peak`, as a sum: no less than both together ever held.

    Costs nothing while they work. What they share counts once, as much of it as they share now.
    """
    most = now = 0
    for process in processes_of(daemon):
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        most += int(status["VmHWM"].split()[0]) * 1024
        now += int(status["VmRSS"].split()[0]) * 1024
    return most - max(0, now - memory_bytes(daemon))
