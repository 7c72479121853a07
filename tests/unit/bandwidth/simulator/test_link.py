"""Links against sequences that were computed by hand; 1000 bytes a second, so 100 bytes take 0.1 s."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.link import FifoLink, Link, QueueLink
from bandwidth.simulator.queues import Codel, Fifo, FqCodel, Pie
from bandwidth.simulator.rates import ConstantRate, PiecewiseRate
from tests.helpers.token_bucket_links import PolicedLink, ShapedLink

RATE = ConstantRate(1_000)


def send(simulator, link, flow, packets):
    for number, (at, size) in enumerate(packets):
        simulator.at(at, lambda pair: link.send(flow, pair[0], pair[1]), (number, size))


def test_a_fifo_serves_one_after_the_other(simulator, probe):
    link = FifoLink(simulator, RATE, 10_000)
    send(simulator, link, probe, [(0, 100), (0.05, 200), (1, 100)])
    simulator.run(5)
    assert probe.departures == pytest.approx([0.1, 0.3, 1.1])


def test_a_fifo_is_exact_to_the_byte(simulator, probe):
    # at 0: 300 of 300 fit, one byte more does not; at 0.1 the first 100 have just left, so 100 fit and 101 do not
    link = FifoLink(simulator, RATE, 300)
    packets = [(0, 100), (0, 100), (0, 100), (0, 1), (0.099, 1), (0.1, 101), (0.1, 100), (0.1, 1)]
    send(simulator, link, probe, packets)
    simulator.run(0.1)
    assert link.queued(0.1) == (3, 300)
    assert link.backlog_seconds(0.1) == pytest.approx(0.3)
    simulator.run(5)
    assert [ack.number for ack in probe.acks] == [0, 1, 2, 6]
    assert (link.dropped_packets, link.dropped_bytes) == (4, 1 + 1 + 101 + 1)


def test_an_acknowledgement_comes_back_after_the_flows_delay(simulator, probe):
    probe.ack_delay_seconds = 0.5
    seen = []
    probe.receive = lambda ack: seen.append((simulator.now, ack.sent_at, ack.departed_at))
    send(simulator, FifoLink(simulator, RATE, 1_000), probe, [(1, 100)])
    simulator.run(5)
    assert seen == [(pytest.approx(1.6), 1, pytest.approx(1.1))]


def test_a_fifo_follows_a_rate_that_changes(simulator, probe):
    link = FifoLink(simulator, PiecewiseRate([(0, 1_000), (1, 100)]), 10_000)
    send(simulator, link, probe, [(0.9, 100), (0.9, 100)])
    simulator.run(5)
    assert probe.departures == pytest.approx([1, 2])


def test_a_shaper_lets_a_burst_pass_at_line_rate(simulator, probe):
    # the bucket holds 200 and fills with 100 a second; the line sends 1000 a second
    link = ShapedLink(simulator, RATE, 10_000, shaped_rate=100, burst_bytes=200)
    send(simulator, link, probe, [(0, 100), (0, 100), (0, 100), (0, 100)])
    simulator.run(9)
    # 0.2 s of the line, in which 20 tokens come; from 0.1 (start of the second) on there are 10, then 100 are needed
    assert probe.departures == pytest.approx([0.1, 0.2, 1.1, 2.1])


def test_a_policer_drops_what_does_not_conform(simulator, probe):
    link = PolicedLink(simulator, FifoLink(simulator, RATE, 10_000), policed_rate=100, burst_bytes=200)
    send(simulator, link, probe, [(0, 100), (0, 100), (0, 1), (1, 100), (1, 1)])
    simulator.run(9)
    assert [ack.number for ack in probe.acks] == [0, 1, 3]
    assert link.dropped_packets == 2


def test_codel_drops_by_its_control_law(simulator, probe):
    # 20 packets of 50 ms at once. RFC 8289 section 5: the sojourn is first seen above target at 0.05 s, so the first
    # drop is due at 0.15 s, the next ones 0.1/√1, 0.1/√2, 0.1/√3 … later: at 0.25, 0.321, 0.378, 0.428, 0.473, 0.514.
    # Each happens at the first dequeue from then on (a dropped packet takes no time); the last packet is safe
    link = QueueLink(simulator, ConstantRate(30_000), Codel(100_000))
    for number in range(20):
        link.send(probe, number, 1_500)
    simulator.run(60)
    assert sorted(set(range(20)) - {ack.number for ack in probe.acks}) == [3, 6, 9, 11, 13, 15, 17]


def test_fq_codel_gives_each_flow_its_turn(simulator, probes):
    greedy, sparse = probes(2)
    link = QueueLink(simulator, ConstantRate(1_500), FqCodel(quantum_bytes=1_500))
    for number in range(20):
        link.send(greedy, number, 1_500)
    simulator.at(0.5, lambda _: link.send(sparse, 0, 100))
    simulator.run(60)
    # the packet on the wire ends at 1 s; the new queue goes first
    assert sparse.departures == pytest.approx([1 + 100 / 1_500])


def test_fq_codel_drops_from_the_longest_queue(simulator, probes):
    greedy, sparse = probes(2)
    link = QueueLink(simulator, RATE, FqCodel(limit_packets=10, quantum_bytes=1_000))
    for number in range(11):
        link.send(greedy, number, 1_000)
    link.send(sparse, 0, 100)
    # one is on the wire; of the ten that wait half are dropped (RFC 8290 section 4.1)
    assert link.dropped_bytes == 5_000
    simulator.run(1.5)
    assert sparse.departures == pytest.approx([1.1])


LINKS: dict[str, Callable[[Simulator], Link]] = {
    "fifo": lambda simulator: FifoLink(simulator, RATE, 3_000),
    "fifo, event by event": lambda simulator: QueueLink(simulator, RATE, Fifo(3_000)),
    "codel": lambda simulator: QueueLink(simulator, RATE, Codel(20_000)),
    "fq_codel": lambda simulator: QueueLink(simulator, RATE, FqCodel(limit_packets=12)),
    "pie": lambda simulator: QueueLink(simulator, RATE, Pie(20_000, random.Random(1))),
    "shaper": lambda simulator: ShapedLink(simulator, RATE, 3_000, shaped_rate=500, burst_bytes=1_600),
    "policer": lambda simulator: PolicedLink(
        simulator, FifoLink(simulator, RATE, 3_000), policed_rate=700, burst_bytes=3_000
    ),
}
arrivals = st.lists(
    st.tuples(st.floats(0, 0.5), st.integers(0, 3), st.integers(40, 1_500)), min_size=1, max_size=60
)  # gap, flow, size


@pytest.mark.parametrize("name", LINKS)
@settings(max_examples=40, deadline=None)
@given(arrivals=arrivals, looks=st.lists(st.floats(0, 20), max_size=4))
def test_nothing_is_lost_from_the_books(name, arrivals, looks, probes):
    simulator = Simulator()
    link = LINKS[name](simulator)
    flows = probes(4)
    numbers = [0] * 4
    now = 0.0
    for gap, index, size in arrivals:
        now += gap
        simulator.at(now, lambda a: link.send(*a), (flows[index], numbers[index], size))
        numbers[index] += 1
    for until in [*sorted(looks), 1_000.0]:
        simulator.run(max(until, simulator.now))
        acks = [ack for flow in flows for ack in flow.acks]
        packets, size = link.queued(simulator.now)
        assert link.arrived_packets == len(acks) + link.dropped_packets + packets
        assert link.arrived_bytes == sum(ack.size_bytes for ack in acks) + link.dropped_bytes + size
    assert link.queued(simulator.now) == (0, 0)
    for flow in flows:
        assert [ack.number for ack in flow.acks] == sorted(ack.number for ack in flow.acks)
        assert all(ack.departed_at >= ack.sent_at + ack.size_bytes / 1_000 - 1e-9 for ack in flow.acks)


@settings(max_examples=40, deadline=None)
@given(arrivals=arrivals)
def test_computed_departures_are_those_of_events(arrivals, probes):
    (computed,), (stepped,) = probes(1), probes(1)
    simulator = Simulator()
    links = [(FifoLink(simulator, RATE, 1 << 40), computed), (QueueLink(simulator, RATE, Fifo(1 << 40)), stepped)]
    now = 0.0
    for number, (gap, _, size) in enumerate(arrivals):
        now += gap
        for link, flow in links:
            simulator.at(now, lambda a: a[0].send(*a[1:]), (link, flow, number, size))
    simulator.run(1_000)
    assert computed.departures == pytest.approx(stepped.departures)
