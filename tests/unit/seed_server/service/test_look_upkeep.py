"""`seed_server.service.look_upkeep`: what somebody may ask for soon is taken anew; what fails is tried again."""

import itertools
from collections.abc import Callable

import pytest
import trio
import trio.testing

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.look_memory import LookMemory
from seed_server.service.look_upkeep import RENEWAL_SECONDS, RENEWAL_SHARE, keep_looks
from tests.helpers.fake_clock import FakeClock

LOOK_SECONDS = 0.5


async def test_looks_are_renewed_and_a_failure_ends_nothing() -> None:
    memory, clock, taken = LookMemory(), FakeClock(), list[float]()
    renewed = trio.Event()

    def read() -> int:
        taken.append(clock.monotonic())
        if len(taken) == 2:
            raise UserError("the database is busy", FaultKind.BUSY)
        if len(taken) == 3:
            trio.from_thread.run_sync(renewed.set)
        return len(taken)

    assert memory.known(clock.monotonic(), "a", read, 60.0) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_looks, memory, clock)
        clock.wall += 31.0
        with trio.fail_after(10 * RENEWAL_SECONDS):
            await renewed.wait()
        nursery.cancel_scope.cancel()
    assert memory.known(clock.monotonic(), "a", read, 60.0) == 3


async def test_looks_that_take_long_are_taken_a_tenth_of_the_time(autojump_clock: trio.testing.MockClock) -> None:
    class SlowLooks(LookMemory):
        def renew(self, now: float) -> bool:
            begun.append(now)
            return True

    begun, clock = list[float](), FakeClock()

    async def in_a_thread(renew: Callable[[float], bool], now: float, *, limiter: trio.CapacityLimiter) -> None:
        renew(trio.current_time())
        await trio.sleep(LOOK_SECONDS)

    with pytest.MonkeyPatch.context() as patch, trio.move_on_after(100.0):
        patch.setattr(trio.to_thread, "run_sync", in_a_thread)
        await keep_looks(SlowLooks(), clock)
    assert len(begun) == 100.0 * RENEWAL_SHARE / LOOK_SECONDS
    assert max(later - at for at, later in itertools.pairwise(begun)) == pytest.approx(LOOK_SECONDS / RENEWAL_SHARE)
