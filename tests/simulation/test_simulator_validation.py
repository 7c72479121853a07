"""The simulator against theory: what CUBIC, BBR, LEDBAT and the queues are known to do, it does."""

import random
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import cbrt

import pytest

from bandwidth.simulator.building import AQM_LIMIT_BYTES
from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.bbr import PROBE_BW, PROBE_RTT, BbrSender
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.link import FifoLink, QueueLink
from bandwidth.simulator.meters import percentile
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.queues import Codel, FqCodel, Pie
from bandwidth.simulator.rates import ConstantRate
from bandwidth.simulator.rivals.ledbat import LedbatSender
from bandwidth.simulator.rivals.ledbat_pp import LedbatPlusPlusSender
from bandwidth.simulator.rivals.tcp_lp import TcpLpSender
from bandwidth.simulator.scenario import Scenario, run, simulate

# the simulator is not measured, see pyproject.toml; and it changes seldom
pytestmark = [pytest.mark.uncounted, pytest.mark.slow]

RATE = 2_500_000.0  # 20 Mbit/s
RTT = 0.04
BDP = RATE * RTT


def line(limit_bytes: float = BDP, rtt: float = RTT) -> NetworkPath:
    simulator = Simulator()
    return NetworkPath(simulator, FifoLink(simulator, ConstantRate(RATE), int(limit_bytes)), rtt)


def aqm(discipline) -> NetworkPath:
    simulator = Simulator()
    return NetworkPath(simulator, QueueLink(simulator, ConstantRate(RATE), discipline), RTT)


def shares(path: NetworkPath, senders, since: float, until: float) -> list[float]:
    meters = [path.watch(partial(getattr, sender, "delivered_bytes")) for sender in senders]
    path.simulator.run(until)
    return [meter.between(since, until) / (RATE * (until - since)) for meter in meters]


# --- CUBIC ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rtt", [0.01, 0.04, 0.12])
def test_cubic_fills_a_line_with_one_bdp_of_buffer(rtt):
    path = line(RATE * rtt, rtt)
    sender = CubicSender(path)
    sender.start()
    assert shares(path, [sender], 5, 30)[0] >= 0.95


def test_cubic_loses_only_when_the_queue_is_full_and_cuts_to_seven_tenths():
    path = line()
    cuts = []

    class Observed(CubicSender):
        def lost(self, packets, new_event):
            before = self.window
            super().lost(packets, new_event)
            if new_event:
                cuts.append((path.simulator.now, before, self.window))

    Observed(path).start()
    path.simulator.run(30)
    assert len(cuts) >= 3
    full = BDP / RATE
    for at, before, after in cuts:
        assert after == pytest.approx(0.7 * before)
        # the loss was at the queue a round trip (with the queue) before it was known
        assert max(path.queue.between(at - RTT - full - 0.02, at)) >= 0.97 * full


def test_cubics_sawtooth_and_mean_queue_are_those_of_its_formula():
    # from 0.7 W the window is C·(t − K)³ + W_max, K = ∛((W_max − 0.7 W)/C) (RFC 9438 section 4.2), and it is cut when
    # it is V: that is K + ∛((V − W_max)/C) later. A line of 100 ms keeps the Reno-friendly window out of it
    path = line(RATE * 0.1, 0.1)
    cuts = []

    class Observed(CubicSender):
        def lost(self, packets, new_event):
            window = self.window
            super().lost(packets, new_event)
            if new_event:
                cuts.append((path.simulator.now, window, self._window_max))

    Observed(path).start()
    path.simulator.run(90)
    steady = cuts[3:]
    assert len(steady) >= 8
    area = 0.0
    for (since, window, top), (until, last, _) in pairwise(steady):
        k = cbrt((top - 0.7 * window) / 0.4)
        assert until - since == pytest.approx(k + cbrt((last - top) / 0.4), abs=0.3)
        area += top * (until - since) + 0.1 * ((until - since - k) ** 4 - k**4)  # its integral
    seconds = steady[-1][0] - steady[0][0]
    mean = area / seconds * 1_500 / RATE - 0.1  # what the line holds is not in the queue
    queues = path.queue.between(steady[0][0], steady[-1][0])
    assert sum(queues) / len(queues) == pytest.approx(mean, rel=0.05)


def test_two_cubics_share_fairly():
    path = line(2 * BDP)
    first, second = CubicSender(path), CubicSender(path)
    first.start()
    path.simulator.at(3, second.start)
    one, two = shares(path, [first, second], 20, 90)
    assert one + two >= 0.97
    assert 0.67 <= one / two <= 1.5


