"""The frame around our controller, with a law of three lines in its place."""

import pytest

from bandwidth.core.controller import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.ours import OurSender
from bandwidth.simulator.path import Path
from bandwidth.simulator.rates import ConstantRate
from bandwidth.units import BytesPerSecond

RATE = BytesPerSecond(1_250_000)  # 10 Mbit/s


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
    return Path(simulator, FifoLink(simulator, ConstantRate(RATE), int(0.2 * RATE)), 0.04)


def test_the_law_is_asked_twenty_times_a_second_and_its_rate_is_sent(path):
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


def test_business_is_seen_and_a_transfer_in_its_second_round_trip(path):
    law = Stub(4_000)
    business = CubicSender(path)
    OurSender(path, law, line_rate=RATE, business=lambda: (business.delivered_bytes, business.connections())).start()
    path.simulator.at(3, business.start)
    path.simulator.at(8, business.stop)
    path.simulator.run(12)
    seen = [(now, sample.bulk_business) for now, sample in law.samples]
    first = min(now for now, bulk in seen if bulk)
    assert 3.04 <= first <= 3.2  # its first window of ten segments is acknowledged after a round trip of 40 ms
    assert not any(bulk for now, bulk in seen if now > 9.5)
    assert sum(sample.business_bytes or 0 for _, sample in law.samples) == business.delivered_bytes
    assert law.since(11)[0].business_bytes == 0


def test_without_the_kernels_window_only_the_law_limits(path):
    law = Stub(2 * RATE)
    sender = OurSender(path, law, line_rate=RATE, business=lambda: None, kernel_window=False)
    sender.start()
    path.simulator.run(5)
    assert sender.sent_bytes == pytest.approx(5 * 2 * RATE, rel=0.05)
    assert sum(sample.retransmits for _, sample in law.samples) > 1_000


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


def test_a_slow_line_gets_small_packets_and_few_pings():
    simulator = Simulator()
    slow = BytesPerSecond(250_000)
    law = Stub(4_000)
    narrow = Path(simulator, FifoLink(simulator, ConstantRate(slow), 50_000), 0.04)
    sender = OurSender(narrow, law, line_rate=slow, business=lambda: None)
    sender.start()
    simulator.run(10)
    assert sender.packet_bytes == 1_000  # 4 ms at 2 Mbit/s
    assert len(law.samples) == pytest.approx(101, abs=1)
