"""`seed_server.fleet.endpoint_operations`: PCs are denied, allowed and forgotten, and their tokens with them."""

import contextlib
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsQuestion, all_endpoints
from seed_server.fleet.names import endpoint_in
from seed_server.fleet.roles import PersonScope, rights_of
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.audit_entry import decode_entry
from seed_server.store.database import Database
from seed_server.store.rows import EndpointFilter, EndpointRow, Namesake, SeenRow
from tests.helpers.fake_clock import FakeClock

ADA = Actor.local_user("ada")
ENDPOINT = "a" * 26


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=time.time())
    with (context := Context(home)).database() as database:
        database.add_endpoint(ENDPOINT, "pc-1", 1.0)
    return context


def test_nobody_connects_between_the_look_at_a_pc_and_its_being_forgotten(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = endpoint_in

    def looked(database: Database, text: str) -> EndpointRow:
        row = look(database, text)
        server = sqlite3.connect(context.home.database, timeout=0.0)
        with contextlib.closing(server), pytest.raises(sqlite3.OperationalError, match="locked"):
            server.execute("UPDATE endpoints SET connected_to = 1")
        return row

    monkeypatch.setattr(endpoint_operations, "endpoint_in", looked)
    assert endpoint_operations.forget_endpoint(context, ADA, "pc-1").endpoint_id == ENDPOINT
    with context.database() as database:
        assert database.endpoints() == []


@pytest.mark.parametrize("serving", [True, False])
def test_who_is_connected_is_not_forgotten(context: Context, monkeypatch: pytest.MonkeyPatch, serving: bool) -> None:
    with context.database() as database, database.batch():
        seen = SeenRow(site="hq", address="127.0.0.2", software="test", connected=True, last_seen_at=1.0)
        database.save_seen({ENDPOINT: seen})
    monkeypatch.setattr(endpoint_operations, "is_serving", lambda _home: serving)
    if serving:
        with pytest.raises(UserError, match="is connected, so it is not gone"):
            endpoint_operations.forget_endpoint(context, ADA, "pc-1")
    else:  # a server that was killed has left it so
        endpoint_operations.forget_endpoint(context, ADA, "pc-1")


def enrolled_with(context: Context, *token_ids: str) -> None:
    with context.database() as database:
        for token_id in token_ids:
            database.add_enrolment(ENDPOINT, token_id, 1.0)


def states(context: Context) -> dict[str, str]:
    with context.database() as database:
        return {token.token_id: token.state(context.clock.now()) for token in database.tokens()}


def test_denying_a_pc_revokes_every_token_that_it_came_with_and_no_other(context: Context) -> None:
    first, second, spent, other = (operations.make_token(context, ADA, uses=5, seconds=60).token_id for _ in range(4))
    operations.revoke_token(context, ADA, spent)
    enrolled_with(context, first, second, spent)
    denial = endpoint_operations.deny(context, ADA, ENDPOINT)
    assert {token.token_id for token in denial.revoked} == {first, second}
    assert (denial.open_tokens, denial.tokens_known) == ((), True)
    assert states(context) == {first: "revoked", second: "revoked", spent: "revoked", other: "open"}


def test_denying_a_pc_can_keep_its_token(context: Context) -> None:
    token = operations.make_token(context, ADA, uses=5, seconds=60).token_id
    enrolled_with(context, token)
    denial = endpoint_operations.deny(context, ADA, ENDPOINT, keep_tokens=True)
    assert (denial.revoked, [kept.token_id for kept in denial.open_tokens]) == ((), [token])
    assert states(context) == {token: "open"}


def test_it_is_said_when_nobody_knows_the_token_of_a_denied_pc(context: Context) -> None:
    assert not endpoint_operations.deny(context, ADA, ENDPOINT).tokens_known


# --- by a rule -----------------------------------------------------------------------------

NOW = 400 * DAY_SECONDS
AT_HQ = SeenRow(site="hq", address="127.0.0.2", software="test", connected=False, last_seen_at=NOW)
LONG_UNSEEN = EndpointsQuestion(not_seen_days=180)


@pytest.fixture
def unseen(context: Context) -> Context:
    """Return a server with PCs that were seen 0, 1, 179, 181 and 300 days ago; two never were; one is denied."""
    with context.database() as database, database.batch():
        database.forget_endpoint(ENDPOINT)
        for days in (0, 1, 179, 181, 300, 301):
            name = f"pc-{days}"
            database.add_endpoint(name, name, 1.0, ("old",) if days == 300 else ())
            at = NOW - days * DAY_SECONDS
            database.save_seen({name: msgspec.structs.replace(AT_HQ, last_seen_at=at, connected=days == 0)})
        database.set_denied("pc-301", denied=True)
        database.add_endpoint("new", "new", NOW - 10 * DAY_SECONDS)
        database.add_endpoint("never", "never", NOW - 200 * DAY_SECONDS)
    return Context(context.home, clock=FakeClock(NOW))


def known(context: Context) -> set[str]:
    with context.database() as database:
        return set(database.enrolled())


def test_who_was_not_seen_for_long_is_forgotten_and_nobody_else(unseen: Context) -> None:
    everybody = known(unseen)
    gone = {"pc-181", "pc-300", "never"}
    shown = endpoint_operations.forget_unseen(unseen, ADA, LONG_UNSEEN, only_show=True)
    assert ({row.endpoint_id for row in shown}, known(unseen)) == (gone, everybody)
    told: list[str] = []
    found = endpoint_operations.forget_unseen(
        unseen, ADA, LONG_UNSEEN, on_forgotten=lambda row: told.append(row.endpoint_id)
    )
    assert {row.endpoint_id for row in found} == set(told) == gone
    assert known(unseen) == everybody - gone
    assert endpoint_operations.forget_unseen(unseen, ADA, LONG_UNSEEN) == []
    with unseen.database() as database:
        entries = [decode_entry(database.audit_entry(number) or b"") for number in range(3)]
    assert {entry.subject for entry in entries} == gone
    assert {entry.details["unseen since"] for entry in entries} == {"1970-08-09"}


def test_who_is_seen_between_the_look_and_the_deed_stays(unseen: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody, look = known(unseen), all_endpoints

    def looked(context: Context, question: EndpointsQuestion) -> list[tuple[EndpointRow, bool, list[Namesake]]]:
        found = list(look(context, question))
        with context.database() as database:
            database.save_seen({"pc-181": AT_HQ, "never": msgspec.structs.replace(AT_HQ, connected=True)})
            database.forget_endpoint("pc-300", NOW)
        return found

    monkeypatch.setattr(endpoint_operations, "all_endpoints", looked)
    assert endpoint_operations.forget_unseen(unseen, ADA, LONG_UNSEEN) == []
    assert known(unseen) == everybody - {"pc-300"}


def test_while_the_server_was_off_nobody_could_be_seen(unseen: Context) -> None:
    later = Context(unseen.home, clock=FakeClock(NOW + 500 * DAY_SECONDS))
    found = endpoint_operations.forget_unseen(later, ADA, LONG_UNSEEN, only_show=True)
    assert {row.endpoint_id for row in found} == {"pc-181", "pc-300", "never"}


def test_many_at_once_are_gone_by_mistake(unseen: Context) -> None:
    with unseen.database() as database, database.batch():
        for number in range(10):
            database.add_endpoint(f"old-{number}", f"old-{number}", 1.0)
    everybody = known(unseen)
    with pytest.raises(UserError, match="13 of 18 PCs were not seen for 180 days") as refused:
        endpoint_operations.forget_unseen(unseen, ADA, LONG_UNSEEN)
    assert (refused.value.kind, known(unseen)) == (FaultKind.REFUSED, everybody)
    assert len(endpoint_operations.forget_unseen(unseen, ADA, LONG_UNSEEN, even_many=True)) == 13


def test_a_rule_reaches_no_further_than_who_gives_it(unseen: Context) -> None:
    everybody = known(unseen)
    rights = rights_of(frozenset({"operator"}), PersonScope(tags=frozenset({"old"})))
    with pytest.raises(UserError, match="reaches further"):
        endpoint_operations.forget_unseen(unseen, Actor("ola", "password", rights), LONG_UNSEEN)
    assert known(unseen) == everybody
    assert endpoint_operations.forget_unseen(unseen, ADA, replace(LONG_UNSEEN, site="hq"), only_show=True)


def test_who_comes_back_with_its_key_is_who_it_was(context: Context) -> None:
    with context.database() as database:
        before = database.endpoint_page(EndpointFilter())[0][1]
        endpoint_operations.forget_endpoint(context, ADA, "pc-1")
        database.add_endpoint("q" * 26, "another", 2.0)
        database.add_endpoint(ENDPOINT, "pc-1", 3.0)
        numbers = {row.endpoint_id: number for _, number, row in database.endpoint_page(EndpointFilter())}
    assert numbers[ENDPOINT] == before
    assert numbers["q" * 26] > before
