"""`seed_server.web.frame.answering`: who may see and send what, and what becomes of it, over a real home."""

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from seed_server.fleet.audit_queries import log_size
from seed_server.fleet.people_operations import set_disabled
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import Nothing
from seed_server.web.frame.cookies import SAID_COOKIE, VISIT_COOKIE, visit_csrf
from seed_server.web.frame.page import Asked, Done, FileAnswer, Form, Page, Sent, Shown
from tests.helpers.pages_client import HOST, RIGHT_CODE, ROOT, pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio


class OfThing(Struct, frozen=True, forbid_unknown_fields=True):
    """A thing, and a filter."""

    thing: str
    state: str = ""
    limit: int = 50


class WithReason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=20)]


DONE: list[str] = []


def _thing(asked: Asked[OfThing]) -> Any:
    thing = asked.given.thing
    if thing == "gone":
        raise ApiProblemError("no-such-thing", "There is no thing 'gone'.")
    if thing == "wrong":
        raise UserError("'wrong' is no thing.", FaultKind.BAD_INPUT)
    if thing == "bug":
        raise ZeroDivisionError
    if thing == "file":
        return FileAnswer("thing.csv", "text/csv; charset=utf-8", b"a,b\n")
    if thing == "moved":
        return Done("/things/new")
    return Shown(f"{tr('Patches')} {thing} {asked.given.state}", {"server": "", "address": "", "version": ""}, "help")


def _halt(sent: Sent[OfThing, WithReason]) -> Any:
    if sent.body.reason == "no":
        raise UserError("It is over already. Look at it again.", FaultKind.REFUSED)
    if sent.body.reason == "secret":
        return Shown("Once: hunter2", {"server": "", "address": "", "version": ""}, "help")
    DONE.append(f"{sent.actor.name} {sent.given.thing} {sent.body.reason}")
    return Done(f"/things/{sent.given.thing}", f"Halted: <b>{sent.body.reason}</b>")


PAGES: tuple[Page[Any], ...] = (
    Page("/things/{thing}", "thing", _thing, OfThing),
    Page("/keys", "keys", lambda _: Shown("Keys", template="confirm"), Nothing, right=("keys", ())),
    Page(
        "/login", "login", lambda _: Shown("Log in", {"server": "", "address": "", "version": ""}, "help"), Nothing,
        everybody=True,
    ),
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    Form(
        "/things/{thing}/halt",
        "halt",
        _halt,
        OfThing,
        WithReason,
        "seed_server.fleet.rollout_operations.halt_rollout",
        "thing",
    ),
    Form(
        "/things/{thing}/abort",
        "abort",
        _halt,
        OfThing,
        WithReason,
        "seed_server.fleet.rollout_operations.abort_rollout",
        "thing",
        step_up=True,
    ),
    Form("/login", "login", lambda _: Done("/things/a"), Nothing, Nothing, "", "login"),
)


def site_of(company: Company) -> Any:
    DONE.clear()
    return pages_of(company.context, PAGES, FORMS)


async def test_path_and_filters_become_what_the_view_is_given(company: Company) -> None:
    async with site_of(company) as site:
        answer = await site.browser("eve", "viewer").get("/things/a%20b?state=open&limit=")
    assert answer.status == 200
    assert "Patches a b open" in answer.words


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/things/gone", 404, "There is no thing 'gone'."),
        ("/things/wrong", 404, "'wrong' is no thing."),
        ("/things/a?stat=open", 422, "Is 'state' meant?"),
        ("/things/a?limit=many", 422, "limit"),
        ("/things/a?state=a&state=b", 422, "given twice"),
        ("/things/a?state=%FF", 400, "cannot be read"),
        ("/things/a?" + "x" * 8_001, 413, "8000"),
        ("/things/bug", 500, "the operator"),
        ("/nothing", 404, "nothing at this address"),
    ],
)
async def test_what_is_wrong_is_said_on_a_page(company: Company, address: str, status: int, words: str) -> None:
    async with site_of(company) as site:
        answer = await site.browser("eve", "viewer").get(address)
    assert answer.status == status
    assert words in answer.words
    assert answer.header("x-request-id") in answer.words
    assert address in answer.links or status in {400, 413}


