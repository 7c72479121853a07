"""`p2pdist.shared.backoff`: delays computed by hand, and their bounds."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.backoff import Backoff


def after(failures: int) -> Backoff:
    backoff = Backoff(first_seconds=0.5, longest_seconds=60.0)
    for _ in range(failures):
        backoff = backoff.failed()
    return backoff


def test_delay_doubles_from_the_first_to_the_longest() -> None:
    delays = [after(failures).delay_seconds(1.0) for failures in range(1, 10)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_least_jitter_halves_the_delay() -> None:
    assert after(3).delay_seconds(0.0) == 1.0


def test_success_starts_over() -> None:
    assert after(7).succeeded().failed().delay_seconds(1.0) == 0.5


@given(failures=st.integers(0, 5_000), jitter=st.floats(0, 1))
def test_delay_is_never_zero_and_never_over_the_longest(failures: int, jitter: float) -> None:
    backoff = Backoff(0.5, 60.0, failures)
    assert 0.25 <= backoff.delay_seconds(jitter) <= 60.0