# --- BBR -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rtt", [0.02, 0.04, 0.12])
def test_bbr_fills_a_deep_buffered_line_with_little_queue(rtt):
    path = line(10 * RATE * rtt, rtt)
    sender = BbrSender(path, random.Random(5))
    sender.start()
    assert shares(path, [sender], 5, 30)[0] >= 0.95
    assert percentile(path.queue.between(5, 30), 0.95) <= 1.05 * rtt
    assert percentile(path.queue.between(5, 30), 0.5) <= 0.25 * rtt


def test_bbr_drains_its_queue_to_see_the_round_trip():
    path = line(10 * BDP)
    sender = BbrSender(path, random.Random(5))
    sender.start()
    path.simulator.run(30)
    assert sender.min_rtt == pytest.approx(RTT, abs=0.002)
    empty = [at for at, queue in path.queue.points if at > 9 and queue == 0.0]
    assert empty  # ProbeRTT, every 10 s


def test_bbr_cycles_through_its_gains_and_looks_for_the_round_trip():
    path = line(10 * BDP)
    sender = BbrSender(path, random.Random(5))
    sender.start()
    phases: list[tuple[float, tuple[int, float, int]]] = []

    def look(_):
        phase = (sender._mode, sender._pacing_gain, sender._cycle_index)
        if not phases or phases[-1][1] != phase:
            phases.append((path.simulator.now, phase))
        path.simulator.after(0.001, look)

    look(None)
    path.simulator.run(45)
    # draft 4.3.4.1: 5/4, 3/4, then 1; each for about a round trip, the first until 5/4 of the BDP is in flight
    cycle = [
        (gain, until - since)
        for (since, (mode, gain, _)), (until, (after, _, _)) in pairwise(phases)
        if mode == after == PROBE_BW
    ]
    first = next(index for index, (gain, _) in enumerate(cycle) if gain == 1.25)
    assert [gain for gain, _ in cycle[first : first + 24]] == 3 * [1.25, 0.75, 1, 1, 1, 1, 1, 1]
    assert all(RTT - 0.002 <= seconds <= 1.4 * RTT for _, seconds in cycle[first : first + 24])
    # 4.3.5: every 10 s, for 200 ms and a round trip, with the time it takes to drain
    probes = [(since, until - since) for (since, (mode, _, _)), (until, _) in pairwise(phases) if mode == PROBE_RTT]
    assert len(probes) == 4
    assert all(0.2 <= seconds <= 0.3 for _, seconds in probes)
    assert all(10 <= later - earlier <= 10.6 for (earlier, _), (later, _) in pairwise(probes))


# --- queue management ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("discipline", "median", "p95", "use"),
    [
        (lambda: Codel(AQM_LIMIT_BYTES), 0.006, 0.02, 0.90),  # a target of 5 ms
        (FqCodel, 0.006, 0.02, 0.90),
        (lambda: Pie(AQM_LIMIT_BYTES, random.Random(2)), 0.02, 0.045, 0.95),  # 15 ms
    ],
    ids=["codel", "fq_codel", "pie"],
)
def test_queue_management_holds_its_target_against_cubic(discipline, median, p95, use):
    path = aqm(discipline())
    sender = CubicSender(path)
    sender.start()
    assert shares(path, [sender], 5, 40)[0] >= use
    queues = path.queue.between(5, 40)
    assert percentile(queues, 0.5) <= median
    assert percentile(queues, 0.95) <= p95


def test_fq_codel_gives_two_flows_half_each_whatever_they_are():
    path = aqm(FqCodel())
    cubic, bbr = CubicSender(path), BbrSender(path, random.Random(1))
    cubic.start()
    bbr.start()
    one, two = shares(path, [cubic, bbr], 10, 40)
    assert one + two >= 0.93
    assert one == pytest.approx(two, rel=0.2)


# --- the rivals ----------------------------------------------------------------------------


def test_ledbat_alone_holds_a_queue_of_100_ms():
    path = line(0.4 * RATE)
    sender = LedbatSender(path)
    sender.start()
    assert shares(path, [sender], 20, 60)[0] >= 0.97
    assert percentile(path.queue.between(40, 60), 0.5) == pytest.approx(0.1, abs=0.015)


