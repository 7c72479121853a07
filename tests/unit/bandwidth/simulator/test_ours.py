"""The frame around our controller, with a law of three lines in its place."""

from collections.abc import Callable

import pytest

from bandwidth.core.controller import Decision
from bandwidth.core.signals import Sample, sample_seconds
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.loss import RandomLoss
from bandwidth.simulator.ours import OurSender
from bandwidth.simulator.packets import Flow
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.ping import Ping
from bandwidth.simulator.rates import ConstantRate

RATE = BytesPerSecond(1_250_000)  # 10 Mbit/s
SLOW = BytesPerSecond(250_000)  # 2 Mbit/s


class Stub:
    """Allows a rate that never changes, and keeps what it was told."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.samples: list[tuple[float, Sample]] = []

    def update(self, sample: Sample, now: float) -> Decision:
        self.samples.append((now, sample))
        return Decision(BytesPerSecond(self.rate), Reason.AT_CAPACITY, State.SCAVENGE)

    def since(self, start: float) -> list[Sample]:
        return [sample for now, sample in self.samples if now >= start]


@pytest.fixture
def path():
    simulator = Simulator()
    return NetworkPath(simulator, FifoLink(simulator, ConstantRate(RATE), int(0.2 * RATE)), 0.04)


def test_the_law_is_asked_twenty_times_a_second_and_its_rate_is_sent(path):
    assert sample_seconds(RATE) == 0.05
    law = Stub(RATE // 2)
    sender = OurSender(path, law, line_rate=RATE, business=lambda: None)
    sender.start()
    path.simulator.run(10)
    assert len(law.samples) == pytest.approx(201, abs=1)
    assert sender.sent_bytes == pytest.approx(10 * RATE / 2, rel=0.02)
    assert sum(sample.delivered_bytes for _, sample in law.samples) == pytest.approx(10 * RATE / 2, rel=0.03)
    assert all(sample.business_bytes is None for _, sample in law.samples)
    assert all(sample.retransmits == 0 for _, sample in law.samples)


def test_the_ping_shows_the_true_queue(path):
    law = Stub(4_000)
    OurSender(path, law, line_rate=RATE, business=lambda: None).start()
    business = CubicSender(path)
    path.simulator.at(2, business.start)
    path.simulator.run(20)
    idle = [sample.rtt_seconds for now, sample in law.samples if 0.5 < now < 2]
    assert all(rtt is not None and rtt == pytest.approx(0.04, abs=0.002) for rtt in idle)
    for now, sample in law.samples:
        if now > 5 and sample.rtt_seconds is not None:
            queues = path.queue.between(now - 0.05 - 0.25, now)
            assert min(queues) - 0.002 <= sample.rtt_seconds - 0.04 <= max(queues) + 0.002


def test_a_slow_line_is_asked_and_pinged_half_as_often_with_smaller_packets():
    # 89 bytes ÷ (0.35 % of 250 kB/s) is 102 ms, cut off at 100 ms; a packet of 4 ms is 1000 bytes
    simulator = Simulator()
    path = NetworkPath(simulator, FifoLink(simulator, ConstantRate(SLOW), int(0.2 * SLOW)), 0.04)
    law = Stub(SLOW // 2)
    sender = OurSender(path, law, line_rate=SLOW, business=lambda: None)
    sender.start()
    simulator.run(10)
    assert sample_seconds(SLOW) == 0.1
    assert len(law.samples) == pytest.approx(101, abs=1)
    assert sender.packet_bytes == 1_000
    # the first answer needs a round trip; then each interval has one
    assert [sample.rtt_seconds is None for _, sample in law.samples[:3]] == [True, False, False]
    assert all(sample.rtt_seconds == pytest.approx(0.04, abs=0.006) for sample in law.since(0.05))


def test_a_line_that_nobody_knows_is_asked_often_and_gets_full_packets(path):
    law = Stub(RATE // 2)
    sender = OurSender(path, law, line_rate=None, business=lambda: None)
    sender.start()
    path.simulator.run(5)
    assert len(law.samples) == pytest.approx(101, abs=1)
    assert sender.packet_bytes == 1_500


def test_business_is_seen_and_a_transfer_from_its_first_window_on(path):
    law = Stub(4_000)
    business = CubicSender(path)
    OurSender(
        path,
        law,
        line_rate=RATE,
        business=lambda: (business.delivered_bytes, {business.key: business.delivered_bytes}),
    ).start()
    path.simulator.at(3, business.start)
    path.simulator.at(8, business.stop)
    path.simulator.run(12)
    seen = [(now, sample.bulk_business) for now, sample in law.samples]
    first = min(now for now, bulk in seen if bulk)
    assert 3.04 <= first <= 3.25  # ten segments have arrived after a round trip, and are looked at every 50 ms
    assert all(bulk for now, bulk in seen if first <= now < 8)
    # what is in the queue, 200 ms, still arrives; then a pause of 1.5 round trips with that queue, 360 ms, ends it
    assert not any(bulk for now, bulk in seen if now > 8.8)
    assert sum(sample.business_bytes or 0 for _, sample in law.samples) == business.delivered_bytes
    assert law.since(11)[0].business_bytes == 0


def test_bytes_of_closed_connections_stay_in_the_total_and_are_no_transfer(path):
    law = Stub(4_000)
    OurSender(path, law, line_rate=RATE, business=lambda: (int(path.simulator.now * 1_000_000), {})).start()
    path.simulator.run(3)
    assert all(sample.business_bytes == pytest.approx(50_000, abs=1) for _, sample in law.samples[1:])
    assert not any(sample.bulk_business for _, sample in law.samples)


def test_without_the_kernels_window_only_the_law_limits(path):
    law = Stub(2 * RATE)
    sender = OurSender(path, law, line_rate=RATE, business=lambda: None, window="none")
    sender.start()
    path.simulator.run(5)
    assert sender.sent_bytes == pytest.approx(5 * 2 * RATE, rel=0.05)
    assert sum(sample.retransmits for _, sample in law.samples) > 1_000


def sent_with_losses(path, window: str) -> OurSender:
    path.link.lose(RandomLoss(1, 0.03, 0.0))
    sender = OurSender(path, Stub(RATE // 2), line_rate=RATE, business=lambda: None, window=window)
    sender.start()
    path.simulator.run(20)
    return sender


def test_random_losses_stop_cubics_window_and_not_a_steady_one(path):
    # Mathis et al.: 1.22 ÷ (0.04 s × √0.03) are 176 packets a second; half of the line is 417
    sender = sent_with_losses(path, "cubic")
    assert sender.sent_bytes < 0.7 * 20 * RATE / 2


def test_a_steady_window_is_a_few_times_what_the_path_holds_whatever_is_lost(path):
    sender = sent_with_losses(path, "steady")
    # what is sent again takes its part of the rate
    assert sender.sent_bytes == pytest.approx(20 * RATE / 2, rel=0.02)
    assert sender.delivered_bytes == pytest.approx(0.97 * 20 * RATE / 2, rel=0.03)
    held = RATE / 2 * 0.04 / sender.packet_bytes
    assert 2 * held < sender.window < 4 * held + 5


def test_a_window_that_nobody_knows_is_refused(path):
    with pytest.raises(ValueError, match="no such window: 'reno' .cubic, steady, none."):
        OurSender(path, Stub(RATE), line_rate=RATE, business=lambda: None, window="reno")


def test_behind_a_lost_ping_the_next_ones_wait_until_it_is_sent_again(path):
    lost = iter([False, False, True])
    path.link.lose(Lost(lambda: next(lost, False)))
    ping = Ping(path, 0.05)
    ping.start()
    seen = []
    for step in range(1, 41):
        path.simulator.run(step * 0.01)
        if (newest := ping.newest_round_trip()) is not None:
            seen.append((step * 10, round(1_000 * newest)))
    # the fourth, of 150 ms, is echoed at 190 ms and shows the gap. A quarter of a round trip later the third is sent
    # again, and with its echo the fourth and fifth count, too: the newest is the fifth, of 200 ms
    assert seen[:4] == [(50, 40), (100, 40), (250, 40), (300, 40)]


class Lost(RandomLoss):
    """Loses what it is told to."""

    def __init__(self, takes: Callable[[], bool]) -> None:
        super().__init__(1, 0.0, 0.0)
        self._takes = takes

    def takes(self, flow: Flow) -> bool:
        return self._takes()


class States(Stub):
    """As `Stub`, with states by the clock."""

    def __init__(self, rate: int, states: dict[float, State]) -> None:
        super().__init__(rate)
        self.states = states

    def update(self, sample: Sample, now: float) -> Decision:
        state = [state for since, state in self.states.items() if since <= now][-1]
        return Decision(super().update(sample, now).allowance, Reason.AT_CAPACITY, state)


def test_the_window_begins_anew_after_a_yield(path):
    law = States(RATE, {0.0: State.YIELD, 1.0: State.RAMP})
    sender = OurSender(path, law, line_rate=RATE, business=lambda: None)
    sender.start()
    path.simulator.run(0.9)
    sender.slow_start_threshold = 3.0
    path.simulator.run(1.2)
    assert sender.slow_start_threshold == float("inf")
