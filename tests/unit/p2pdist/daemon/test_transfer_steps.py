"""`p2pdist.daemon.transfer_steps`: how often the transfers are stepped while news come all the time."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from p2pdist.daemon.transfer_steps import pause_seconds, step_transfers
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.transfer.manager import SHORTEST_STEP_SECONDS
from p2pdist.transfer.transfer import ACTIVE_STEP_SECONDS


@pytest.mark.parametrize(
    ("took", "pause"),
    [
        (0.0, SHORTEST_STEP_SECONDS),
        (SHORTEST_STEP_SECONDS / 2, SHORTEST_STEP_SECONDS),
        (0.3, 0.3),
        (60.0, ACTIVE_STEP_SECONDS),
    ],
    ids=["at once", "few patches", "many on a busy PC", "a server that reads nothing"],
)
def test_after_a_step_there_is_as_long_a_pause_up_to_half_a_second(took: float, pause: float) -> None:
    assert pause_seconds(took) == pause


class SlowTransfers:
    """Transfers whose step takes 0.3 s, and that have news at once after each."""

    busy = True
    step_seconds = 0.0

    def __init__(self) -> None:
        self.begun: list[float] = []

    async def step(self) -> None:
        self.begun.append(trio.current_time())
        await trio.sleep(0.3)

    def snapshots(self) -> list[Any]:
        return []


async def test_news_that_come_all_the_time_do_not_end_the_pause(autojump_clock: trio.testing.MockClock) -> None:
    transfers = SlowTransfers()
    patching = SimpleNamespace(refresh_files=lambda: None)
    reports = SimpleNamespace(wait_seconds=lambda _now: math.inf, pending_seconds=lambda _now: math.inf)
    others = SimpleNamespace(news=list, look_for=lambda _torrents: None)
    wakeups = WakeUps()

    async def ring() -> None:
        while True:
            wakeups.transfers.ring()
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring)
        parts = cast("Any", (transfers, patching, None, reports, (others,), None, others, wakeups))
        nursery.start_soon(lambda: step_transfers(*parts))
        await trio.sleep(6.0)
        nursery.cancel_scope.cancel()
    assert 9 <= len(transfers.begun) <= 11, "half of the time"


class IdleTransfers(SlowTransfers):
    """Transfers of which nothing moves."""

    busy = False
    step_seconds = 10.0

    async def step(self) -> None:
        self.begun.append(trio.current_time())


async def test_what_waits_to_be_told_is_told_in_time_though_nothing_moves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[float] = []

    def news(_views: object, now: float) -> list[Any]:
        if now >= 2.0:
            told.append(now)
        return []

    reports = SimpleNamespace(
        wait_seconds=lambda _now: 0.0, pending_seconds=lambda now: math.inf if told else max(0.0, 2.0 - now), news=news
    )
    patches = SimpleNamespace(views=list)
    others = SimpleNamespace(news=list, look_for=lambda _torrents: None, refresh_files=lambda: None)
    async with trio.open_nursery() as nursery:
        parts = cast("Any", (IdleTransfers(), others, patches, reports, (others,), None, others, WakeUps()))
        nursery.start_soon(lambda: step_transfers(*parts))
        await trio.sleep(9.0)
        nursery.cancel_scope.cancel()
    assert told == [pytest.approx(2.0)]
