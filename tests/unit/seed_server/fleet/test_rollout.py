"""`seed_server.fleet.rollout`: the state table, when a ring opens, what halts, and what a person's word does."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import (
    NOTHING_APPROVED,
    OVER,
    STOPPED_STATES,
    TRANSITIONS,
    Approved,
    RolloutDecision,
    RolloutProgress,
    RolloutReason,
    RolloutState,
    RolloutStep,
    decide,
    new_rollout,
    resumed,
    stopped,
    waits_for,
)
from tests.helpers.rollout_plans import DAY, plan, ring
from tests.helpers.state_steps import tried_steps

CAREFUL = {"success_share": 9_000, "failure_share": 500, "least_decided": 5, "least_failed": 2}
TWO = plan(ring("test", soak_seconds=DAY, **CAREFUL), ring("broad", soak_seconds=DAY, **CAREFUL))
NOBODY = [RingTally(), RingTally()]


def until_quiet(
    plan_: RolloutPlan,
    progress: RolloutProgress,
    tallies: Sequence[RingTally],
    now: float,
    approved: Approved = NOTHING_APPROVED,
) -> tuple[list[RolloutStep], RolloutDecision]:
    steps = []
    while (decision := decide(plan_, progress, tallies, now, approved)).step is not None:
        steps.append(decision.step)
        progress = decision.progress
        assert len(steps) < 30
    return steps, decision


def begun(plan_: RolloutPlan, tallies: Sequence[RingTally] = NOBODY, now: float = 0.0) -> RolloutProgress:
    return until_quiet(plan_, new_rollout(now), tallies, now)[1].progress


def with_first(**counts: int) -> list[RingTally]:
    return [RingTally(**counts), RingTally(waiting=1_000)]


def test_the_table_takes_what_it_has_and_nothing_else() -> None:
    taken, refused = tried_steps(TRANSITIONS, RolloutState, RolloutStep)
    assert taken == TRANSITIONS.steps
    assert len(taken) + len(refused) == len(RolloutState) * len(RolloutStep)


def test_a_ring_opens_and_a_rollout_completes_only_out_of_running() -> None:
    for step in (RolloutStep.RING_OPENED, RolloutStep.FINISHED):
        assert {state for state, taken in TRANSITIONS.steps if taken is step} == {RolloutState.RUNNING}


def test_nothing_follows_the_end() -> None:
    assert {state for state in RolloutState if not any(before is state for before, _ in TRANSITIONS.steps)} == OVER
    assert {to for (state, _), to in TRANSITIONS.steps.items() if state is RolloutState.HALTED} == {
        RolloutState.RUNNING,
        RolloutState.ABORTED,
    }
    assert RolloutState.HALTED in STOPPED_STATES


def test_the_first_ring_opens_at_once_and_soaks() -> None:
    steps, decision = until_quiet(TWO, new_rollout(100.7), with_first(waiting=10), 100.7)
    assert (steps, decision.progress.opened_at) == ([RolloutStep.RING_OPENED], (100,))
    assert (decision.why.reason, decision.why.since, decision.why.until) == (RolloutReason.SOAKING, 100, 100 + DAY)


def test_no_ring_opens_before_the_one_before_it_has_soaked() -> None:
    done = with_first(installed=100)
    progress = begun(TWO, done)
    assert decide(TWO, progress, done, DAY - 0.1).why.reason is RolloutReason.SOAKING
    assert decide(TWO, progress, done, DAY).step is RolloutStep.RING_OPENED


@pytest.mark.parametrize(
    ("counts", "reason", "numbers"),
    [
        ({"installed": 4, "waiting": 20}, RolloutReason.TO_DECIDE, (4, 24, 5)),
        ({"installed": 5, "waiting": 20}, RolloutReason.NOT_SURE, (5, 5, 0)),  # 5 of 5 prove no more than 65 %
        ({"installed": 30, "failed": 1, "waiting": 20}, RolloutReason.NOT_SURE, (30, 31, 0)),
    ],
)
def test_a_ring_waits_with_the_numbers_of_its_rule(
    counts: dict[str, int], reason: RolloutReason, numbers: tuple[int, int, int]
) -> None:
    tallies = with_first(**counts)
    decision = decide(TWO, begun(TWO, tallies), tallies, 3 * DAY)
    assert (decision.step, decision.why.reason, decision.why.ring) == (None, reason, "test")
    assert (decision.why.count, decision.why.of, decision.why.wanted) == numbers
    assert decision.why.since == DAY


@pytest.mark.parametrize(
    "counts",
    [
        {"installed": 60, "waiting": 20},
        {"installed": 5},  # where none is left, the share itself counts
        {"installed": 3, "not_applicable": 5, "excepted": 2},  # a ring with fewer PCs: all of it
        {"not_applicable": 5},
        {},
        {"installed": 5, "silent": 2},
    ],
)
def test_a_ring_that_is_through_opens_the_next(counts: dict[str, int]) -> None:
    tallies = with_first(**counts)
    progress = begun(TWO, tallies)
    assert decide(TWO, progress, tallies, DAY).step is RolloutStep.RING_OPENED


def test_the_last_ring_completes_it() -> None:
    tallies = [RingTally(installed=5), RingTally(installed=200, waiting=3)]
    steps, decision = until_quiet(TWO, begun(TWO, tallies), tallies, DAY)
    assert steps == [RolloutStep.RING_OPENED]
    steps, decision = until_quiet(TWO, decision.progress, tallies, 2 * DAY)
    assert (steps, decision.progress.state) == ([RolloutStep.FINISHED], RolloutState.COMPLETE)
    assert decide(TWO, decision.progress, [RingTally(failed=9)] * 2, 9 * DAY).step is None


def test_failures_halt_it_also_while_it_soaks_is_paused_or_waits() -> None:
    bad = with_first(installed=3, failed=2, rolled_back=1, waiting=30)
    opened = begun(TWO)
    for state in (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.UNAPPROVED, RolloutState.HELD):
        decision = decide(TWO, replace(opened, state=state), bad, 1.0)
        assert (decision.step, decision.progress.state) == (RolloutStep.HALTED, RolloutState.HALTED), state
        assert (decision.why.reason, decision.why.count, decision.why.of) == (RolloutReason.FAILURES, 3, 6)
        assert decision.why.share > decision.why.bound == 0.05


def test_one_failure_among_few_is_none_yet_and_a_ring_that_is_not_open_halts_nothing() -> None:
    for tallies in (with_first(failed=1, waiting=5), [RingTally(waiting=5), RingTally(failed=50)]):
        assert decide(TWO, begun(TWO), tallies, 1.0).step is None


def test_an_earlier_ring_halts_it_too() -> None:
    tallies = [RingTally(installed=5), RingTally(waiting=100)]
    progress = until_quiet(TWO, begun(TWO, tallies), tallies, DAY)[1].progress
    late = [RingTally(rolled_back=5), RingTally(waiting=100)]
    assert decide(TWO, progress, late, DAY + 1.0).why.ring == "test"


def test_too_few_installations_halt_once_none_is_left_to_decide() -> None:
    lenient = plan(ring("test", success_share=9_000), ring("broad"))
    tallies = with_first(installed=8, failed=2)
    decision = decide(lenient, begun(lenient, with_first(waiting=10)), tallies, 1.0)
    assert (decision.step, decision.why.reason) == (RolloutStep.HALTED, RolloutReason.TOO_FEW_INSTALLED)
    assert (decision.why.count, decision.why.of, decision.why.share, decision.why.exact) == (8, 10, 0.8, True)


def test_silence_is_no_success_and_no_end_without_a_word() -> None:
    tallies = with_first(installed=2, silent=20)
    decision = decide(TWO, begun(TWO), tallies, DAY)
    assert (decision.step, decision.why.reason) == (RolloutStep.HALTED, RolloutReason.TOO_FEW_DECIDED)
    assert (decision.why.count, decision.why.of, decision.why.wanted) == (2, 22, 5)
    goes_on = resumed(decision.progress, DAY, "they are on holiday")
    assert decide(TWO, goes_on, tallies, DAY).step is RolloutStep.RING_OPENED


def test_where_the_plan_says_so_silent_pcs_wait_for_a_word() -> None:
    holding = plan(*TWO.rings, silent="hold")
    tallies = with_first(installed=100, silent=1, waiting=3)
    steps, held = until_quiet(holding, begun(holding), tallies, DAY)
    assert (steps, held.progress.state) == ([RolloutStep.HELD], RolloutState.HELD)
    later = decide(holding, held.progress, tallies, 9 * DAY)
    assert (later.step, later.why.reason, later.why.since, later.why.count) == (None, RolloutReason.SILENT_PCS, DAY, 1)
    assert decide(holding, resumed(held.progress, 9 * DAY), tallies, 9 * DAY).step is RolloutStep.RING_OPENED
    back, _ = until_quiet(holding, held.progress, with_first(installed=100, waiting=4), 9 * DAY)
    assert back == [RolloutStep.UNDECIDED, RolloutStep.RING_OPENED]


def test_a_word_for_one_ring_is_none_for_the_next() -> None:
    holding = plan(*TWO.rings, silent="hold")
    tallies = [RingTally(installed=100, silent=1), RingTally(installed=100, silent=1)]
    held = until_quiet(holding, begun(holding), tallies, DAY)[1]
    second = until_quiet(holding, resumed(held.progress, DAY), tallies, 3 * DAY)[1]
    assert second.progress.opened_at == (0, 3 * DAY)
    assert until_quiet(holding, second.progress, tallies, 5 * DAY)[1].progress.state is RolloutState.HELD


def test_no_ring_opens_while_it_is_paused_or_halted() -> None:
    done = with_first(installed=100)
    for step, reason in (
        (RolloutStep.PAUSED, RolloutReason.PAUSED),
        (RolloutStep.PAUSED, RolloutReason.HARM),
        (RolloutStep.HALTED, RolloutReason.HALTED),
    ):
        still = stopped(begun(TWO), step, reason, 1.0, "looking at it")
        decision = decide(TWO, still, done, 9 * DAY)
        assert (decision.step, decision.why.reason, decision.why.words) == (None, reason, "looking at it")
        assert decide(TWO, resumed(still, 9 * DAY), done, 9 * DAY).step is RolloutStep.RING_OPENED


def test_after_resuming_only_new_failures_halt() -> None:
    bad = RingTally(installed=3, failed=3, waiting=30)
    halted = decide(TWO, begun(TWO), [bad, RingTally()], 1.0).progress
    goes_on = resumed(halted, 2.0)
    seen = bad._replace(acknowledged=3)
    assert decide(TWO, goes_on, [seen, RingTally()], 2.0).step is None
    assert decide(TWO, goes_on, [seen._replace(failed=4), RingTally()], 2.0).step is None
    again = decide(TWO, goes_on, [seen._replace(failed=5), RingTally()], 2.0)
    assert (again.step, again.why.count, again.why.of) == (RolloutStep.HALTED, 2, 5)
    through = RingTally(installed=3, failed=3, acknowledged=3)
    assert decide(TWO, goes_on, [through, RingTally()], DAY).step is RolloutStep.RING_OPENED


def test_what_was_acknowledged_alone_lets_a_ring_through_once_all_have_decided() -> None:
    goes_on = resumed(decide(TWO, begun(TWO), with_first(failed=5), 1.0).progress, 2.0)
    assert (
        decide(TWO, goes_on, with_first(failed=5, acknowledged=5, waiting=1), DAY).why.reason is RolloutReason.NOT_SURE
    )
    assert decide(TWO, goes_on, with_first(failed=5, acknowledged=5), DAY).step is RolloutStep.RING_OPENED


def test_a_ring_that_wants_approval_waits_for_enough_people() -> None:
    careful = plan(ring("test"), ring("broad", approval=True))
    tallies = with_first(installed=5)
    one = Approved((2,), required=2)
    steps, waits = until_quiet(careful, new_rollout(0.0), tallies, 0.0, one)
    assert (steps, waits.progress.state) == ([RolloutStep.RING_OPENED, RolloutStep.UNAPPROVED], RolloutState.UNAPPROVED)
    later = decide(careful, waits.progress, tallies, 50.0, Approved((2, 1), required=2))
    assert (later.step, later.why.count, later.why.wanted, later.why.since) == (None, 1, 2, 0.0)
    steps, _ = until_quiet(careful, waits.progress, tallies, 60.0, Approved((1, 2, 2), required=2))
    assert steps == [RolloutStep.APPROVED, RolloutStep.RING_OPENED, RolloutStep.FINISHED][:2]
    steps, _ = until_quiet(careful, waits.progress, with_first(installed=5, waiting=1), 60.0, one)
    assert steps == [RolloutStep.UNDECIDED]


def test_where_pcs_want_approvals_every_ring_does() -> None:
    steps, _ = until_quiet(TWO, new_rollout(0.0), NOBODY, 0.0, Approved((), required=1, every_ring=True))
    assert steps == [RolloutStep.UNAPPROVED]
    steps, _ = until_quiet(TWO, new_rollout(0.0), NOBODY, 0.0, Approved((1,), required=1, every_ring=True))
    assert steps == [RolloutStep.RING_OPENED]


def test_a_wrong_word_is_refused_by_the_table() -> None:
    with pytest.raises(ValueError, match="a rollout that is 'running' cannot take: it is resumed"):
        resumed(begun(TWO), 1.0)
    aborted = stopped(begun(TWO), RolloutStep.ABORTED, RolloutReason.ABORTED, 1.0, "no")
    with pytest.raises(ValueError, match="a rollout that is 'aborted' cannot take"):
        stopped(aborted, RolloutStep.PAUSED, RolloutReason.PAUSED, 1.0, "no")


def test_where_pcs_want_more_approvals_than_there_are_an_open_ring_waits() -> None:
    """PCs begin no more, so a server that said that they had to decide would wait for ever."""
    approved, lapsed = Approved((2, 2), 2, every_ring=True), Approved((2,), 2, every_ring=True)
    first = with_first(waiting=10)
    steps, opened = until_quiet(TWO, new_rollout(0.0), first, 0.0, approved)
    assert steps == [RolloutStep.RING_OPENED]
    steps, waits = until_quiet(TWO, opened.progress, first, 5.0, lapsed)
    assert (steps, waits.why.reason, waits.why.count) == ([RolloutStep.UNAPPROVED], RolloutReason.NO_LONGER_APPROVED, 1)
    assert waits_for(TWO, waits.progress, 9.0, lapsed) == waits.why
    steps, goes_on = until_quiet(TWO, waits.progress, first, 6.0, approved)
    assert (steps, goes_on.progress.opened_at) == ([RolloutStep.UNDECIDED], opened.progress.opened_at)
    by_plan = plan(ring("test", approval=True, soak_seconds=DAY), ring("broad"))
    begun_by_plan = until_quiet(by_plan, new_rollout(0.0), first, 0.0, Approved((2,), 1))[1].progress
    assert until_quiet(by_plan, begun_by_plan, first, 5.0, Approved((), 1))[0] == []  # its PCs ask for none


def test_no_rollout_is_complete_whose_approvals_count_no_more() -> None:
    one = plan(ring("all", **CAREFUL))
    approved, lapsed = Approved((1,), 1, every_ring=True), Approved((), 1, every_ring=True)
    opened = decide(one, new_rollout(0.0), [RingTally(installed=1)], 0.0, approved).progress
    assert decide(one, opened, [RingTally(installed=1)], 1.0, lapsed).step is RolloutStep.UNAPPROVED
    halted = decide(one, opened, [RingTally(failed=9)], 1.0, lapsed)
    assert halted.step is RolloutStep.HALTED  # failures come first


def test_what_can_be_said_without_counting_is_what_counting_says() -> None:
    opened = begun(TWO, with_first(waiting=10))
    assert opened.why.reason is RolloutReason.SOAKING
    assert waits_for(TWO, opened, DAY - 1.0) == decide(TWO, opened, with_first(waiting=10), DAY - 1.0).why
    soaked = waits_for(TWO, opened, float(DAY))
    assert (soaked.reason, soaked.ring, soaked.since) == (RolloutReason.SOAKED, "test", float(DAY))
    new = new_rollout(3.0)
    assert waits_for(TWO, new, 5.0) == new.why
    paused = stopped(opened, RolloutStep.PAUSED, RolloutReason.PAUSED, 7.0, "lunch")
    assert waits_for(TWO, paused, 9.0 * DAY) == paused.why
    needs = plan(ring("test", approval=True), ring("broad"))
    lacks = until_quiet(needs, new, NOBODY, 4.0, Approved((), 2))[1].progress
    said = waits_for(needs, lacks, 5.0, Approved((1,), 2))
    assert (said.reason, said.count, said.wanted, said.since) == (RolloutReason.NOT_APPROVED, 1, 2, 4.0)
    assert said == decide(needs, lacks, NOBODY, 5.0, Approved((1,), 2)).why