def test_ledbats_latecomer_takes_the_line():
    """The latecomer's base delay is the first one's queue: what LEDBAT++ was made to repair."""
    path = line(0.6 * RATE)
    first, late = LedbatSender(path), LedbatSender(path)
    first.start()
    path.simulator.at(20, late.start)
    early, latecomer = shares(path, [first, late], 100, 110)
    assert latecomer > 2 * early


def test_ledbat_pp_has_no_latecomer_problem():
    path = line(0.6 * RATE)
    first, late = LedbatPlusPlusSender(path), LedbatPlusPlusSender(path)
    first.start()
    path.simulator.at(20, late.start)
    early, latecomer = shares(path, [first, late], 50, 110)
    assert early + latecomer >= 0.8
    assert 0.5 <= latecomer / early <= 2


def test_ledbat_pp_holds_60_ms_and_pauses_for_at_most_a_tenth_of_the_time():
    path = line(0.4 * RATE)
    sender = LedbatPlusPlusSender(path)
    sender.start()
    assert 0.85 <= shares(path, [sender], 5, 60)[0] <= 0.99
    assert percentile(path.queue.between(5, 60), 0.5) == pytest.approx(0.06, abs=0.01)


def test_ledbat_pps_slowdowns_take_a_tenth_of_the_time():
    path = line(0.4 * RATE)
    sender = LedbatPlusPlusSender(path)
    sender.start()
    slowdowns: list[float] = []

    def look(_):
        if (sender._slowdown_began >= 0) != (len(slowdowns) % 2 == 1):
            slowdowns.append(path.simulator.now)
        path.simulator.after(0.005, look)

    look(None)
    path.simulator.run(100)
    durations = [until - since for since, until in zip(slowdowns[::2], slowdowns[1::2], strict=False)]
    pauses = [since - until for until, since in zip(slowdowns[1::2], slowdowns[2::2], strict=False)]
    assert len(pauses) >= 8
    for duration, pause in zip(durations, pauses, strict=False):
        assert pause == pytest.approx(9 * duration, abs=0.1)
        assert duration >= 2 * RTT  # two round trips at two packets, then slow start


def test_two_ledbat_pps_share_fairly():
    path = line(0.4 * RATE)
    senders = [LedbatPlusPlusSender(path), LedbatPlusPlusSender(path)]
    senders[0].start()
    path.simulator.at(1, senders[1].start)
    one, two = shares(path, senders, 20, 120)
    assert one + two >= 0.85
    assert 0.6 <= one / two <= 1.67


@pytest.mark.parametrize(
    ("scavenger", "keeps_at_least", "keeps_at_most"),
    [("tcp-lp", 0.93, 1.01), ("ledbat++", 0.95, 1.01), ("ledbat", 0.70, 0.97), ("cake-autorate", 0.85, 0.97)],
)
def test_what_cubic_keeps_beside_each_rival_on_a_deep_fifo(scavenger, keeps_at_least, keeps_at_most):
    result = run(Scenario(business="cubic", scavenger=scavenger, duration_seconds=40, business_until_seconds=30))
    assert keeps_at_least <= result.business_keeps <= keeps_at_most


def test_ledbat_pp_and_bbr_are_equals_on_short_paths():
    """LEDBAT++ cannot see BBR's small queue below its target of 60 ms."""
    result = run(Scenario(business="bbr", scavenger="ledbat++", queue="4 bdp"))
    assert result.business_keeps <= 0.9


def test_tcp_lp_gives_way_and_comes_back():
    path = line(0.25 * RATE)
    low, business = TcpLpSender(path), CubicSender(path)
    low.start()
    path.simulator.at(15, business.start)
    path.simulator.at(35, business.stop)
    meters = [path.watch(lambda: low.delivered_bytes), path.watch(lambda: business.delivered_bytes)]
    path.simulator.run(60)
    assert meters[0].rate(5, 15) >= 0.8 * RATE  # it halves at 15 % of the buffer, and then observes
    assert meters[0].rate(20, 35) <= 0.1 * RATE
    assert meters[1].rate(20, 35) >= 0.85 * RATE
    assert meters[0].rate(50, 60) >= 0.7 * RATE


def test_a_fixed_share_does_not_yield():
    result = run(Scenario(business="cubic", scavenger="fixed share", duration_seconds=30, business_until_seconds=25))
    assert result.business_keeps < 0.7


