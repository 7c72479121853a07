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
from bandwidth.simulator.path import Path
from bandwidth.simulator.rates import ConstantRate
from bandwidth.simulator.rivals.cake_autorate import AutorateLaw
from bandwidth.simulator.rivals.delay import BaseDelay
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
    short = Path(simulator, FifoLink(simulator, ConstantRate(2_500_000), 250_000), 0.01)
    sender = BbrSender(short, random.Random(1))
    sender.start()
    delivered = short.watch(lambda: sender.delivered_bytes)
    simulator.run(10.1)
    assert sender._mode == PROBE_RTT
    simulator.run(12)
    assert sender._mode != PROBE_RTT
    assert sender._bandwidth >= 2_400_000
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
    base = BaseDelay()
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


LINE = 1e9
"""So fast that a packet takes no time: thresholds are then 30, 10 and 60 ms."""


def autorate(rate: float, line: float = LINE) -> AutorateLaw:
    """Return a law at ``rate`` (of the line) whose six baselines are 20 ms; its time is at -0.05 s."""
    law = AutorateLaw(least=0.01 * line, base=rate * line, most=line)
    for step in range(6):
        law.update(0.02, 0.0, -0.3 + step * 0.05)
    return law


def feed(law: AutorateLaw, delays: list[float], load: float, since: float = 0.0) -> list[float]:
    """Return the factor by which each delay changes the rate, at 20 a second."""
    factors = []
    for step, delay in enumerate(delays):
        before = law.rate
        factors.append(law.update(delay, load * before, since + step * 0.05) / before)
    return factors


def test_autorates_baseline_rises_slowly_and_falls_at_once():
    law = autorate(0.5)
    law.update(0.12, 0.0, 0.0)
    assert law._baselines[-1] == pytest.approx(0.02 + 0.001 * 0.1)
    assert law._deltas[-1] == pytest.approx(0.1 - 0.001 * 0.1)
    # each reflector has its own: the next five are untouched
    assert list(law._baselines)[:5] == [0.02] * 5
    for step in range(5):
        law.update(0.02, 0.0, 0.05 + step * 0.05)
    law.update(0.01, 0.0, 0.3)
    assert law._baselines[-1] == pytest.approx(0.0201 - 0.9 * 0.0101)


def test_autorate_takes_three_late_of_six_for_bufferbloat():
    # two late ones in any six: nothing. The third is a cut, by the mean: 3 · 60 / 6 = 30 ms above the base: × 0.99
    late, early = 0.02 + 0.06 / 0.999, 0.02
    assert feed(autorate(0.5), [late, early, early, early, early, early, late], 0.5) == [1.0] * 7
    factors = feed(autorate(0.5), [late, early, late, early, late], 0.5)
    assert factors[:4] == [1.0] * 4
    assert factors[4] == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize(("delta_ms", "factor"), [(30.1, 0.9892), (45, 0.87), (60, 0.75), (200, 0.75)])
def test_autorate_cuts_by_the_mean_delta(delta_ms, factor):
    # linear from 0.99 at 30 ms to 0.75 at 60; six equal samples, seen with an expired refractory time
    law = autorate(0.5)
    law._deltas.extend([delta_ms / 1e3] * 5)
    law._late.extend([True] * 5)
    assert feed(law, [0.02 + delta_ms / 1e3 / 0.999], 0.5) == [pytest.approx(factor, abs=1e-4)]


@pytest.mark.parametrize(("delta_ms", "factor"), [(0, 1.04), (10, 1.04), (20, 1.02), (29, 1.002)])
def test_autorate_grows_by_the_mean_delta(delta_ms, factor):
    law = autorate(0.5)
    law._deltas.extend([delta_ms / 1e3] * 5)
    assert feed(law, [0.02 + delta_ms / 1e3 / 0.999], 0.76) == [pytest.approx(factor, abs=1e-4)]


def test_autorate_grows_at_a_load_above_three_quarters_only():
    assert feed(autorate(0.5), [0.02], 0.74) == [1.0]


def test_autorate_waits_300_ms_after_a_cut_and_200_between_growths():
    law = autorate(0.5)
    late = 0.02 + 0.1 / 0.999
    # three late samples at 0, 50 and 100 ms: a cut; while it lasts the next cuts are 300 ms later each
    cuts = [step for step, factor in enumerate(feed(law, [late] * 20, 0.9)) if factor < 1]
    assert cuts == [2, 8, 14]
    # one more cut at 1 s; at 1.15 s only two of six are late, but growth waits for the refractory time
    factors = feed(law, [0.02] * 20, 0.9, since=1.0)
    assert [step for step, factor in enumerate(factors) if factor < 1] == [0]
    assert [step for step, factor in enumerate(factors) if factor > 1] == [6, 10, 14, 18]


def test_autorates_thresholds_rise_with_the_time_of_a_packet():
    # at 75 kB/s a packet takes 20 ms: late is above 50 ms, and a mean of 65 is half way from 0.99 to 0.75
    assert feed(autorate(0.5, 150_000.0), [0.02 + 0.0499] * 6, 0.5) == [1.0] * 6
    law = autorate(0.5, 150_000.0)
    law._deltas.extend([0.065] * 5)
    law._late.extend([True] * 5)
    assert feed(law, [0.02 + 0.065 / 0.999], 0.5) == [pytest.approx(0.87, abs=1e-3)]
    # and the load is looked at every 10 packets: 200 ms here, 400 at half of that
    assert autorate(0.5, 150_000.0).rate_seconds == pytest.approx(0.2)
    assert autorate(0.25, 150_000.0).rate_seconds == pytest.approx(0.4)


def test_autorate_yields_in_2_4_seconds():
    # a deep queue: × 0.75 every 300 ms, and ln 0.1 / ln 0.75 = 8.004
    law = autorate(1.0)
    steps = 0
    while law.rate > 0.1005 * LINE:
        steps += 1
        law.update(0.2, law.rate, steps * 0.05)
    # three late samples first; then eight cuts, the first of which is smaller: the mean is not yet full
    assert steps * 0.05 == pytest.approx(2.4, abs=0.31)


def test_autorate_regains_in_3_3_seconds():
    # from its resting rate, half the line: × 1.04 every 200 ms, and 0.2 · ln(0.95/0.5) / ln 1.04 = 3.27
    law = autorate(0.5)
    steps = 0
    while law.rate < 0.95 * LINE:
        steps += 1
        law.update(0.02, law.rate, steps * 0.05)
    assert steps * 0.05 == pytest.approx(3.3, abs=0.15)


def test_autorate_goes_back_to_its_base_when_idle():
    # one per cent each second, whichever side it is on
    for start, after_a_second in [(0.6, 0.594), (0.4, 0.404)]:
        law = AutorateLaw(least=0.1 * LINE, base=0.5 * LINE, most=LINE)
        law.rate = start * LINE
        law._decay_at = 0.0
        law.update(0.02, 0.0, 0.95)
        assert law.rate == start * LINE
        law.update(0.02, 0.0, 1.0)
        assert law.rate == pytest.approx(after_a_second * LINE)
        for step in range(20 * 30):
            law.update(0.02, 0.0, 1.05 + step * 0.05)
        assert law.rate == 0.5 * LINE


def test_a_call_sends_fifty_packets_a_second(path):
    call = VoipCall(path)
    call.start()
    path.simulator.at(1.99, call.stop)
    path.simulator.run(4)
    assert call.sent == 100
    assert len(call.delays) == 100
    assert max(delay for _, delay in call.delays) == pytest.approx(200 / 1_500_000)
