"""`seed_server.service`: the web part's answers, paced over a link by what the origin part has, and without it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.channel import UnexpectedMessageError
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.byte_budget import ByteBudgets
from seed_server.line.control_budget import line_bytes
from seed_server.line.metadata_line import MetadataLine
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import METADATA_LEAST_RATE, Line, SiteRate
from seed_server.ports.known_addresses import KnownAddresses
from seed_server.service.answers_line import LineOfOriginPart, SlowSites
from seed_server.service.link import PartLink
from seed_server.service.messages import (
    BudgetSpent,
    FromOriginPart,
    FromWebPart,
    Handshake,
    KnownAddress,
    NoTurn,
    SmallAnswer,
    Turn,
    WantTurn,
    decode_from_origin_part,
    decode_from_web_part,
)
from seed_server.service.web_requests import MAX_TURNS, WebRequests

PC, OTHER = EndpointId("a" * 26), EndpointId("b" * 26)
ADDRESS = "10.0.0.1"
RATE = BytesPerSecond(400_000)


@dataclass
class OriginSide:
    """What the origin part has, on one line."""

    rate: SiteRate
    others: OtherTraffic = field(default_factory=OtherTraffic)
    known_addresses: KnownAddresses = field(default_factory=KnownAddresses)
    connecting: list[str] = field(default_factory=list)
    metadata_line: MetadataLine = field(init=False)

    def __post_init__(self) -> None:
        self.metadata_line = MetadataLine(self, egress=None, others=self.others)

    def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:
        return self.rate

    def known_rate(self, address: str) -> SiteRate:
        return self.rate

    def count_connecting(self, address: str) -> None:
        self.connecting.append(address)


class Both:
    """Both parts in one process, with a real socket between them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.web = PartLink[FromOriginPart](decode_from_origin_part)
        self.line = LineOfOriginPart(self.web, 0.0)
        self._connect_web, self._web_connections = trio.open_memory_channel[socket.socket](4)
        nursery.start_soon(self.web.run, self._web_connections, self._web_hears)
        self.origin: OriginSide
        self.requests: WebRequests
        self._origin_life = trio.CancelScope()

    async def start_origin(self) -> None:
        """Start an origin part, and connect it."""
        one, other = socket.socketpair()
        self.origin = OriginSide(SiteRate(Line(RATE), trio.current_time()))
        self._origin_life = trio.CancelScope()
        self.budgets = ByteBudgets()
        await self.nursery.start(self._run_origin, other)
        self._connect_web.send_nowait(one)
        await trio.testing.wait_all_tasks_blocked()

    async def _run_origin(self, sock: socket.socket, task_status: trio.TaskStatus[None]) -> None:
        connect, connections = trio.open_memory_channel[socket.socket](1)
        link = PartLink[FromWebPart](decode_from_web_part, at_each_end=self._web_gone)

        async def hear(message: FromWebPart) -> None:
            self.requests.carry_out(message)

        with self._origin_life:
            async with trio.open_nursery() as nursery:
                self.requests = WebRequests(cast("Any", self.origin), self.budgets, link, nursery)
                connect.send_nowait(sock)
                nursery.start_soon(link.run, connections, hear)
                task_status.started()

    def _web_gone(self) -> None:
        self.requests.end_turns()

    async def end_origin(self) -> None:
        self._origin_life.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _web_hears(self, message: FromOriginPart) -> None:
        assert isinstance(message, Turn)
        self.web.answered(message.call, message)

    async def fetch(self, count: int, *, endpoint: EndpointId = PC, rank: int = 0) -> float:
        """Send ``count`` bytes, and return how long that took."""
        began, pace = trio.current_time(), self.line.answer(ADDRESS, endpoint, rank=rank)
        while count:
            part = await pace.may_send(count)
            assert 0 < part <= count
            count -= part
        return trio.current_time() - began


@asynccontextmanager
async def both() -> AsyncIterator[Both]:
    async with trio.open_nursery() as nursery:
        parts = Both(nursery)
        await parts.start_origin()
        yield parts
        nursery.cancel_scope.cancel()


async def test_an_answer_takes_what_the_line_carries_and_is_counted_there() -> None:
    async with both() as parts:
        assert 0.3 < await parts.fetch(200_000) < 2.0
        assert parts.origin.others.total_bytes >= 200_000
        assert parts.origin.rate.control.collect(1e9, trio.current_time()) >= 200_000


