"""`seed_server.origin.quiet_threads`."""

import os
import sys
import threading

import pytest
import trio

from seed_server.origin.quiet_threads import NICE_OF_THREADS, QuietThreads


async def test_work_is_done_and_its_errors_are_raised() -> None:
    threads = QuietThreads(1)
    assert await threads.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    threads.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a thread has a niceness of its own")
async def test_they_give_way_and_nobody_else_does() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    threads = QuietThreads(1)
    assert await threads.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) == NICE_OF_THREADS
    assert os.getpriority(os.PRIO_PROCESS, threading.main_thread().native_id or 0) == before
    threads.close()


async def test_who_is_cancelled_waits_for_nothing() -> None:
    threads, held = QuietThreads(1), threading.Event()
    with trio.move_on_after(0.1) as scope:
        await threads.run(held.wait)
    assert scope.cancelled_caught
    with trio.move_on_after(0.1) as scope:
        await threads.run(lambda: None)  # it has not begun: it never will
    held.set()
    threads.close()
