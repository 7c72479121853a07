"""Each law's rules against numbers that were computed by hand."""

from typing import Any

import pytest

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.flows.voip import VoipCall
from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.path import Path
from bandwidth.simulator.rates import ConstantRate
from bandwidth.simulator.rivals.cake_autorate import AutorateLaw
from bandwidth.simulator.rivals.ledbat import LedbatSender
from bandwidth.simulator.rivals.ledbat_pp import LedbatPlusPlusSender


class LossyLink(FifoLink):
    """Loses the packets whose numbers it is given, once each."""

    losses: set[int]

    def send(self, flow: Any, number: int, size_bytes: int, state: Any = None) -> None:
        if number in self.losses:
            self.losses.discard(number)
            return
        super().send(flow, number, size_bytes, state)


@pytest.fixture
def path():
    simulator = Simulator()
    link = LossyLink(simulator, ConstantRate(1_500_000), 1 << 40)  # a packet in a millisecond
    link.losses = set()
    return Path(simulator, link, 0.1)


def test_a_lost_packet_is_sent_again_and_everything_arrives(path):
    path.link.losses = {3, 4, 30}
    done = []
    sender = CubicSender(path, packets=50, on_done=lambda s: done.append(path.simulator.now))
    sender.start()
    path.simulator.run(10)
    assert sender.delivered_bytes == 50 * 1_500
    assert sender.lost_packets == 3
    assert sender.sent_bytes == 53 * 1_500
    assert len(done) == 1
    assert sender.flight == 0


def test_a_lost_tail_is_found_by_a_probe(path):
    path.link.losses = {9}
    done = []
    sender = TcpSender(path, packets=10, on_done=lambda s: done.append(path.simulator.now))
    sender.start()
    path.simulator.run(10)
    # the rest is acknowledged at 0.109; a probe leaves 2 × 0.1 s later; its gap makes one repetition: a round trip each
    assert done == [pytest.approx(0.109 + 0.2 + 2 * 0.1, abs=0.02)]


def test_a_flow_whose_packets_are_all_lost_is_saved_by_the_timer(path):
    path.link.losses = set(range(10, 22))
    sender = CubicSender(path, packets=40)
    sender.start()
    path.simulator.run(30)
    assert sender.flight == 0
    assert not sender.running


def test_pacing_spaces_packets(path):
    sender = TcpSender(path)
    sender.window = 1e9
    sender.pacing_rate = 150_000.0
    sender.start()
    path.simulator.run(2)
    assert sender.sent_bytes == pytest.approx(300_000, rel=0.02)


def test_a_higher_pace_shortens_the_wait(path):
    sender = TcpSender(path)
    sender.burst_least = 1
    sender.pace(100.0)  # 15 s for a packet
    sender.start()
    path.simulator.at(1.0, lambda _: sender.pace(150_000.0))
    path.simulator.run(1.2)
    assert sender.sent_bytes > 2_000


def test_cubic_cuts_and_grows_as_its_formula_says(path):
    sender = CubicSender(path)
    sender.window, sender.smoothed_rtt = 100.0, 0.1
    sender.lost(1, new_event=True)
    assert sender.window == 70.0
    k = ((100 - 70) / 0.4) ** (1 / 3)  # RFC 9438 section 4.2
    # an acknowledgement for every packet of each round trip, always limited by the window
    for step in range(int(k / 0.1)):
        for index in range(int(sender.window)):
            path.simulator.run(step * 0.1 + 0.1 * index / sender.window)
            sender.acknowledged(0.1, 1, None, limited=True)
    assert sender.window == pytest.approx(100, rel=0.02)


def test_cubic_converges_fast_when_its_window_falls(path):
    sender = CubicSender(path)
    sender.window = 100.0
    sender.lost(1, new_event=True)
    sender.window = 80.0
    sender.lost(1, new_event=True)
    assert sender._window_max == pytest.approx(80 * 1.7 / 2)  # RFC 9438 section 4.7
    assert sender.window == pytest.approx(56)


