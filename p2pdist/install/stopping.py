"""Let what runs come to its end when the daemon stops: an installer that is cut off leaves a PC half patched."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

STOP_SECONDS = 60.0  # how long the daemon waits for what runs when it stops; an installer then goes on without it

T = TypeVar("T")


async def to_its_end(work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` returns; when this is cancelled, ``work`` first has `STOP_SECONDS` to end."""
    result: list[T] = []
    problem: list[Exception] = []
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope(shield=True)

        async def give_notice() -> None:
            try:
                await trio.sleep_forever()
            finally:
                scope.deadline = trio.current_time() + STOP_SECONDS

        nursery.start_soon(give_notice)
        with scope:
            try:
                result.append(await work())
            except Exception as error:  # noqa: BLE001 - raised below: a nursery would wrap it
                problem.append(error)
        nursery.cancel_scope.cancel()
    if problem:
        raise problem[0]
    return result[0]
