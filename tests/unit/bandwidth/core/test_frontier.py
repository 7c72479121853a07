"""`bandwidth.core.frontier`: what going beyond the known teaches, and what a moment's dip does not."""

from dataclasses import replace

import pytest

from bandwidth.core.capacity import CapacityEstimate
from bandwidth.core.frontier import (
    FULL_SECONDS,
    GROWN,
    GROWN_SECONDS,
    HEADROOM,
    PROBE_PER_SECOND,
    SHORT_LOOKS,
    Frontier,
)
from bandwidth.core.sensors import Sensors, View
from tests.unit.bandwidth.core.test_competition import CALM

KNOWN, CARRIES = 1_000_000.0, 1_100_000.0
STEP = 0.05
SETTLED = 60.0


@pytest.fixture
def frontier() -> Frontier:
    found = Frontier(CapacityEstimate(None), Sensors())
    found.capacity.at_congestion(KNOWN, 0.0)
    return found


def view(delivered: float, **changes: object) -> View:
    return replace(CALM, delivered=delivered, own_recent=delivered, **changes)  # type: ignore[arg-type]


def probe(frontier: Frontier, seconds: float, begin: float = 0.0, rate: float | None = None) -> float:
    """Probe on a line that carries `CARRIES`, and return the rate then."""
    rate = rate or frontier.target(begin) or 0.0
    for step in range(int(seconds / STEP)):
        rate = frontier.probe(view(min(rate, CARRIES)), rate, SETTLED, begin + step * STEP, STEP, allowed=rate)
    return rate


def test_a_line_that_was_found_full_is_as_full_as_what_it_carried_before_a_moments_dip(frontier: Frontier) -> None:
    frontier.cut(CALM, probe(frontier, 3.0), 3.0)
    frontier.full_beyond(0.8 * CARRIES, 3.0)
    assert frontier.target(3.0) == pytest.approx(HEADROOM * KNOWN, rel=0.01), "no more than the capacity is known"
    frontier.capacity.at_congestion(2 * CARRIES, 3.0)
    assert frontier.target(3.0) == pytest.approx(HEADROOM * CARRIES, rel=0.01)


def test_a_queue_below_what_is_known_tells_what_is_left_for_us(frontier: Frontier) -> None:
    probe(frontier, 3.0)
    frontier.cut(CALM, 0.6 * KNOWN, 40.0)
    frontier.full_beyond(0.6 * KNOWN, 40.0)
    assert frontier.target(40.0) == pytest.approx(HEADROOM * 0.6 * KNOWN)


def test_a_queue_that_comes_although_no_more_is_tried_tells_what_is_left_for_us(frontier: Frontier) -> None:
    frontier.cut(CALM, probe(frontier, 3.0), 3.0)
    frontier.full_beyond(CARRIES, 3.0)
    frontier.full_beyond(0.6 * CARRIES, 5.0)
    assert frontier.target(5.0) == pytest.approx(HEADROOM * 0.6 * CARRIES)
    assert frontier.target(5.0 + FULL_SECONDS) == pytest.approx(HEADROOM * KNOWN, rel=0.01), "for a while"


@pytest.mark.parametrize("limited", [True, False])
def test_less_than_the_rate_is_a_full_line_only_if_the_rate_was_what_limited_us(
    frontier: Frontier, limited: bool
) -> None:
    rate = probe(frontier, 3.0)
    dip = view(0.85 * KNOWN, shortfall=0.1, limited=limited)
    for look in range(SHORT_LOOKS):
        rate = frontier.probe(dip, rate, SETTLED, 3.0 + look * STEP, STEP, allowed=rate)
    assert (rate > HEADROOM * KNOWN * 1.01) is limited


def test_after_a_pause_probing_begins_as_slowly_as_at_first(frontier: Frontier) -> None:
    rate = probe(frontier, 1.0)
    after = probe(frontier, 1.0, begin=30.0, rate=rate)
    assert after - rate < 2 * PROBE_PER_SECOND * KNOWN


@pytest.mark.parametrize(("arrives", "limit"), [(0.91, True), (0.89, False)])
def test_a_rate_meets_the_lines_limit_only_if_as_much_arrives_as_is_known(
    frontier: Frontier, arrives: float, limit: bool
) -> None:
    seen = view(arrives * KNOWN, carried=arrives * KNOWN)
    assert frontier.is_limit(seen, 1.1 * KNOWN, 1.0) is limit, "else somebody has the rest"
    assert not frontier.is_limit(seen, 0.97 * KNOWN, 1.0)
    frontier.cut(seen, 1.1 * KNOWN, 1.0)
    assert frontier.still_feels(seen, 1.1) is limit


