"""`bandwidth.core.controller`: what holds for any sequence of samples, whatever the clock does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.core.controller import Controller, ControllerSettings
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.units import BytesPerSecond

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


@given(
    capacity=capacities,
    sequence=st.lists(st.tuples(samples, steps, st.none() | st.integers(0, 10**8), st.booleans()), max_size=60),
)
@settings(max_examples=150)
def test_never_above_a_ceiling_never_negative_always_with_a_reason(
    capacity: BytesPerSecond | None,
    sequence: list[tuple[Sample, float, int | None, bool]],
) -> None:
    now = 1_000.0
    controller = Controller(ControllerSettings(capacity=capacity), now)
    for sample, step, ceiling, blackout in sequence:
        now += step
        limit = None if ceiling is None else BytesPerSecond(ceiling)
        decision = controller.update(sample, now, ceiling=limit, blackout=blackout)
        assert decision.allowance >= 0
        assert isinstance(decision.reason, Reason)
        assert decision.state is controller.state
        if limit is not None:
            assert decision.allowance <= limit
        if blackout:
            assert (decision.allowance, decision.state) == (0, State.BLACKOUT)


@given(sequence=st.lists(st.tuples(samples, steps), max_size=60))
@settings(max_examples=100)
def test_whatever_came_before_an_idle_line_is_regained(sequence: list[tuple[Sample, float]]) -> None:
    """After any past, a line that is idle and answers promptly is used again within a bounded time."""
    now = 1_000.0
    controller = Controller(ControllerSettings(capacity=CAPACITY), now)
    for sample, step in sequence:
        now += step
        controller.update(sample, now)
    allowance, best = 0, 0
    least = 0.0004  # below every base that the past may have shown
    for _ in range(round(180 / STEP_SECONDS)):
        now += STEP_SECONDS
        idle = Sample(
            rtt_seconds=least,
            data_rtt_seconds=least,
            delivered_bytes=min(int(allowance * STEP_SECONDS), int(CAPACITY * STEP_SECONDS)),
            retransmits=0,
            application_limited=False,
            window_rate=None,
            business_bytes=0,
        )
        allowance = controller.update(idle, now).allowance
        best = max(best, allowance)
        if best >= 0.9 * CAPACITY:
            return
    raise AssertionError(f"only {best} of {CAPACITY} after three idle minutes, in state {controller.state}")


@given(low=st.integers(0, 10**7), high=st.integers(0, 10**7), sequence=st.lists(samples, max_size=40))
@settings(max_examples=100)
def test_a_lower_ceiling_never_gives_more(low: int, high: int, sequence: list[Sample]) -> None:
    low, high = sorted((low, high))
    one, other = (Controller(ControllerSettings(capacity=CAPACITY), 0.0) for _ in range(2))
    for n, sample in enumerate(sequence, 1):
        strict = one.update(sample, n * STEP_SECONDS, ceiling=BytesPerSecond(low))
        lax = other.update(sample, n * STEP_SECONDS, ceiling=BytesPerSecond(high))
        assert strict.allowance <= lax.allowance
