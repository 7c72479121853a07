"""`bandwidth.core.controller`: what holds for any sequence of samples, whatever the clock does."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandwidth.core import controller as controller_module
from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import TRANSITIONS, Reason, State, Trigger
from bandwidth.core.units import BytesPerSecond
from tests.helpers.fluid_line import FluidLine, Loop

CAPACITY = BytesPerSecond(2_500_000)
STEP_SECONDS = 0.05

samples = st.builds(
    Sample,
    rtt_seconds=st.none() | st.floats(0.0005, 2.0),
    data_rtt_seconds=st.none() | st.floats(0.0005, 2.0),
    delivered_bytes=st.integers(0, 10**7),
    retransmits=st.integers(0, 1_000),
    application_limited=st.booleans(),
    window_rate=st.none() | st.integers(1_000, 10**9).map(BytesPerSecond),
    business_bytes=st.none() | st.integers(0, 10**7),
    bulk_business=st.booleans(),
    business_harm_seconds=st.none() | st.floats(0, 1),
)
# mostly the regular step, sometimes a machine that slept or a clock that was set back
steps = st.sampled_from([STEP_SECONDS] * 8 + [0.0, 5.0, 86_400.0, -30.0, -1e6])
capacities = st.none() | st.integers(1_000, 10**9).map(BytesPerSecond)
limits = st.none() | st.integers(0, 10**8).map(BytesPerSecond)
# stretches of one sample: single ones are too short for a state to be left by itself
stretches = st.lists(st.tuples(samples, st.integers(1, 40), steps), max_size=25)
Stretches: TypeAlias = list[tuple[Sample, int, float]]


def each(sequence: Stretches) -> Iterable[tuple[Sample, float]]:
    """Return (sample, step of the clock), sample by sample; the clock jumps at a stretch's beginning alone."""
    for sample, times, step in sequence:
        for n in range(times):
            yield sample, STEP_SECONDS if n else step


def idle(allowance: int, rtt: float = 0.0004) -> Sample:
    """Return the sample of a line that carries what is allowed; the round trip is below any that was drawn."""
    delivered = int(min(allowance, CAPACITY) * STEP_SECONDS)
    return Sample(rtt, rtt, delivered, 0, False, None, 0)


def regains(controller: Controller, now: float) -> Decision:
    """Give the controller three idle minutes; return the first decision that uses 90 % of the line, else the last."""
    decision = controller.update(idle(0), now)
    for n in range(1, round(180 / STEP_SECONDS)):
        if decision.allowance >= 0.9 * CAPACITY:
            break
        decision = controller.update(idle(decision.allowance), now + n * STEP_SECONDS)
    return decision


# --- policy ------------------------------------------------------------------------------------


@given(
    capacity=capacities,
    sequence=st.lists(st.tuples(samples, steps, limits, limits, st.booleans(), st.booleans()), max_size=60),
)
@settings(max_examples=150)
def test_policy_holds_and_every_decision_has_a_reason(
    capacity: BytesPerSecond | None,
    sequence: list[tuple[Sample, float, BytesPerSecond | None, BytesPerSecond | None, bool, bool]],
) -> None:
    now = 1_000.0
    controller = Controller(ControllerSettings(capacity=capacity), now)
    for sample, step, ceiling, floor, boost, blackout in sequence:
        now += step
        decision = controller.update(sample, now, ceiling=ceiling, floor=floor, boost=boost, blackout=blackout)
        assert decision.allowance >= 0
        assert decision.reason in set(Reason)
        assert decision.state is controller.state
        if blackout:
            assert (decision.allowance, decision.state, decision.reason) == (0, State.BLACKOUT, Reason.BLACKOUT)
            continue
        assert decision.state is not State.BLACKOUT
        assert decision.reason is not Reason.BLACKOUT
        if ceiling is not None:
            assert decision.allowance <= ceiling
            assert decision.reason is not Reason.CEILING or decision.allowance == ceiling
        if floor is not None:
            assert decision.allowance >= (floor if ceiling is None else min(floor, ceiling))
        assert decision.reason is not (Reason.FLOOR if boost else Reason.BOOST)
        if decision.reason in (Reason.FLOOR, Reason.BOOST):
            assert decision.allowance == floor
        if ceiling is None and floor is None and capacity is not None:
            assert decision.allowance <= max(capacity, 1_000), "the line, or what keeps a connection alive"


@given(low=limits, high=limits, sequence=st.lists(samples, max_size=40))
@settings(max_examples=100)
def test_a_lower_ceiling_never_gives_more(
    low: BytesPerSecond | None, high: BytesPerSecond | None, sequence: list[Sample]
) -> None:
    if low is None or (high is not None and high < low):
        low, high = high, low
    one, other = (Controller(ControllerSettings(capacity=CAPACITY), 0.0) for _ in range(2))
    for n, sample in enumerate(sequence, 1):
        strict = one.update(sample, n * STEP_SECONDS, ceiling=low)
        lax = other.update(sample, n * STEP_SECONDS, ceiling=high)
        if low is not None:
            assert strict.allowance <= lax.allowance or strict.allowance <= low < lax.allowance


