"""Files that name a process which is at work on an installation: for the daemon that comes next, and for packages.

One line: its id, when it was started, in the kernel's ticks, and the boot. `packaging/when-idle` reads them.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import trio


@contextlib.asynccontextmanager
async def under_way(lock: trio.Lock, record: Path) -> AsyncIterator[None]:
    """Hold ``lock`` while something is carried out; meanwhile ``record`` names this process, as `run`'s own does its.

    An installation has several programs, and between two of them none runs: who would restart the daemon waits.
    """
    async with lock:
        write_record(record, os.getpid())
        try:
            yield
        finally:
            forget(record)


def write_record(record: Path, process_id: int) -> bool:
    """Let ``record`` name a process; return whether it does, so that who comes next will know the process."""
    with contextlib.suppress(OSError):
        identity = _identity(process_id)
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        record.write_text(identity)
        return True
    return False


def recorded_process(record: Path) -> int | None:
    """Return the recorded process id if that process still runs, and not another one with the same id."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = record.read_text()
        process_id = int(text.split()[0])
        if text == _identity(process_id):
            return process_id
    return None


def _identity(process_id: int) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = Path(f"/proc/{process_id}/stat").read_text(errors="replace").rpartition(")")[2].split()
    state, started_at = fields[0], fields[19]
    if state in "ZX":
        raise ProcessLookupError(process_id)
    return f"{process_id} {started_at} {boot}"


def forget(record: Path) -> None:
    """Remove a record."""
    with contextlib.suppress(OSError):
        record.unlink(missing_ok=True)
