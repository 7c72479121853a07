"""`seed_server.store.people` on both databases."""

import concurrent.futures
from pathlib import Path

import msgspec

from seed_server.store.database import Database
from seed_server.store.people import FAILURES_KEPT_SECONDS, PLACES_KEPT_SECONDS, SPENT_API_TOKEN_KEPT_SECONDS
from seed_server.store.people_rows import ApiTokenRow, LoginRow, PersonRow
from seed_server.store.token_names import token_id_of

SECRET = b"s" * 32
OLA = PersonRow(
    name="ola",
    roles=("operator", "auditor"),
    sites=("oslo", "a/b:c"),
    tags=("kiosk",),
    created_at=5.0,
    created_by="local:root",
    disabled=True,
    password="$argon2id$…",
    totp=b"\0\xff",
)
TOKEN = ApiTokenRow(
    token_id=token_id_of(SECRET),
    owner="ola",
    label="CI, every night",
    permissions=("look", "roll-out"),
    sites=("oslo",),
    tags=(),
    created_at=10.0,
    made_by="ola",
    expires_at=100.0,
)


def test_an_account_is_kept_as_it_is_given(database: Database) -> None:
    assert database.add_person(OLA)
    assert not database.add_person(msgspec.structs.replace(OLA, roles=("viewer",)))
    assert database.person("ola") == OLA
    assert database.person("bob") is None
    changed = msgspec.structs.replace(OLA, disabled=False, sites=(), tags=(), totp=b"")
    database.change_person(changed)
    assert database.people() == [changed]


def test_a_code_is_taken_once_by_many_at_the_same_time(database: Database, place: Path | str) -> None:
    database.add_person(OLA)
    with Database.open(place) as other, concurrent.futures.ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda taker: taker.take_totp_step("ola", 7), [database, other] * 4))
    assert taken.count(True) == 1
    assert not database.take_totp_step("ola", 6)
    assert database.take_totp_step("ola", 8)
    database.change_person(OLA)
    assert not database.take_totp_step("ola", 8)  # no change of the account makes old codes new
    assert not database.take_totp_step("bob", 1)


def test_what_is_one_decision_is_made_by_one_at_a_time(database: Database, place: Path | str) -> None:
    """Two processes that each look first would both find room for one more."""

    def add(taker: Database, name: str) -> bool:
        with taker.people_change():
            room = len(taker.people()) < 3
            return room and taker.add_person(msgspec.structs.replace(OLA, name=name))

    with Database.open(place) as other, concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(add, [database, other] * 4, (f"p{number}" for number in range(8))))
    assert done.count(True) == len(database.people()) == 3


def test_failures_are_counted_by_place_until_somebody_gets_in(database: Database) -> None:
    for at in (1.0, 2.0):
        database.note_login_failure("ola", "desk", at)
    database.note_login_failure("ola", "cellar", 3.0)
    assert {row.source: row for row in database.logins("ola")} == {
        "desk": LoginRow("desk", 2, 2.0),
        "cellar": LoginRow("cellar", 1, 3.0),
    }
    database.add_person(OLA)
    database.note_login("ola", "desk", 4.0)
    assert LoginRow("desk", 0, 0.0, 4.0) in database.logins("ola")
    assert database.person("ola").logged_in_at == 4.0  # type: ignore[union-attr]
    database.note_login_failure("ola", "desk", 5.0)
    assert LoginRow("desk", 1, 5.0, 4.0) in database.logins("ola")
    assert database.logins("bob") == []


def test_old_failures_go_and_places_that_somebody_came_from_stay_longer(database: Database) -> None:
    database.note_login_failure("ola", "cellar", 1.0)
    database.note_login("ola", "desk", 1.0)
    database.note_login_failure("bob", "desk", 2.0 + FAILURES_KEPT_SECONDS)
    assert [row.source for row in database.logins("ola")] == ["desk"]
    database.note_login_failure("bob", "desk", 2.0 + PLACES_KEPT_SECONDS)
    assert database.logins("ola") == []


def test_failures_with_many_names_take_bounded_room(database: Database) -> None:
    database.note_login("ola", "desk", 1.0)
    for number in range(60):
        database.note_login_failure(f"name{number}", "cellar", 2.0 + number, most_rows=20)
    assert sum(len(database.logins(f"name{number}")) for number in range(60)) <= 20
    assert database.logins("name59")  # the newest are kept
    assert database.logins("ola")


def test_an_api_token_is_kept_without_its_secret(database: Database) -> None:
    database.add_person(OLA)
    database.add_api_token(SECRET, TOKEN)
    assert database.api_token(SECRET) == TOKEN
    assert database.api_token(b"x" * 32) is None
    assert database.api_tokens() == database.api_tokens("ola") == [TOKEN]
    assert database.api_tokens("bob") == []
    assert [TOKEN.state(now) for now in (0.0, 99.9, 100.0)] == ["open", "open", "expired"]


def test_the_last_use_is_shown_and_not_written_each_time(database: Database) -> None:
    database.add_person(OLA)
    database.add_api_token(SECRET, TOKEN)
    for now, shown in ((20.0, 0.0), (70.0, 70.0), (80.0, 70.0), (130.0, 130.0)):
        token = database.api_token(SECRET)
        assert token is not None
        database.note_api_token_use(token, now)
        assert database.api_tokens()[0].used_at == shown


def test_a_token_that_is_revoked_keeps_the_time_of_that_and_goes_later(database: Database) -> None:
    database.add_person(OLA)
    database.add_api_token(SECRET, TOKEN)
    database.revoke_api_token(TOKEN.token_id, 50.0)
    database.revoke_api_token(TOKEN.token_id, 60.0)
    assert database.api_tokens()[0].revoked_at == 50.0
    assert database.api_tokens()[0].state(0.0) == "revoked"
    later = 101.0 + SPENT_API_TOKEN_KEPT_SECONDS
    newer = msgspec.structs.replace(TOKEN, token_id=token_id_of(b"n" * 32), created_at=later, expires_at=later + 1)
    database.add_api_token(b"n" * 32, newer)
    assert database.api_tokens() == [newer]


def test_with_an_account_go_its_tokens_and_what_was_tried(database: Database) -> None:
    database.add_person(OLA)
    database.add_api_token(SECRET, TOKEN)
    database.note_login_failure("ola", "cellar", 1.0)
    database.remove_person("ola")
    assert (database.people(), database.api_tokens(), database.logins("ola")) == ([], [], [])
    assert database.api_token(SECRET) is None


def test_open_api_tokens_are_counted_by_their_owner(database: Database) -> None:
    database.add_person(OLA)
    database.add_person(msgspec.structs.replace(OLA, name="bob"))
    for secret, owner, expires_at in ((b"a", "ola", 100.0), (b"b", "ola", 101.0), (b"c", "bob", 100.0)):
        row = msgspec.structs.replace(TOKEN, token_id=token_id_of(secret * 32), owner=owner, expires_at=expires_at)
        database.add_api_token(secret * 32, row)
    assert database.open_api_token_counts(99.0) == {"ola": 2, "bob": 1}
    assert database.open_api_token_counts(100.0) == {"ola": 1}
    database.revoke_api_token(token_id_of(b"a" * 32), 50.0)
    assert database.open_api_token_counts(99.0) == {"ola": 1, "bob": 1}
