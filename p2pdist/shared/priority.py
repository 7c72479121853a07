"""Which processes get a processor first. On POSIX; elsewhere, and where the system refuses, nothing changes.

Where Linux shares processors among sessions (`sched_autogroup_enabled`), a niceness counts within its session alone: a
session has one of its own. It is set where this process leads its session, so that nobody's shell is changed.
"""

import contextlib
import os
import sys
from pathlib import Path

from p2pdist.shared.time_slices import SHORT_SLICE_SECONDS, USUAL_SLICE_SECONDS, ask_for_slices

NICE = 10  # a tenth of what a program gets that uses a whole processor; we need less, but soon
OF_SESSION = Path("/proc/self/autogroup")


def give_way(of_session: Path = OF_SESSION) -> None:
    """Let this process, and what it starts from now on, use processors after all others.

    It costs nothing while these are idle, and something is always left: no scheduler starves a nice process. What an
    administrator has made nicer stays so.
    """
    if sys.platform != "win32":
        _run_at(max(NICE, os.getpriority(os.PRIO_PROCESS, 0)), of_session)


def go_with_others(of_session: Path = OF_SESSION) -> None:
    """Let this process use processors as most do, also where its parent goes first; what was made nicer stays so."""
    if sys.platform != "win32":
        _run_at(max(0, os.getpriority(os.PRIO_PROCESS, 0)), of_session)
        ask_for_slices(USUAL_SLICE_SECONDS)


def go_first(of_session: Path = OF_SESSION) -> None:
    """Let this process use processors before others, as far as the system lets it; it becomes a session of its own.

    A session alone needs no right, and has a share of the processors like each other session. The terminal's signals no
    longer reach it. It asks for short slices, so that it need not wait for the end of somebody's.
    """
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # it leads one already
            os.setsid()
        _run_at(os.getpriority(os.PRIO_PROCESS, 0) - NICE, of_session)
        ask_for_slices(SHORT_SLICE_SECONDS)


def _run_at(niceness: int, of_session: Path) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            of_session.write_text(str(niceness))