def test_cubic_is_as_fast_as_reno_where_reno_is_faster(path):
    sender = CubicSender(path)
    sender.window, sender.smoothed_rtt = 10.0, 0.01
    sender.lost(1, new_event=True)
    # RFC 9438 section 4.3: α/W for each acknowledgement, α = 3·0.3/1.7, so from 7 to 10 takes (10² − 7²)/2/α of them
    for step in range(48):
        path.simulator.run(step * 0.01 / 7)
        sender.acknowledged(0.01, 1, None, limited=True)
    assert sender.window == pytest.approx(10, rel=0.02)


def test_an_unused_window_does_not_grow(path):
    sender = CubicSender(path)
    sender.slow_start_threshold = 1.0
    sender.acknowledged(0.1, 1, None, limited=False)
    assert sender.window == 10.0


def test_ledbat_moves_its_window_by_the_distance_to_the_target(path):
    sender = LedbatSender(path)
    sender.window, sender.flight = 10.0, 10
    sender.acknowledged(0.1, 1, None, limited=True)  # an empty queue: + 1/10
    assert sender.window == pytest.approx(10.1)
    sender._current.clear()
    sender.acknowledged(0.3, 1, None, limited=True)  # twice the target: − 1/10.1
    assert sender.window == pytest.approx(10.1 - 1 / 10.1)
    sender.lost(1, new_event=True)
    assert sender.window == pytest.approx((10.1 - 1 / 10.1) / 2)


def test_ledbat_pp_lowers_its_gain_on_short_paths_and_decreases_multiplicatively(path):
    sender = LedbatPlusPlusSender(path)
    sender._slow_start = False
    sender.window = 10.0
    sender.acknowledged(0.02, 1, None, limited=True)
    assert sender.window == pytest.approx(10 + 1 / 6 / 10)  # ⌈2 · 60 ms / 20 ms⌉ = 6
    sender._current.clear()
    sender.window, sender.smoothed_rtt = 10.0, 0.02
    path.simulator.run(1)
    sender.acknowledged(0.02 + 0.075, 1, None, limited=True)  # a quarter above the target
    assert sender.window == pytest.approx(10 + 1 / 6 - 10 * 0.25)
    sender._current.clear()
    path.simulator.run(2)
    sender.window = 10.0
    sender.acknowledged(0.02 + 0.6, 1, None, limited=True)
    assert sender.window == 5.0


def autorate(rate: float) -> AutorateLaw:
    law = AutorateLaw(least=0.01, base=rate, most=1.0)
    law.update(0.02, 0.0, 0.0)
    return law


def test_autorate_yields_in_2_4_seconds():
    # a deep queue: × 0.75 every 300 ms, and ln 0.1 / ln 0.75 = 8.004
    law = autorate(1.0)
    steps = 0
    while law.rate > 0.1005:
        steps += 1
        law.update(0.2, law.rate, steps * 0.05)
    # three late samples first; then eight cuts, the first of which is smaller: the mean is not yet full
    assert steps * 0.05 == pytest.approx(2.4, abs=0.31)


def test_autorate_regains_in_3_3_seconds():
    # from its resting rate, half the line: × 1.04 every 200 ms, and 0.2 · ln(0.95/0.5) / ln 1.04 = 3.27
    law = autorate(0.5)
    steps = 0
    while law.rate < 0.95:
        steps += 1
        law.update(0.02, law.rate, steps * 0.05)
    assert steps * 0.05 == pytest.approx(3.3, abs=0.15)


def test_autorate_goes_back_to_its_base_when_idle():
    law = AutorateLaw(least=0.1, base=0.5, most=1.0)
    law.rate = 0.6
    for step in range(20 * 30):
        law.update(0.02, 0.0, step * 0.05)
    assert law.rate == 0.5


def test_a_call_sends_fifty_packets_a_second(path):
    call = VoipCall(path)
    call.start()
    path.simulator.at(1.99, call.stop)
    path.simulator.run(4)
    assert call.sent == 100
    assert len(call.delays) == 100
    assert max(delay for _, delay in call.delays) == pytest.approx(200 / 1_500_000)
