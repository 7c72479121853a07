"""`seed_server.reporting.plan_rings`: how many PCs open the next ring, as the rollout itself decides it."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import ring_is_through
from seed_server.reporting.plan_rings import ring_needs


@given(st.integers(1, 3_000), st.integers(5_000, 9_900), st.integers(0, 100))
def test_so_many_are_enough_by_the_rollout_s_own_rule_and_one_fewer_is_not(pcs: int, share: int, least: int) -> None:
    ring = PlannedRing(name="first", success_share=share, least_decided=least)
    needed = ring_needs(ring, pcs, 0.0).decided
    if needed is None:
        assert ring_is_through(ring, RingTally(installed=pcs - 1, waiting=1), 0.0) is not None
        return
    waiting = max(1, pcs - needed)  # where nobody waits, another rule holds
    assert ring_is_through(ring, RingTally(installed=needed, waiting=waiting), 0.0) is None
    if needed > max(1, least):
        fewer = RingTally(installed=needed - 1, waiting=waiting + 1)
        assert ring_is_through(ring, fewer, 0.0) is not None


def test_a_ring_without_a_rule_needs_nobody() -> None:
    assert ring_needs(PlannedRing(name="all", success_share=0), 50, 0.0).decided == 0


def test_failures_that_would_halt_it_are_said() -> None:
    ring = PlannedRing(name="first", success_share=9_000, failure_share=500, least_failed=3)
    assert not ring_needs(ring, 1_000, 0.01).stops
    assert ring_needs(ring, 1_000, 0.06).stops, "more fail than the ring allows"
    assert ring_needs(ring, 1_000, 0.2).stops, "fewer install it than the ring asks for"
