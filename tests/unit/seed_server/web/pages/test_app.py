"""`seed_server.web.pages.app`: addresses, methods, headers and caps, over a real home."""

from urllib.parse import urlencode

import pytest
from msgspec import Struct

from seed_server.web.pages.page import Asked, FileAnswer, Page
from seed_server.web.pages.table import FORMS, PAGES
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio


async def test_a_page_is_shown_to_who_is_signed_in(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/help")
    assert answer.status == 200, answer.text
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert "Signs" in answer.words


async def test_a_page_in_japanese(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/help?lang=ja")
        assert ("html", {"lang": "ja"}) in answer.read.elements
        answer = await browser.get("/nothing")
        assert answer.status == 404
        answer = await site.browser().get("/help?x=1")
        assert answer.status == 303
        assert answer.header("location") == "/login?next=%2Fhelp%3Fx%3D1"


class OfThing(Struct, frozen=True):
    name: str


@pytest.mark.parametrize(
    ("sent", "name"),
    [("a%2Fb", "a/b"), ("a%2fb%20c", "a/b c"), ("a%252Fb", "a%2Fb"), ("%E5%A4%A7%2F%E9%98%AA", "大/阪")],
)
async def test_a_name_with_a_slash_is_one_part_of_a_path(company: Company, sent: str, name: str) -> None:
    def view(asked: Asked[OfThing]) -> FileAnswer:
        return FileAnswer("thing", "text/plain", asked.given.name.encode())

    async with pages_of(company.context, (*PAGES, Page("/things/{name}", "thing", view, OfThing)), FORMS) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get(f"/things/{sent}")).text == name
        assert (await browser.get("/things/a/b")).status == 404
        answer = await site.browser().get(f"/things/{sent}")
    assert answer.header("location") == f"/login?{urlencode({'next': f'/things/{sent}'})}"


async def test_no_page_links_to_another_server(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("//evil.example/x")
    assert answer.status == 404
    assert not [link for link in answer.links if link.startswith("//")]
