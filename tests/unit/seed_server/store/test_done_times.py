import pytest

from seed_server.store.done_times import NOT_DONE, NOT_FOR_IT, done_since, hour_of, said_done
from seed_server.store.tables import said_code


@pytest.mark.parametrize(
    ("state", "install", "reason", "done"),
    [
        ("verified", "installed", "", 50),
        ("checking", "installed", "", 50),
        ("verified", "", "", 50),
        ("waiting", "not_applicable", "replaced: 1.3 is installed", 50),
        ("waiting", "not_applicable", "withdrawn: crashes", NOT_FOR_IT),
        ("waiting", "not_applicable", "not applicable: no variant for windows", NOT_FOR_IT),
        ("fetching", "", "", NOT_DONE),
        ("verified", "waiting", "waits for a maintenance window", NOT_DONE),
        ("verified", "rolled_back", "replaced: by nobody", NOT_DONE),
        ("failed", "", "", NOT_DONE),
    ],
)
def test_what_is_done(state: str, install: str, reason: str, done: int) -> None:
    assert said_done(state, install, reason, 50) == done


def test_whoever_is_done_by_a_clock_that_is_wrong_is_done_all_the_same() -> None:
    assert said_done("verified", "installed", "", -7) == 1


def test_who_is_done_stays_so_since_then_and_who_looks_again_is_no_worse() -> None:
    verified, checking, fetching = (said_code(state, "") for state in ("verified", "checking", "fetching"))
    assert done_since(NOT_DONE, 50, verified) == 50
    assert done_since(50, 90, verified) == 50
    assert done_since(50, NOT_DONE, checking) == 50
    assert done_since(NOT_DONE, NOT_DONE, checking) == NOT_DONE
    assert done_since(50, NOT_DONE, fetching) == NOT_DONE
    assert done_since(50, NOT_DONE, said_code("checking", "rolled_back")) == NOT_DONE
    assert done_since(50, NOT_FOR_IT, said_code("waiting", "not_applicable")) == NOT_FOR_IT
    assert done_since(NOT_FOR_IT, NOT_DONE, checking) == NOT_DONE


def test_an_hour_begins_with_its_first_second() -> None:
    assert [hour_of(at) for at in (3_599, 3_600, 7_199)] == [0, 1, 1]
