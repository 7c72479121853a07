"""`seed_server.fleet.endpoint_operations`: PCs are denied, allowed and forgotten, and their tokens with them."""

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.names import named_endpoint
from seed_server.initialising import initialise
from seed_server.settings import ServerHome, ServerSettings
from seed_server.store.rows import EndpointRow, SeenRow

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
    look = named_endpoint

    def looked(context: Context, text: str) -> EndpointRow:
        row = look(context, text)
        server = sqlite3.connect(context.home.database, timeout=0.0)
        with contextlib.closing(server), pytest.raises(sqlite3.OperationalError, match="locked"):
            server.execute("UPDATE endpoints SET connected_to = 1")
        return row

    monkeypatch.setattr(endpoint_operations, "named_endpoint", looked)
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