async def test_no_address_leads_to_another_server(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("eve", "viewer")
        for address in ("//evil.example", "//evil.example/things/a", "/\\evil.example", "///things/a?lang=ja"):
            answer = await browser.get(address)
            assert not any(link.startswith(("//", "/\\", "http")) for link in answer.links)


async def test_who_is_not_signed_in_is_sent_to_the_login_and_back(company: Company) -> None:
    async with site_of(company) as site:
        stranger = site.browser()
        answer = await stranger.get("/things/a?state=x&limit=3")
        assert (answer.status, answer.body) == (303, b"")
        assert answer.header("location") == "/login?next=%2Fthings%2Fa%3Fstate%3Dx%26limit%3D3"
        assert (await stranger.get("/things/gone")).status == 303  # a stranger learns nothing of what there is
        assert (await stranger.post("/things/a/halt", {"reason": "x"})).header(
            "location"
        ) == "/login?next=%2Fthings%2Fa"
        assert (await stranger.get("/login")).status == 200
        assert not stranger.proved
    assert not DONE


async def test_a_link_in_a_mail_is_opened_once_more_from_here(company: Company) -> None:
    async with site_of(company) as site:
        answer = await site.browser().get("/things/a", headers={"sec-fetch-site": "cross-site"})
    assert answer.status == 200
    assert {"http-equiv": "refresh", "content": "0"} in answer.elements("meta")
    assert "/things/a" in answer.links


async def test_a_disabled_account_is_nobody(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get("/things/a")).status == 200
        assert site.browser("eve").cookies
        set_disabled(site.context, ROOT, "eve", disabled=True)
        assert (await browser.get("/things/a")).status == 303


async def test_who_lacks_a_right_is_told_which_and_who_has_it(company: Company) -> None:
    async with site_of(company) as site:
        site.browser("root", "administrator")
        viewer = site.browser("eve", "viewer")
        answer = await viewer.get("/keys")
        assert answer.status == 403
        assert "'keys'" in answer.words
        assert "root" in answer.words
        sent = await viewer.post("/things/a/halt", {"reason": "x"})
        assert sent.status == 403
        assert "'stop'" in sent.words
    assert not DONE


async def test_a_form_is_carried_out_and_its_sentence_said_once(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("ada", "operator")
        answer = await browser.post("/things/a/halt", {"reason": "harm"})
        assert (answer.status, answer.header("location")) == (303, "/things/a")
        assert DONE == ["ada a harm"]
        assert SAID_COOKIE in browser.cookies
        shown = await browser.get("/things/a")
        assert "Halted: <b>harm</b>" in shown.words
        assert "Halted" not in (await browser.get("/things/a")).words
        assert browser.proved


@pytest.mark.parametrize(
    "given",
    [
        {"csrf": ""},
        {"csrf": "csrf of eve"},
        {"csrf": "é"},
        {"headers": {"sec-fetch-site": "cross-site"}},
        {"headers": {"sec-fetch-site": "same-site"}},
        {"headers": {"origin": "https://evil.example"}},
        {"headers": {"origin": "null"}},
        {"headers": {"origin": f"http://{HOST}"}},
    ],
)
async def test_a_form_of_another_site_or_session_does_nothing(company: Company, given: dict[str, Any]) -> None:
    async with site_of(company) as site:
        answer = await site.browser("ada", "operator").post("/things/a/halt", {"reason": "harm"}, **given)
    assert answer.status == 403
    assert "out of date" in answer.words
    assert not DONE


async def test_behind_a_proxy_the_browsers_word_counts(company: Company) -> None:
    async with site_of(company) as site:
        headers = {"origin": "https://patches.example", "sec-fetch-site": "same-origin"}
        answer = await site.browser("ada", "operator").post("/things/a/halt", {"reason": "harm"}, headers=headers)
    assert answer.status == 303


async def test_a_form_for_everybody_is_bound_to_the_browser(company: Company) -> None:
    async with site_of(company) as site:
        stranger = site.browser()
        assert (await stranger.post("/login", csrf=visit_csrf(""))).status == 403
        await stranger.get("/login")
        visit = stranger.cookies[VISIT_COOKIE]
        await stranger.get("/login")
        assert stranger.cookies[VISIT_COOKIE] == visit
        assert (await stranger.post("/login", csrf="x")).status == 403
        assert (await stranger.post("/login", csrf=visit_csrf(visit))).header("location") == "/things/a"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"reason": ""}, 422, "Nothing was done"),
        ({"reason": "x" * 21}, 422, "Nothing was done"),
        ({"reason": "no"}, 409, "It is over already."),
        ({"reason": "ok", "roles": "administrator"}, 422, "Nothing was done"),
    ],
)
async def test_what_is_refused_is_said_on_the_page_that_held_the_form(
    company: Company, fields: dict[str, str], status: int, words: str
) -> None:  # fmt: skip
    async with site_of(company) as site:
        answer = await site.browser("ada", "operator").post("/things/a/halt", {**fields, "_query": "state=open"})
    assert answer.status == status
    assert words in answer.words
    assert "Patches a open" in answer.words
    assert not DONE


