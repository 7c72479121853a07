"""`seed_server.web.frame.app`: addresses, methods, headers and caps, over a real home."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
import trio
from msgspec import Struct

from seed_server.web.api.route import Nothing
from seed_server.web.frame.app import STRANGER_FORM_BYTES, beside
from seed_server.web.frame.headers import page_headers
from seed_server.web.frame.page import MAX_FORM_BYTES, Asked, Done, FileAnswer, Form, Page, Shown
from seed_server.web.frame.signed_in import SESSION_COOKIE
from seed_server.web.frame.static import static_address, static_files
from seed_server.web.pages.table import FORMS, PAGES
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio

MOST_PAGE_BYTES = 60_000  # of a page with its style and its script


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """A name."""

    name: str


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """A text."""

    text: str = ""


def _shown(title: str) -> Any:
    return lambda _: Shown(title, {"server": "", "address": "", "version": ""}, "help")


OWN_PAGES: tuple[Page[Any], ...] = (
    Page("/things/{name}", "thing", _shown("One"), Named),
    Page("/things/all", "all", _shown("All"), Nothing),
    Page("/login", "login", _shown("Log in"), Nothing, everybody=True),
)
OWN_FORMS: tuple[Form[Any, Any], ...] = (
    Form("/things/all", "send", lambda sent: Done(f"/things/{len(sent.body.text)}"), Nothing, Text, "", "all"),
    Form("/login", "login", lambda _: Done("/"), Nothing, Text, "", "login"),
)


async def test_every_answer_has_its_headers(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser, stranger = site.browser("eve", "viewer"), site.browser()
        answers = [
            await browser.get("/help"), await browser.get("/nothing"), await browser.post("/help"),
            await stranger.get("/help"), await stranger.get("/live"), await browser.get("/static/none.css"),
            await browser.get(static_address("pages.css")),
        ]  # fmt: skip
    assert [answer.status for answer in answers] == [200, 404, 405, 303, 401, 404, 200]
    for answer in answers:
        wanted = page_headers("", tls=True)
        del wanted["Cache-Control"]
        for name, value in wanted.items():
            assert answer.header(name.lower()) == value
    assert {answer.header("cache-control") for answer in answers[:-1]} == {"no-store"}
    assert "immutable" in answers[-1].header("cache-control")
    assert set(answers[2].header("allow").split(", ")) == {"GET", "HEAD"}


async def test_cookies_are_this_hosts_alone(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/help?lang=ja")
        other = await site.browser().get("/nothing")
    cookies = [value for one in (answer, other) for name, value in one.headers if name == "set-cookie"]
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


async def test_a_head_is_that_of_the_page(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        page, head = await browser.get("/help"), await browser.get("/help", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert int(head.header("content-length")) == len(page.body)
        assert (await browser.get("/nothing", method="HEAD")).body == b""
        assert (await browser.get(static_address("pages.js"), method="HEAD")).body == b""


async def test_of_two_pages_that_fit_the_one_without_a_name_answers(company: Company) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        browser = site.browser("eve", "viewer")
        assert "All" in (await browser.get("/things/all")).words
        assert "One" in (await browser.get("/things/other")).words
        assert (await browser.post("/things/other")).status == 405
        assert (await browser.post("/things/all", {"text": "abc"})).header("location") == "/things/3"


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/static/../page.py",
        "/help/",
        "/things/",
        "/things/a/b",
        "/%00",
        "/" + "a" * 8_000,
        "//help",
        "/HELP",
    ],
)
async def test_hostile_paths_are_nothing(company: Company, path: str) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        answer = await site.browser("eve", "viewer").get(path)
    assert answer.status == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(company: Company, method: str) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        answer = await site.browser("eve", "viewer").ask(method, "/things/all")
    assert answer.status == 405
    assert set(answer.header("allow").split(", ")) == {"GET", "HEAD", "POST"}


async def test_a_form_has_a_cap_and_a_strangers_a_smaller_one(company: Company) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        known, stranger = site.browser("eve", "viewer"), site.browser()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for browser, address, most in (
            (known, "/things/all", MAX_FORM_BYTES),
            (stranger, "/login", STRANGER_FORM_BYTES),
        ):
            await browser.get("/login")
            form = b"_csrf=x&text="
            fits = await browser.ask("POST", address, form + b"x" * (most - len(form)), headers=headers)
            assert fits.status == 403  # its token is wrong: it was read
            over = await browser.ask("POST", address, form + b"x" * (most - len(form) + 1), headers=headers)
            assert over.status == 413
        stranger.cookies[SESSION_COOKIE] = "forged"
        over = await stranger.ask("POST", "/login", b"x" * (STRANGER_FORM_BYTES + 1), headers=headers)
        assert over.status == 413


@pytest.mark.parametrize("media", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_only_a_form_is_taken(company: Company, media: str) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        answer = await site.browser("eve", "viewer").post("/things/all", headers={"content-type": media})
    assert answer.status == 415


async def test_a_form_that_breaks_off_does_nothing(company: Company) -> None:
    async with pages_of(company.context, OWN_PAGES, OWN_FORMS) as site:
        scope = site.browser("eve", "viewer").scope(
            "POST", "/things/all", {"content-type": "application/x-www-form-urlencoded"}
        )
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await site.app(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_every_page_of_the_table_is_shown_in_both_languages_and_is_light(company: Company) -> None:
    dress = sum(len(static_files()[name].data) for name in ("pages.css", "pages.js"))
    async with pages_of(company.context) as site:
        for role in ("viewer", "administrator"):
            browser = site.browser(role, role)
            for page in PAGES:
                if "{" in page.path:
                    continue
                for language in ("en", "ja"):
                    answer = await browser.get(f"{page.path}?lang={language}")
                    assert answer.status in {200, 403, 303}, (page.path, answer.words)
                    assert len(answer.body) + dress <= MOST_PAGE_BYTES, page.path


def _unique(values: list[str]) -> bool:
    return len(values) == len(set(values))


async def test_names_and_addresses_are_told_apart(company: Company) -> None:
    del company
    assert _unique([page.name for page in PAGES])
    assert _unique([page.path for page in PAGES])
    assert _unique([form.name for form in FORMS])
    assert _unique([form.path for form in FORMS])
    names = {page.name: page for page in PAGES}
    for form in FORMS:
        assert set(names[form.of_page].path_names) <= set(form.path_names), form.name


async def test_programs_and_people_are_told_apart_by_the_address() -> None:
    came: list[str] = []

    def app(name: str) -> Any:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            del receive, send
            await trio.lowlevel.checkpoint()
            came.append(f"{name} {scope['path']}")

        return answer

    both = beside(app("api"), app("pages"))
    for path in ("/api/v1", "/api/v1/status", "/api/v2", "/api/v1x", "/", "/pcs"):
        await both({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]
    assert came == [
        "api /api/v1", "api /api/v1/status", "pages /api/v2", "pages /api/v1x", "pages /", "pages /pcs",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "name"),
    [("a%2Fb", "a/b"), ("a%2fb%20c", "a/b c"), ("a%252Fb", "a%2Fb"), ("%E5%A4%A7%2F%E9%98%AA", "大/阪")],
)
async def test_a_name_with_a_slash_is_one_part_of_a_path(company: Company, sent: str, name: str) -> None:
    def view(asked: Asked[Named]) -> FileAnswer:
        return FileAnswer("thing", "text/plain", asked.given.name.encode())

    async with pages_of(company.context, (*PAGES, Page("/things/{name}", "thing", view, Named)), FORMS) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get(f"/things/{sent}")).text == name
        assert (await browser.get("/things/a/b")).status == 404
        answer = await site.browser().get(f"/things/{sent}")
    assert answer.header("location") == f"/login?{urlencode({'next': '/things/' + quote(name, safe='')})}"
