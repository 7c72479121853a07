"""`seed_server.origin.control_pacer`."""

from dataclasses import dataclass, field

import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from seed_server.line.control_budget import LEAST_BURST_BYTES, ControlBudget
from seed_server.origin.control_pacer import ControlPacer

RATE = BytesPerSecond(10_000)


@dataclass(eq=False)
class Box:
    """An outbox with messages of one size."""

    name: str
    order: list[str]
    frame_bytes: int = LEAST_BURST_BYTES
    released: list[float] = field(default_factory=list)

    def release(self) -> int:
        self.order.append(self.name)
        self.released.append(trio.current_time())
        return self.frame_bytes


async def test_one_of_each_in_turn_as_the_budget_allows(autojump_clock: trio.testing.MockClock) -> None:
    pacer = ControlPacer(ControlBudget(trio.current_time()), lambda _: RATE)
    order: list[str] = []
    a, b, gone = Box("a", order), Box("b", order), Box("gone", order)
    for box in (a, gone, b, a):
        pacer.ask(box)
    assert order == ["a"], "the first at once, the others when it is paid for"
    pacer.forget(gone)
    for _ in range(10):
        await trio.sleep(0.25)
        pacer.release(trio.current_time())
    assert order == ["a", "b", "a"]
    assert b.released[0] - a.released[0] >= 0.25
    assert a.released[1] - a.released[0] >= 2 * LEAST_BURST_BYTES / RATE - 0.5


async def test_who_has_nothing_any_more_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    pacer = ControlPacer(ControlBudget(trio.current_time()), lambda _: RATE)
    order: list[str] = []
    for name in "abc":
        pacer.ask(Box(name, order, frame_bytes=0))
    assert order == ["a", "b", "c"]


async def test_the_rate_is_that_of_the_moment(autojump_clock: trio.testing.MockClock) -> None:
    rates = {"now": BytesPerSecond(1)}
    pacer = ControlPacer(ControlBudget(trio.current_time()), lambda _: rates["now"])
    order: list[str] = []
    for name in "abc":
        pacer.ask(Box(name, order))
    await trio.sleep(1.0)
    pacer.release(trio.current_time())
    assert order == ["a"]
    rates["now"] = BytesPerSecond(1_000_000)
    await trio.sleep(0.1)
    pacer.release(trio.current_time())
    assert order == ["a", "b", "c"]
