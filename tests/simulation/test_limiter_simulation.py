"""The limiter on the simulator's packets: its promises, loosely; `bench` measures them on the whole matrix."""

import random
from dataclasses import dataclass, replace
from itertools import groupby

import pytest

from bandwidth.core.controller import Controller, ControllerSettings
from bandwidth.core.units import BytesPerSecond
from bandwidth.simulator.building import build_link
from bandwidth.simulator.events import Simulator
from bandwidth.simulator.meters import percentile
from bandwidth.simulator.ours import OurSender
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rates import ConstantRate
from bandwidth.simulator.scenario import Result, Scenario, run, simulate

SHORT = Scenario(duration_seconds=25, business_from_seconds=7, business_until_seconds=20)
RATE = 2_500_000  # 20 Mbit/s


def test_cubic_that_is_seen_keeps_the_line_on_a_deep_fifo() -> None:
    result = run(replace(SHORT, business="cubic", queue="250 ms"))
    assert result.business_keeps >= 0.97
    yields_and_regains(result)


@pytest.mark.uncounted
def test_cubic_that_nobody_sees_keeps_most_of_its_line_behind_fair_queueing() -> None:
    result = run(
        Scenario(
            business="cubic",
            queue="fq_codel",
            rtt_seconds=0.06,
            business_visible=False,
            duration_seconds=35,
            business_from_seconds=7,
            business_until_seconds=32,
        )
    )
    assert result.business_keeps >= 0.75


def test_a_telephone_call_on_a_slow_line_is_not_delayed() -> None:
    result = run(replace(SHORT, business="voip", line_mbit=2.0))
    assert result.voip_added_p95 <= 0.005
    assert result.together.voip_lost_share == 0.0
    assert result.spare_captured >= 0.8


@pytest.mark.parametrize("configured", [True, False], ids=["configured", "learned"])
def test_an_idle_line_is_used_without_a_queue(configured: bool) -> None:
    metrics = simulate(replace(SHORT, capacity_configured=configured, duration_seconds=20, business_from_seconds=18))
    assert metrics.idle_use >= 0.95
    assert metrics.own_queue_p95 <= 0.008
    assert metrics.ramp_seconds is not None
    assert metrics.ramp_seconds <= 2.0


def test_what_transfers_leave_between_them_is_used() -> None:
    result = run(replace(SHORT, business="on/off", rtt_seconds=0.06, queue="1 bdp", business_until_seconds=25))
    assert result.spare_captured >= 0.85
    assert result.business_keeps >= 0.95
    yields_and_regains(result)


def yields_and_regains(result: Result) -> None:
    assert result.together.yield_seconds
    assert max(result.together.yield_seconds) <= 0.6
    assert result.together.regain_seconds
    assert max(result.together.regain_seconds) <= 5.0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("configured", [True, False], ids=["configured", "learned"])
def test_on_a_radio_line_no_queue_stays(configured: bool, seed: int) -> None:
    metrics = simulate(replace(SHORT, radio=True, capacity_configured=configured, seed=seed, duration_seconds=30))
    # of each second the 95th percentile: more than 50 ms in a second is more than a moment
    assert all(queue <= 0.1 for queue in metrics.queue_seconds[1:])
    assert percentile(list(metrics.queue_seconds), 0.9) <= 0.05


def test_a_configured_radio_line_is_used_for_the_most_part() -> None:
    metrics = simulate(replace(SHORT, radio=True, duration_seconds=40, business_from_seconds=38))
    assert metrics.utilisation >= 0.5


@dataclass(frozen=True)
class Two:
    """What two limiters on a line have got, from 5 s after the second one's start on."""

    shares: list[float]
    queue_p95: float
    longest_queue_seconds: float
    """The longest time in which the queue was above 20 ms."""


def two(queue: str, rtt: float, *, configured: bool) -> Two:
    """Run a second limiter beside one that has the line for ten seconds; neither sees the other."""
    simulator = Simulator()
    link = build_link(simulator, ConstantRate(RATE), queue, rtt, random.Random(1))
    path = NetworkPath(simulator, link, rtt)
    line = BytesPerSecond(RATE) if configured else None
    senders = []
    for start in (0.0, 10.37):
        law = Controller(ControllerSettings(capacity=line), start)
        senders.append(OurSender(path, law, line_rate=line, business=lambda: None))
        simulator.at(start, senders[-1].start)
    meters = [path.watch(lambda sender=sender: sender.delivered_bytes) for sender in senders]  # type: ignore[misc]
    simulator.run(40)
    late = [(at, delay > 0.02) for at, delay in path.queue.points if at > 12]
    longest = max((len(list(group)) for high, group in groupby(late, key=lambda look: look[1]) if high), default=0)
    return Two(
        [meter.between(15.5, 40) / (RATE * 24.5) for meter in meters],
        percentile(path.queue.between(15.5, 40), 0.95),
        longest * 0.005,
    )


@pytest.mark.parametrize("configured", [True, False], ids=["configured", "learned"])
@pytest.mark.parametrize("queue", ["250 ms", "fq_codel"])
def test_a_latecomer_makes_no_standing_queue(queue: str, configured: bool) -> None:
    result = two(queue, 0.04, configured=configured)
    assert result.queue_p95 <= 0.02
    assert result.longest_queue_seconds <= 1.0
    assert sum(result.shares) >= 0.5, "shared, or yielded by one of them"


@pytest.mark.parametrize(("queue", "rtt"), [("250 ms", 0.08), ("1 bdp", 0.04)])
def test_two_on_a_line_do_not_starve_each_other(queue: str, rtt: float) -> None:
    assert sum(two(queue, rtt, configured=True).shares) >= 0.5
