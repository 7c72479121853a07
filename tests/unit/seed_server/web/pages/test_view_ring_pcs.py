"""`seed_server.web.pages.view_ring_pcs`: the PCs behind the numbers of a rollout."""

import pytest

from seed_server.fleet.ring_pcs import RING_CLASSES
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import OTHERS, TESTERS, Company

pytestmark = pytest.mark.trio


def opened(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "verified", TESTERS[1]: "failed"})


async def test_each_class_has_its_pcs(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")

        async def pcs(query: str) -> list[str]:
            page = await browser.get(f"/rollouts/1/pcs?{query}")
            assert page.status == 200, page.text
            return sorted(link.removeprefix("/pcs/") for link in page.links if link.startswith("/pcs/"))

        assert await pcs("ring=test&which=done") == [TESTERS[0]]
        assert await pcs("ring=test&which=failed") == [TESTERS[1]]
        assert await pcs("ring=test&which=waiting") == [TESTERS[2]]
        assert await pcs("ring=all&which=waiting") == sorted(OTHERS)
        assert await pcs("which=no_ring") == []
        assert await pcs("") == sorted([*TESTERS, *OTHERS])


async def test_pages_follow_each_other(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        browser, address, seen = site.browser("eve", "viewer"), "/rollouts/1/pcs?limit=4", list[str]()
        while address:
            page = await browser.get(address)
            assert "10 PCs" in page.words
            seen += [link for link in page.links if link.startswith("/pcs/")]
            address = next((one["href"] for one in page.elements("a") if one.get("rel") == "next"), "")
    assert len(seen) == len(set(seen)) == 10


async def test_what_is_not_there_is_said(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get("/rollouts/7/pcs")).status == 404
        assert (await browser.get("/rollouts/1/pcs?which=x")).status == 422
        page = await browser.get("/rollouts/1/pcs?ring=<b>")
        assert "Rollout 1 has no ring '<b>'. It has test, all." in page.words
        assert "<b>" not in page.text


async def test_every_class_is_chosen_by_words(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/rollouts/1/pcs")
    offered = {one["value"] for one in page.elements("option")}
    assert {"", *RING_CLASSES, "test", "all"} == offered
