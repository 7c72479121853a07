"""`p2pdist.agent.follower`: each event is told once, what comes no more is taken away, and buttons are carried out."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.agent.desktop import DesktopError
from p2pdist.agent.follower import MAX_EVENTS_TOLD, NOT_ALLOWED_SECONDS, NOTICES_SECONDS, Follower
from p2pdist.local_api.install_answers import ComingInstall, ComingRestart, Deferred, NoticesAnswer
from p2pdist.local_api.messages import DeferOrder
from p2pdist.shared.errors import FaultKind, UserError

NOW = 1_800_000_000.0
INSTALL = ComingInstall(
    id="acme", version="1", title="Acme", titles={}, begins_at=None, overdue=False, deferred=False,
    later_until=NOW + 3_600, later_refusal="", may_restart=False,
)  # fmt: skip
RESTART = ComingRestart(
    id="acme", version="1", title="Acme", titles={}, by_itself=False, begins_at=None, announced=False
)


class Screen:
    """A desktop that remembers; `works` is whether its notifications are there."""

    def __init__(self) -> None:
        self.works = True
        self.shown: list[tuple[str, str, dict[str, str]]] = []
        self.closed: list[int] = []
        self.restarts = 0
        self.presses, self._waiting = trio.open_memory_channel[tuple[int, str]](10)

    async def show(self, summary: str, body: str, buttons: Mapping[str, str], *, urgent: bool) -> int:
        if not self.works:
            raise DesktopError("no notifications")
        self.shown.append((summary, body, dict(buttons)))
        return len(self.shown)

    async def close(self, number: int) -> None:
        self.closed.append(number)
        raise DesktopError("the user has closed it")

    async def pressed(self) -> tuple[int, str]:
        return await self._waiting.receive()

    async def restart_pc(self) -> None:
        if not self.works:
            raise DesktopError("not allowed")
        self.restarts += 1


class Pc:
    """What the daemon says, and what it is told."""

    def __init__(self, *installs: ComingInstall, restarts: tuple[ComingRestart, ...] = ()) -> None:
        self.answer: Any = NoticesAnswer(list(installs), list(restarts))
        self.orders: list[DeferOrder] = []
        self.screen = Screen()
        self.follower = Follower(self.screen, self._ask, self._defer, lambda: NOW)

    async def _ask(self) -> NoticesAnswer:
        self._check()
        return cast("NoticesAnswer", self.answer)

    async def _defer(self, order: DeferOrder) -> Deferred:
        self.orders.append(order)
        self._check()
        return Deferred("acme", "1", until=NOW + 3_600, deferrals_left=0, title="Acme")

    def _check(self) -> None:
        if isinstance(self.answer, UserError):
            raise self.answer

    async def press(self, button: str, number: int = 1) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.follower.run)
            await trio.testing.wait_all_tasks_blocked()
            await self.screen.presses.send((number, button))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()


async def test_an_event_is_told_once() -> None:
    pc = Pc(INSTALL, restarts=(RESTART,))
    for _ in range(3):
        assert await pc.follower.look() == NOTICES_SECONDS
    assert [summary for summary, _, _ in pc.screen.shown] == ["Acme will be installed", "A restart is needed"]


async def test_the_same_moment_told_by_another_clock_is_the_same_event_and_another_one_is_not() -> None:
    pc = Pc(replace(INSTALL, begins_at=NOW + 300))
    for at in (300.0, 300.4, 299.9, 330.0):
        pc.answer = NoticesAnswer([replace(INSTALL, begins_at=NOW + at)], [])
        await pc.follower.look()
    assert (len(pc.screen.shown), pc.screen.closed) == (1, [])
    pc.answer = NoticesAnswer([replace(INSTALL, begins_at=NOW + 800)], [])
    await pc.follower.look()
    assert (len(pc.screen.shown), pc.screen.closed) == (2, [1])


async def test_what_comes_no_more_is_taken_away() -> None:
    pc = Pc(INSTALL)
    await pc.follower.look()
    pc.answer = NoticesAnswer([], [])
    await pc.follower.look()
    assert pc.screen.closed == [1]
    await pc.follower.look()
    assert pc.screen.closed == [1]


@pytest.mark.parametrize(
    ("kind", "wait_seconds"), [(FaultKind.NOT_RUNNING, NOTICES_SECONDS), (FaultKind.REFUSED, NOT_ALLOWED_SECONDS)]
)
async def test_a_daemon_that_is_away_takes_nothing_away_and_nothing_is_told_twice(
    kind: FaultKind, wait_seconds: float
) -> None:
    pc = Pc(INSTALL)
    await pc.follower.look()
    known, pc.answer = pc.answer, UserError("away", kind)
    assert await pc.follower.look() == wait_seconds
    pc.answer = known
    await pc.follower.look()
    assert (len(pc.screen.shown), pc.screen.closed) == (1, [])


async def test_what_could_not_be_shown_is_shown_once_it_can() -> None:
    pc = Pc(INSTALL)
    pc.screen.works = False
    await pc.follower.look()
    pc.screen.works = True
    await pc.follower.look()
    assert len(pc.screen.shown) == 1


async def test_later_puts_it_off_and_says_until_when() -> None:
    pc = Pc(INSTALL)
    await pc.press("later")
    assert pc.orders == [DeferOrder("acme@1")]
    summary, body, buttons = pc.screen.shown[1]
    assert (summary, buttons) == ("Acme", {})
    assert "That was the last time." in body


async def test_now_ends_a_deferral() -> None:
    pc = Pc(replace(INSTALL, deferred=True))
    await pc.press("now")
    assert pc.orders == [DeferOrder("acme@1", end=True)]


async def test_later_that_is_not_possible_any_more_is_said() -> None:
    pc = Pc(INSTALL)
    await pc.follower.look()
    pc.answer = UserError("acme@1 stays as planned. Its deadline is over.", FaultKind.REFUSED)
    await pc.press("later")
    assert pc.screen.shown[1][:2] == ("That is not possible", "acme@1 stays as planned. Its deadline is over.")


async def test_a_restart_is_the_user_s_own() -> None:
    pc = Pc(restarts=(RESTART,))
    await pc.press("restart")
    assert (pc.screen.restarts, pc.orders) == (1, [])
    pc = Pc(restarts=(RESTART,))
    await pc.follower.look()
    pc.screen.works = False
    await pc.press("restart")
    assert pc.screen.restarts == 0


@pytest.mark.parametrize(("button", "number"), [("now", 1), ("restart", 1), ("later", 7), ("nonsense", 1), ("ok", 1)])
async def test_only_the_buttons_that_were_shown_do_something(button: str, number: int) -> None:
    pc = Pc(INSTALL)
    await pc.press(button, number)
    assert (pc.orders, pc.screen.restarts) == ([], 0)


async def test_an_agent_that_runs_for_years_remembers_so_much() -> None:
    pc = Pc()
    for number in range(MAX_EVENTS_TOLD + 50):
        pc.answer = NoticesAnswer([replace(INSTALL, id=f"p{number}")], [])
        await pc.follower.look()
    assert len(pc.follower._told) == MAX_EVENTS_TOLD
