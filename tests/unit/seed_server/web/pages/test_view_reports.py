"""`seed_server.web.pages.view_reports`: reports in the frame of the pages, and as CSV."""

from pathlib import Path

import pytest

from seed_server.reporting.page_making import patch_page
from seed_server.reporting.pages import page_text
from seed_server.reporting.patch_report import read_patch_report
from seed_server.web.pages.view_reports import LEVELS_OF_A_PAGE
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company
from tests.helpers.weak_company import publish

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


async def test_numbers_of_reports_lead_to_their_pcs(reported: Company) -> None:
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        levels = await browser.get("/reports/sla")
        assert "/patches/office@1" in levels.links
        assert "/missing?patch=office%401" in levels.links
        patch = await browser.get("/reports/patch/office@1")
        assert "/missing?patch=office%401&reason=excepted" in patch.links
        assert "/patches/office@1?part=pcs&state=not_applicable" in patch.links
        for link in {*levels.links, *patch.links}:
            if link.startswith(("/missing", "/patches", "/rollouts", "/exceptions")):
                assert (await browser.get(link)).status == 200, link


async def test_a_long_report_has_pages(reported: Company, tmp_path: Path) -> None:
    names = [f"patch-{number}" for number in range(LEVELS_OF_A_PAGE + 1)]
    for name in names:
        publish(reported, tmp_path, name)
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        first = await browser.get("/reports/sla?rule=week")
        assert f"1 to 20 of {len(names) + 1} patches, the worst first" in first.words
        (following,) = [one["href"] for one in first.elements("a") if one.get("rel") == "next"]
        second = await browser.get(following)
        assert f"21 to 22 of {len(names) + 1} patches" in second.words
        assert not [one for one in second.elements("a") if one.get("rel") == "next"]
        shown = {link for page in (first, second) for link in page.links if link[:9] == "/patches/" and "?" not in link}
        assert shown == {f"/patches/{name}@1" for name in (*names, "office")}
        beyond = await browser.get("/reports/sla?rule=week&after=1000")
        assert "This rule has no more patches." in beyond.words
        assert len((await browser.get("/reports/sla.csv?rule=week")).text.splitlines()) == len(names) + 2


async def test_reports_are_files_too(reported: Company) -> None:
    report = read_patch_report(reported.context, "office@1")
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/reports/patch/office@1")
        assert "/reports/patch/office@1/file" in page.links
        file = await browser.get("/reports/patch/office@1/file")
        assert file.text == page_text(patch_page(report))
        assert file.header("content-disposition") == 'attachment; filename="patch.html"'
        levels = await browser.get("/reports/sla.html?days=90")
        assert "office@1" in levels.words
        assert levels.header("content-disposition") == 'attachment; filename="service-levels.html"'


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
