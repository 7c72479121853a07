"""Routes over accounts, API tokens, and tokens that enrol PCs."""

from typing import Annotated

from msgspec import Meta

from seed_server.answers.operations import TokenDocument, TokenRowDocument
from seed_server.answers.people import (
    ApiTokenDocument,
    ApproversDocument,
    PersonDocument,
    PersonViewDocument,
)
from seed_server.answers.people_documents import (
    api_token_document,
    approvers_document,
    person_document,
    person_view_document,
)
from seed_server.answers.sessions import (
    KeyDocument,
    SessionDocument,
    SessionsEndedDocument,
    key_document,
    session_document,
)
from seed_server.answers.token_documents import token_document, token_made_document
from seed_server.fleet import operations, people_operations, queries
from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.approver_list import read_approvers
from seed_server.fleet.operations import MAX_TOKEN_DAYS, MAX_TOKEN_USES
from seed_server.fleet.passkey_operations import read_passkeys, remove_passkey
from seed_server.fleet.people_queries import read_api_tokens, read_people, read_person
from seed_server.fleet.roles import NO_PC, WHOLE_FLEET, Role
from seed_server.fleet.web_sessions import end_sessions, read_sessions
from seed_server.store.people_rows import PersonRow
from seed_server.web.api.documents import SelfDocument
from seed_server.web.api.given import Body, Given, MaybeName, Name, Named, Names, WithId
from seed_server.web.api.paging import Page, Paged, page_of
from seed_server.web.api.route import API, ApiCall, Nothing, Route

_PEOPLE, _TOKENS = "People", "Tokens"
_OPERATION = "seed_server.fleet."

Roles = Annotated[tuple[Role, ...], Meta(min_length=1, max_length=20)]


def _self(call: ApiCall[Nothing, None]) -> SelfDocument:
    actor = call.actor
    return SelfDocument(
        person=actor.name,
        token=actor.token_id,
        rights=tuple(sorted(actor.rights.permissions)),
        sites=tuple(sorted(actor.rights.scope.sites)),
        tags=tuple(sorted(actor.rights.scope.tags)),
    )


def _people(call: ApiCall[Paged, None]) -> Page[PersonDocument]:
    return page_of(read_people(call.context), call.given, lambda one: one.name, person_document)


def _person(call: ApiCall[Named, None]) -> PersonViewDocument:
    return person_view_document(read_person(call.context, call.given.name), call.context.clock.now())


def _account(call: ApiCall[Named, None]) -> PersonDocument:
    return person_document(read_person(call.context, call.given.name).person)


class GivenScope(Body, frozen=True):
    """For which PCs rights hold; without sites and tags: for the whole fleet."""

    sites: Names = ()
    tags: Names = ()


class NewPerson(GivenScope, frozen=True, kw_only=True):
    """An account of a program, which API tokens alone open."""

    name: Name
    roles: Roles


def _add_person(call: ApiCall[Nothing, NewPerson]) -> PersonDocument:
    body = call.body
    made = people_operations.add_person(
        call.context, call.actor, body.name, roles=body.roles, sites=body.sites, tags=body.tags
    )
    return person_document(made)


class NewRoles(Body, frozen=True):
    """Roles in place of those before."""

    roles: Roles


def _set_roles(call: ApiCall[Named, NewRoles]) -> PersonDocument:
    return person_document(people_operations.set_roles(call.context, call.actor, call.given.name, call.body.roles))


def _set_scope(call: ApiCall[Named, GivenScope]) -> PersonDocument:
    body = call.body
    changed: PersonRow = people_operations.set_scope(
        call.context, call.actor, call.given.name, sites=body.sites, tags=body.tags
    )
    return person_document(changed)


class Disabling(Body, frozen=True):
    """Whether an account may do nothing any more."""

    disabled: bool


def _set_disabled(call: ApiCall[Named, Disabling]) -> PersonDocument:
    disabled = call.body.disabled
    return person_document(
        people_operations.set_disabled(call.context, call.actor, call.given.name, disabled=disabled)
    )  # fmt: skip


def _remove_second_factor(call: ApiCall[Named, None]) -> PersonDocument:
    return person_document(people_operations.remove_second_factor(call.context, call.actor, call.given.name))


def _remove_person(call: ApiCall[Named, None]) -> PersonDocument:
    return person_document(people_operations.remove_person(call.context, call.actor, call.given.name))


