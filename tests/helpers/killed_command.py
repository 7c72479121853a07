"""`seed-server`, killed by itself before the n-th call of an `os` function: one more way to be a ready command."""

import os
import signal
import sys
from typing import Any

import trio

from bench import fleet_processes


def killed_at(step: str, nth: int, *words: object) -> bool:
    """Run ``seed-server`` with these words, killed before the ``nth`` call of ``os.STEP``; return whether it was."""
    command = [f"{__name__}:main", step, str(nth), *map(str, words)]
    ended = trio.run(fleet_processes.run_ours, command, dict(os.environ))
    return ended.returncode == -signal.SIGKILL


def main() -> None:
    """Be that command."""
    step, left, *words = sys.argv[1:]
    calls_left, real = int(left), getattr(os, step)

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls_left
        calls_left -= 1
        if calls_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(os, step, call)
    from seed_server.commands.main import seed_server

    seed_server(words)