@given(sequence=st.lists(samples, max_size=40), floor=limits)
def test_a_floor_never_gives_less(sequence: list[Sample], floor: BytesPerSecond | None) -> None:
    """Within one decision: later ones differ, as less arrives of more."""
    without, other = (Controller(ControllerSettings(capacity=CAPACITY), 0.0) for _ in range(2))
    for n, sample in enumerate(sequence, 1):
        plain = without.update(sample, n * STEP_SECONDS)
        floored = other.update(sample, n * STEP_SECONDS, floor=floor)
        assert floored.allowance >= (floor or 0)
        if plain.allowance != floored.allowance:
            return


# --- a line is regained ------------------------------------------------------------------------


@given(sequence=stretches)
@settings(max_examples=60)
def test_whatever_came_before_an_idle_line_is_regained(sequence: Stretches) -> None:
    """After any past, a line that is idle and answers promptly is used again within a bounded time."""
    now = 1_000.0
    controller = Controller(ControllerSettings(capacity=CAPACITY), now)
    for sample, step in each(sequence):
        now += step
        controller.update(sample, now)
    decision = regains(controller, now + STEP_SECONDS)
    assert decision.allowance >= 0.9 * CAPACITY, decision


@given(sequence=stretches, jump=st.sampled_from([-1e6, -30.0, -0.05, 2.5, 5.0, 3_600.0, 86_400.0]))
@settings(max_examples=60)
def test_a_jump_of_the_clock_gives_no_more_than_one_step_and_takes_nothing_for_good(
    sequence: Stretches, jump: float
) -> None:
    """The same sequence, with and without a jump before its last sample."""
    now = 1_000.0
    smooth, jumped = (Controller(ControllerSettings(capacity=CAPACITY), now) for _ in range(2))
    before = Decision(BytesPerSecond(64_000), Reason.LEARNING, State.LEARN)
    last = idle(0)
    for sample, times, _ in sequence:
        for _ in range(times):
            now += STEP_SECONDS
            before, last = smooth.update(sample, now), sample
            assert jumped.update(sample, now) == before
    now += STEP_SECONDS
    without = smooth.update(last, now)
    after = jumped.update(last, now + jump)
    # the longest step earns √2 in a ramp, or a quarter of the line on the way back; what is over leaves its state
    growth = max(2**0.5 * before.allowance, before.allowance + 0.25 * CAPACITY)
    if before.state in (State.YIELD, State.SLOWDOWN, State.STALL):
        growth = max(growth, 0.85 * CAPACITY)
    assert after.allowance <= max(without.allowance, growth)
    decision = regains(jumped, now + jump + STEP_SECONDS)
    assert decision.allowance >= 0.9 * CAPACITY, decision


@pytest.mark.parametrize("jump", [-30.0, 3.0, 3_600.0])
def test_a_jump_beside_business_does_not_give_us_its_room(jump: float) -> None:
    course = Loop(FluidLine(CAPACITY, 0.04, step=STEP_SECONDS)).run(5).run(3, others=0.3 * CAPACITY)
    before = course.decision
    assert before.reason is Reason.BUSINESS_LOAD
    taken = Sample(0.04, 0.04, 0, 0, False, None, int(0.3 * CAPACITY * max(jump, STEP_SECONDS)))
    assert course.controller.update(taken, course.now + jump).allowance <= before.allowance + 0.05 * CAPACITY


@pytest.mark.uncounted
@given(
    yields=st.floats(0.5, 120),
    others=st.floats(0.5, 1.2),
    fair=st.booleans(),
    seen=st.booleans(),
    configured=st.booleans(),
    rtt=st.sampled_from([0.01, 0.02, 0.04, 0.11]),
)
@settings(max_examples=25)
def test_a_line_is_regained_after_any_competitor(
    yields: float, others: float, fair: bool, seen: bool, configured: bool, rtt: float
) -> None:
    course = Loop(FluidLine(CAPACITY, rtt, fair=fair, step=STEP_SECONDS), configured=configured).run(8)
    course.run(yields, others=others * CAPACITY, seen=seen, bulk=seen)
    freed = course.now
    course.run(60)
    # a capacity that was learned beside a competitor is felt for by 2 % a second
    assert course.regained(freed, 0.9 if configured else 0.8) is not None


# --- the table of states -----------------------------------------------------------------------