class NamedPage(Paged, frozen=True):
    """Of which account."""

    name: Name


class OfSessions(Given, frozen=True):
    """Sessions of an account."""

    name: Name
    session: Annotated[str, Meta(max_length=64, description="This one alone; else all.")] = ""


class OfKey(Given, frozen=True):
    """A key of an account."""

    name: Name
    id: Annotated[str, Meta(min_length=1, max_length=64)]


def _sessions(call: ApiCall[NamedPage, None]) -> Page[SessionDocument]:
    found = read_sessions(call.context, call.given.name)
    return page_of(found, call.given, lambda one: one.session_id, session_document)


def _end_sessions(call: ApiCall[OfSessions, None]) -> SessionsEndedDocument:
    name = call.given.name
    return SessionsEndedDocument(name, end_sessions(call.context, call.actor, name, call.given.session))


def _keys(call: ApiCall[NamedPage, None]) -> Page[KeyDocument]:
    return page_of(read_passkeys(call.context, call.given.name), call.given, lambda one: one.key_id, key_document)


def _remove_key(call: ApiCall[OfKey, None]) -> KeyDocument:
    return key_document(remove_passkey(call.context, call.actor, call.given.name, call.given.id))


class ApiTokens(Paged, frozen=True):
    """Whose API tokens."""

    owner: Annotated[MaybeName, Meta(description="Only of this account.")] = ""


def _api_tokens(call: ApiCall[ApiTokens, None]) -> Page[ApiTokenDocument]:
    now = call.context.clock.now()
    found = read_api_tokens(call.context, call.given.owner or None)
    return page_of(found, call.given, lambda one: one.token_id, lambda one: api_token_document(one, now))


def _revoke_api_token(call: ApiCall[WithId, None]) -> ApiTokenDocument:
    revoked = revoke_api_token(call.context, call.actor, call.given.id)
    return api_token_document(revoked, call.context.clock.now())


def _approvers(call: ApiCall[Nothing, None]) -> ApproversDocument:
    return approvers_document(read_approvers(call.context))


def _tokens(call: ApiCall[Paged, None]) -> Page[TokenRowDocument]:
    now = call.context.clock.now()
    found = queries.read_tokens(call.context)
    return page_of(found, call.given, lambda one: one.token_id, lambda one: token_document(one, now))


class NewToken(Body, frozen=True):
    """A token that enrols PCs."""

    uses: Annotated[int, Meta(ge=1, le=MAX_TOKEN_USES, description="How many PCs it enrols.")] = 1
    seconds: Annotated[int, Meta(ge=1, le=MAX_TOKEN_DAYS * 86_400, description="How long it is valid.")] = 3_600
    tags: Annotated[Names, Meta(description="What to call its PCs.")] = ()
    approval: Annotated[bool, Meta(description="Refuse each of its PCs until it is allowed.")] = False


def _make_token(call: ApiCall[Nothing, NewToken]) -> TokenDocument:
    body = call.body
    made = operations.make_token(
        call.context,
        call.actor,
        uses=body.uses,
        seconds=body.seconds,
        tags=tuple(sorted(set(body.tags))),
        approval=body.approval,
    )
    return token_made_document(made)


def _revoke_token(call: ApiCall[WithId, None]) -> TokenRowDocument:
    revoked = operations.revoke_token(call.context, call.actor, call.given.id)
    return token_document(revoked, call.context.clock.now())


