"""Each law's rules against numbers that were computed by hand."""

import random
from typing import Any

import pytest

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.bbr import PROBE_RTT, BbrSender
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.flows.voip import VoipCall
from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rates import ConstantRate
from bandwidth.simulator.rivals.delay import LeastDelay
from bandwidth.simulator.rivals.ledbat import LedbatSender
from bandwidth.simulator.rivals.ledbat_pp import LedbatPlusPlusSender
from bandwidth.simulator.rivals.tcp_lp import TcpLpSender


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
    return NetworkPath(simulator, link, 0.1)


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


def test_cubic_starts_anew_after_a_timeout(path):
    sender = CubicSender(path)
    sender.window, sender.smoothed_rtt = 100.0, 0.1
    sender.timed_out()
    assert (sender.window, sender.slow_start_threshold) == (1.0, 70.0)
    sender.window = 70.0
    sender.acknowledged(0.1, 1, None, limited=True)
    # RFC 9438 section 4.8: K = 0 and the maximum is the window of now, not the 100 of before
    assert (sender._k, sender._window_max) == (0.0, 70.0)


def test_cubic_looks_at_delays_in_its_first_slow_start_only(path):
    sender = CubicSender(path)
    sender._last_round_rtt, sender._round_samples, sender._round_rtt = 0.02, 7, 0.05
    sender.slow_start_threshold = 40.0  # set by a loss
    sender.acknowledged(0.05, 1, None, limited=True)
    assert sender.window == 11.0
    sender.slow_start_threshold = float("inf")
    sender.acknowledged(0.05, 1, None, limited=True)  # 30 ms above the last round: RFC 9406's conservative slow start
    assert sender.window == 11.25


def test_a_pause_does_not_end_cubics_first_slow_start(path):
    sender = CubicSender(path)
    sender.window = 40.0
    sender.idle_ended()
    assert (sender.window, sender.slow_start_threshold) == (10.0, float("inf"))
    sender.window, sender.slow_start_threshold = 40.0, 20.0
    sender.idle_ended()
    assert (sender.window, sender.slow_start_threshold) == (10.0, 30.0)


def test_bbr_learns_no_bandwidth_while_it_looks_for_the_round_trip():
    # 4 packets in 10 ms are a quarter of the line, and 200 ms of it are twice as long as the filter's ten rounds
    simulator = Simulator()
    short = NetworkPath(simulator, FifoLink(simulator, ConstantRate(2_500_000), 250_000), 0.01)
    sender = BbrSender(short, random.Random(1))
    sender.start()
    delivered = short.watch(lambda: sender.delivered_bytes)
    simulator.run(10.1)
    assert sender._mode == PROBE_RTT
    simulator.run(12)
    assert sender._mode != PROBE_RTT
    assert sender._rate.highest >= 2_400_000
    assert delivered.rate(10.05, 10.2) < 0.5 * 2_500_000
    assert delivered.rate(10.35, 10.6) >= 0.95 * 2_500_000


def test_bbr_sends_one_packet_at_a_time_on_slow_lines_only(path):
    sender = BbrSender(path, random.Random(1))
    # draft-cardwell-iccrg-bbr-congestion-control-00, 4.2.2 and 4.2.3.2: gain · BDP + 3 quanta
    for rate, quantum in [(149_000.0, 1), (151_000.0, 2), (10_000_000.0, 6)]:
        sender.pacing_rate = rate
        assert sender._in_flight(2.0, 50.0) == 100 + 3 * quantum


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
    sender.window = 3.0
    sender.lost(1, new_event=True)
    assert sender.window == 2.0
    sender.timed_out()
    assert sender.window == 1.0


def test_ledbat_grows_no_further_than_what_is_in_flight(path):
    sender = LedbatSender(path)
    sender.window, sender.flight = 10.0, 5  # of 6 before this acknowledgement
    sender.acknowledged(0.1, 1, None, limited=False)
    assert sender.window == 7.0  # flightsize + ALLOWED_INCREASE


def test_a_base_delay_is_forgotten_after_ten_minutes():
    base = LeastDelay()
    base.add(0.02, 0.0)
    for minute in range(1, 10):
        base.add(0.05, minute * 60.0)
        assert base.seconds == 0.02
    base.add(0.05, 600.0)
    assert base.seconds == 0.05


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


@pytest.fixture
def tcp_lp(path):
    """A sender that has seen 100 and 300 ms, and lost a packet: 130 ms is its threshold."""
    sender = TcpLpSender(path)
    sender.acknowledged(0.1, 1, None, limited=True)
    sender._greatest = 0.3
    sender.lost(1, new_event=True)
    sender.window, sender._slow_start_threshold, sender.smoothed_rtt = 20.0, 10.0, 0.1
    return sender


def see(sender: TcpLpSender, at: float, smoothed: float) -> float:
    """Return the window after an acknowledgement that brings the smoothed delay to ``smoothed``."""
    sender._simulator.run(at)
    sender._smoothed = smoothed
    sender.acknowledged(smoothed, 1, None, limited=True)
    return sender.window


def test_tcp_lp_halves_at_15_per_cent_of_the_range(tcp_lp):
    assert see(tcp_lp, 1.0, 0.1299) == pytest.approx(20 + 1 / 20)
    assert see(tcp_lp, 1.0, 0.1301) == pytest.approx((20 + 1 / 20) / 2)


def test_tcp_lp_observes_for_three_round_trips(tcp_lp):
    assert see(tcp_lp, 1.0, 0.14) == 10
    assert see(tcp_lp, 1.05, 0.14) == 10  # what was queued before the cut
    assert see(tcp_lp, 1.2, 0.12) == 10  # no growth while it observes
    assert see(tcp_lp, 1.299, 0.12) == 10
    assert see(tcp_lp, 1.301, 0.12) == 10.1


def test_tcp_lp_goes_down_to_one_packet_at_a_second_indication(tcp_lp):
    assert see(tcp_lp, 1.0, 0.14) == 10
    assert see(tcp_lp, 1.15, 0.14) == 1
    assert see(tcp_lp, 1.44, 0.12) == 1  # three round trips of observing begin anew
    assert see(tcp_lp, 1.46, 0.12) > 1


def test_tcp_lp_hears_nothing_before_it_knows_the_range(path):
    sender = TcpLpSender(path)
    sender.acknowledged(0.1, 1, None, limited=True)
    assert see(sender, 1.0, 0.5) == 12.0


def test_a_call_sends_fifty_packets_a_second(path):
    call = VoipCall(path)
    call.start()
    path.simulator.at(1.99, call.stop)
    path.simulator.run(4)
    assert call.sent == 100
    assert len(call.delays) == 100
    assert max(delay for _, delay in call.delays) == pytest.approx(200 / 1_500_000)