CALM = idle(0, 0.04)
LATE = replace(idle(0, 0.05), data_rtt_seconds=None)  # smoothed, so it would not show yet
FAR = idle(0, 0.3)
SILENT = Sample(None, None, 0, 0, False, None, None)
BULK = Sample(0.04, 0.04, 0, 0, False, None, 10**5, bulk_business=True)
plain = st.sampled_from([CALM, CALM, LATE, FAR, SILENT, BULK]) | samples


class Watched:
    """The controller's table, and every step that it was asked for."""

    def __init__(self) -> None:
        self.steps: set[tuple[State, Trigger]] = set()

    def after(self, state: State, trigger: Trigger) -> State:
        self.steps.add((state, trigger))
        return TRANSITIONS.after(state, trigger)


@pytest.fixture(scope="module")
def watched() -> Iterable[Watched]:
    """Watch the controller of this module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        watch = Watched()
        patch.setattr(controller_module, "TRANSITIONS", watch)
        yield watch


@given(
    capacity=capacities,
    sequence=st.lists(st.tuples(plain, st.integers(1, 30), steps, st.booleans() | st.just(False)), max_size=40),
)
@settings(max_examples=100)
@example(capacity=CAPACITY, sequence=[])
def test_the_controller_asks_for_no_step_that_the_table_lacks(
    capacity: BytesPerSecond | None, sequence: list[tuple[Sample, int, float, bool]]
) -> None:
    """A step that is not there raises `ValueError`."""
    now = 1_000.0
    controller = Controller(ControllerSettings(capacity=capacity), now)
    for sample, times, step, blackout in sequence:
        for n in range(times):
            now += STEP_SECONDS if n else step
            allowance = controller.update(sample, now, blackout=blackout).allowance
            assert allowance >= 0


Course: TypeAlias = list[tuple[Sample, int]]
NOTHING, NOTHING_LATE = replace(CALM, application_limited=True), replace(LATE, application_limited=True)
FULL: Course = [(CALM, 60)]
WAYS: dict[State, Course] = {
    State.LEARN: [(SILENT, 1)],
    State.RAMP: [(CALM, 3)],
    State.SCAVENGE: FULL,
    State.BACK_OFF: [*FULL, (LATE, 3)],
    State.YIELD: [*FULL, (BULK, 3)],
    State.SLOWDOWN: [(CALM, 1_203)],
    State.STALL: [*FULL, (SILENT, 15)],
}
TROUBLES: list[Course] = [[(CALM, 200)], [(LATE, 10)], [(BULK, 1), (CALM, 100)], [(SILENT, 15), (CALM, 10)]]
STRAIGHT_INTO_SILENCE: list[Course] = [
    [*FULL, (BULK, 3), (replace(BULK, rtt_seconds=None, business_bytes=None), 20)],
    # delivered nothing for half a second, and then the pings are lost as well
    [*FULL, (NOTHING, 10), (NOTHING_LATE, 3), (SILENT, 3)],
    [(CALM, 1_190), (NOTHING, 16), (SILENT, 3)],
]


def take(controller: Controller, course: Course, now: float) -> float:
    """Let all arrive that is sent, but in silence; return the time after it."""
    allowance = before = 0
    for sample, times in course:
        nothing = sample is SILENT or sample.application_limited or sample.rtt_seconds is None
        for _ in range(times):
            now += STEP_SECONDS
            delivered = 0 if nothing else int((0.8 * before + 0.2 * allowance) * STEP_SECONDS)
            before = allowance
            told = replace(sample, delivered_bytes=delivered, application_limited=nothing)
            allowance = controller.update(told, now).allowance
    return now


def test_every_step_of_the_table_is_taken(watched: Watched) -> None:
    """From each state into each trouble: no step of the table is there in vain."""
    for state, way in WAYS.items():
        for trouble in TROUBLES:
            controller = Controller(ControllerSettings(capacity=CAPACITY), 0.0)
            now = take(controller, way, 0.0)
            assert controller.state is state
            take(controller, trouble, now)
        controller = Controller(ControllerSettings(capacity=CAPACITY), 0.0)
        now = take(controller, way, 0.0)
        controller.update(CALM, now + STEP_SECONDS, blackout=True)
        controller.update(CALM, now + 2 * STEP_SECONDS)
    for course in STRAIGHT_INTO_SILENCE:
        take(Controller(ControllerSettings(capacity=CAPACITY), 0.0), course, 0.0)
    # losses with the first round trip of an unknown line: its end, no competitor
    take(Controller(ControllerSettings(), 0.0), [(SILENT, 1), (replace(CALM, retransmits=9), 1)], 0.0)
    # over a satellite, a queue in a ramp that is gone before a cut can have reached it
    far = replace(CALM, rtt_seconds=0.6)
    take(Controller(ControllerSettings(), 0.0), [(far, 3), (replace(far, rtt_seconds=0.62), 3), (far, 3)], 0.0)
    assert watched.steps == set(TRANSITIONS.steps)
    assert {TRANSITIONS.steps[step] for step in watched.steps} == set(State)
