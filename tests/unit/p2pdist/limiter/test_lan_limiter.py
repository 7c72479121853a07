"""`p2pdist.limiter.lan_limiter`: what reaches the engine, when it looks, and what it says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import trio

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.parse import parse_profile
from p2pdist.limiter.lan_limiter import HelpTerms, LanLimiter, Reporting
from p2pdist.limiter.lan_policy import BUSY_SHARE, UNKNOWN_CARD, LanReason
from p2pdist.limiter.link_probe import LinkProbe
from p2pdist.limiter.link_report import BusinessUsage, NicCounters, RawCounters
from p2pdist.local_api.delivery_answers import LimiterAnswer
from p2pdist.pc.facts import Surroundings
from p2pdist.pc.network import Battery, Medium, NetworkState
from tests.helpers.fake_clock import FakeClock

WIRED = NetworkState("eth0", Medium.WIRED, BytesPerSecond(125_000_000), None, ("eth0",))


class Engine:
    def __init__(self) -> None:
        self.received = self.sent = 0
        self.limits: list[tuple[int | None, int | None, bool]] = []
        self.moving: list[bool] = []

    async def lan_bytes(self) -> tuple[int, int]:
        await trio.lowlevel.checkpoint()
        return self.received, self.sent

    def set_moving(self, moving: bool) -> None:
        self.moving.append(moving)

    async def limit_lan(self, *, upload: int | None, download: int | None, serve: bool) -> None:
        await trio.lowlevel.checkpoint()
        self.limits.append((upload, download, serve))


class Pc:
    """What the limiter sees of this PC."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = WIRED
        self.processor = (0.0, 0.0)
        self.card = 0
        self.looks = 0
        self.errors: list[OSError] = []

        async def at_once(function: Callable[..., Any], *arguments: Any, **_: object) -> Any:
            await trio.lowlevel.checkpoint()
            return function(*arguments)

        monkeypatch.setattr(trio.to_thread, "run_sync", at_once)  # a mock clock does not wait for threads
        monkeypatch.setattr(LanLimiter, "_read_state", lambda *_: self._read())
        monkeypatch.setattr(LinkProbe, "counters", self._counters)

    def _read(self) -> tuple[NetworkState, tuple[float, float]]:
        if self.errors:
            raise self.errors.pop()
        return self.state, self.processor

    def _counters(self, *_: object, **__: object) -> RawCounters:
        self.looks += 1
        return RawCounters(trio.current_time(), {"eth0": NicCounters(self.card, 0)}, ())


@pytest.fixture
def pc(monkeypatch: pytest.MonkeyPatch) -> Pc:
    return Pc(monkeypatch)


def limiter(engine: Engine, **changes: Any) -> LanLimiter:
    given: dict[str, Any] = {
        "profile": lambda: None,
        "helping": HelpTerms(),
    }
    around = Surroundings(lambda: "10.0.0.5", lambda: "", tuple)
    return LanLimiter(cast("Any", engine), around, FakeClock(), **{**given, **changes})


def status(limited: LanLimiter) -> LimiterAnswer:
    return limited.status(site=None, server_connection="connected", line=None)


async def test_a_refusal_reaches_the_engine_and_status_and_leases(pc: Pc) -> None:
    engine = Engine()
    pc.state = replace(WIRED, battery=Battery(12.0, on_mains=False))
    limited = limiter(engine)
    assert [limited.may_fetch] == [True]
    await limited._look_around(trio.current_time())
    await limited.sample(None, moving=False)
    assert limited.problems == ["Neighbours are not served now: the battery is low (12 %)."]
    assert not limited.may_fetch
    assert limited.fetch_refusal is LanReason.REFUSED_BATTERY
    assert status(limited).upload.reason == "refuses to serve: the battery is low"
    pc.state = replace(WIRED, battery=Battery(12.0, on_mains=True))
    await limited._look_around(trio.current_time())
    await limited.sample(None, moving=False)
    assert [limits[2] for limits in engine.limits] == [False, True]
    assert limited.problems == []


