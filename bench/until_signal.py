"""Runs a long job of a benchmark until it ends or somebody ends it."""

import signal
from collections.abc import Awaitable, Callable

import trio

from p2pdist.shared.errors import first_error


async def until_signal(job: Callable[[], Awaitable[int]], told: Callable[[str], object]) -> int:
    """Return the exit code of ``job``, or of the signal that ended it; ``told`` is told which."""
    exit_code = 0
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                nonlocal exit_code
                exit_code = await job()
                nursery.cancel_scope.cancel()

            nursery.start_soon(run)
            async for number in signals:
                told(signal.Signals(number).name)
                exit_code = 128 + number
                nursery.cancel_scope.cancel()
                break
    return exit_code


def cause_of(error: BaseException) -> str:
    """Return the first error in groups of them, as a line."""
    first = first_error(error)
    return f"{type(first).__name__}: {first}"
