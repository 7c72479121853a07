"""A clock that jumps to the next deadline when nothing happens, where a worker thread at work is something.

trio's own clock with `autojump_threshold=0` jumps as soon as no task can run, also while a thread computes what a task
waits for: the seconds that pass in such a test are the machine's. Here it waits for the thread.
"""

import time
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

PATIENCE_SECONDS = 5.0  # of real time for one thread: a test may have one that waits for what the clock brings
_LOOK_AGAIN_SECONDS = 0.0002


def patient_clock(
    monkeypatch: pytest.MonkeyPatch, patience_seconds: float = PATIENCE_SECONDS
) -> trio.testing.MockClock:
    """Return a clock that does not jump while a call of `trio.to_thread.run_sync` is awaited."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    jump = clock._autojump  # the only place that knows that nothing happens
    run_sync: Callable[..., Awaitable[object]] = trio.to_thread.run_sync
    began: dict[object, float] = {}

    async def counted(*args: object, **options: object) -> object:
        call = object()
        began[call] = time.monotonic()
        try:
            return await run_sync(*args, **options)
        finally:
            del began[call]

    def jump_if_idle() -> None:
        if began and time.monotonic() - max(began.values()) < patience_seconds:
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            jump()

    monkeypatch.setattr(trio.to_thread, "run_sync", counted)
    monkeypatch.setattr(clock, "_autojump", jump_if_idle)
    return clock
