"""When a part that serves looks for garbage: rings of objects that refer to each other and to which nobody else does.

CPython's full collection visits every object that can hold others, and nothing else of the process runs meanwhile. With
25,000 PCs connected it took 2.5 s, every half minute, in which no controller decided and no report was written
(ADR 0043). So CPython only looks at young objects by itself, which takes some milliseconds, and all are looked at when
nothing is sent to anybody. What is in no ring goes at once in any case, when the last reference to it does.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import trio

QUIET_SECONDS = 3_600.0
"""All objects are looked at so long after the last time, as soon as that delays nobody."""
ANYWAY_SECONDS = 86_400.0
"""After this, whether or not it delays somebody."""
GROWTH = 1.5
"""As soon as the process has taken so many times the memory, when that delays nobody: it may be garbage."""
PRESSING_BYTES = 512 << 20
"""After so much more, whomever it delays: memory is bounded. A fleet of 25,000 PCs that connects takes less."""
GARBAGE_STEP_SECONDS = 5.0  # between two questions: how much memory, and would a look delay somebody
NEVER = 2**31 - 1  # collections of younger objects before all are visited: the largest that CPython takes

log = structlog.get_logger()


@contextmanager
def only_young_garbage() -> Iterator[None]:
    """Within the block, CPython visits all objects of this process only when it is told to."""
    usual = gc.get_threshold()
    gc.set_threshold(*usual[:2], NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


async def collect_when_quiet(
    delays_somebody: Callable[[], bool], memory_bytes: Callable[[], int] | None = None
) -> None:
    """Look at all objects hourly or when memory has grown, if that delays nobody; anyway before it grows without bound.

    Runs until it is cancelled.
    """
    used = memory_bytes or _memory_bytes
    looked_at, left_bytes = trio.current_time(), used()
    while True:
        await trio.sleep(GARBAGE_STEP_SECONDS)
        waited = trio.current_time() - looked_at
        now_bytes = used()
        grown = now_bytes > GROWTH * left_bytes
        pressing = now_bytes > left_bytes + PRESSING_BYTES
        due = grown or waited >= QUIET_SECONDS
        if pressing or waited >= ANYWAY_SECONDS or (due and not delays_somebody()):
            begun = trio.current_time()
            collected = gc.collect()
            looked_at, left_bytes = trio.current_time(), used()
            log.debug(
                "looked for garbage",
                collected=collected,
                memory_bytes=left_bytes,
                because_of_growth=grown,
                seconds=round(trio.current_time() - begun, 3),
            )


def _memory_bytes() -> int:
    """Return the most that this process has taken so far, of which nothing has to be looked for; 0: not known."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
