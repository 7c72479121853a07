"""`seed_server.web.pages.view_patches`: the list of patches, as somebody reads it."""

from pathlib import Path

import pytest

from seed_server.fleet import operations
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import ADA, Company
from tests.helpers.weak_company import FIRST, publish

pytestmark = pytest.mark.trio
HOSTILE = '<script>alert("x")</script>\'&amp;'


async def test_each_number_leads_to_the_pcs_behind_it(reported: Company) -> None:
    async with pages_of(reported.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches")
    assert answer.status == 200, answer.text
    assert "/patches/office@1" in answer.links
    assert "/patches/office@1?part=pcs&state=failed" in answer.links
    assert "/patches/office@1?part=pcs&state=silent" in answer.links
    assert "/reports/sla?patch=office%401&days=0" in answer.links
    assert "5 of 9" in answer.words
    assert "week: broken" in answer.words


async def test_filters_stand_in_the_address_and_in_the_form(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST, offered=False)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/patches?state=waiting&text=ac&severity=&priority=&sort=newest")
        assert "/patches/acme@1" in answer.links
        assert "/patches/office@1" not in answer.links
        assert {"value": "waiting", "selected": ""} in answer.elements("option")
        nothing = await browser.get("/patches?text=zzz")
        assert "No patch is like that." in nothing.words
        urgent = await browser.get("/patches?sort=priority")
        assert urgent.words.index("acme@1") < urgent.words.index("office@1")


async def test_pages_of_the_list_follow_each_other(company: Company, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        publish(company, tmp_path, name)
    async with pages_of(company.context) as site:
        browser, seen, address = site.browser("eve", "viewer"), [], "/patches?limit=2&sort=newest"
        while address:
            answer = await browser.get(address)
            assert answer.status == 200
            seen += [link for link in dict.fromkeys(answer.links) if link.startswith("/patches/") and "?" not in link]
            links = [one for one in answer.elements("a") if one.get("rel") == "next"]
            address = links[0]["href"] if links else ""
    assert sorted(seen) == [f"/patches/{name}@1" for name in ("a", "b", "c", "office")]


async def test_what_a_publisher_wrote_is_shown_as_text(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", title=HOSTILE)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        for address in ("/patches", "/patches/acme@1"):
            answer = await browser.get(address)
            assert HOSTILE in answer.words
            assert "<script>alert" not in answer.text


@pytest.mark.parametrize("query", ["state=wrong", "limit=0", "limit=100000", "after=x", "severity=x", "more=1"])
async def test_what_is_malformed_is_refused(company: Company, query: str) -> None:
    async with pages_of(company.context) as site:
        assert (await site.browser("eve", "viewer").get(f"/patches?{query}")).status == 422


async def test_in_japanese_the_states_are_too(company: Company) -> None:
    operations.withdraw(company.context, ADA, "office", "crashes")
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches?lang=ja")
    assert ("html", {"lang": "ja"}) in answer.read.elements
    assert "取り下げ" in answer.words
