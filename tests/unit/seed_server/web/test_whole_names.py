"""`seed_server.web.whole_names`: names with a slash, through the API; through pages: `pages/test_app.py`."""

from typing import Any

import pytest

from seed_server.store.rows import SeenRow
from seed_server.web.whole_names import SLASH, WholeNames, address_path, whole
from tests.helpers.api_client import api_of
from tests.helpers.rollout_company import BEGIN, Company


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/sites/a%2Fb", f"/sites/a{SLASH}b"),
        (b"/sites/a%2fb%20c/d", f"/sites/a{SLASH}b c/d"),
        (b"/sites/a%20b", "as it was"),
        (b"/sites/%ff%2F", f"/sites/�{SLASH}"),
        (b"", "as it was"),
    ],
)
async def test_a_slash_of_a_name_goes_through_routes_as_another_sign(raw: bytes, path: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    await WholeNames(app)({"type": "http", "path": "as it was", "raw_path": raw}, None, None)
    assert seen == [path]
    assert whole({"name": f"a{SLASH}b"}) == {"name": "a/b"}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/a b", "/a%20b"),
        (f"/a{SLASH}b/c", "/a%2Fb/c"),
        ("//evil.example/", "/evil.example/"),
        ("/\\evil.example/", "/evil.example/"),
        ("/PC@1.2:x", "/PC@1.2:x"),
    ],
)
def test_a_path_leads_here_again(path: str, address: str) -> None:
    assert address_path({"path": path}) == address


async def test_the_api_knows_a_site_by_its_network(company: Company) -> None:
    company.database.save_seen({"pc-0": SeenRow("auto-10.0.0.0/24", "10.0.0.1", "p2pdist/1", True, BEGIN)})
    async with api_of(company.context) as api:
        answer = await api.ask("GET", "/api/v1/profiles/auto-10.0.0.0%2F24", api.token("ada", "viewer"))
    assert "auto-10.0.0.0/24 has no profile" in answer.document["detail"]
