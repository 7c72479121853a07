"""The API asks for each right: every route by every role, for PCs within its scope and others, and by spent tokens.

What is expected follows from `seed_server.fleet.permissions.may` alone, and from what each request is about, as this
file says it. Nothing is changed: operations are rehearsed.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seed_server.automation.webhook_operations import add_webhook
from seed_server.fleet import endpoint_operations, exception_operations, legal_holds, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token, revoke_api_token
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.permissions import may
from seed_server.fleet.rehearsed import RehearsedError
from seed_server.fleet.roles import ROLES, WHOLE_FLEET, Area, Permission, PersonScope, Reach, Role, rights_of
from seed_server.fleet.web_sessions import CameFrom, begin_session
from seed_server.store.session_records import PasskeyRow
from seed_server.web.api.route import ApiCall, Route
from seed_server.web.api.table import API_ROUTES
from tests.helpers.api_client import ROOT, Api, api_of
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, Company, company_at, published_home

SITE, TAG = "osaka", "kiosk"
HERE: Reach = (Area(site=SITE),)
KIOSKS: Reach = (Area(tags=frozenset({TAG})),)
SCOPES = {"whole": PersonScope(), "within": PersonScope(frozenset({SITE})), "beside": PersonScope(frozenset({"oslo"}))}

REACHES: dict[str, tuple[Permission, Reach]] = {
    "denyEndpoint": ("deny", (Area(SITE),)),
    "allowEndpoint": ("endpoints", (Area(SITE),)),
    "forgetEndpoint": ("endpoints", (Area(SITE),)),
    "forgetUnseen": ("endpoints", ()),  # nobody is unseen for so long
    "offerAtSite": ("roll-out", HERE),
    "startRollout": ("roll-out", WHOLE_FLEET),
    "resumeRollout": ("roll-out", WHOLE_FLEET),
    "approveRollout": ("approve", WHOLE_FLEET),
    "addException": ("except", HERE),
    "endException": ("except", HERE),
    "followUp": ("endpoints", (Area(SITE),)),
    "endSessions": ("people", WHOLE_FLEET),  # a token has no session, and no keys
    "removeKey": ("people", WHOLE_FLEET),
    "makeToken": ("tokens", KIOSKS),
    "revokeToken": ("tokens", KIOSKS),
    "revokeApiToken": ("people", WHOLE_FLEET),  # it is another one's, and a token has none of its own
    "prepareProfile": ("profiles", HERE),
    "finishBundle": ("withdraw", WHOLE_FLEET),
    "dropBundle": ("withdraw", WHOLE_FLEET),
}
"""What the requests of this file need for which PCs, where that follows from what they are about."""

OWN = {"endSessions", "removeKey", "revokeApiToken"}
"""What everybody may with what is their own."""


WHOLE_ALONE: frozenset[Role] = frozenset({"administrator", "auditor"})
"""Roles that nobody has for a part of the fleet."""


@dataclasses.dataclass
class Requests:
    """What to send to each route: all of it is there, so that rights alone decide."""

    path: dict[str, object]
    bodies: dict[str, Any]
    bundle: bytes

    def of(self, route: Route[Any, Any]) -> tuple[str, object, bytes | None]:
        path = route.path.format(**{**self.path, **({"number": self.path[route.name]} if route.name in self.path else {})})  # fmt: skip  # noqa: E501
        if route.name == "revokeToken":
            path = route.path.format(id=self.path["token"])
        elif route.name == "removeKey":
            path = route.path.format(name=self.path["name"], id="k1")
        elif route.name == "revokeApiToken":
            path = route.path.format(id=self.path["api_token"])
        if route.body is bytes:
            return path, None, self.bundle
        return path, self.bodies.get(route.name, route.example) if route.body is not None else None, None


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Return a company with a published patch."""
    made = company_at(published_home(tmp_path), tmp_path / "company")
    yield made
    made.database.close()


