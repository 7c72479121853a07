"""`seed_server.web.fair_turns`: on a clock that jumps, who gets the next turn."""

import pytest
import trio
import trio.testing

from seed_server.web.fair_turns import FairTurns

TURN = 0.01


async def test_so_many_turns_a_second_whoever_takes_them(autojump_clock: trio.testing.MockClock) -> None:
    turns = FairTurns(seconds=TURN)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for n in range(100):
            nursery.start_soon(turns.take, f"10.0.0.{n % 7}")
    assert trio.current_time() - began == pytest.approx(100 * TURN)


async def test_an_address_that_asks_a_hundred_times_delays_another_by_one_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    turns = FairTurns(seconds=TURN)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(turns.take, "10.0.0.1")
        await trio.sleep(5.5 * TURN)
        began = trio.current_time()
        await turns.take("10.0.0.2")
        assert trio.current_time() - began <= 2.6 * TURN
        nursery.cancel_scope.cancel()


async def test_the_addresses_of_one_link_are_one(autojump_clock: trio.testing.MockClock) -> None:
    turns = FairTurns(seconds=TURN)
    async with trio.open_nursery() as nursery:
        for n in range(100):
            nursery.start_soon(turns.take, f"2001:db8::{n:x}")
        await trio.sleep(5.5 * TURN)
        began = trio.current_time()
        await turns.take("10.0.0.2")
        assert trio.current_time() - began <= 2.6 * TURN
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("after", [0.0, 0.5 * TURN, 1.0 * TURN, 1.5 * TURN])
async def test_who_gives_up_takes_no_turn_along(autojump_clock: trio.testing.MockClock, after: float) -> None:
    turns = FairTurns(seconds=TURN)
    async with trio.open_nursery() as nursery:
        for n in range(10):
            nursery.start_soon(turns.take, f"10.0.0.{n % 2}")
        await trio.sleep(after)
        nursery.cancel_scope.cancel()
    with trio.fail_after(2 * TURN):
        await turns.take("10.0.0.9")
    assert not turns._waiting
