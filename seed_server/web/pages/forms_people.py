"""What the pages of people do to accounts; each asks for a second factor.

A password that is made here is shown on the page that answers, and nowhere else: it is in no cookie and no address.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from seed_server.fleet import people_operations
from seed_server.fleet.accounts import checked_account_name
from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.passkey_operations import remove_passkey
from seed_server.fleet.passwords import first_password
from seed_server.fleet.roles import Role
from seed_server.fleet.web_sessions import end_sessions
from seed_server.web.api.given import Body, Name, Named
from seed_server.web.api.route import Nothing
from seed_server.web.frame.addresses import path_to
from seed_server.web.frame.page import Done, Form, Sent, Shown

MAX_NAMES_CHARS = 20_000  # a hundred names of sites of up to 100 characters, with room between them
_PEOPLE = "seed_server.fleet.people_operations."
_BETWEEN = re.compile(r"[\s,、]+")

NamesText = Annotated[str, Meta(max_length=MAX_NAMES_CHARS)]
TickedRoles = Annotated[tuple[Role, ...], Meta(max_length=20)]


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that somebody has typed, with blanks, commas or line breaks between them."""
    return tuple(name for name in _BETWEEN.split(text) if name)


class AddedPerson(Body, frozen=True):
    """A new account."""

    name: Name
    roles: TickedRoles = ()
    sites: NamesText = ""
    tags: NamesText = ""
    way: Literal["password", "program"] = "password"


def _once(name: str, password: str, title: str) -> Shown:
    return Shown(title, {"name": name, "password": password, "back": path_to("people", name)}, template="password_once")


def _add(sent: Sent[Nothing, AddedPerson]) -> Shown | Done:
    body = sent.body
    name = checked_account_name(body.name)
    password = first_password(name) if body.way == "password" else None
    made = people_operations.add_person(
        sent.context,
        sent.actor,
        name,
        roles=body.roles,
        sites=names_in(body.sites),
        tags=names_in(body.tags),
        password=password,
    )
    if password is None:
        return Done(path_to("people", made.name), tr("The account {name} is made. API tokens open it.", name=made.name))
    return _once(made.name, password, tr("The account {name} is made", name=made.name))


class ChangedPerson(Body, frozen=True):
    """All that an account may."""

    roles: TickedRoles = ()
    sites: NamesText = ""
    tags: NamesText = ""
    disabled: bool = False


def _change(sent: Sent[Named, ChangedPerson]) -> Done:
    body = sent.body
    changed = people_operations.set_account(
        sent.context,
        sent.actor,
        sent.given.name,
        roles=body.roles,
        sites=names_in(body.sites),
        tags=names_in(body.tags),
        disabled=body.disabled,
    )
    return Done(path_to("people", changed.name), tr("What {name} may is changed.", name=changed.name))


def _disable(sent: Sent[Named, Nothing]) -> Done:
    name = people_operations.set_disabled(sent.context, sent.actor, sent.given.name, disabled=True).name
    return Done(path_to("people", name), tr("{name} may do nothing any more, nor do their API tokens.", name=name))


def _enable(sent: Sent[Named, Nothing]) -> Done:
    name = people_operations.set_disabled(sent.context, sent.actor, sent.given.name, disabled=False).name
    return Done(path_to("people", name), tr("{name} may act again.", name=name))


def _reset_password(sent: Sent[Named, Nothing]) -> Shown:
    name = checked_account_name(sent.given.name)
    password = first_password(name)
    people_operations.set_password(sent.context, sent.actor, name, password)
    return _once(name, password, tr("{name} has another password", name=name))


def _remove_factor(sent: Sent[Named, Nothing]) -> Done:
    name = people_operations.remove_second_factor(sent.context, sent.actor, sent.given.name).name
    return Done(path_to("people", name), tr("{name} is asked for no second factor any more.", name=name))


class RevokedToken(Body, frozen=True):
    """An API token."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]


def _revoke_token(sent: Sent[Named, RevokedToken]) -> Done:
    revoked = revoke_api_token(sent.context, sent.actor, sent.body.id)
    return Done(
        path_to("people", revoked.owner), tr("The API token {id} speaks for nobody any more.", id=revoked.token_id)
    )


class EndedSession(Body, frozen=True):
    """A session in a browser; empty: all of them."""

    session: Annotated[str, Meta(max_length=64)] = ""


def _end_sessions(sent: Sent[Named, EndedSession]) -> Done:
    name = checked_account_name(sent.given.name)
    ended = end_sessions(sent.context, sent.actor, name, sent.body.session)
    return Done(path_to("people", name), tr("Sessions that have ended: {number}.", number=ended))


class RemovedKey(Body, frozen=True):
    """A key."""

    key: Annotated[str, Meta(min_length=1, max_length=64)]


def _remove_key(sent: Sent[Named, RemovedKey]) -> Done:
    removed = remove_passkey(sent.context, sent.actor, sent.given.name, sent.body.key)
    return Done(path_to("people", removed.person), tr("The key {name} opens nothing any more.", name=removed.name))


class RemovedPerson(Body, frozen=True):
    """An account that goes."""

    sure: bool = False


def _remove(sent: Sent[Named, RemovedPerson]) -> Done:
    if not sent.body.sure:
        raise UserError("Nothing was removed: tick that you are sure, and send it again.", FaultKind.BAD_INPUT)
    removed = people_operations.remove_person(sent.context, sent.actor, sent.given.name)
    return Done("/people", tr("The account {name} and its API tokens are removed.", name=removed.name))


PEOPLE_FORMS = (
    Form("/people", "add-person", _add, Nothing, AddedPerson, f"{_PEOPLE}add_person", "people", step_up=True),
    Form("/people/{name}/rights", "change-person", _change, Named, ChangedPerson, f"{_PEOPLE}set_account", "person",
         step_up=True),
    Form("/people/{name}/disable", "disable-person", _disable, Named, Nothing, f"{_PEOPLE}set_disabled", "person",
         step_up=True),
    Form("/people/{name}/enable", "enable-person", _enable, Named, Nothing, f"{_PEOPLE}set_disabled", "person",
         step_up=True),
    Form("/people/{name}/password", "reset-password", _reset_password, Named, Nothing, f"{_PEOPLE}set_password",
         "person", step_up=True),
    Form("/people/{name}/no-second-factor", "remove-second-factor", _remove_factor, Named, Nothing,
         f"{_PEOPLE}remove_second_factor", "person", step_up=True),
    Form("/people/{name}/revoke-token", "revoke-api-token", _revoke_token, Named, RevokedToken,
         "seed_server.fleet.api_token_operations.revoke_api_token", "person", step_up=True),
    Form("/people/{name}/end-sessions", "end-sessions", _end_sessions, Named, EndedSession,
         "seed_server.fleet.web_sessions.end_sessions", "person", step_up=True),
    Form("/people/{name}/remove-key", "remove-key", _remove_key, Named, RemovedKey,
         "seed_server.fleet.passkey_operations.remove_passkey", "person", step_up=True),
    Form("/people/{name}/remove", "remove-person", _remove, Named, RemovedPerson, f"{_PEOPLE}remove_person", "person",
         step_up=True),
)  # fmt: skip