@pytest.mark.parametrize(("seconds", "same"), [(0.05, True), (0.2, False)])
def test_a_queue_that_shows_again_within_two_round_trips_is_the_same(
    frontier: Frontier, seconds: float, same: bool
) -> None:
    frontier.cut(CALM, 2 * KNOWN, 10.0)
    frontier.cut(CALM, 0.9 * KNOWN, 10.0 + seconds)
    assert frontier.cut_beyond is same
    assert frontier.still_feels(CALM, 10.0 + seconds + 0.5) is same


def cut_and_watch(frontier: Frontier, queues: list[float], step: float) -> list[bool]:
    """Cut for a queue of ours, show these queues, and return whether each may still be ours."""
    frontier.cut(CALM, 2 * KNOWN, 0.0)
    felt = []
    for n, queue in enumerate(queues):
        now = n * step
        frontier.queue_stands(CALM, queue, now)
        felt.append(frontier.still_feels(CALM, now))
    return felt


def test_a_queue_of_ours_is_ours_until_it_has_drained(frontier: Frontier) -> None:
    drains = [0.1, 0.2, 0.3, *(0.3 - 0.01 * n for n in range(1, 28))]
    assert all(cut_and_watch(frontier, drains, 0.1))


@pytest.mark.parametrize(
    "queues",
    [
        pytest.param([0.3] * 30, id="it stays"),
        pytest.param([0.2, 0.3, *(0.25 + 0.04 * (n % 2) for n in range(28))], id="it comes and goes"),
        pytest.param([0.05, *(0.05 - 0.0001 * n for n in range(1, 30))], id="it falls for longer than ours could"),
    ],
)
def test_any_other_queue_is_somebody_elses_soon(frontier: Frontier, queues: list[float]) -> None:
    felt = cut_and_watch(frontier, queues, 0.1)
    assert felt[0]
    assert not felt[-1]


def test_a_queue_that_grows_when_the_cut_must_have_reached_it_is_somebody_elses_at_once(frontier: Frontier) -> None:
    until = CALM.rtt_seconds + GROWN_SECONDS
    before = [0.05, *([0.05 * GROWN] * 9)]
    felt = cut_and_watch(frontier, [*before, 0.051 * GROWN**2], (until + 0.01) / len(before))
    assert all(felt[:-1]), "a quarter more may be what was under way"
    assert not felt[-1]
    frontier.queue_stands(CALM, 0.01, until + 0.1)
    assert not frontier.still_feels(CALM, until + 0.1), "it stays somebody else's, though it becomes shorter"


def test_so_is_one_that_grows_by_little_at_each_look(frontier: Frontier) -> None:
    grows = [0.05 * 1.1**look for look in range(20)]
    felt = cut_and_watch(frontier, grows, 0.05)
    reached = int((CALM.rtt_seconds + GROWN_SECONDS) / 0.05)
    assert all(felt[: reached + 1])
    assert not any(felt[reached + 4 :])


def test_a_queue_that_a_cut_cannot_have_reached_yet_may_grow(frontier: Frontier) -> None:
    assert all(cut_and_watch(frontier, [0.02, 0.1, 0.3], 0.05))


def test_a_burst_is_no_queue_of_ours_though_more_than_is_known_was_tried(frontier: Frontier) -> None:
    rate = probe(frontier, 3.0)
    frontier.cut(CALM, rate, 3.0, burst=True)
    assert (frontier.cut_beyond, frontier.still_feels(CALM, 3.0)) == (False, False)
    frontier.cut(CALM, rate, 4.0)
    assert (frontier.cut_beyond, frontier.still_feels(CALM, 4.0)) == (True, True)


def test_a_queue_of_our_own_that_has_become_half_as_long_drains_by_itself(frontier: Frontier) -> None:
    frontier.cut(CALM, probe(frontier, 3.0), 3.0)
    for queue, drains in ((0.06, False), (0.12, False), (0.08, False), (0.05, True)):
        frontier.queue_stands(view(CARRIES), queue, 3.1)
        assert frontier.drains(queue) is drains
    frontier.cut(CALM, 0.5 * KNOWN, 40.0)
    frontier.queue_stands(view(CARRIES), 0.05, 40.1)
    assert not frontier.drains(0.01), "it is somebody else's"
