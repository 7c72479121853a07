"""`seed_server.web.pages.view_reports`: reports in the frame of the pages, and as CSV."""

import pytest

from seed_server.reporting.page_making import patch_page
from seed_server.reporting.patch_report import read_patch_report
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio


async def test_service_levels_are_those_of_the_command_line(reported: Company) -> None:
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/reports/sla")
        assert page.status == 200, page.text
        assert "office@1" in page.words
        assert "broken" in page.words
        assert any(one["src"].startswith("data:image/svg+xml,") for one in page.elements("img"))
        assert "/reports/sla.csv?days=90" in page.links
        file = await browser.get("/reports/sla.csv?days=90")
        assert file.header("content-type") == "text/csv; charset=utf-8"
        lines = file.text.splitlines()
        assert lines[0].startswith("rule,patch,title,")
        assert lines[1].startswith("week,office@1,")
        assert (await browser.get("/reports/sla?rule=nothing")).status == 422
        assert "/reports/sla" in (await browser.get("/reports")).links


async def test_without_a_rule_it_is_told_how_to_write_one(company: Company) -> None:
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/reports/sla")
    assert page.status == 200
    assert "[[sla]]" in page.words


async def test_the_report_of_a_patch_has_every_section(reported: Company) -> None:
    sections = patch_page(read_patch_report(reported.context, "office@1")).sections
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/reports/patch/office@1")
        assert page.status == 200, page.text
        for section in sections:
            assert section.heading in page.words
        assert (await browser.get("/reports/patch/nothing")).status == 404
        japanese = await browser.get("/reports/patch/office@1?lang=ja")
        assert "What it is" not in japanese.words
