"""Other ways to use the pages: by keyboard, without scripts, in Japanese; and how far away the answers are."""

import re
from typing import Any

import pytest

from tests.helpers.browsing import Browsing
from tests.helpers.page_company import PASSWORD

pytestmark = pytest.mark.browser

MOST_CLICKS = 3
MOST_TABS = 80


class Clicks:
    """Counts what somebody clicks from the page that follows a login."""

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0

    def on(self, address: str) -> None:
        """Click on the first visible link whose address ends so."""
        with self.page.expect_navigation():
            self.page.locator(f"a[href$='{address}']").locator("visible=true").first.click()
        self.count += 1

    def reads(self, *words: str) -> None:
        text = self.page.locator("main").inner_text()
        assert [word for word in words if word not in text] == []
        assert self.count <= MOST_CLICKS


def test_who_is_not_patched_and_why(browsing: Browsing) -> None:
    clicks = Clicks(browsing.page("eve"))
    clicks.on("/missing")
    clicks.on("reason=install_failed")
    clicks.reads("the installation failed", "exit code 1603", "pc-osaka-34", "Store IT of osaka")


def test_what_limits_a_site_now(browsing: Browsing) -> None:
    clicks = Clicks(browsing.page("eve"))
    clicks.on("/sites")
    clicks.on("/sites/osaka")
    clicks.reads("What limits it now", "policy ceiling", "20 Mbit/s")


def test_who_approved_a_rollout(browsing: Browsing) -> None:
    clicks = Clicks(browsing.page("eve"))
    clicks.on("/rollouts")
    clicks.on("/rollouts/1")
    clicks.reads("Who has approved it", "bob")


def test_by_keyboard_alone(browsing: Browsing) -> None:
    page = browsing.page()
    tab_to(page, "input[autocomplete~=username]")
    page.keyboard.type("ada")
    tab_to(page, "input[type=password]")
    page.keyboard.type(PASSWORD)
    if page.locator("input[autocomplete=one-time-code]").count():
        tab_to(page, "input[autocomplete=one-time-code]")
        page.keyboard.type(browsing.place.company.code("ada"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(\?.*)?$"))
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.getAttribute('href')").startswith("#")  # the skip link
    page.keyboard.press("Enter")
    assert page.evaluate("() => location.hash") != ""
    page.goto("/")
    tab_to(page, "a[href='/rollouts']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/rollouts"))
    tab_to(page, "a[href^='/rollouts/1']")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the focus is not to be seen"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/rollouts/1\d*"))


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until what has the focus matches."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{page.url}: Tab does not lead to {selector}")


def test_without_scripts(browsing: Browsing) -> None:
    page = browsing.context("bob", java_script_enabled=False).new_page()
    for address in ("/", "/patches", "/pcs", "/missing", "/rollouts/1", "/sites/osaka"):
        answer = page.goto(address)
        assert answer.status == 200
        assert page.locator("h1").first.inner_text()
    page.goto("/pcs")
    search = page.locator("main form[method=get]").first
    field = search.locator("input[type=search], input[type=text]").first
    field.fill("pc-osaka")
    with page.expect_navigation():
        field.press("Enter")
    assert "pc-osaka" in page.url
    rows = page.locator("main tbody tr").all_inner_texts()
    assert rows
    assert [row for row in rows if "pc-osaka" not in row] == []


def test_in_japanese_to_the_end(browsing: Browsing) -> None:
    page = browsing.page("bob", "/?lang=ja", language="en")
    assert page.locator("html").get_attribute("lang") == "ja"
    page.goto("/patches")
    assert page.locator("html").get_attribute("lang") == "ja", "the choice is forgotten"
    assert re.search("[ぁ-んァ-ン一-龠]", page.locator("h1").first.inner_text())
    assert "事務用ソフトウェアの更新" in page.locator("main").inner_text()


def test_what_people_and_pcs_write_is_text(browsing: Browsing) -> None:
    page = browsing.page("root", "/pcs")
    said = page.locator("main").inner_text()
    assert "<script>alert(1)</script>" in said
    assert "\u202e" not in said
    page.on("dialog", lambda dialog: pytest.fail(f"a page has run what a PC wrote: {dialog.message}"))
    for address in ("/pcs", "/missing", "/patches/acme-reader@1", "/patches", "/exceptions", "/audit"):
        page.goto(address)
        assert page.locator("main script").count() == 0
