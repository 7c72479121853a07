"""A rollout as people see it: one starts it, another one approves, it goes on before their eyes, and is halted."""

import io
import re
from typing import Any

import pytest

from tests.helpers.browsing import PATIENCE_MS, Browsing

pytestmark = pytest.mark.browser

PATCH = "browser@1"
PRINTED = {
    "today": "/", "patch": "/patches/acme-reader@1", "rollout": "/rollouts/1", "site": "/sites/osaka",
    "service-levels": "/reports/sla", "patch-report": "/reports/patch/acme-reader@1", "missing": "/missing",
}  # fmt: skip


def form(page: Any, *words: str) -> Any:
    """Return the form whose address ends with one of these words."""
    return page.locator(", ".join(f"form[action$='/{word}']" for word in words)).first


def sent(browsing: Browsing, page: Any, name: str, what: Any, **values: str) -> None:
    """Fill a form and send it, with a second factor where one is asked for."""
    what.wait_for(state="attached")
    opened = what.locator("xpath=ancestor::details[not(@open)]/summary")
    for summary in opened.all():
        summary.click()
    for field, value in values.items():
        element = what.locator(f"[name={field}]").first
        if element.evaluate("element => element.tagName") == "SELECT":
            options = element.locator("option").evaluate_all("options => options.map(one => one.value)")
            element.select_option(next(option for option in options if value in option))
        else:
            element.fill(value)
    with page.expect_navigation():
        what.locator("button").first.click()
    browsing.confirm(page, name)


def test_started_approved_watched_and_halted(browsing: Browsing, pictures: Any) -> None:
    company = browsing.place.company
    ada, bob = browsing.page("ada", f"/patches/{PATCH}"), browsing.page("bob", "/approvals")
    ada.locator("main a[href$='part=start']").first.click()
    rings = ada.locator("form[role=search] [name=template]")
    options = rings.locator("option").evaluate_all("options => options.map(one => one.value)")
    rings.select_option(next(option for option in options if "quick" in option))
    ada.locator("form[role=search] button").click()
    ada.locator("main", has_text="when somebody else has approved it").wait_for()
    sent(browsing, ada, "ada", form(ada, "start"), reason="it is exploited")
    ada.wait_for_url(re.compile(r"/rollouts/\d+$"))
    number = re.search(r"/rollouts/(\d+)", ada.url)[1]  # type: ignore[index]
    log = ada.locator("[data-part=rollout-approvals]")
    assert "bob" not in log.inner_text()
    ada.evaluate("() => { window.sameAsBefore = true }")
    company.say(company.testers, "browser", "verified", "installed")
    bob.goto("/approvals")
    bob.locator(f"a[href='/rollouts/{number}']").first.wait_for()
    bob.goto(f"/rollouts/{number}")
    sent(browsing, bob, "bob", form(bob, "approve"))
    assert "bob" in bob.locator("[data-part=rollout-approvals]").inner_text()
    ada.locator("[data-part=rollout-approvals]", has_text="bob").wait_for(timeout=2 * PATIENCE_MS)
    ada.locator("[data-part=rollout-rings] tr[aria-current=step]", has_text="office").wait_for(timeout=2 * PATIENCE_MS)
    assert ada.evaluate("() => window.sameAsBefore"), "it was loaded anew"
    ada.screenshot(path=pictures / "rollout-live.png", full_page=True)
    sent(browsing, bob, "bob", form(bob, "halt"), reason="printers are silent: 印刷できない")
    assert "印刷できない" in bob.locator("main").inner_text()
    ada.locator("main", has_text="印刷できない").wait_for(timeout=2 * PATIENCE_MS)
    assert ada.evaluate("() => window.sameAsBefore"), "it was loaded anew"
    assert form(ada, "approve").count() == 0  # an operator approves nothing


def test_a_viewer_sees_it_and_is_shown_no_form(browsing: Browsing) -> None:
    viewer = browsing.page("eve", "/rollouts/1")
    assert "office-ja@1" in viewer.locator("h1").inner_text()
    assert viewer.locator("main form[method=post]").count() == 0


def test_printed_it_is_the_report_alone(browsing: Browsing, pictures: Any) -> None:
    from pypdf import PdfReader

    for name, address in PRINTED.items():
        page = browsing.page("root", address)
        data = page.pdf(format="A4", path=pictures / f"{name}.pdf")
        text = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(data)).pages)
        heading = page.locator("h1").first.inner_text()
        assert heading.split()[0] in text
        page.emulate_media(media="print")
        assert not page.locator("nav").first.is_visible(), f"{address}: the menu is printed"
        assert page.locator("main button:visible").count() == 0, f"{address}: buttons are printed"
