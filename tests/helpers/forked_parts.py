"""In a process that has loaded what they need: parts that our daemons start are forked, as children of theirs.

A server's parts and a PC's network part would each load for most of a second what their parent has loaded already. They
are real processes all the same, with the arguments, the environment, the files and the session that they would have.
"""

import ctypes
import inspect
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from p2pdist.shared.lazy_log import forget_log

PART_OPTIONS = (sys.executable, "-P", "-m")
"""How a command line of a part begins; its module and its arguments follow."""
PACKAGES = ("p2pdist.", "seed_server.")
STANDARD_FILES = 3

_started = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined] # no other place is asked


NAME_ROOM = "-" * 1_000
"""To be an argument of whatever others are forked from: where the system looks for their command lines."""
_ARG_START, _ARG_END = 45, 46  # proc(5), /proc/pid/stat, counted from behind the name


def call_it(words: list[str]) -> None:
    """Let the system show this command line for this process, as far as there is room."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, room = int(fields[_ARG_START]), int(fields[_ARG_END]) - int(fields[_ARG_START])
    text = "\0".join(words).encode(errors="replace")[: room - 1]
    ctypes.memmove(start, text.ljust(room, b"\0"), room)


def fork_parts() -> None:
    """Let this process fork its parts from now on, instead of starting Python for them."""
    subprocess.Popen = _ForkingPopen  # type: ignore[misc] # trio starts processes with it


class _ForkingPopen(subprocess.Popen):
    """Forks what is a part of ours; everything else is started as ever. Trio calls it in a thread."""

    def _execute_child(self, *arguments: Any) -> None:
        asked = SimpleNamespace(**_started.bind(self, *arguments).arguments)
        words = list(asked.args) if isinstance(asked.args, list | tuple) else []
        if tuple(words[: len(PART_OPTIONS)]) != PART_OPTIONS or not words[3].startswith(PACKAGES):
            super()._execute_child(*arguments)  # type: ignore[misc]
            return
        self.pid = os.fork()
        if not self.pid:
            _be_part(words, asked)
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            asked.p2cread, asked.p2cwrite, asked.c2pread, asked.c2pwrite, asked.errread, asked.errwrite
        )


def _be_part(words: list[str], asked: SimpleNamespace) -> NoReturn:
    """Be the part, in the child; of the parent's frames none goes on."""
    status = 1
    try:
        _start_afresh()
        if asked.start_new_session:
            os.setsid()
        given = [asked.p2cread, asked.c2pwrite, asked.errwrite]
        # first out of the way: one that is given may have the number of another's place
        moved = [os.dup(file) if file >= 0 else file for file in given]
        for place, file in enumerate(moved):
            if file >= 0:
                os.dup2(file, place)
        _close_all_but(sorted(asked.pass_fds))
        for file in asked.pass_fds:
            os.set_inheritable(file, True)
        if asked.env is not None:
            os.environ.clear()
            os.environ.update(asked.env)
        call_it(words)
        module, *arguments = words[len(PART_OPTIONS) :]
        sys.argv[:] = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as at the end of any program
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _start_afresh() -> None:
    """Leave behind what signals and the log were to the parent. (Trio itself forgets the parent's threads.)"""
    forget_log()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _close_all_but(kept: list[int]) -> None:
    lowest = STANDARD_FILES
    for file in kept:
        os.closerange(lowest, file)
        lowest = max(lowest, file + 1)
    os.closerange(lowest, os.sysconf("SC_OPEN_MAX"))
