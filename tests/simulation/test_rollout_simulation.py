"""Random rollouts in virtual time, a small part of `make bench-rollouts`; and that the referee sees what is wrong."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from bench.rollouts import world
from bench.rollouts.world import World
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import RolloutDecision, RolloutState, RolloutStep, decide

SEEDS = range(150)
PCS = 300


def test_random_rollouts_break_no_rule_and_end() -> None:
    outcomes = [World(seed, PCS).run() for seed in SEEDS]
    assert [(one.seed, one.broken) for one in outcomes if one.broken or not one.ended] == []
    assert {one.state for one in outcomes} >= {"complete", "halted", "aborted"}
    assert len({one.reason for one in outcomes}) >= 5


def test_the_same_seed_is_the_same_rollout() -> None:
    assert World(3, PCS).run() == World(3, PCS).run()


Decide = Callable[..., RolloutDecision]


def opens_too_early(
    plan: Any, progress: Any, tallies: Sequence[RingTally], now: float, approved: Any
) -> RolloutDecision:
    lenient = replace(plan, rings=tuple(replace(ring, soak_seconds=0) for ring in plan.rings))
    return decide(lenient, progress, tallies, now, approved)


def takes_silence_for_success(
    plan: Any, progress: Any, tallies: Sequence[RingTally], now: float, approved: Any
) -> RolloutDecision:
    wrong = [tally._replace(installed=tally.installed + tally.silent, silent=0) for tally in tallies]
    return decide(plan, progress, wrong, now, approved)


def never_halts(plan: Any, progress: Any, tallies: Sequence[RingTally], now: float, approved: Any) -> RolloutDecision:
    lenient = replace(plan, rings=tuple(replace(ring, failure_share=10_000) for ring in plan.rings))
    return decide(lenient, progress, tallies, now, approved)


def asks_nobody(plan: Any, progress: Any, tallies: Sequence[RingTally], now: float, approved: Any) -> RolloutDecision:
    return decide(plan, progress, tallies, now, approved._replace(required=0))


def goes_on_while_paused(
    plan: Any, progress: Any, tallies: Sequence[RingTally], now: float, approved: Any
) -> RolloutDecision:
    if progress.state is RolloutState.PAUSED and len(progress.opened_at) < len(plan.rings):
        opened = replace(progress, opened_at=(*progress.opened_at, int(now)))
        return RolloutDecision(RolloutStep.RING_OPENED, opened, progress.why)
    return decide(plan, progress, tallies, now, approved)


@pytest.mark.parametrize(
    "wrong", [opens_too_early, takes_silence_for_success, never_halts, asks_nobody, goes_on_while_paused]
)
def test_the_referee_sees_a_machine_that_is_wrong(wrong: Decide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "decide", wrong)
    assert any(World(seed, 100).run().broken for seed in SEEDS)
