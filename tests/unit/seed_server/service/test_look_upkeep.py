"""`seed_server.service.look_upkeep`: what somebody may ask for soon is taken anew; what fails is tried again."""

import trio

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.look_memory import LookMemory
from seed_server.service.look_upkeep import RENEWAL_SECONDS, keep_looks
from tests.helpers.fake_clock import FakeClock


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
