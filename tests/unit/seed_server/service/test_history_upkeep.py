"""`seed_server.service.history_upkeep`: at which hours, giving way, and ending when it is told to."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, cast

import pytest
import structlog
import trio
import trio.testing

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.archiving import Archivist
from seed_server.service import history_upkeep
from seed_server.service.history_upkeep import GivingWay, StoppedError, is_quiet, keep_history, tidy
from tests.helpers.fake_clock import FakeClock


@dataclass
class FakeArchivist:
    """Counts instead of working; `replace` keeps the list."""

    late: bool = False
    fault: Exception | None = None
    pause: Any = None
    tidied: list[int] = field(default_factory=list)

    def is_late(self) -> bool:
        return self.late

    def tidy(self) -> None:
        self.tidied.append(1)
        if self.fault is not None:
            raise self.fault


def as_archivist(fake: object) -> Archivist:
    return cast("Archivist", fake)


@pytest.mark.parametrize(("hour", "late", "tidied"), [(3, False, True), (12, False, False), (12, True, True)])
@pytest.mark.parametrize("fault", [None, UserError("the disk is full", FaultKind.STORAGE), RuntimeError("?")])
async def test_it_works_at_night_or_when_a_month_has_waited(
    autojump_clock: trio.testing.MockClock, hour: int, late: bool, tidied: bool, fault: Exception | None
) -> None:
    fake = FakeArchivist(late=late, fault=fault)
    with trio.move_on_after(2.5 * history_upkeep.TIDY_SECONDS):
        await keep_history(as_archivist(fake), FakeClock(hour * 3_600.0), UTC)
    assert (len(fake.tidied) >= 2) is tidied, "a fault does not end it"


async def test_why_it_is_not_done_is_said_once(autojump_clock: trio.testing.MockClock) -> None:
    fake = FakeArchivist(late=True, fault=UserError("the disk is full", FaultKind.STORAGE))
    with structlog.testing.capture_logs() as said, trio.move_on_after(10 * history_upkeep.TIDY_SECONDS):
        await keep_history(as_archivist(fake), FakeClock(0.0), UTC)
    assert len(fake.tidied) >= 10
    assert [line["reason"] for line in said] == ["the disk is full"]


def test_quiet_hours_are_those_of_the_night() -> None:
    assert [hour for hour in range(24) if is_quiet(hour * 3_600.0, UTC)] == [1, 2, 3, 4]


def test_who_has_worked_rests_as_long() -> None:
    rested: list[float] = []
    clock = FakeClock(0.0)
    way = GivingWay(clock, rested.append)
    way()
    clock.wall = 3.0
    way()
    way()
    assert rested == [3.0]
    way.stop()
    with pytest.raises(StoppedError):
        way()


async def test_a_thread_ends_soon_after_the_server_does() -> None:
    began, ended = threading.Event(), threading.Event()

    @dataclass
    class Long:
        pause: Any = None

        def tidy(self) -> None:
            began.set()
            try:
                while True:
                    self.pause()
                    time.sleep(0.001)
            finally:
                ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tidy, as_archivist(Long()), SystemClock())
        assert await trio.to_thread.run_sync(began.wait, 5.0)
        nursery.cancel_scope.cancel()
    assert await trio.to_thread.run_sync(ended.wait, 5.0)
