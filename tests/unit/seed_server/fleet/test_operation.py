"""Every operation asks for the right that it needs, before it does anything."""

import functools
import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import document_operations, endpoint_operations, home_file_operations, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operation import DECLARED
from seed_server.fleet.roles import NO_PC, ROLES, Permission, PersonScope, rights_of
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow

PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
OSLO_PC, BERGEN_PC = "a" * 26, "b" * 26
EXPECTED: dict[str, Permission] = {
    "publish": "publish",
    "withdraw": "withdraw",
    "offer": "roll-out",
    "renew": "keys",
    "make_token": "tokens",
    "revoke_token": "tokens",
    "deny": "deny",
    "allow": "endpoints",
    "forget_endpoint": "endpoints",
    "forget_unseen": "endpoints",
    "set_profile": "profiles",
    "clear_profile": "profiles",
    "set_template": "templates",
    "remove_template": "templates",
    "prepare_publication": "publish",
    "prepare_withdrawal": "withdraw",
    "prepare_roll_back": "withdraw",
    "prepare_renewal": "keys",
    "prepare_profile": "profiles",
    "prepare_profiles": "profiles",
    "prepare_template": "templates",
    "prepare_templates": "templates",
    "prepare_keys": "keys",
    "prepare_addresses": "profiles",
    "prepare_approvers": "keys",
    "prepare_audit_key": "keys",
    "finish": "look",  # and what the bundle's own preparation needed
    "drop_prepared": "look",
    "set_profiles": "profiles",
    "set_templates": "templates",
    "set_site_map": "profiles",
    "change_settings": "keys",
}
MODULES = (operations, endpoint_operations, preparing, document_operations, home_file_operations)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    home = ServerHome(tmp_path_factory.mktemp("server") / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=time.time())
    with Context(home).database() as database:
        for endpoint, site, tags in ((OSLO_PC, "oslo", ("desk",)), (BERGEN_PC, "bergen", ("kiosk",))):
            database.add_endpoint(endpoint, f"pc-{site}", 1.0, tags)
            database.save_seen({endpoint: SeenRow(site, "192.0.2.1", "0.3.0", connected=False, last_seen_at=1.0)})
    (home.root / "office.toml").write_text(PROFILE)
    return home


@pytest.fixture
def context(home: ServerHome) -> Context:
    return Context(home)


def somebody(*permissions: Permission, scope: PersonScope | None = None) -> Actor:
    """Return somebody who has the roles of these permissions."""
    scope = PersonScope() if scope is None else scope
    rights = rights_of(frozenset(), scope)
    return Actor("olaf", "password", type(rights)(frozenset(permissions), scope))


