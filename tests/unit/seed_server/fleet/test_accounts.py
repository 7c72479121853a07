"""Logging in, and what API tokens speak for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import accounts
from seed_server.fleet.accounts import actor_of_token, holders_of, login
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token, revoke_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.login_wait import FREE_FAILURES
from seed_server.fleet.people_operations import (
    set_disabled,
    set_roles,
    set_scope,
    set_second_factor,
)
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.permissions import may
from seed_server.fleet.roles import WHOLE_FLEET, Area
from seed_server.settings.home import ServerHome
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    return copied(home, tmp_path)


def refusal(run: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        run()
    assert caught.value.kind is FaultKind.REFUSED
    return caught.value.message


def test_a_name_and_a_password_are_an_actor_with_the_rights_of_its_roles(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    ola = person(context, "ola", "operator", sites=("oslo",))
    assert (ola.who, ola.person, str(ola)) == ("ola", "ola", "ola (password)")
    assert may(ola, "deny", (Area("oslo"),)) is None
    assert may(ola, "deny", WHOLE_FLEET) is not None
    assert login(context, " Ola ", PASSWORD, "", source="desk") == ola
    with context.database() as database:
        row = database.person("ola")
    assert row is not None
    assert row.logged_in_at == clock.wall
    assert PASSWORD not in row.password


def test_whoever_is_wrong_is_told_the_same(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    person(context, "ola", "operator")
    set_disabled(context, ROOT, person(context, "dora", "viewer").name, disabled=True)
    seed = new_seed(context, person(context, "tom", "viewer").name).seed
    set_second_factor(context, ROOT, "tom", seed, code_at(seed, clock.wall))
    told = {
        refusal(partial(login, context, name, password, "", source="desk"))
        for name, password in (
            ("ola", "wrong"), ("nobody", "wrong"), ("nobody", PASSWORD), ("dora", "wrong"), ("tom", PASSWORD),
            ("tom", "wrong"), ("", ""), ("ö" * 1_000, PASSWORD), ("ola", "x" * 100_000),
        )
    }  # fmt: skip
    assert len(told) == 1
    assert "seed-server people enable dora" in refusal(lambda: login(context, "dora", PASSWORD, "", source="desk"))


def test_a_password_is_verified_whether_there_is_an_account_or_not(
    server: tuple[Context, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = server
    person(context, "ola", "operator")
    verified: list[str] = []

    def matches(kept: str, password: str) -> bool:
        verified.append(password)
        return False

    monkeypatch.setattr(accounts, "password_matches", matches)
    for name in ("ola", "nobody", "no name!"):
        refusal(partial(login, context, name, name, "", source="desk"))
    assert verified == ["ola", "nobody", "no name!"]


def code_at(seed: str, now: float) -> str:
    import pyotp

    return pyotp.TOTP(seed).at(int(now))


def test_a_code_is_asked_for_and_taken_once(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    person(context, "tom", "viewer")
    seed = new_seed(context, "tom").seed
    set_second_factor(context, ROOT, "tom", seed, code_at(seed, clock.wall))
    refusal(lambda: login(context, "tom", PASSWORD, code_at(seed, clock.wall), source="desk"))  # it set the factor up
    clock.wall += 30
    code = code_at(seed, clock.wall)
    refusal(lambda: login(context, "tom", "wrong", code, source="desk"))
    assert login(context, "tom", PASSWORD, code, source="desk").name == "tom"  # a wrong password spends no code
    refusal(lambda: login(context, "tom", PASSWORD, code, source="desk"))
    refusal(lambda: login(context, "tom", PASSWORD, code_at(seed, clock.wall - 30), source="desk"))  # an earlier one
    clock.wall += 30
    assert login(context, "tom", PASSWORD, code_at(seed, clock.wall), source="desk").name == "tom"


def test_who_is_wrong_again_and_again_waits_and_a_stranger_locks_nobody_out(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    person(context, "ola", "operator")  # logs in from the desk
    for name in ("ola", "nobody"):
        said = [refusal(partial(login, context, name, "wrong", "", source="cellar")) for _ in range(7)]
        assert ["Too many" in words for words in said] == [False] * 5 + [True] * 2
    assert "Try again in 1 s" in refusal(lambda: login(context, "ola", PASSWORD, "", source="cellar"))  # right, too
    assert login(context, "ola", PASSWORD, "", source="desk").name == "ola"
    clock.wall += 1.0
    assert login(context, "ola", PASSWORD, "", source="cellar").name == "ola"
    refusal(lambda: login(context, "ola", "wrong", "", source="cellar"))
    assert login(context, "ola", PASSWORD, "", source="cellar").name == "ola"  # counted from the start again


def test_a_clock_that_was_ahead_spoils_no_new_second_factor(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    ola = person(context, "ola", "operator")
    seed = ""
    for ahead in (365 * 86_400.0, 0.0):
        clock.wall += ahead
        seed = new_seed(context, "ola").seed
        set_second_factor(context, ola, "ola", seed, code_at(seed, clock.wall))
        refusal(partial(login, context, "ola", PASSWORD, code_at(seed, clock.wall), source="desk"))  # taken once
        clock.wall -= ahead
    clock.wall += 30.0
    assert login(context, "ola", PASSWORD, code_at(seed, clock.wall), source="desk") == ola


def test_who_was_not_looked_at_was_not_wrong(
    server: tuple[Context, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers who crowd would make a person wait at their own place."""
    context, _ = server
    ola = person(context, "ola", "operator")

    def no_turn(*_: object) -> bool:
        raise UserError("Too many people log in at this moment.", FaultKind.BUSY)

    with monkeypatch.context() as crowd:
        crowd.setattr(accounts, "password_matches", no_turn)
        for _ in range(FREE_FAILURES + 1):
            with pytest.raises(UserError, match="Too many people log in"):
                login(context, "ola", PASSWORD, "", source="desk")
    assert login(context, "ola", PASSWORD, "", source="desk") == ola


