"""`seed_server.web.pages.table`: what the table and the menu say of the same pages."""

import html
import re

import pytest

from seed_server.web.pages.table import PAGES
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio

BESIDE_THE_MENU = {"/account", "/account/codes", "/help", "/login", "/login/oidc"}  # the header leads there, or nothing
FILES = {"/audit-log/checkpoint", "/missing/file", "/reports/sla.csv", "/reports/sla.html"}


def _heading(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_the_menu_names_each_page_as_the_page_does(company: Company, language: str) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("root", "administrator")
        first = await browser.get(f"/?lang={language}")
        menu = first.text[first.text.index('<nav class="menu"') : first.text.index("</nav>")]
        entries = re.findall(r'<li><a href="([^"]+)"(?: aria-current="page")?>(.*?)</a></li>', menu)
        assert 10 < len(entries) < 20
        for path, name in entries:
            answer = await browser.get(path)
            assert _heading(answer.text) == html.unescape(name), path
            assert f'<a href="{path}" aria-current="page">{name}</a>' in answer.text, path


async def test_menu_and_tabs_lead_to_every_page_that_needs_no_name(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("root", "administrator")
        wanted = {page.path for page in PAGES if "{" not in page.path} - BESIDE_THE_MENU - FILES
        found: set[str] = set()
        for path in wanted:
            text = (await browser.get(path)).text
            frame = text[text.index('<nav class="menu"') : text.index("</nav>")]
            tabs = re.search(r'</h1>\s*<ul class="tabs">(.*?)</ul>', text, re.DOTALL)
            found |= set(re.findall(r'href="([^"]+)"', frame + (tabs[1] if tabs else "")))
    assert wanted <= found, wanted - found


async def test_a_page_below_another_leads_back_to_it(company: Company) -> None:
    async with pages_of(company.context) as site:
        text = (await site.browser("root", "administrator").get("/people/root")).text
    assert '<p class="above"><a href="/people">' in text
