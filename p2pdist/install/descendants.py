"""End all processes that one process has started, directly or not, wherever they have gone (Linux).

It must adopt its orphans (`processes.run` sees to that): then each of them is below it for as long as it exists. It is
stopped first, so that it neither ends nor reaps meanwhile. Nothing else is ever ended: a process is held by a
descriptor before it is looked at again and signalled, so that a reused number does no harm.
"""

import contextlib
import os
import signal
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import trio

RESCAN_SECONDS = 0.01
CAN_HOLD = hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal") and Path("/proc/self/stat").exists()
"""Whether the system has what this needs."""


@dataclass(frozen=True)
class ProcessSeen:
    """A process at one moment. Number and start together name it for as long as the system runs."""

    process_id: int
    parent: int
    started_at: int
    """In the kernel's ticks."""
    ended: bool
    """Whether it is a zombie: its parent has not taken notice of its end."""


async def end_descendants(root: int, within_seconds: float) -> bool:
    """Stop the process ``root`` and end all below it, again and again until none is left; return whether none is.

    It gives up after ``within_seconds``: a process can be stuck in the kernel. ``root`` stays stopped.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(root, signal.SIGSTOP)
    ended_before: set[ProcessSeen] | None = None
    with trio.move_on_after(within_seconds):
        while True:
            found = await trio.to_thread.run_sync(_end_once, root)
            ended = {process for process in found if process.ended}
            # one that started another and ended, all while we looked, has left a zombie that was not there before
            if found == ended == ended_before:
                return True
            ended_before = ended
            await trio.sleep(RESCAN_SECONDS)
    return False


def _end_once(root: int) -> set[ProcessSeen]:
    """Kill all that are below ``root`` now; return what was found."""
    found = below(root, read_processes())
    for process in found:
        if not process.ended:
            with contextlib.suppress(OSError):
                _kill(process)
    return found


def below(root: int, processes: list[ProcessSeen]) -> set[ProcessSeen]:
    """Return the descendants of the process ``root``."""
    children = defaultdict(list)
    for process in processes:
        children[process.parent].append(process)
    found: set[ProcessSeen] = set()
    pending = [root]
    while pending:
        new = set(children[pending.pop()]) - found
        found |= new
        pending += (process.process_id for process in new)
    return found


def read_processes() -> list[ProcessSeen]:
    """Return all processes. Blocking."""
    names = (entry.name for entry in os.scandir("/proc") if entry.name.isdecimal())
    return [process for name in names if (process := _read(int(name))) is not None]


def _read(process_id: int) -> ProcessSeen | None:
    try:
        # "PID (NAME) STATE PARENT …"; the name may contain parentheses and blanks
        fields = Path(f"/proc/{process_id}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return ProcessSeen(process_id, int(fields[1]), int(fields[19]), ended=fields[0] in "ZX")
    except (OSError, ValueError, IndexError):  # it has ended
        return None


def _kill(process: ProcessSeen) -> None:
    descriptor = os.pidfd_open(process.process_id)
    try:
        now = _read(process.process_id)
        if now is not None and now.started_at == process.started_at:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)
