"""`seed_server.store.idempotency`: requests that are carried out once."""

import pytest

from seed_server.store.database import Database
from seed_server.store.idempotency import AT_WORK, CUT_OFF, KEY_KEPT_SECONDS, KeptAnswer, TooManyKeysError

NOW = 1_800_000_000.0


def test_a_request_is_known_until_its_time_is_over(database: Database) -> None:
    assert database.begin_request("t", "k", b"x", NOW) is None
    assert database.begin_request("t", "k", b"x", NOW) == KeptAnswer(b"x", AT_WORK, b"")
    database.end_request("t", "k", 201, b"{}")
    assert database.begin_request("t", "k", b"y", NOW + KEY_KEPT_SECONDS) == KeptAnswer(b"x", 201, b"{}")
    assert database.begin_request("t", "k", b"y", NOW + KEY_KEPT_SECONDS + 1) is None


def test_keys_are_those_of_a_token_and_can_be_free_again(database: Database) -> None:
    assert database.begin_request("t", "k", b"x", NOW) is None
    assert database.begin_request("u", "k", b"x", NOW) is None
    database.forget_request("t", "k")
    assert database.begin_request("t", "k", b"x", NOW) is None
    assert database.begin_request("u", "k", b"x", NOW) == KeptAnswer(b"x", AT_WORK, b"")


def test_a_token_has_so_many_keys_and_no_more(database: Database) -> None:
    for number in range(3):
        assert database.begin_request("t", f"k-{number}", b"x", NOW, most=3) is None
    with pytest.raises(TooManyKeysError):
        database.begin_request("t", "k-3", b"x", NOW, most=3)
    assert database.begin_request("t", "k-2", b"x", NOW, most=3) == KeptAnswer(b"x", AT_WORK, b"")
    assert database.begin_request("u", "k-3", b"x", NOW, most=3) is None
    assert database.begin_request("t", "k-3", b"x", NOW + KEY_KEPT_SECONDS + 1, most=3) is None


def test_what_was_at_work_is_cut_off_and_nothing_else(database: Database) -> None:
    database.begin_request("t", "a", b"x", NOW)
    database.begin_request("t", "b", b"x", NOW)
    database.end_request("t", "a", 200, b"{}")
    assert database.requests_cut_off() == 1
    assert database.begin_request("t", "a", b"x", NOW) == KeptAnswer(b"x", 200, b"{}")
    assert database.begin_request("t", "b", b"x", NOW) == KeptAnswer(b"x", CUT_OFF, b"")
