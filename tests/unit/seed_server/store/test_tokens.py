"""`seed_server.store.tokens` on both databases."""

import concurrent.futures
from pathlib import Path

from seed_server.store.database import Database
from seed_server.store.token_names import token_id_of
from seed_server.store.tokens import SPENT_TOKEN_KEPT_SECONDS

SECRET, OTHER = b"s" * 16, b"o" * 16
ENDPOINT = "a" * 26


def test_has_as_many_uses_as_it_was_made_for(database: Database) -> None:
    database.add_token(SECRET, 2, expires_at=100.0, now=0.0)
    assert [database.spend_token(SECRET, 1.0) for _ in range(3)] == ["accepted", "accepted", "used"]


def test_expires_at_its_time(database: Database) -> None:
    database.add_token(SECRET, 1, expires_at=100.0, now=0.0)
    assert database.spend_token(SECRET, 100.0) == "expired"
    assert database.spend_token(SECRET, 99.9) == "accepted"


def test_of_another_server_is_unknown(database: Database) -> None:
    assert database.spend_token(SECRET, 0.0) == "unknown"


def test_secret_is_not_in_the_file(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        database.add_token(SECRET, 1, expires_at=100.0, now=0.0)
    assert SECRET not in (tmp_path / "state.db").read_bytes()


def test_is_spent_once_by_many_threads_and_two_processes_connections(database: Database, place: Path | str) -> None:
    database.add_token(SECRET, 5, expires_at=100.0, now=0.0)
    with Database.open(place) as other, concurrent.futures.ThreadPoolExecutor(4) as pool:
        takers = [database, other] * 8
        verdicts = list(pool.map(lambda taker: taker.spend_token(SECRET, 1.0), takers))
    assert verdicts.count("accepted") == 5
    assert verdicts.count("used") == 11


def test_tags_come_with_the_token(database: Database) -> None:
    database.add_token(SECRET, 1, expires_at=100.0, now=0.0, tags=("branch-7", "kiosk"))
    database.add_token(b"o" * 16, 1, expires_at=100.0, now=0.0)
    assert database.token_tags(SECRET) == ("branch-7", "kiosk")
    assert database.token_tags(b"o" * 16) == database.token_tags(b"u" * 16) == ()


def test_an_endpoint_asks_again_without_spending_a_use_even_late(database: Database) -> None:
    database.add_token(SECRET, 1, expires_at=100.0, now=0.0)
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    assert database.spend_token(SECRET, 1.0, ENDPOINT) == "accepted"
    database.add_enrolment(ENDPOINT, token_id_of(SECRET), 1.0)
    assert database.spend_token(SECRET, 500.0, ENDPOINT) == "again"
    assert database.spend_token(SECRET, 99.0 + SPENT_TOKEN_KEPT_SECONDS, ENDPOINT) == "again"
    assert database.spend_token(SECRET, 100.0 + SPENT_TOKEN_KEPT_SECONDS, ENDPOINT) == "expired", "not for ever"
    assert database.spend_token(SECRET, 2.0, "b" * 26) == "used"
    database.add_token(OTHER, 1, expires_at=100.0, now=0.0)
    assert database.spend_token(OTHER, 100.0, ENDPOINT) == "expired", "it was not enrolled with this one"


def test_a_revoked_token_enrols_nobody_and_keeps_the_time_of_that(database: Database) -> None:
    database.add_token(SECRET, 5, expires_at=100.0, now=0.0)
    database.add_token(OTHER, 5, expires_at=100.0, now=0.0)
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    database.add_enrolment(ENDPOINT, token_id_of(SECRET), 1.0)
    database.revoke_token(token_id_of(SECRET), 7.0)
    database.revoke_token(token_id_of(SECRET), 8.0)
    assert [token.revoked_at for token in database.tokens_of(ENDPOINT)] == [7.0]
    assert [database.spend_token(SECRET, 9.0, name) for name in ("", ENDPOINT)] == ["revoked", "revoked"]
    assert database.spend_token(OTHER, 9.0) == "accepted"


def test_the_list_says_what_a_token_may_do_and_whom_it_has_enrolled(database: Database) -> None:
    database.add_token(SECRET, 2, expires_at=100.0, now=1.0, tags=("kiosk",), made_by="ada (local user)", approval=True)
    database.add_token(OTHER, 1, expires_at=50.0, now=2.0)
    for number, endpoint in enumerate("cba"):
        database.add_endpoint(endpoint * 26, "pc", 1.0)
        database.add_enrolment(endpoint * 26, token_id_of(SECRET), float(number))
    database.add_enrolment(ENDPOINT, token_id_of(OTHER), 9.0)
    newest, oldest = database.tokens()
    assert (newest.token_id, newest.enrolled) == (token_id_of(OTHER), (ENDPOINT,))
    assert (oldest.made_by, oldest.made_at, oldest.tags) == ("ada (local user)", 1.0, ("kiosk",))
    assert oldest.enrolled == ("c" * 26, "b" * 26, "a" * 26)
    assert [token.token_id for token in database.tokens_of("b" * 26)] == [oldest.token_id]
    assert [database.token_needs_approval(secret) for secret in (SECRET, OTHER, b"u" * 16)] == [True, False, False]
    assert [newest.state(now) for now in (49.0, 50.0)] == ["open", "expired"]
    database.spend_token(OTHER, 3.0)
    assert database.tokens()[0].state(49.0) == "used"


def test_an_id_opens_nothing(database: Database) -> None:
    database.add_token(SECRET, 1, expires_at=100.0, now=0.0)
    assert database.spend_token(bytes.fromhex(token_id_of(SECRET)), 1.0) == "unknown"


def test_old_tokens_are_forgotten(database: Database) -> None:
    database.add_token(SECRET, 1, expires_at=100.0, now=0.0)
    database.add_token(OTHER, 1, expires_at=1e9, now=101.0 + SPENT_TOKEN_KEPT_SECONDS)
    assert [token.token_id for token in database.tokens()] == [token_id_of(OTHER)]
