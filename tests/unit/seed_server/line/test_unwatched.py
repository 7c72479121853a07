"""`seed_server.line.unwatched`."""

from hypothesis import given
from hypothesis import strategies as st

from seed_server.line.unwatched import UNWATCHED_BYTES, UnwatchedBytes

MINUTE_BYTES = 128_000


def test_a_small_patch_goes_unwatched_and_a_large_one_does_not() -> None:
    unwatched = UnwatchedBytes(0.0)
    assert unwatched.suffice(16_384, 0.0)
    assert not unwatched.suffice(UNWATCHED_BYTES + 1, 0.0)


def test_when_all_is_used_even_nothing_is_too_much_until_time_has_passed() -> None:
    unwatched = UnwatchedBytes(0.0)
    unwatched.sent(10 * UNWATCHED_BYTES, 0.0)
    assert not unwatched.suffice(0, 0.0)
    assert unwatched.suffice(16_384, 60.0)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 100_000)), max_size=60))
def test_in_no_minute_is_more_sent_unwatched_than_that(sends: list[tuple[float, int]]) -> None:
    unwatched, now, sent = UnwatchedBytes(0.0), 0.0, list[tuple[float, int]]()
    for pause, size in sends:
        now += pause
        if unwatched.suffice(size, now):
            unwatched.sent(size, now)
            sent.append((now, size))
            assert sum(count for at, count in sent if at > now - 60) <= MINUTE_BYTES
