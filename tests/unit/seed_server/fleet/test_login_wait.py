"""How long somebody waits who was wrong; and that a stranger locks nobody out."""

from hypothesis import given
from hypothesis import strategies as st

from seed_server.fleet.login_wait import (
    FAILURES_COUNT_SECONDS,
    FREE_FAILURES,
    LONGEST_LOGIN_WAIT_SECONDS,
    MOST_STRANGE_FAILURES,
    login_wait,
)
from seed_server.store.people_rows import LoginRow

NOW = 1_000_000.0


def test_typing_errors_are_free_and_then_each_failure_doubles_the_wait() -> None:
    waits = [login_wait([LoginRow("pc", failures, NOW)], "pc", NOW) for failures in range(FREE_FAILURES + 12)]
    assert waits[: FREE_FAILURES + 4] == [0.0] * FREE_FAILURES + [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_LOGIN_WAIT_SECONDS


def test_the_wait_ends_and_failures_are_forgotten() -> None:
    wrong = [LoginRow("pc", 30, NOW)]
    assert login_wait(wrong, "pc", NOW + LONGEST_LOGIN_WAIT_SECONDS - 1) == 1.0
    assert login_wait(wrong, "pc", NOW + LONGEST_LOGIN_WAIT_SECONDS) == 0.0
    assert login_wait(wrong, "pc", NOW + FAILURES_COUNT_SECONDS) == 0.0
    assert login_wait(wrong, "pc", NOW - 1.0) == 0.0  # the clock was set back: nobody waits for it


def test_who_has_logged_in_from_a_place_is_not_locked_out_there() -> None:
    strangers = [LoginRow(f"192.0.2.{number}", 20, NOW) for number in range(200)]
    assert login_wait([*strangers, LoginRow("pc", 0, 0.0, 1.0)], "pc", NOW) == 0.0
    assert login_wait(strangers, "elsewhere", NOW) == LONGEST_LOGIN_WAIT_SECONDS
    few = [LoginRow("192.0.2.1", MOST_STRANGE_FAILURES - 1, NOW)]
    assert login_wait(few, "elsewhere", NOW) == 0.0


logins = st.lists(
    st.builds(
        LoginRow,
        st.sampled_from(["pc", "a", "b", "c"]),
        st.integers(0, 1_000),
        st.floats(0, 2 * NOW),
        st.sampled_from([0.0, 5.0, NOW]),
    ),
    unique_by=lambda row: row.source,
)


@given(logins, st.floats(0, 2 * NOW))
def test_nobody_waits_longer_than_the_longest_wait(rows: list[LoginRow], now: float) -> None:
    wait = login_wait(rows, "pc", now)
    assert 0.0 <= wait <= LONGEST_LOGIN_WAIT_SECONDS
    if all(row.failed_at <= now for row in rows):
        assert login_wait(rows, "pc", now + wait + 1e-3) == 0.0
