"""`seed_server.web.api.answering`: from a request to its answer, over a real home."""

import json

import pytest

from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.fleet.people_operations import add_person
from tests.helpers.api_client import ADDRESS, ROOT, api_of
from tests.helpers.rollout_company import OTHERS, TESTERS, Company

pytestmark = pytest.mark.trio


async def test_the_fleet_is_shown_to_who_may_look(company: Company) -> None:
    async with api_of(company.context) as api:
        answer = await api.ask("GET", "/api/v1/status", api.token("eve", "viewer"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.document["server"] == "hq"
    assert answer.document["endpoints"] == len(TESTERS + OTHERS)
    assert api.proved == [ADDRESS]


async def test_nobody_and_who_has_no_token_of_this_server_get_nothing(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        pin, _, rest = token.removeprefix("p2papi_").partition("_")
        other = f"p2papi_{'0' * len(pin)}_{rest}"
        wrong = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
        for given, name in (("", "no-token"), ("nonsense", "token-not-valid"), (other, "token-not-valid"), (wrong, "token-not-valid")):  # fmt: skip  # noqa: E501
            answer = await api.ask("GET", "/api/v1/status", given)
            assert (answer.status, answer.problem) == (401, name)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert given[:20] not in answer.body.decode() or not given
    assert api.proved == []


async def test_a_token_that_is_spent_gets_nothing(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        (row,) = company.database.api_tokens("eve")
        revoke_api_token(company.context, ROOT, row.token_id)
        answer = await api.ask("GET", "/api/v1/status", token)
    assert (answer.status, answer.problem) == (401, "token-not-valid")
    assert "revoked" in answer.document["detail"]


async def test_who_may_not_is_told_who_may(company: Company) -> None:
    async with api_of(company.context) as api:
        answer = await api.ask("POST", f"/api/v1/endpoints/{OTHERS[0]}/deny", api.token("eve", "viewer"))
    assert (answer.status, answer.problem) == (403, "right-missing")
    assert "'deny'" in answer.document["detail"]


async def test_a_change_is_in_the_audit_log_with_token_address_and_request(company: Company) -> None:
    async with api_of(company.context) as api:
        answer = await api.ask("POST", f"/api/v1/endpoints/{OTHERS[0]}/deny", api.token("ada", "operator"), {})
    assert answer.status == 200
    assert answer.document["endpoint"]["id"] == OTHERS[0]
    row = company.database.endpoint(OTHERS[0])
    assert row is not None
    assert row.denied
    (logged,) = newest_entries(company.context, Wanted(operation="deny"), 1)
    assert logged.entry.actor.startswith("ada/")
    assert (logged.entry.address, logged.entry.request) == (ADDRESS, answer.headers["x-request-id"])


async def test_pages_go_on_where_the_link_says(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        seen, path = [], "/api/v1/endpoints?limit=3"
        while path:
            answer = await api.ask("GET", path, token)
            seen += [row["id"] for row in answer.document["rows"]]
            link = answer.headers.get("link", "")
            assert bool(link) is (answer.document["next"] is not None)
            path = link.partition(">")[0].removeprefix("<")
    assert sorted(seen) == sorted(TESTERS + OTHERS)


async def test_what_has_not_changed_is_not_sent_again(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        first = await api.ask("GET", "/api/v1/people", token)
        known = {"if-none-match": first.headers["etag"]}
        again = await api.ask("GET", "/api/v1/people", token, headers=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        add_person(company.context, ROOT, "bob", roles=["viewer"])
        assert (await api.ask("GET", "/api/v1/people", token, headers=known)).status == 200


async def test_of_two_who_change_the_same_the_second_is_told(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"])
    async with api_of(company.context) as api:
        token = api.token("root", "administrator")
        known = {"if-match": (await api.ask("GET", "/api/v1/people/bob/account", token)).headers["etag"]}
        first = await api.ask("PUT", "/api/v1/people/bob/roles", token, {"roles": ["auditor"]}, headers=known)
        assert (first.status, first.document["roles"]) == (200, ["auditor"])
        second = await api.ask("PUT", "/api/v1/people/bob/roles", token, {"roles": ["operator"]}, headers=known)
        assert (second.status, second.problem) == (412, "changed-meanwhile")
        free = await api.ask("PUT", "/api/v1/people/bob/roles", token, {"roles": ["operator"]})
        assert free.status == 200


async def test_what_is_unknown_or_malformed_is_said(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("ada", "operator")
        for method, path, body, status in (
            ("GET", "/api/v1/nothing", None, 404),
            ("GET", "/nothing", None, 404),
            ("POST", "/api/v1/status", None, 405),
            ("GET", "/api/v1/endpoints/nobody", None, 404),
            ("GET", "/api/v1/rollouts/77", None, 404),
            ("GET", "/api/v1/rollouts/x", None, 422),
            ("GET", "/api/v1/endpoints?site=nowhere", None, 422),
            ("POST", "/api/v1/rollouts", {"patch": "office", "template": "/etc/passwd"}, 422),
            ("POST", "/api/v1/rollouts", {"patch": "office", "x": 1}, 422),
        ):
            answer = await api.ask(method, path, token, body)
            assert answer.status == status, (path, answer.body)
            assert answer.problem
        assert (await api.ask("POST", "/api/v1/status", token)).headers["allow"] == "GET"
        assert (await api.ask("PUT", "/api/v1/people/ada", token)).headers["allow"] == "DELETE, GET"
        broken = await api.ask(
            "POST", "/api/v1/rollouts", token, data=b"{", headers={"content-type": "application/json"}
        )
        assert (broken.status, broken.problem) == (400, "malformed")


async def test_a_request_is_read_up_to_its_cap(company: Company) -> None:
    async with api_of(company.context) as api:
        token, json_media = api.token("ada", "operator"), {"content-type": "application/json"}
        whole = json.dumps({"reason": "r", "patch": "office"}).encode()
        long = await api.ask("POST", "/api/v1/rollouts", token, data=whole + b" " * (256 << 10), headers=json_media)
        assert (long.status, long.problem) == (413, "too-long")
        short = await api.ask(
            "POST", "/api/v1/rollouts", token, data=whole + b" " * ((256 << 10) - len(whole)), headers=json_media
        )
        assert short.status != 413
