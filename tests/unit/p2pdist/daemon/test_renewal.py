"""`p2pdist.daemon.renewal`: when it renews, and what gets the new certificates; see `test_with_seed_server.py`."""

from dataclasses import replace
from typing import Any, cast

import trio
import trio.testing

from p2pdist.daemon.renewal import CHECK_SECONDS, Renewal
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.identity.store import Identity
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.trust.http_answers import Http
from tests.helpers.daemon_states import made_up_identity, made_up_state
from tests.helpers.fake_clock import FakeClock

DAY = 86_400.0


class Pc:
    """A PC with certificates for two days, the server that renews them, and the connections that use them."""

    def __init__(self) -> None:
        self.clock = FakeClock(1_000 * DAY)
        self.state = made_up_state()
        self.state.identity = self.valid_from_now()
        self.wakeups = WakeUps()
        self.calls: list[str] = []
        self.asked = 0
        self.refuses = False
        self.control_ca = ""
        everything = cast("Any", self)
        self.renewal = Renewal(self.state, self.wakeups, everything, self.clock, renew=self.renew)
        self.run = lambda: self.renewal.run(everything, self.renewed)

    def valid_from_now(self) -> Identity:
        return made_up_identity(not_before=self.clock.wall, not_after=self.clock.wall + 2 * DAY)

    async def renew(self, _identity: Identity, now: float, _http: Http, _url: str) -> Identity:
        self.asked += 1
        if self.refuses:
            raise UserError("The server said no.", FaultKind.REFUSED)
        assert now == self.clock.wall
        return replace(self.valid_from_now(), control_ca=self.control_ca)

    def renewed(self) -> None:
        self.calls.append("renewed")

    async def start_anew(self) -> None:
        self.calls.append("restart")


async def test_half_a_life_is_time_to_renew(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.run)
        await trio.sleep(3 * CHECK_SECONDS)
        assert (pc.asked, pc.renewal.expired) == (0, False)
        pc.clock.wall += 1.1 * DAY
        await trio.sleep(2 * CHECK_SECONDS)
        assert (pc.asked, pc.calls) == (1, ["renewed"])
        nursery.cancel_scope.cancel()


async def test_a_pc_that_slept_looks_at_once(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.run)
        await trio.sleep(1)
        pc.clock.wall += 9 * DAY
        assert pc.renewal.expired
        pc.wakeups.renewal.ring()
        await trio.sleep(1)
        assert (pc.asked, pc.renewal.expired) == (1, False)
        nursery.cancel_scope.cancel()


async def test_a_refusal_is_told_and_tried_again_about_every_minute(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    pc.refuses = True
    pc.clock.wall += 1.1 * DAY
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.run)
        await trio.sleep(3_600)
        assert pc.state.renewal_problem == "The certificates cannot be renewed. The server said no."
        assert 60 <= pc.asked <= 200
        pc.refuses = False
        await trio.sleep(120)
        assert (pc.state.renewal_problem, pc.calls) == ("", ["renewed"])
        nursery.cancel_scope.cancel()


async def test_another_authority_concerns_every_part(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    pc.control_ca = "another"
    pc.clock.wall += 1.1 * DAY
    with trio.move_on_after(10):
        await pc.run()
    assert pc.calls == ["renewed", "restart"]
