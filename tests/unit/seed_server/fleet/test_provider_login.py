"""What a login by the identity provider leaves: an account, an API token of a few hours, entries of the audit log."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.accounts import actor_of_token, login, parsed_token
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.identity_provider import ProvenIdentity
from seed_server.fleet.operation import require
from seed_server.fleet.people_operations import (
    add_person,
    remove_person,
    set_disabled,
    set_password,
    set_roles,
)
from seed_server.fleet.permissions import may
from seed_server.fleet.provider_login import log_in, log_out, provider_settings
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import OidcGroup, OidcSettings
from seed_server.store.audit_entry import decode_entry
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home

ISSUER = "https://login.example.com"
OIDC = f"""
[oidc]
issuer = "{ISSUER}"
client_id = "seed-server"
login_hours = 2

[[oidc.groups]]
group = "ops"
roles = ["operator"]

[[oidc.groups]]
group = "admins"
roles = ["administrator"]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    home = new_home(tmp_path_factory.mktemp("server"))
    home.settings.write_text(home.settings.read_text() + OIDC)
    return home


@pytest.fixture
def here(made: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    return copied(made, tmp_path)


def identity(*groups: str, sub: str = "u-17", name: str = "Alice@example.com") -> ProvenIdentity:
    return ProvenIdentity(f"{ISSUER} {sub}", name, frozenset(groups))


def refused(act: object, words: str, kind: FaultKind = FaultKind.REFUSED) -> None:
    with pytest.raises(UserError) as caught:
        act()  # type: ignore[operator]
    assert caught.value.kind is kind
    assert words in caught.value.message


def entries(context: Context) -> list[tuple[str, str, str, str]]:
    with context.database() as database:
        found = [decode_entry(octets) for _number, octets in database.audit_entries(0, 1_000)]
    return [(one.actor, one.known_by, one.operation, one.subject) for one in found]


def test_the_first_login_makes_the_account_and_each_lasts_a_few_hours(here: tuple[Context, FakeClock]) -> None:
    context, clock = here
    made = log_in(context, identity("ops", "others"))
    assert (made.person.name, made.person.roles, made.person.password) == ("alice", ("operator",), "")
    assert made.person.subject == f"{ISSUER} u-17"
    assert made.ends_at == clock.wall + 7_200
    actor = actor_of_token(context, made.token)
    assert (actor.who, actor.known_by, actor.barred) == ("alice", "oidc", "")
    assert may(actor, "roll-out", WHOLE_FLEET) is None
    assert "right 'keys' is missing" in (may(actor, "keys", WHOLE_FLEET) or "")
    clock.wall += 7_200
    actor = actor_of_token(context, made.token)
    refused(lambda: require(context, actor, "look", WHOLE_FLEET), "The login of alice has ended")
    assert log_in(context, identity("ops", name="renamed")).person.name == "alice"
    assert entries(context)[-2:] == [("alice", "oidc", "log in", "alice")] * 2


def test_who_has_lost_the_groups_has_lost_what_the_login_gave(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    refused(lambda: log_in(context, identity("others")), "none of their groups")
    assert entries(context) == [], "nobody's account is made"
    first = log_in(context, identity("admins"))
    second = log_in(context, identity("ops"))
    for login_of in (first, second):
        rights = actor_of_token(context, login_of.token).rights.permissions
        assert "people" not in rights
    refused(lambda: log_in(context, identity()), "none of their groups")
    assert [actor_of_token(context, one.token).barred for one in (first, second)] == ["login over"] * 2
    assert entries(context)[-1] == ("alice", "oidc", "end rights", "alice")
    assert actor_of_token(context, log_in(context, identity("admins")).token).barred == ""
    assert actor_of_token(context, first.token).barred == "login over", "an old login does not come to life"


def test_a_disabled_person_stays_out_whatever_the_provider_says(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    made = log_in(context, identity("admins"))
    set_disabled(context, ROOT, "alice", disabled=True)
    assert actor_of_token(context, made.token).barred == "disabled"
    refused(lambda: log_in(context, identity("admins")), "The account alice is disabled")
    refused(lambda: log_in(context, identity("others")), "The account alice is disabled")
    remove_person(context, ROOT, "alice")
    refused(lambda: actor_of_token(context, made.token), "not known here")


def test_nobody_takes_an_account_by_its_name(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    add_person(context, ROOT, "alice", roles=("administrator",), password=PASSWORD)
    refused(lambda: log_in(context, identity("ops")), "There is an account alice already")
    log_in(context, identity("ops", name="bob"))
    refused(lambda: log_in(context, identity("ops", sub="u-18", name="bob")), "There is an account bob already")
    for name in ("engine", "", "@example.com", "a b", "x" * 41):
        refused(lambda: log_in(context, identity("ops", sub="u-19", name=name)), "'name_claim'", FaultKind.BAD_INPUT)  # noqa: B023


def test_such_an_account_has_nothing_that_outlives_its_groups(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    actor = actor_of_token(context, log_in(context, identity("admins")).token)
    refused(lambda: make_api_token(context, actor, label="x", seconds=60, permissions=("look",)), "end with the login")
    refused(
        lambda: make_api_token(context, ROOT, label="x", seconds=60, permissions=("look",), owner="alice"),
        "no API token speaks for them",
    )
    refused(lambda: set_roles(context, ROOT, "alice", ("viewer",)), "comes by the identity provider")
    refused(lambda: set_password(context, actor, "alice", PASSWORD), "comes by the identity provider")
    refused(lambda: login(context, "alice", "", "", source="desk"), "is wrong")


def test_an_administrator_with_a_password_is_left(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    add_person(context, ROOT, "root2", roles=("administrator",), password=PASSWORD)
    log_in(context, identity("admins"))
    refused(lambda: remove_person(context, ROOT, "root2"), "the last administrator")
    remove_person(context, ROOT, "alice")


def test_logout_ends_the_login_and_is_recorded(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    made = log_in(context, identity("ops"))
    assert log_out(context, made.token) == "alice"
    assert actor_of_token(context, made.token).barred == "login over"
    assert entries(context)[-1] == ("alice", "oidc", "log out", "alice")
    count = len(entries(context))
    assert log_out(context, made.token) == "alice"
    assert len(entries(context)) == count
    remove_person(context, ROOT, "alice")
    assert log_out(context, made.token) == ""
    add_person(context, ROOT, "robot", roles=("viewer",))
    token = make_api_token(context, ROOT, label="x", seconds=60, permissions=("look",), owner="robot").text
    refused(lambda: log_out(context, token), "no login")
    with context.database() as database:
        audited = b"".join(octets for _number, octets in database.audit_entries(0, 1_000))
    assert parsed_token(made.token)[1] not in audited
    assert made.token.split("_", 2)[2].encode() not in audited


def test_a_server_without_a_provider_says_so(here: tuple[Context, FakeClock]) -> None:
    context, _ = here
    settings = provider_settings(context)
    assert isinstance(settings, OidcSettings)
    assert settings.groups[0] == OidcGroup("ops", ("operator",))
    text = context.home.settings.read_text()
    context.home.settings.write_text(text.replace('"operator"', '"king"'))
    refused(lambda: provider_settings(context), "group 'ops': 'king' is no role", FaultKind.BAD_INPUT)
    context.home.settings.write_text(text.partition("[oidc]")[0])
    refused(lambda: provider_settings(context), "No identity provider is set up", FaultKind.NOT_SET_UP)