def test_a_fixed_share_is_the_same_whoever_else_is_there():
    # where nothing is lost nothing else moves it either: calls, pages, whatever the queue
    scenario = Scenario(business="4 web+voip", queue="2000 ms", duration_seconds=30, business_until_seconds=28)
    metrics = simulate(replace(scenario, scavenger="fixed share"))
    assert metrics.lost_packets == 0
    assert metrics.queue_p95 > 0.02
    busy = metrics.scavenger_rate[10:28]  # a queue delays its bytes from one second to the next, but takes none away
    assert sum(busy) / len(busy) == pytest.approx(0.5 * RATE, rel=0.01)
    assert all(rate == pytest.approx(0.5 * RATE, rel=0.01) for rate in metrics.scavenger_rate[1:9])


# --- video calls ---------------------------------------------------------------------------

CALL = Scenario(business="video call", scavenger="none")


@pytest.mark.parametrize(("line_mbit", "most"), [(2.0, 1.0), (5.0, 2.5), (20.0, 2.5)])
def test_a_video_call_takes_its_rate_and_no_more(line_mbit, most):
    metrics = simulate(replace(CALL, line_mbit=line_mbit))
    # 40 s; headers come on top
    assert 0.9 * most <= metrics.video_call_bytes * 8 / 40e6 <= 1.06 * most
    assert metrics.video_call_lost_share == metrics.video_call_frozen_share == 0.0
    assert metrics.video_call_p95 <= 1.5 / 30
    assert metrics.video_call_p95 < metrics.video_call_p99 <= 3 / 30  # whole pictures are one in sixty


def test_a_video_call_gives_way_to_a_download_in_a_deep_queue_and_suffers():
    result = run(replace(CALL, scavenger="cubic", line_mbit=2.0))
    assert result.together.video_call_bytes <= 0.7 * result.alone.video_call_bytes
    assert result.together.video_call_p95 - result.alone.video_call_p95 >= 0.15
    assert result.together.video_call_lost_share > 0


def test_a_video_call_is_safe_behind_fair_queueing():
    result = run(replace(CALL, scavenger="cubic", queue="fq_codel"))
    assert result.together.video_call_bytes >= 0.98 * result.alone.video_call_bytes
    assert result.together.video_call_p95 - result.alone.video_call_p95 <= 0.005


# --- scenarios -----------------------------------------------------------------------------

SHORT = Scenario(business="mix+on/off", duration_seconds=20, business_from_seconds=5, business_until_seconds=17)


@pytest.mark.parametrize(
    ("queue", "scavenger"),
    [
        ("20 packets", "ours"),
        ("1 bdp", "ledbat"),
        ("250 ms", "ledbat++"),
        ("codel", "tcp-lp"),
        ("fq_codel", "cake-autorate"),
        ("pie", "ours"),
    ],
)
def test_a_run_is_the_same_bit_for_bit(queue, scavenger):
    scenario = replace(SHORT, queue=queue, scavenger=scavenger, radio=True, line_mbit=10)
    assert repr(simulate(scenario)) == repr(simulate(scenario))


def test_another_seed_is_another_run():
    assert simulate(SHORT).business_bytes != simulate(replace(SHORT, seed=2)).business_bytes


def test_business_alone_is_the_same_for_every_scavenger():
    results = [run(replace(SHORT, scavenger=name)) for name in ("ours", "ledbat", "none")]
    assert results[0].alone == results[1].alone == results[2].alone == results[2].together


def test_idle_use_and_ramp_are_seen():
    metrics = simulate(Scenario(scavenger="fixed share", duration_seconds=20, business_until_seconds=20))
    assert metrics.idle_use == pytest.approx(0.5, abs=0.01)
    assert metrics.ramp_seconds is None
    ramp = simulate(Scenario(scavenger="cubic", duration_seconds=20)).ramp_seconds
    assert ramp is not None
    assert ramp < 1


@pytest.mark.parametrize("change", [{"queue": "huge"}, {"queue": "x ms"}, {"business": "fax"}, {"scavenger": "me"}])
def test_unknown_names_are_refused(change):
    with pytest.raises(ValueError, match="no such"):
        simulate(Scenario(**change))


def test_pages_and_calls_are_measured():
    metrics = simulate(Scenario(business="web+voip+video", scavenger="none", rtt_seconds=0.03))
    assert len(metrics.page_seconds) >= 5
    # five round trips at least: TCP, TLS and HTML, then the same and an object on the other connections
    assert all(0.15 <= seconds <= 8 for seconds in metrics.page_seconds)
    assert metrics.voip_p50 > 0
    assert metrics.video_mbit > 2
