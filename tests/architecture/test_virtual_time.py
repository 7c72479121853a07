"""The tests' clock waits for worker threads: see `tests.helpers.virtual_time`."""

import threading
import time

import pytest
import trio
import trio.testing

from tests.helpers.virtual_time import patient_clock


async def test_no_time_passes_while_a_thread_works(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 3600)
        began = trio.current_time()
        await trio.to_thread.run_sync(time.sleep, 0.05)
        assert trio.current_time() == began
        await trio.sleep(10)
        assert trio.current_time() == pytest.approx(began + 10)
        nursery.cancel_scope.cancel()


def test_a_thread_that_waits_for_the_clock_does_not_hold_it_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    async def wait() -> bool:
        with trio.move_on_after(5) as scope:
            await trio.to_thread.run_sync(done.wait, abandon_on_cancel=True)
        return scope.cancelled_caught

    try:
        assert trio.run(wait, clock=patient_clock(monkeypatch, patience_seconds=0.05))
    finally:
        done.set()
