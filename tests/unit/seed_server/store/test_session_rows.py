"""`seed_server.store.session_rows` on both databases."""

import concurrent.futures
from pathlib import Path

import msgspec
import pytest

from seed_server.store.database import Database
from seed_server.store.people_rows import PersonRow
from seed_server.store.session_records import PasskeyRow, WebSessionRow
from seed_server.store.session_rows import MAX_SESSIONS, USE_NOTED_SECONDS
from seed_server.store.token_names import token_id_of

NOW = 1_000.0
KEY = PasskeyRow("k1", "ola", "blue", b"\0id", b"\xa5cose", 7, NOW)


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    for name in ("ola", "pia"):
        database.add_person(PersonRow(name, ("viewer",), (), (), 1.0, "local:root"))


def session(secret: bytes, person: str = "ola", at: float = NOW) -> WebSessionRow:
    return WebSessionRow(
        token_id_of(secret),
        person,
        at,
        at,
        at + 500,
        100.0,
        "code",
        factor_at=at,
        address="127.0.0.9",
        browser="Firefox",
    )


def test_a_session_is_kept_by_the_hash_of_its_secret(database: Database) -> None:
    secret = b"s" * 32
    database.add_web_session(secret, session(secret))
    assert database.web_session(secret) == session(secret)
    assert database.web_session(b"t" * 32) is None
    assert database.web_sessions("pia") == []
    database.end_web_session(token_id_of(secret))
    assert database.web_session(secret) is None


def test_a_session_is_over_after_its_time_and_when_it_was_not_used() -> None:
    one = session(b"s" * 32)
    assert [one.is_open(NOW + after) for after in (0, 99.9, 100)] == [True, True, False]
    used = msgspec.structs.replace(one, used_at=NOW + 450)
    assert [used.is_open(NOW + after) for after in (499.9, 500)] == [True, False]


def test_its_last_use_is_written_once_a_minute(database: Database) -> None:
    secret = b"s" * 32
    database.add_web_session(secret, session(secret))
    database.note_web_session_use(session(secret), NOW + USE_NOTED_SECONDS - 1)
    assert database.web_sessions()[0].used_at == NOW
    database.note_web_session_use(session(secret), NOW + USE_NOTED_SECONDS)
    assert database.web_sessions()[0].used_at == NOW + USE_NOTED_SECONDS


def test_an_account_has_so_many_and_what_is_over_goes(database: Database) -> None:
    secrets = [bytes([number]) * 32 for number in range(MAX_SESSIONS + 2)]
    database.add_web_session(b"p" * 32, session(b"p" * 32, "pia"))
    for number, secret in enumerate(secrets):
        database.add_web_session(secret, session(secret, at=NOW + number))
    assert len(database.web_sessions("ola")) == MAX_SESSIONS
    assert [database.web_session(secret) is None for secret in secrets[:3]] == [True, True, False]
    assert database.web_session(b"p" * 32) is not None
    late = b"l" * 32
    database.add_web_session(late, session(late, at=NOW + 100))
    assert database.web_session(b"p" * 32) is None, "nobody used it"


def test_all_sessions_of_an_account_end_but_one(database: Database) -> None:
    for number in range(3):
        database.add_web_session(bytes([number]) * 32, session(bytes([number]) * 32))
    database.add_web_session(b"p" * 32, session(b"p" * 32, "pia"))
    assert database.end_web_sessions("ola", but=token_id_of(b"\1" * 32)) == 2
    assert [one.session_id for one in database.web_sessions("ola")] == [token_id_of(b"\1" * 32)]
    assert database.end_all_web_sessions() == 2


def test_sessions_and_keys_go_with_their_account(database: Database) -> None:
    database.add_web_session(b"s" * 32, session(b"s" * 32))
    database.add_passkey(KEY)
    database.remove_person("ola")
    assert database.web_sessions() == []
    assert database.passkey(KEY.credential_id) is None


def test_a_key_is_kept_as_it_is_given_and_is_one_persons(database: Database) -> None:
    assert database.add_passkey(KEY)
    assert not database.add_passkey(msgspec.structs.replace(KEY, person="pia"))
    database.rename_passkey("k1", "green")
    assert database.passkeys("ola") == [msgspec.structs.replace(KEY, name="green")]
    assert database.count_passkeys() == {"ola": 1}
    database.remove_passkey("k1")
    database.add_passkey(KEY)
    assert database.remove_passkeys("ola") == 1
    assert database.passkeys("ola") == []


def test_two_that_show_one_count_are_told_apart(database: Database) -> None:
    database.add_passkey(KEY)
    assert database.take_passkey_use(KEY, 8, NOW + 1)
    assert not database.take_passkey_use(KEY, 9, NOW + 1)
    assert database.passkeys("ola")[0].sign_count == 8


def test_a_challenge_is_taken_once_by_many_at_the_same_time(database: Database, place: Path | str) -> None:
    with Database.open(place) as other, concurrent.futures.ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda taker: taker.take_challenge(b"c", NOW, NOW + 300), [database, other] * 4))
    assert taken.count(True) == 1
    assert database.take_challenge(b"d", NOW + 301, NOW + 600)
