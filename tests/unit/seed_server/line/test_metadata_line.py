"""`seed_server.line.metadata_line`: on a clock that jumps, how fast metadata goes to sites, and what is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.control_budget import line_bytes
from seed_server.line.metadata_line import RATE_SEEN_SECONDS, SLICE_BYTES_MOST, MetadataLine
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import METADATA_LEAST_RATE, UNKNOWN_LINE_RATE, Line, Policy, SiteRate

FAST = BytesPerSecond(1_000_000)
PC = EndpointId("a" * 26)


@dataclass
class Sites:
    """Each address is a site of its own."""

    rates: dict[str, SiteRate] = field(default_factory=dict)

    def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:
        return self.rates[address]

    def known_rate(self, address: str) -> SiteRate | None:
        return self.rates.get(address)


def sites(*lines: Line) -> Sites:
    return Sites({f"10.0.{n}.1": SiteRate(line, 0.0) for n, line in enumerate(lines)})


async def fetch(line: MetadataLine, address: str, count: int, rank: int = 0) -> float:
    """Send ``count`` bytes to ``address``, and return how long that took."""
    began = trio.current_time()
    paced = line.answer(address, PC, rank=rank)
    while count:
        part = await paced.may_send(count)
        assert 0 < part <= SLICE_BYTES_MOST
        count -= part
    return trio.current_time() - began


async def together(*tasks: Callable[[], object]) -> float:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)  # type: ignore[arg-type]
    return trio.current_time() - began


async def test_one_answer_takes_what_the_line_carries(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST)), egress=None, others=OtherTraffic())
    assert await fetch(line, "10.0.0.1", 5_000_000) == pytest.approx(5.0, abs=0.1)


async def test_answers_to_one_site_share_its_line(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST)), egress=None, others=OtherTraffic())
    seconds = await together(*[lambda: fetch(line, "10.0.0.1", 1_000_000)] * 10)
    assert seconds == pytest.approx(10.0, abs=0.1)


async def test_sites_do_not_wait_for_each_other(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST), Line(BytesPerSecond(100_000))), egress=None, others=OtherTraffic())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetch, line, "10.0.1.1", 1_000_000)
        assert await fetch(line, "10.0.0.1", 1_000_000) == pytest.approx(1.0, abs=0.1)
        nursery.cancel_scope.cancel()


async def test_all_sites_share_the_servers_own_line(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST), Line(FAST)), egress=BytesPerSecond(500_000), others=OtherTraffic())
    seconds = await together(*[lambda n=n: fetch(line, f"10.0.{n}.1", 1_000_000) for n in (0, 1)])
    assert seconds == pytest.approx(4.0, abs=0.2)


async def test_a_line_of_which_nothing_is_known(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line()), egress=None, others=OtherTraffic())
    assert await fetch(line, "10.0.0.1", 10 * UNKNOWN_LINE_RATE) == pytest.approx(10.0, abs=0.2)


async def test_policy_holds_for_metadata_too(autojump_clock: trio.testing.MockClock) -> None:
    known = sites(Line(FAST))
    known.rates["10.0.0.1"].set_policy(Policy(ceiling=BytesPerSecond(200_000)))
    line = MetadataLine(known, egress=None, others=OtherTraffic())
    assert await fetch(line, "10.0.0.1", 1_000_000) == pytest.approx(5.0, abs=0.2)
    known.rates["10.0.0.1"].set_policy(Policy(blackout=True))
    blackout = await fetch(line, "10.0.0.1", 10 * METADATA_LEAST_RATE)
    assert blackout == pytest.approx(10.0, abs=1.1), "but a withdrawal must arrive"


async def test_a_changed_rate_holds_for_what_waits(autojump_clock: trio.testing.MockClock) -> None:
    known = sites(Line(FAST))
    known.rates["10.0.0.1"].set_policy(Policy(blackout=True))
    line = MetadataLine(known, egress=None, others=OtherTraffic())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetch, line, "10.0.0.1", 1_000_000)
        await trio.sleep(1.0)
        known.rates["10.0.0.1"].set_policy(Policy())
        began = trio.current_time()
    assert trio.current_time() - began < 1.0 + 2 * RATE_SEEN_SECONDS


async def test_answers_end_one_after_the_other(autojump_clock: trio.testing.MockClock) -> None:
    """With all of them at once, none would have its minimum rate, and all clients would give up together."""
    line = MetadataLine(sites(Line(BytesPerSecond(20_000))), egress=None, others=OtherTraffic())
    ended: list[float] = []

    async def pc() -> None:
        await fetch(line, "10.0.0.1", 20_000)
        ended.append(trio.current_time())

    began = trio.current_time()
    await together(*[pc] * 20)
    assert [round(at - began) for at in ended] == pytest.approx(list(range(1, 21)), abs=1)


async def test_who_does_not_read_holds_up_nobody(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST)), egress=None, others=OtherTraffic())
    for _ in range(100):
        silent = line.answer("10.0.0.1", PC)
        await silent.may_send(1_000)
    assert await fetch(line, "10.0.0.1", 1_000_000) == pytest.approx(1.1, abs=0.1)


async def test_who_has_had_much_comes_after_all_others(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST)), egress=None, others=OtherTraffic())
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(fetch, line, "10.0.0.1", 10_000_000, 1)
        await trio.sleep(1.0)
        assert await fetch(line, "10.0.0.1", 1_000_000) == pytest.approx(1.0, abs=0.1)
        nursery.cancel_scope.cancel()


async def test_an_answer_that_is_cancelled_makes_room(autojump_clock: trio.testing.MockClock) -> None:
    line = MetadataLine(sites(Line(FAST)), egress=None, others=OtherTraffic())
    with trio.move_on_after(1.0):
        await together(*[lambda: fetch(line, "10.0.0.1", 10_000_000)] * 7)
    assert await fetch(line, "10.0.0.1", 1_000_000) == pytest.approx(1.0, abs=0.1)


async def test_all_of_it_is_counted_where_pieces_are_decided_on(autojump_clock: trio.testing.MockClock) -> None:
    known, others = sites(Line(FAST)), OtherTraffic()
    line = MetadataLine(known, egress=None, others=others)
    await fetch(line, "10.0.0.1", 100_000)
    line.sent("10.0.0.1", 1_000)
    line.sent("192.0.2.1", 1_000)  # a stranger: nothing is known of its line, and nothing is kept
    rate = known.rates["10.0.0.1"]
    counted = rate.control.collect(1e9, trio.current_time())
    assert counted >= 100_000 + line_bytes(1_000)
    assert others.total_bytes == counted + line_bytes(1_000)
    assert list(known.rates) == ["10.0.0.1"]


async def test_beside_pieces_metadata_gets_a_part_and_pieces_that_much_less(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Together they keep to what the site may be sent, within what the controller repays late."""
    known = sites(Line(FAST))
    rate = known.rates["10.0.0.1"]
    line = MetadataLine(known, egress=None, others=OtherTraffic())
    pieces = 0.0

    async def steer() -> None:
        nonlocal pieces
        while True:
            decision = rate.decide({}, {"pc": 0.04}, trio.current_time())
            taken = min(rate.control.rate, decision.allowance / 2)
            pieces += (decision.allowance - taken) * 0.05
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(steer)
        await trio.sleep(0.1)
        allowance = rate.decision.allowance
        began, before = trio.current_time(), pieces
        await fetch(line, "10.0.0.1", 4 * allowance)
        seconds = trio.current_time() - began
        sent = pieces - before
        nursery.cancel_scope.cancel()
    assert seconds > 10, "a quarter of the rate, not all of it"
    assert sent + 4 * allowance < 1.15 * allowance * seconds + SLICE_BYTES_MOST
