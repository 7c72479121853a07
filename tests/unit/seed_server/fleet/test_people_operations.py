"""Accounts are changed by who may, nobody rises by himself, and an administrator is always left."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pyotp
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import people_operations
from seed_server.fleet.accounts import actor_of_token, login
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import MAX_API_TOKEN_DAYS, make_api_token, revoke_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import (
    add_person,
    remove_person,
    remove_second_factor,
    set_disabled,
    set_password,
    set_roles,
    set_scope,
    set_second_factor,
)
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.roles import ALL_RIGHTS, ROLES, Rights
from seed_server.settings.home import ServerHome
from seed_server.store.audit_entry import decode_entry
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def context(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    cheap_passwords(monkeypatch)
    return copied(home, tmp_path)[0]


def refused(run: Callable[[], object], words: str = "", kind: FaultKind = FaultKind.REFUSED) -> None:
    with pytest.raises(UserError) as caught:
        run()
    assert caught.value.kind is kind, caught.value.message
    assert words in caught.value.message


def state(context: Context) -> object:
    with context.database() as database:
        return database.people(), database.api_tokens()


def test_what_is_not_acceptable_makes_no_account(context: Context) -> None:
    bad = FaultKind.BAD_INPUT
    for name in ("", "Ä", "a b", "-ola", "engine", "local:ola", "ola/1", "a" * 41):
        refused(partial(add_person, context, ROOT, name, roles=["viewer"]), "no name of an account", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=[]), "at least one role", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=["king"]), "'king' is no role", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=["viewer"], tags=["Ä"]), "no tag", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=["viewer"], sites=["a b"]), "", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=["viewer"], password="short"), "12 to", bad)
    refused(lambda: add_person(context, ROOT, "ola", roles=["administrator"], sites=["oslo"]), "part of the fleet", bad)
    assert state(context) == ([], [])
    add_person(context, ROOT, "Ola", roles=["viewer"])
    refused(lambda: add_person(context, ROOT, "ola", roles=["viewer"]), "already", bad)
    refused(lambda: set_roles(context, ROOT, "nobody", ["viewer"]), "There is no account nobody", bad)


def test_only_who_manages_people_changes_others(context: Context) -> None:
    everyone = [person(context, role, role) for role in ROLES]
    person(context, "ola", "operator")
    before = state(context)
    for actor in everyone:
        if actor.name != "administrator":
            refused(partial(add_person, context, actor, "new", roles=["viewer"]))
            refused(partial(set_roles, context, actor, "ola", ["administrator"]))
            refused(partial(set_roles, context, actor, actor.name, ["administrator"]))  # himself, neither
            refused(partial(set_scope, context, actor, actor.name, sites=[], tags=[]))
            refused(partial(set_disabled, context, actor, "ola", disabled=True))
            refused(partial(set_password, context, actor, "ola", "another good one"))
            refused(partial(set_second_factor, context, actor, "ola", "A" * 32, "000000"))
            refused(partial(remove_second_factor, context, actor, "ola"))
            refused(partial(remove_person, context, actor, "ola"))
    assert state(context) == before
    assert set_roles(context, everyone[-1], "ola", ["viewer", "auditor"]).roles == ("viewer", "auditor")


def test_everybody_changes_their_own_password_and_second_factor(context: Context) -> None:
    vera = person(context, "vera", "viewer")
    set_password(context, vera, "vera", "another good one")
    assert login(context, "vera", "another good one", "", source="desk") == vera
    refused(lambda: login(context, "vera", PASSWORD, "", source="desk"))
    refused(lambda: set_second_factor(context, vera, "vera", "A" * 32, "abc"), "not the code", FaultKind.BAD_INPUT)
    refused(lambda: remove_second_factor(context, vera, "vera"))  # who stole her password would do that
    assert login(context, "vera", "another good one", "", source="desk") == vera


def test_nobody_gives_what_they_have_not_nor_takes_an_account_that_may_more(context: Context) -> None:
    """The right to manage people alone is not every right: a token with it stays what it is."""
    person(context, "ann", "administrator")
    person(context, "ola", "operator")
    managing = Actor("ann", "token", Rights(frozenset({"people", "look"})), token_id="5f0c")
    before = state(context)
    refused(lambda: add_person(context, managing, "puppet", roles=["operator"]), "cannot be given on")
    refused(lambda: set_roles(context, managing, "ola", ["administrator"]), "cannot be given on")
    refused(lambda: set_password(context, managing, "ann", "another good one"), "cannot be given on")
    refused(lambda: set_password(context, managing, "ola", "another good one"), "cannot be given on")
    refused(lambda: remove_second_factor(context, managing, "ann"), "cannot be given on")
    refused(lambda: remove_person(context, managing, "ola"), "cannot be given on")
    assert state(context) == before
    assert add_person(context, managing, "vera", roles=["viewer"]).created_by == "ann/5f0c"


def test_an_administrator_is_always_left(context: Context) -> None:
    ann = person(context, "ann", "administrator")
    ways: list[Callable[[Actor, str], object]] = [
        lambda actor, name: set_disabled(context, actor, name, disabled=True),
        lambda actor, name: set_roles(context, actor, name, ["operator"]),
        lambda actor, name: remove_person(context, actor, name),
    ]
    for way in ways:
        for actor in (ann, ROOT):
            refused(partial(way, actor, "ann"), "last administrator")
    person(context, "bea", "administrator")
    set_disabled(context, ROOT, "bea", disabled=True)  # one that is disabled is none
    refused(lambda: remove_person(context, ROOT, "ann"), "last administrator")
    set_disabled(context, ROOT, "bea", disabled=False)
    assert remove_person(context, ROOT, "ann").name == "ann"
    refused(lambda: set_disabled(context, ROOT, "bea", disabled=True), "last administrator")


def test_two_who_remove_each_other_at_the_same_time_leave_one(context: Context) -> None:
    actors = {name: person(context, name, "administrator") for name in ("ann", "bea")}
    together = threading.Barrier(2)

    def remove(actor: Actor, name: str) -> str:
        together.wait()
        try:
            return remove_person(context, actor, name).name
        except UserError as error:
            return error.message

    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(remove, actors.values(), reversed(actors)))
    with context.database() as database:
        assert len(database.people()) == 1
    assert sum("last administrator" in outcome for outcome in outcomes) == 1


# --- API tokens --------------------------------------------------------------------------


def test_a_token_gets_no_more_than_its_maker_and_its_owner_have(context: Context) -> None:
    ola = person(context, "ola", "operator", sites=("oslo",))
    ann = person(context, "ann", "administrator")

    def make(actor: Actor, *permissions: str, sites: tuple[str, ...] = ("oslo",), owner: str = "") -> object:
        return make_api_token(context, actor, label="ci", seconds=60, permissions=permissions, sites=sites, owner=owner)

    refused(lambda: make(ola, "people"), "ola has not the right people")
    refused(lambda: make(ola, "publish", sites=("oslo", "bergen")), "for site oslo alone")
    refused(lambda: make(ola, "look", owner="ann"), "'people' is missing")
    refused(lambda: make(ann, "people", owner="ola"), "ola has not the right people")
    refused(lambda: make(ROOT, "look"), "--for NAME", FaultKind.BAD_INPUT)
    refused(lambda: make(ola), "at least one right", FaultKind.BAD_INPUT)
    refused(lambda: make(ola, "fly"), "'fly' is no right", FaultKind.BAD_INPUT)
    assert state(context) == (state(context)[0], [])  # type: ignore[index]
    for actor in (ola, ann, ROOT):
        assert make(actor, "publish", owner="ola")


def test_a_token_ends_within_a_year_and_has_a_label(context: Context) -> None:
    ola = person(context, "ola", "operator")
    for seconds in (0, MAX_API_TOKEN_DAYS * 86_400 + 1):
        refused(
            partial(make_api_token, context, ola, label="ci", seconds=seconds, permissions=["look"]),
            "valid from",
            FaultKind.BAD_INPUT,
        )
    for label in ("", " ", "a\nb", "x" * 81):
        refused(
            partial(make_api_token, context, ola, label=label, seconds=60, permissions=["look"]),
            "what the token is for",
            FaultKind.BAD_INPUT,
        )


def test_a_token_makes_no_token_and_its_secret_is_kept_nowhere(context: Context) -> None:
    ola = person(context, "ola", "operator")
    made = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"])
    token = actor_of_token(context, made.text)
    refused(lambda: make_api_token(context, token, label="x", seconds=60, permissions=["look"]), "makes no API tokens")
    secret = made.text.split("_", 2)[2].encode()
    assert secret not in context.home.database.read_bytes()


def test_tokens_are_revoked_by_their_owners_and_by_who_manages_people(context: Context) -> None:
    ola, vera = person(context, "ola", "operator"), person(context, "vera", "viewer")
    made = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"]).row
    refused(lambda: revoke_api_token(context, vera, made.token_id), "'people' is missing")
    refused(lambda: revoke_api_token(context, ola, "0" * 12), "There is no API token", FaultKind.BAD_INPUT)
    assert revoke_api_token(context, ola, made.token_id).revoked_at is not None
    again = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"]).row
    assert revoke_api_token(context, ROOT, again.token_id).owner == "ola"
    remove_person(context, ROOT, "ola")
    with context.database() as database:
        assert database.api_tokens() == []
    assert ROOT.rights == ALL_RIGHTS


def test_a_token_of_a_person_removed_and_made_again_is_not_theirs(context: Context) -> None:
    ola = person(context, "ola", "operator")
    text = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"]).text
    remove_person(context, ROOT, "ola")
    person(context, "ola", "administrator")
    refused(lambda: actor_of_token(context, text), "not known here")
    assert FakeClock().wall == context.clock.now()
    assert people_operations.MAX_PEOPLE == 1_000


def test_each_change_has_an_entry_that_names_who_and_no_secret(context: Context) -> None:
    ann = person(context, "ann", "administrator")
    ola = person(context, "ola", "operator")
    seed = new_seed(context, "ola").seed
    set_second_factor(context, ola, "ola", seed, pyotp.TOTP(seed).at(int(context.clock.now())))
    remove_second_factor(context, ann, "ola")
    set_password(context, ola, "ola", "another good one")
    set_roles(context, ann, "ola", ["viewer", "operator"])
    set_scope(context, ann, "ola", sites=["oslo"], tags=[])
    made = make_api_token(context, ola, label="ci", seconds=60, permissions=["look"])
    revoke_api_token(context, ann, made.row.token_id)
    set_disabled(context, ann, "ola", disabled=True)
    set_disabled(context, ann, "ola", disabled=False)
    remove_person(context, ann, "ola")
    with context.database() as database:
        size, _ = database.audit_state()
        found = [decode_entry(entry) for _, entry in database.audit_entries(0, size)]
    told = [(entry.actor, entry.operation, entry.subject) for entry in found]
    assert told == [
        ("local:root", "add account", "ann"),
        ("local:root", "add account", "ola"),
        ("ola", "set second factor", "ola"),
        ("ann", "remove second factor", "ola"),
        ("ola", "set password", "ola"),
        ("ann", "set roles", "ola"),
        ("ann", "set scope", "ola"),
        ("ola", "make API token", made.row.token_id),
        ("ann", "revoke API token", made.row.token_id),
        ("ann", "disable account", "ola"),
        ("ann", "enable account", "ola"),
        ("ann", "remove account", "ola"),
    ]
    assert [entry.details for entry in found[5:7]] == [{"roles": "viewer operator"}, {"sites": "oslo", "tags": ""}]
    assert all(entry.before or entry.after for entry in found)
    for secret in (PASSWORD, "another good one", seed, made.text.split("_", 2)[2], "argon2"):
        assert secret not in repr(found)