async def test_a_busy_processor_helps_less_after_a_while(pc: Pc) -> None:
    engine, changes = Engine(), list[bool]()
    pc.state = replace(WIRED, speed=None)
    limited = limiter(engine, helping=HelpTerms(changed=lambda: changes.append(limited.helps_less)))
    for n in range(8):
        pc.processor = (5.0 * n, 5.0 * n)
        await limited._look_around(5.0 * n)
        await limited.sample(None, moving=False)
    assert limited.helps_less
    assert changes == [True], "the server hears of it at once, and once"
    assert limited.decision.upload.reason is LanReason.HELPS_LESS_CPU
    assert limited.problems == ["This PC helps its neighbours less now, others go first: the processor is busy (99 %)."]
    assert limited.may_fetch, "whether it must is the server's to say"
    assert engine.limits == [(None, None, True), (int(BUSY_SHARE * UNKNOWN_CARD), None, True)]


async def test_the_server_hears_at_once_that_this_pc_refuses_and_that_it_serves_again(pc: Pc) -> None:
    serves = list[bool]()
    limited = limiter(Engine(), helping=HelpTerms(changed=lambda: serves.append(limited.decision.serve)))
    for on_mains in (True, False, False, True):
        pc.state = replace(WIRED, battery=Battery(12.0, on_mains))
        await limited._look_around(trio.current_time())
        await limited.sample(None, moving=False)
    assert serves == [False, True]


async def test_a_rate_is_told_to_the_engine_only_when_it_changes(pc: Pc) -> None:
    engine = Engine()
    pc.state = replace(WIRED, speed=None)
    limited = limiter(engine)
    await limited._look_around(1.0)
    for _ in range(5):
        await limited.sample(None, moving=False)
    assert engine.limits == [(None, None, True)]


async def test_it_looks_often_only_while_something_moves(pc: Pc, autojump_clock: trio.testing.MockClock) -> None:
    engine, reports = Engine(), list[BusinessUsage]()
    limited = limiter(engine, reporting=Reporting(reports.append, wanted=lambda: False))
    with trio.move_on_after(60):
        await limited.run()
    assert pc.looks == 0
    assert engine.moving == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(limited.run)
        for _ in range(150):
            engine.received += 1_000_000
            pc.card += 2_000_000
            await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert 90 <= pc.looks <= 151
    assert len(reports) >= 90
    assert status(limited).business_bytes_per_second > 0
    assert status(limited).adapts
    assert engine.moving == [True]
    with trio.move_on_after(20):
        await limited.run()
    assert engine.moving[-1] is False


async def test_a_network_that_cannot_be_looked_at_ends_nothing(pc: Pc) -> None:
    pc.errors = [OSError(24, "Too many open files")]
    limited = limiter(Engine())
    await limited._look_around(1.0)
    await limited.sample(None, moving=False)
    assert limited.problems == ["The network cannot be looked at: Too many open files."]


async def test_a_blackout_is_told_with_its_rule(pc: Pc) -> None:
    profile = parse_profile('name = "p"\ntime_zone = "UTC"\n[[blackout]]\nname = "all day"\n', source="test")
    engine = Engine()
    limited = limiter(engine, profile=lambda: profile)
    await limited._look_around(1.0)
    await limited.sample(None, moving=False)
    assert engine.limits[-1][2] is False
    assert not limited.may_fetch
    assert not limited.profile_lets_fetch
    assert limited.problems == [
        "Neighbours are not served now: the throttle profile allows nothing now: blackout 'all day'."
    ]
    assert status(limited).blackout is True


async def test_reports_come_also_while_only_the_line_is_used(pc: Pc, autojump_clock: trio.testing.MockClock) -> None:
    reports = list[BusinessUsage]()
    limited = limiter(Engine(), reporting=Reporting(reports.append, wanted=lambda: True))
    with trio.move_on_after(20):
        await limited.run()
    assert 190 <= len(reports) <= 200
    assert limited.decision.upload.reason is LanReason.NOTHING_TO_DO  # nothing moves between neighbours


async def test_what_stays_in_this_pc_is_not_reported(pc: Pc, autojump_clock: trio.testing.MockClock) -> None:
    reports = list[BusinessUsage]()
    pc.state = NetworkState("lo", Medium.LOOPBACK, None, None, ("eth0",))
    with trio.move_on_after(20):
        await limiter(Engine(), reporting=Reporting(reports.append, wanted=lambda: True)).run()
    assert reports == []
    assert pc.looks == 0