def every_operation() -> dict[str, Callable[..., Any]]:
    return {
        name: function
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_what_each_operation_needs_is_as_written_here() -> None:
    modules = {module.__name__ for module in MODULES}
    found = {name: needs for name, (needs, _) in DECLARED.items() if name.rpartition(".")[0] in modules}
    assert {name.rpartition(".")[2]: needs for name, needs in found.items()} == EXPECTED
    assert set(EXPECTED) == set(every_operation())


@pytest.mark.parametrize("name", EXPECTED)
def test_who_lacks_the_right_is_refused_before_anything_is_done(context: Context, name: str) -> None:
    """All other rights do not help; what is given is not even looked at."""
    function = every_operation()[name]
    others = frozenset(ROLES["administrator"]) - {EXPECTED[name]}
    given = [object() for _ in list(inspect.signature(function).parameters.values())[2:]]
    kinds = list(inspect.signature(function).parameters.values())[2:]
    named = {one.name: value for one, value in zip(kinds, given, strict=True) if one.kind is one.KEYWORD_ONLY}
    placed = [value for one, value in zip(kinds, given, strict=True) if one.kind is not one.KEYWORD_ONLY]
    for actor, words in ((somebody(*others), "is missing"), (Actor("olaf", "token", barred="expired"), "has expired")):
        with pytest.raises(UserError, match=words) as caught:
            function(context, actor, *placed, **named)
        assert caught.value.kind is FaultKind.REFUSED


def at(*sites: str, tags: tuple[str, ...] = ()) -> PersonScope:
    return PersonScope(frozenset(sites), frozenset(tags))


def refused(run: Callable[[], object]) -> bool:
    try:
        run()
    except UserError as error:
        if error.kind is not FaultKind.REFUSED or "reaches further" not in error.message:
            raise
        return True
    return False


def test_a_scope_holds_for_the_pcs_that_are_meant(context: Context) -> None:
    rights: tuple[Permission, ...] = ("deny", "endpoints")
    for scope, allowed in ((at("oslo"), OSLO_PC), (at(tags=("kiosk",)), BERGEN_PC)):
        actor = somebody(*rights, scope=scope)
        for endpoint in (OSLO_PC, BERGEN_PC):
            for run in (endpoint_operations.deny, endpoint_operations.allow):
                assert refused(functools.partial(run, context, actor, endpoint)) is (endpoint != allowed)
    with context.database() as database:
        assert [row.denied for row in database.endpoints()] == [False, False]
    assert refused(lambda: endpoint_operations.forget_endpoint(context, somebody(*rights, scope=at("oslo")), BERGEN_PC))


def test_a_scope_holds_for_the_sites_of_profiles(context: Context) -> None:
    keys, file = OfflineKeys(context.home.offline_keys), context.home.root / "office.toml"
    actor = somebody("profiles", scope=at("oslo"))
    assert refused(lambda: operations.set_profile(context, actor, "bergen", file, keys))
    assert refused(lambda: preparing.prepare_profile(context, actor, "bergen", file, context.home.root / "b"))
    assert refused(lambda: operations.clear_profile(context, actor, "bergen", keys))
    assert not refused(lambda: operations.set_profile(context, actor, "oslo", file, keys))
    assert not refused(lambda: operations.clear_profile(context, actor, "oslo", keys))


def test_a_token_enrols_pcs_of_its_makers_scope_alone(context: Context) -> None:
    actor = somebody("tokens", scope=at("oslo", tags=("kiosk",)))
    assert refused(lambda: operations.make_token(context, actor, uses=1, seconds=60))  # PCs anywhere
    assert refused(lambda: operations.make_token(context, actor, uses=1, seconds=60, tags=("desk",)))
    # a PC with both would be in the rings of both
    assert refused(lambda: operations.make_token(context, actor, uses=1, seconds=60, tags=("desk", "kiosk")))
    made = operations.make_token(context, actor, uses=1, seconds=60, tags=("kiosk",))
    assert refused(
        lambda: operations.revoke_token(context, somebody("tokens", scope=at(tags=("hall",))), made.token_id)
    )
    assert operations.revoke_token(context, actor, made.token_id).token_id == made.token_id


def test_what_reaches_every_pc_needs_rights_for_the_whole_fleet(context: Context) -> None:
    scoped = at("oslo")
    keys, file = OfflineKeys(context.home.offline_keys), context.home.root / "agent.toml"
    assert refused(lambda: operations.offer(context, somebody("roll-out", scope=scoped), "acme"))
    assert refused(lambda: operations.renew(context, somebody("keys", scope=scoped), keys))
    assert refused(lambda: operations.set_template(context, somebody("templates", scope=scoped), "agent", file, keys))


def test_who_sees_harm_withdraws_whatever_their_scope(context: Context) -> None:
    with pytest.raises(
        UserError, match="cannot be withdrawn"
    ) as caught:  # there is nothing to withdraw: it was not refused
        operations.withdraw(context, somebody("withdraw", scope=at("oslo")), "acme", "crashes")
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_what_is_signed_elsewhere_is_finished_and_dropped_by_whoever_may_ask_for_it(
    context: Context, tmp_path: Path
) -> None:
    file, bundle = context.home.root / "office.toml", tmp_path / "oslo.bundle"
    nora = somebody("look", "profiles", scope=at("oslo"))
    prepared = preparing.prepare_profile(context, nora, "oslo", file, bundle)
    for other, words in (
        (somebody("look", "publish"), "'profiles' is missing"),
        (somebody("look", "profiles", scope=at("bergen")), "reaches further"),
    ):
        with pytest.raises(UserError, match=words):
            preparing.finish(context, other, bundle)
        with pytest.raises(UserError, match=words):
            preparing.drop_prepared(context, other, prepared.bundle_id)
    with pytest.raises(UserError, match="sign"):  # she may, and it is not signed yet
        preparing.finish(context, nora, bundle)
    assert preparing.drop_prepared(context, nora, prepared.bundle_id).bundle_id == prepared.bundle_id
    renewal = preparing.prepare_renewal(context, somebody("keys"), tmp_path / "renewal.bundle")
    with pytest.raises(UserError, match="'keys' is missing"):
        preparing.drop_prepared(context, somebody("look", "publish", "templates"), renewal.bundle_id)


def test_the_machines_administrator_may_all(context: Context) -> None:
    token = operations.make_token(context, Actor.local_user("root"), uses=1, seconds=60)
    assert NO_PC == ()
    assert operations.revoke_token(context, Actor.local_user("root"), token.token_id).state(time.time()) == "revoked"
