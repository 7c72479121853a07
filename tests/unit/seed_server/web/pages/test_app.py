"""`seed_server.web.pages.app`: addresses, methods, headers and caps, over a real home."""

import pytest

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