PEOPLE_ROUTES = (
    Route("GET", f"{API}/self", "getSelf", "For whom the token speaks, and what it may", _self, SelfDocument, _PEOPLE,
          Nothing, right=("look", NO_PC)),
    Route("GET", f"{API}/people", "listPeople", "Accounts", _people, Page[PersonDocument], _PEOPLE, Paged,
          commands=("people list",)),
    Route("POST", f"{API}/people", "addPerson", "Make an account of a program, without a password", _add_person,
          PersonDocument, _PEOPLE, Nothing, NewPerson, operation=f"{_OPERATION}people_operations.add_person",
          status=201, commands=("people add",), example={"name": "inventory", "roles": ["viewer"]}),
    Route("GET", f"{API}/people/{{name}}", "getPerson", "An account: every right, and its API tokens", _person,
          PersonViewDocument, _PEOPLE, Named, commands=("people show",)),
    Route("GET", f"{API}/people/{{name}}/account", "getAccount", "The account alone: its ETag is for If-Match",
          _account, PersonDocument, _PEOPLE, Named),
    Route("PUT", f"{API}/people/{{name}}/roles", "setRoles", "Give an account roles, in place of those before",
          _set_roles, PersonDocument, _PEOPLE, Named, NewRoles,
          operation=f"{_OPERATION}people_operations.set_roles", guard=_account, example={"roles": ["operator"]}),
    Route("PUT", f"{API}/people/{{name}}/scope", "setScope", "Limit an account to some sites and tags", _set_scope,
          PersonDocument, _PEOPLE, Named, GivenScope, operation=f"{_OPERATION}people_operations.set_scope",
          guard=_account, example={"sites": ["oslo"], "tags": ["kiosk"]}),
    Route("PUT", f"{API}/people/{{name}}/disabled", "setDisabled", "Let an account act, or not", _set_disabled,
          PersonDocument, _PEOPLE, Named, Disabling, operation=f"{_OPERATION}people_operations.set_disabled",
          guard=_account, example={"disabled": True}),
    Route("DELETE", f"{API}/people/{{name}}/second-factor", "removeSecondFactor", "Ask an account for no code any "
          "more", _remove_second_factor, PersonDocument, _PEOPLE, Named,
          operation=f"{_OPERATION}people_operations.remove_second_factor"),
    Route("DELETE", f"{API}/people/{{name}}", "removePerson", "Remove an account and its API tokens", _remove_person,
          PersonDocument, _PEOPLE, Named, operation=f"{_OPERATION}people_operations.remove_person"),
    Route("GET", f"{API}/people/{{name}}/sessions", "listSessions", "Where an account is logged in with a browser",
          _sessions, Page[SessionDocument], _PEOPLE, NamedPage, right=("people", WHOLE_FLEET),
          commands=("people sessions",)),
    Route("DELETE", f"{API}/people/{{name}}/sessions", "endSessions", "Log an account out of its browsers, or of one",
          _end_sessions, SessionsEndedDocument, _PEOPLE, OfSessions,
          operation=f"{_OPERATION}web_sessions.end_sessions", commands=("people end-sessions",)),
    Route("GET", f"{API}/people/{{name}}/keys", "listPersonKeys", "Keys (WebAuthn) of an account", _keys,
          Page[KeyDocument], _PEOPLE, NamedPage, right=("people", WHOLE_FLEET), commands=("people keys",)),
    Route("DELETE", f"{API}/people/{{name}}/keys/{{id}}", "removeKey", "Let a key open nothing any more", _remove_key,
          KeyDocument, _PEOPLE, OfKey, operation=f"{_OPERATION}passkey_operations.remove_passkey"),
    Route("GET", f"{API}/api-tokens", "listApiTokens", "API tokens, the newest first", _api_tokens,
          Page[ApiTokenDocument], _TOKENS, ApiTokens, commands=("api-token list",)),
    Route("DELETE", f"{API}/api-tokens/{{id}}", "revokeApiToken", "Let an API token speak for nobody any more",
          _revoke_api_token, ApiTokenDocument, _TOKENS, WithId,
          operation=f"{_OPERATION}api_token_operations.revoke_api_token"),
    Route("GET", f"{API}/approvers", "getApprovers", "Whose approvals PCs want", _approvers, ApproversDocument,
          _PEOPLE, Nothing, commands=("approver list",)),
    Route("GET", f"{API}/tokens", "listTokens", "Tokens that enrol PCs, the newest first", _tokens,
          Page[TokenRowDocument], _TOKENS, Paged, commands=("token list",)),
    Route("POST", f"{API}/tokens", "makeToken", "Make a token that enrols PCs", _make_token, TokenDocument, _TOKENS,
          Nothing, NewToken, operation=f"{_OPERATION}operations.make_token", status=201, secret=True,
          commands=("token",), example={"uses": 20, "seconds": 28_800, "tags": ["kiosk"]}),
    Route("DELETE", f"{API}/tokens/{{id}}", "revokeToken", "Let a token enrol nobody from now on", _revoke_token,
          TokenRowDocument, _TOKENS, WithId, operation=f"{_OPERATION}operations.revoke_token"),
)  # fmt: skip
"""The rows of the table that are about people and tokens."""
