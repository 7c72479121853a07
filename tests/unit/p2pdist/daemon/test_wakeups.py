"""`p2pdist.daemon.wakeups`: a ring wakes a task once, even one that does not wait yet."""

import trio
import trio.testing

from p2pdist.daemon.wakeups import WakeUp


async def waited(wakeup: WakeUp) -> float:
    began = trio.current_time()
    await wakeup.wait(10.0)
    return trio.current_time() - began


async def test_it_wakes_early_and_once(autojump_clock: trio.testing.MockClock) -> None:
    wakeup = WakeUp()
    assert await waited(wakeup) == 10.0
    wakeup.ring()
    wakeup.ring()
    assert await waited(wakeup) == 0.0
    assert await waited(wakeup) == 10.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waited, wakeup)
        await trio.sleep(1)
        wakeup.ring()
        began = trio.current_time()
    assert trio.current_time() == began
