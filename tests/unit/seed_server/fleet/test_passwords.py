"""Passwords are kept as Argon2id with the costs that were chosen, and nothing but the right one opens."""

import threading

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import passwords
from seed_server.fleet.passwords import (
    FIRST_GROUPS,
    FIRST_LETTERS,
    GROUP_CHARS,
    LANES,
    MAX_PASSWORD_CHARS,
    MEMORY_KIB,
    NOBODYS_PASSWORD,
    PASSES,
    check_new_password,
    first_password,
    hash_password,
    is_outdated,
    password_matches,
)

GOOD = "correct horse battery"


def test_the_costs_are_those_that_were_chosen() -> None:
    assert (PASSES, MEMORY_KIB, LANES) == (3, 65_536, 2)
    kept = hash_password(GOOD)
    costs = "$argon2id$v=19$m=65536,t=3,p=2$"
    assert kept.startswith(costs)
    assert NOBODYS_PASSWORD.startswith(costs)  # where there is no account, it takes as long
    assert hash_password(GOOD) != kept
    assert not is_outdated(kept)
    assert is_outdated(kept.replace("t=3", "t=2"))


def test_only_the_right_one_opens() -> None:
    kept = hash_password("Zürich über alles")
    assert password_matches(kept, "Zu\u0308rich u\u0308ber alles")  # NFKC: other keys, the same letters
    for wrong in ("", "zürich über alles", "Zürich über alles ", "x" * (MAX_PASSWORD_CHARS + 1)):
        assert not password_matches(kept, wrong)
    for nothing in ("", NOBODYS_PASSWORD, "damaged"):
        assert not password_matches(nothing, GOOD)
        assert not password_matches(nothing, "")


def test_letters_whose_accents_are_typed_one_by_one_count_as_letters() -> None:
    typed = "e\u0301a\u0308o\u0302u\u0300" * (MAX_PASSWORD_CHARS // 4)
    check_new_password(typed, "ada")
    assert password_matches(hash_password(typed), typed)


def test_what_a_terminal_gives_that_is_no_text_is_wrong_and_no_more() -> None:
    garbled = "\udcff\udcfe" + GOOD
    assert not password_matches(hash_password(GOOD), garbled)
    with pytest.raises(UserError, match="set to UTF-8") as caught:
        check_new_password(garbled, "ada")
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_short_name_is_in_every_text() -> None:
    check_new_password(GOOD, "o")


@pytest.mark.parametrize(
    "unfit", ["short", "x" * 12, "abab" * 6, "my name is ada, so", "x" * (MAX_PASSWORD_CHARS + 1), ""]
)
def test_what_is_easily_guessed_is_refused(unfit: str) -> None:
    with pytest.raises(UserError) as caught:
        check_new_password(unfit, "ada")
    assert caught.value.kind is FaultKind.BAD_INPUT
    check_new_password(GOOD, "ada")


def test_two_at_a_time_and_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = threading.BoundedSemaphore(passwords.PASSWORDS_AT_ONCE)
    monkeypatch.setattr(passwords, "_turns", turns)
    assert passwords.PASSWORDS_AT_ONCE == 2
    assert turns.acquire()
    assert turns.acquire()
    monkeypatch.setattr(turns, "acquire", lambda timeout: False)  # as after `PASSWORD_TURN_SECONDS`
    with pytest.raises(UserError, match="Try again") as caught:
        hash_password(GOOD)
    assert caught.value.kind is FaultKind.BUSY


def test_a_first_password_is_fit_for_any_account_and_never_the_same() -> None:
    found = {first_password("ada") for _ in range(100)}
    assert len(found) == 100
    for password in found:
        check_new_password(password, "ada")
        assert len(password) == FIRST_GROUPS * (GROUP_CHARS + 1) - 1
        assert set(password) <= {*FIRST_LETTERS, "-"}