async def test_where_the_page_is_gone_the_refusal_is_told_all_the_same(company: Company) -> None:
    async with site_of(company) as site:
        answer = await site.browser("ada", "operator").post("/things/gone/halt", {"reason": "no"})
    assert answer.status == 422
    assert "It is over already." in answer.words


async def test_a_secret_is_shown_once_and_in_no_address(company: Company) -> None:
    async with site_of(company) as site:
        answer = await site.browser("ada", "operator").post("/things/a/halt", {"reason": "secret"})
    assert answer.status == 200
    assert "hunter2" in answer.words
    assert answer.header("cache-control") == "no-store"
    assert "hunter2" not in str(answer.headers)


async def test_a_second_factor_is_asked_for_and_what_was_typed_is_kept(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("ada", "operator")
        typed = {"reason": 'so "be" it', "_query": "state=open"}
        asked = await browser.post("/things/a/abort", typed)
        assert asked.status == 200
        assert not DONE
        assert "/things/a?state=open" in asked.links
        kept = asked.hidden("/things/a/abort")
        assert kept == {**typed, "_csrf": "csrf of ada", "_code": ""}
        wrong = await browser.post("/things/a/abort", {**kept, "_code": "000000"})
        assert wrong.status == 422
        assert "The code is wrong." in wrong.words
        assert wrong.hidden("/things/a/abort") == kept
        done = await browser.post("/things/a/abort", {**kept, "_code": RIGHT_CODE})
        assert (done.status, DONE) == (303, ['ada a so "be" it'])
        await browser.post("/things/a/abort", {"reason": "again"})  # within 15 minutes
        assert DONE[1:] == ["ada a again"]


async def test_files_and_moves(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("eve", "viewer")
        file = await browser.get("/things/file")
        assert file.header("content-disposition") == 'attachment; filename="thing.csv"'
        assert file.header("content-type") == "text/csv; charset=utf-8"
        assert file.header("x-content-type-options") == "nosniff"
        assert (await browser.get("/things/moved")).header("location") == "/things/new"


async def test_the_language_that_was_chosen_stays(company: Company) -> None:
    async with site_of(company) as site:
        browser = site.browser("eve", "viewer")
        assert "Patches" in (await browser.get("/things/a")).words
        assert (await browser.get("/things/a?lang=ja")).elements("html") == [{"lang": "ja"}]
        assert (await browser.get("/things/a")).elements("html") == [{"lang": "ja"}]
        assert (await browser.get("/things/a?lang=xx")).status == 200
        other = site.browser("eve")
        other.language = "ja-JP,en;q=0.5"
        assert (await other.get("/things/a")).elements("html") == [{"lang": "ja"}]


async def test_a_page_that_follows_events_says_which_it_has_seen(company: Company) -> None:
    pages = (
        *PAGES,
        Page(
            "/live-thing",
            "live",
            lambda _: Shown("L", {"server": "", "address": "", "version": ""}, "help"),
            Nothing,
            live=("rollout", "approval"),
        ),
    )
    async with pages_of(company.context, pages, FORMS) as site:
        browser = site.browser("eve", "viewer")
        (body,) = (await browser.get("/live-thing")).elements("body")
        assert body == {"data-live": "rollout approval", "data-seen": str(log_size(company.context) - 1)}
        assert (await browser.get("/things/a")).elements("body") == [{}]


async def test_the_menu_has_what_the_reader_may_see(company: Company) -> None:
    async with pages_of(company.context, (*PAGES, Page("/people", "people", _thing, OfThing, right=("people", ())),
                                          Page("/patches", "patches", _thing, OfThing)), FORMS) as site:  # fmt: skip
        viewer = (await site.browser("eve", "viewer").get("/things/a")).links
        assert "/patches" in viewer
        assert "/people" not in viewer
        assert "/people" in (await site.browser("root", "administrator").get("/things/a")).links