def test_a_password_of_older_costs_is_kept_anew(
    server: tuple[Context, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = server
    person(context, "ola", "operator")
    with context.database() as database:
        before = database.person("ola")
    monkeypatch.setattr(accounts, "is_outdated", lambda kept: True)
    login(context, "ola", PASSWORD, "", source="desk")
    with context.database() as database:
        after = database.person("ola")
    assert before is not None
    assert after is not None
    assert before.password != after.password
    assert login(context, "ola", PASSWORD, "", source="desk").name == "ola"


# --- API tokens --------------------------------------------------------------------------


def test_a_token_has_what_its_owner_still_has(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    ola = person(context, "ola", "operator")
    made = make_api_token(context, ola, label="ci", seconds=3_600, permissions=["publish", "deny"], sites=["oslo"])
    clock.wall += 100
    actor = actor_of_token(context, f" {made.text}\n")
    assert (actor.who, actor.person, actor.known_by) == (f"ola/{made.row.token_id}", "ola", "token")
    assert may(actor, "deny", (Area("oslo"),)) is None
    assert may(actor, "deny", (Area("bergen"),)) is not None
    assert may(actor, "withdraw") is not None
    with context.database() as database:
        assert [token.used_at for token in database.api_tokens("ola")] == [clock.wall]
    set_scope(context, ROOT, "ola", sites=["bergen"], tags=[])
    assert may(actor_of_token(context, made.text), "deny", (Area("oslo"),)) is not None
    set_scope(context, ROOT, "ola", sites=[], tags=[])
    set_roles(context, ROOT, "ola", ["viewer"])
    assert actor_of_token(context, made.text).rights.permissions == frozenset()


def test_a_spent_token_speaks_for_nobody_and_says_why(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    ola = person(context, "ola", "operator")

    def new() -> str:
        return make_api_token(context, ola, label="ci", seconds=3_600, permissions=["look"]).text

    expired, revoked, good = new(), new(), new()
    revoke_api_token(context, ola, actor_of_token(context, revoked).token_id)
    clock.wall += 3_600
    assert actor_of_token(context, expired).barred == "expired"
    clock.wall -= 1
    assert actor_of_token(context, revoked).barred == "revoked"
    assert actor_of_token(context, good).barred == ""
    set_disabled(context, ROOT, "ola", disabled=True)
    barred = actor_of_token(context, good)
    assert barred.barred == "owner disabled"
    assert may(barred, "look") is not None


@pytest.mark.parametrize(
    "text", ["", "p2papi_", "p2papi_00000000_", "token", "p2papi_00000000_" + "A" * 5_000, "ö_ö_ö"]
)
def test_what_is_no_token_is_refused(server: tuple[Context, FakeClock], text: str) -> None:
    assert "no API token" in refusal(lambda: actor_of_token(server[0], text))


def test_tokens_of_others_are_refused_in_words(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    ola = person(context, "ola", "operator")
    text = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"]).text
    mark, pin, secret = text.split("_", 2)
    other_pin = "00000000" if pin != "00000000" else "11111111"
    assert "of another seed server" in refusal(lambda: actor_of_token(context, f"{mark}_{other_pin}_{secret}"))
    assert "not known here" in refusal(lambda: actor_of_token(context, f"{mark}_{pin}_{'A' * 43}"))


def test_a_refusal_names_who_could_do_it(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    vera = person(context, "vera", "viewer")
    assert holders_of(context, "profiles") == ()
    person(context, "nora", "network-admin")
    person(context, "scoped", "network-admin", sites=("oslo",))
    set_disabled(context, ROOT, person(context, "old", "network-admin").name, disabled=True)
    assert holders_of(context, "profiles") == ("nora",)
    words = refusal(lambda: set_roles(context, vera, "vera", ["administrator"]))
    assert words.startswith("vera may not manage accounts")
    assert isinstance(vera, Actor)