def prepared(company: Company) -> Requests:
    """Make what requests are about."""
    context = company.context
    endpoint_operations.deny(context, ADA, OTHERS[1])
    row = exception_operations.add_exception(
        context, ADA, who=f'site == "{SITE}"', until=BEGIN + 9e5, reason="r", owner="o"
    )
    hold = legal_holds.hold_history(context, ADA, "case")
    token = operations.make_token(context, ADA, uses=1, seconds=60, tags=(TAG,))
    add_person(context, ROOT, "zoe", roles=["viewer"])
    api_token = make_api_token(context, ROOT, label="z", seconds=60, permissions=["look"], owner="zoe").row.token_id
    with context.database() as database:
        zoe = database.person("zoe")
        assert zoe is not None
        database.add_passkey(PasskeyRow("k1", "zoe", "blue", b"id", b"cose", 0, BEGIN))
    begin_session(context, zoe, "password", CameFrom("x", "x", "x"))
    file = context.home.root / "copy.bundle"
    bundle = preparing.prepare_withdrawal(context, ADA, "office", "bad", file)
    add_webhook(context, ROOT, "zoe", "https://chat.example.com/hooks/7", events=["rollout"])
    company.start()
    text = 'name = "p"\nceiling_mbit = 5\n'
    return Requests(
        {
            "endpoint": OTHERS[0], "patch": "office", "number": 1, "site": SITE, "name": "zoe", "id": bundle.bundle_id,
            "endException": row.number, "releaseHistory": hold.number, "proveAuditEntry": 0, "token": token.token_id,
            "api_token": api_token, "cve": "CVE-2026-1234",
        },
        {
            "addException": {"who": f'site == "{SITE}"', "until": BEGIN + 9e5, "reason": "r", "owner": "o"},
            "makeToken": {"tags": [TAG]}, "forgetUnseen": {"not_seen_days": 36_500}, "offerAtSite": {"site": SITE},
            "startRollout": {"patch": "office"}, "prepareProfile": {"site": SITE, "text": text},
            "withdrawFromSite": {"site": SITE, "reason": "r"}, "withdrawFromRing": {"ring": "test", "reason": "r"},
        },
        file.read_bytes(),
    )  # fmt: skip


def rehearsed(route: Route[Any, Any]) -> Route[Any, Any]:
    """Return the route, which looks at nothing, and answers with nothing where its operation could be done."""

    def does(call: ApiCall[Any, Any]) -> Any:
        if not route.changes:
            return msgspec.Raw(b"{}")
        try:
            return route.does(call)
        except RehearsedError:
            return msgspec.Raw(b"{}")

    return dataclasses.replace(route, does=does)


def needed(route: Route[Any, Any]) -> Iterator[tuple[Permission, Reach]]:
    """Yield what a request needs."""
    for permission, reach in route.rights:
        if reach is not None:
            yield permission, reach
    if route.name in REACHES:
        yield REACHES[route.name]


def expected(route: Route[Any, Any], actor: Actor) -> bool:
    return all(may(actor, permission, reach) is None for permission, reach in needed(route))


def test_whatever_asks_itself_has_its_reach_here() -> None:
    asking = {route.name for route in API_ROUTES if any(reach is None for _, reach in route.rights)}
    assert asking | OWN == set(REACHES)


@pytest.mark.trio
async def test_every_route_by_every_role_and_scope(company: Company) -> None:
    requests, surprises, asked = prepared(company), [], 0
    context = dataclasses.replace(company.context)
    async with api_of(context) as api:
        tokens = {
            (role, scope): api.token(f"{role}.{scope}", role, sites=tuple(SCOPES[scope].sites))
            for role in ROLES for scope in SCOPES if scope == "whole" or role not in WHOLE_ALONE
        }  # fmt: skip
    async with api_of(dataclasses.replace(context, rehearsal=True), tuple(map(rehearsed, API_ROUTES))) as api:
        for (role, scope), token in tokens.items():
            actor = Actor("x", "token", rights_of(frozenset({role}), SCOPES[scope]), "t")
            for route in API_ROUTES:
                if route.streams:
                    continue
                got = await asked_for(api, route, token, requests)
                asked += 1
                right = expected(route, actor)
                if (got == 403) is right or got == 401 or got >= 500:
                    surprises.append((role, scope, route.name, right, got))
    assert surprises == []
    assert asked > 1_000


async def asked_for(api: Api, route: Route[Any, Any], token: str, requests: Requests) -> int:
    path, body, data = requests.of(route)
    answer = await api.ask(route.method, path, token, body, data=data)
    if answer.status == 403:
        assert answer.problem == "right-missing"
    return answer.status


@pytest.mark.trio
async def test_every_route_by_tokens_that_are_none(company: Company) -> None:
    requests = prepared(company)
    async with api_of(company.context) as api:
        whole = api.token("root", "administrator")
        pin, _, rest = whole.removeprefix("p2papi_").partition("_")
        short = make_api_token(company.context, ROOT, label="s", seconds=1, permissions=["look"], owner="root")
        gone = make_api_token(company.context, ROOT, label="r", seconds=60, permissions=["look"], owner="root")
        revoke_api_token(company.context, ROOT, gone.row.token_id)
        company.clock.wall += 2
        spent = {"none": "", "expired": short.text, "revoked": gone.text, "foreign": f"p2papi_{'0' * len(pin)}_{rest}"}
        surprises = []
        for how, token in spent.items():
            got = [(how, route.name, await asked_for(api, route, token, requests)) for route in API_ROUTES]
            surprises += [one for one in got if one[2] != 401]
    assert surprises == []
