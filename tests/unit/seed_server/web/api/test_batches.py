"""`seed_server.web.api.batches`: many operations in one request."""

import json

import pytest

from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.web.api.batches import MAX_BATCH_BYTES, MAX_ITEMS
from tests.helpers.api_client import Answer, api_of
from tests.helpers.rollout_company import OTHERS, Company

pytestmark = pytest.mark.trio
PATH = "/api/v1/batches"


def lines(answer: Answer) -> list[dict[str, object]]:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert "content-length" not in answer.headers
    return [json.loads(line) for line in answer.body.splitlines()]


def denied(company: Company) -> list[str]:
    return [row.endpoint_id for row in company.database.endpoints() if row.denied]


async def test_each_item_has_an_answer_in_order_and_an_entry(company: Company) -> None:
    items: list[dict[str, object]] = [
        {"kind": "deny", "endpoint": OTHERS[0]},
        {"kind": "deny", "endpoint": "nobody"},
        {"kind": "add-exception", "who": "", "until": 1_800_100_000, "reason": "r", "owner": "o"},
        {"kind": "end-exception", "number": 1},
        {"kind": "allow", "endpoint": OTHERS[0]},
        {"kind": "revoke-api-token", "id": "000000000000"},
    ]
    async with api_of(company.context) as api:
        *found, end = lines(await api.ask("POST", PATH, api.token("ada", "operator"), {"items": items}))
    assert [one["number"] for one in found] == list(range(len(items)))
    assert [one["kind"] for one in found] == [one["kind"] for one in items]
    assert [one["status"] for one in found] == [200, 422, 200, 200, 200, 422]
    assert found[1]["type"] == "urn:p2pdist:problem:not-acceptable"
    assert "nobody" in str(found[1]["detail"])
    assert end == {"done": 4, "refused": 2, "dry_run": False}
    done = [one.entry.operation for one in newest_entries(company.context, Wanted(), 4)]
    assert done == ["allow", "end exception", "add exception", "deny"]
    assert denied(company) == []


async def test_a_dry_run_says_what_would_be_and_changes_nothing(company: Company) -> None:
    size = company.database.audit_size()
    items = [
        {"kind": "deny", "endpoint": OTHERS[0]},
        {"kind": "forget", "endpoint": OTHERS[1]},
        {"kind": "deny", "endpoint": "nobody"},
        {"kind": "add-exception", "who": "", "until": 5, "reason": "r", "owner": "o"},
        {"kind": "add-exception", "who": "", "until": 1_800_100_000, "reason": "r", "owner": "o"},
    ]
    async with api_of(company.context) as api:
        token = api.token("ada", "operator")
        before = company.database.audit_size()
        *found, end = lines(await api.ask("POST", PATH, token, {"items": items, "dry_run": True}))
        assert [one["status"] for one in found] == [200, 200, 422, 422, 200]
        assert end == {"done": 3, "refused": 2, "dry_run": True}
        assert company.database.audit_size() == before > size
        assert denied(company) == []
        assert company.database.exceptions() == []
        assert len(company.database.endpoints()) == 10


async def test_each_item_asks_its_own_right(company: Company) -> None:
    items = [{"kind": "deny", "endpoint": OTHERS[0]}]
    async with api_of(company.context) as api:
        for dry_run in (True, False):
            body = {"items": items, "dry_run": dry_run}
            first, end = lines(await api.ask("POST", PATH, api.token(f"eve{dry_run}".lower(), "viewer"), body))
            assert (first["status"], first["type"]) == (403, "urn:p2pdist:problem:right-missing")
            assert end["refused"] == 1
    assert denied(company) == []


async def test_a_batch_has_so_many_items_and_no_more(company: Company) -> None:
    item = {"kind": "end-exception", "number": 7}
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        for items in ([], [item] * (MAX_ITEMS + 1), [{"kind": "publish"}], [{"kind": "deny"}]):
            answer = await api.ask("POST", PATH, token, {"items": items})
            assert (answer.status, answer.problem) == (422, "not-acceptable")
        whole = json.dumps({"items": [item], "dry_run": True}).encode()
        media = {"content-type": "application/json"}
        long = await api.ask("POST", PATH, token, data=whole.ljust(MAX_BATCH_BYTES + 1), headers=media)
        assert (long.status, long.problem) == (413, "too-long")
        assert (await api.ask("POST", PATH, token, data=whole.ljust(MAX_BATCH_BYTES), headers=media)).status == 200
