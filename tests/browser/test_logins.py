"""Logging in: with a code, with a security key; and what a session is worth afterwards."""

import pytest

from tests.helpers.browsing import Browsing, axe_violations, virtual_key

pytestmark = pytest.mark.browser


def is_in(page: object) -> bool:
    return bool(page.locator("form[action='/logout']").count())  # type: ignore[attr-defined]


def test_with_password_and_code(browsing: Browsing) -> None:
    page = browsing.page()
    assert "/login" in page.url
    browsing.log_in(page, "zoe", code="000000")
    assert not is_in(page)
    assert page.locator("[role=alert]:visible").first.inner_text()
    browsing.log_in(page, "zoe")
    assert is_in(page)
    assert "zoe" in page.locator("header").inner_text()


def test_a_session_is_over_when_its_owner_has_logged_out(browsing: Browsing) -> None:
    mine = browsing.page()
    browsing.log_in(mine, "eve")
    stolen = browsing.context()
    stolen.add_cookies(mine.context.cookies())
    thief = stolen.new_page()
    thief.goto("/patches")
    assert is_in(thief)
    with mine.expect_navigation():
        mine.locator("form[action='/logout'] button").first.click()
    thief.goto("/patches")
    assert "/login" in thief.url


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites(browsing: Browsing) -> None:
    page = browsing.page("root")
    (session,) = (cookie for cookie in page.context.cookies() if cookie["name"].startswith("__Host-session"))
    assert session["httpOnly"]
    assert session["secure"]
    assert session["sameSite"] == "Strict"
    assert page.evaluate("() => document.cookie").count("__Host-session") == 0


def test_with_a_security_key(browsing: Browsing) -> None:
    page = browsing.page("nora", "/account")
    key = virtual_key(page)
    adding = page.locator("form[action='/account/keys']")
    adding.locator("input[name=label]").fill("blue key")
    adding.locator("button[data-key]").click()
    page.get_by_text("blue key").first.wait_for()
    with page.expect_navigation():
        page.locator("form[action='/logout'] button").click()
    page.goto("/login")
    page.locator("form[action='/login/key'] button[data-key]").click()
    page.locator("form[action='/logout']").wait_for()
    assert is_in(page)
    key.detach()


def test_what_takes_back_asks_for_a_second_factor(browsing: Browsing) -> None:
    page = browsing.page("here", "/patches/acme-reader@1")
    opened = page.locator("details.danger", has=page.locator("form[action$='/withdraw']"))
    opened.locator("summary").click()
    opened.locator("[name=reason]").fill("it crashes")
    opened.locator("button").click()
    page.locator("main a[href='/account']").wait_for()  # it has none, and is told where to get one
    assert axe_violations(page) == []
    page.goto("/patches/acme-reader@1")
    assert "withdrawn" not in page.locator("[data-part=patch-head]").inner_text()


def test_a_key_is_not_said_to_be_missing_before_it_is_asked_for(browsing: Browsing) -> None:
    page = browsing.page()
    said = page.locator("form[action='/login/key'] [data-key-said]")
    assert said.count()
    assert not said.is_visible()
    key = virtual_key(page)
    page.locator("form[action='/login/key'] button[data-key]").click()  # it knows nothing of us
    said.wait_for()
    key.detach()
