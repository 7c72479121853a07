"""Blocking work that may hang, such as a look at a disk or a database, for as long as somebody waits for it."""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


async def in_time(seconds: float, work: Callable[[], T]) -> T | None:
    """Return what ``work`` returns, in a thread; None: it did not end in ``seconds``, and is left alone.

    Raises what ``work`` raises.
    """
    with trio.move_on_after(seconds):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True)
    return None
