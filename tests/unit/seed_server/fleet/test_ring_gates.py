"""`seed_server.fleet.ring_gates`: how far a ring is from its rule, in the numbers by which `rollout.decide` goes."""

import random

import pytest

from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.ring_gates import RingGate
from seed_server.fleet.rollout import failures_above, ring_is_through

RING = PlannedRing(
    "first", success_share=9_000, failure_share=500, least_decided=5, least_failed=2
)  # fmt: skip


def test_a_share_is_what_is_proven_while_others_have_still_to_decide() -> None:
    gate = RingGate(RING, RingTally(installed=9, failed=1, waiting=10))
    assert gate.installed_share == pytest.approx(0.655, abs=0.01)
    assert (gate.decided_enough, gate.installed_enough, gate.fails) == (True, False, False)
    whole = RingGate(RING, RingTally(installed=9, failed=1))
    assert (whole.installed_share, whole.failed_share) == (0.9, 0.1)
    assert (whole.installed_enough, whole.fails) == (True, False), "one failure is fewer than two"


def test_where_nobody_is_judged_nothing_is_known() -> None:
    waiting, empty = RingGate(RING, RingTally(waiting=3)), RingGate(RING, RingTally())
    assert (waiting.installed_share, waiting.failed_share, waiting.installed_enough) == (None, None, False)
    assert (empty.installed_share, empty.installed_enough, empty.least_decided) == (None, True, 0)


def test_a_small_ring_has_to_decide_as_a_whole() -> None:
    assert RingGate(RING, RingTally(installed=2, silent=1)).least_decided == 3


def test_acknowledged_failures_count_no_more() -> None:
    tally = RingTally(installed=5, failed=5, acknowledged=5)
    gate = RingGate(RING, tally)
    assert (gate.installed_share, gate.failed_share, gate.fails) == (1.0, 0.0, False)


def test_the_gate_says_what_the_rule_decides() -> None:
    chance = random.Random(5)
    for _ in range(2_000):
        tally = RingTally(*(chance.randrange(12) for _ in range(7)))
        tally = tally._replace(acknowledged=chance.randint(0, tally.failed + tally.rolled_back))
        ring = PlannedRing(
            "r", success_share=chance.randrange(10_001), failure_share=chance.randrange(3_000),
            least_decided=chance.randrange(20), least_failed=chance.randint(1, 5),
        )  # fmt: skip
        gate = RingGate(ring, tally)
        assert gate.fails is (failures_above(ring, tally) is not None)
        assert (gate.decided_enough and gate.installed_enough) is (ring_is_through(ring, tally, 0.0) is None)