async def test_the_first_answer_ends_first_and_one_of_a_lower_rank_before_it() -> None:
    ended: list[str] = []

    async def fetch(name: str, count: int, rank: int) -> None:
        await parts.fetch(count, rank=rank)
        ended.append(name)

    async with both() as parts, trio.open_nursery() as nursery:
        nursery.start_soon(fetch, "large", 200_000, 1)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(fetch, "later", 20_000, 1)
        nursery.start_soon(fetch, "before both", 20_000, 0)
    assert ended == ["before both", "large", "later"]


async def test_who_has_gone_holds_up_nobody() -> None:
    async with both() as parts:
        with trio.move_on_after(0.1):
            await parts.fetch(100_000_000)
        assert await parts.fetch(40_000) < 1.0
        assert parts.requests._turns == {}


async def test_without_the_origin_part_a_site_has_a_small_fixed_rate() -> None:
    async with both() as parts:
        await parts.end_origin()
        assert 0.3 < await parts.fetch(16_384 + METADATA_LEAST_RATE // 2) < 2.0
        assert parts.origin.others.total_bytes == 0


async def test_an_answer_goes_on_when_the_origin_part_ends_and_when_one_is_back() -> None:
    lasted: list[float] = []

    async def fetch(count: int) -> None:
        lasted.append(await parts.fetch(count))

    async with both() as parts:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(fetch, 120_000)
            await trio.sleep(0.1)
            await parts.end_origin()
            await trio.sleep(0.3)
            await parts.start_origin()
        assert len(lasted) == 3
        assert 0.6 < max(lasted) < 4.0, "the last part at the line's rate again: alone it would have taken 20 s"


async def test_what_the_web_part_tells_is_counted() -> None:
    async with both() as parts:
        parts.line.sent(ADDRESS, 1_000)
        parts.web.tell(Handshake(ADDRESS))
        parts.web.tell(KnownAddress("192.0.2.7"))
        parts.web.tell(BudgetSpent(PC, 10 << 20))
        while parts.budgets.rank(PC, trio.current_time()) == 0:  # noqa: ASYNC110 - the last one to be heard
            await trio.sleep(0.01)
        assert parts.origin.others.total_bytes == line_bytes(1_000)
        assert parts.origin.connecting == [ADDRESS]
        assert "192.0.2.7" in parts.origin.known_addresses
        assert parts.budgets.rank(OTHER, trio.current_time()) == 0


def requests() -> WebRequests:
    origin = OriginSide(SiteRate(Line(RATE), 0.0))
    nursery = SimpleNamespace(start_soon=lambda task: None)
    link = PartLink[FromWebPart](decode_from_web_part)
    return WebRequests(cast("Any", origin), ByteBudgets(), link, cast("Any", nursery))


async def test_more_turns_than_there_are_connections_are_no_wish() -> None:
    asked = requests()
    for call in range(MAX_TURNS):
        asked.carry_out(WantTurn(call, ADDRESS, PC, 0, None, 1))
    with pytest.raises(UnexpectedMessageError, match="more turns"):
        asked.carry_out(WantTurn(MAX_TURNS, ADDRESS, PC, 0, None, 1))
    asked.carry_out(NoTurn(0))
    asked.carry_out(WantTurn(MAX_TURNS, ADDRESS, PC, 0, None, 1))
    with pytest.raises(UnexpectedMessageError):
        asked.carry_out(WantTurn(1, ADDRESS, PC, 0, None, 1))


@pytest.mark.parametrize(
    "message", [lambda: WantTurn(1, "no address", PC, 0, None, 1), lambda: SmallAnswer("no address", 1)]
)
async def test_what_is_no_address_is_no_message(
    message: Callable[[], FromWebPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests()

    def no_address(*_: object) -> SiteRate:
        raise ValueError("'no address' does not appear to be an IPv4 or IPv6 address")

    monkeypatch.setattr(OriginSide, "rate_towards", no_address)
    monkeypatch.setattr(OriginSide, "known_rate", no_address)
    with pytest.raises(UnexpectedMessageError, match="IPv4"):
        asked.carry_out(message())


async def test_slow_sites_are_bounded_and_none_is_given_a_fresh_burst() -> None:
    sites = SlowSites(max_sites=3)
    rate = sites.rate_towards("10.0.0.1", PC)
    assert rate.metadata_rate(trio.current_time()) == METADATA_LEAST_RATE
    assert sites.rate_towards("10.0.0.200", OTHER) is rate, "as a site map that names nothing would have it"
    assert sites.known_rate("10.0.0.1") is None
    for site in range(3):
        sites.rate_towards(f"10.0.{1 + site}.1", PC)
    assert len(sites._rates) == 3
    assert sites.rate_towards("10.0.0.1", PC) is not rate
