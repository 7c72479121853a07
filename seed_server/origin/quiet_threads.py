"""Threads for long computations that everything else goes before."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import trio

from p2pdist.shared.time_slices import USUAL_SLICE_SECONDS, ask_for_slices

T = TypeVar("T")

NICE_OF_THREADS = 19  # Linux has one for each thread: event loop and controllers get a processor first


class QuietThreads:
    """So many threads of their own: those of trio are shared, and what was made nice stays so."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, "quiet", initializer=_give_way)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns; when this is cancelled, what has begun goes on, and its result is lost."""
        token, done = trio.lowlevel.current_trio_token(), trio.Event()

        def tell(_: object) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

        future = self._pool.submit(work)
        future.add_done_callback(tell)
        try:
            await done.wait()
        finally:
            future.cancel()
        return future.result()

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE_OF_THREADS)
        ask_for_slices(USUAL_SLICE_SECONDS)
