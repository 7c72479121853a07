"""The pages ask for each right: every page and every form by every role, within a scope and beside it, and by nobody.

What is expected follows from `seed_server.fleet.permissions.may` alone, and from what each form is about, as this file
says it. Nothing is changed: operations are rehearsed.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import pytest
import trio.testing

from seed_server.automation.webhook_operations import add_webhook
from seed_server.fleet import endpoint_operations, exception_operations, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.permissions import may
from seed_server.fleet.rehearsed import RehearsedError
from seed_server.fleet.roles import NO_PC, ROLES, WHOLE_FLEET, Area, Permission, PersonScope, Reach, Role, rights_of
from seed_server.signing.key_files import OfflineKeys
from seed_server.web.frame.page import Answer, Asked, Done, Form, Page, Sent, Shown
from seed_server.web.pages.table import FORMS, PAGES
from tests.helpers.page_company import DIAGNOSIS
from tests.helpers.page_values import Values
from tests.helpers.pages_client import HOST, ROOT, Browser, PageAnswer, Site, pages_of
from tests.helpers.people import PASSWORD, cheap_passwords
from tests.helpers.report_company import SITES, SLA
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, Company, company_at, published_home

SITE = "osaka"
HERE: Reach = (Area(site=SITE),)
SCOPES = {"whole": PersonScope(), "within": PersonScope(frozenset({SITE})), "beside": PersonScope(frozenset({"oslo"}))}
WHOLE_ALONE: frozenset[Role] = frozenset({"administrator", "auditor"})
"""Roles that nobody has for a part of the fleet."""
MINUTES_LATER = 900.0
PROFILE = 'name = "p"\ntime_zone = "UTC"\n'

REACHES: dict[str, tuple[Permission, Reach]] = {
    "deny_pc": ("deny", (Area(SITE),)),
    "allow_pc": ("endpoints", (Area(SITE),)),
    "forget_pc": ("endpoints", (Area(SITE),)),
    "follow_up_pc": ("endpoints", (Area(SITE),)),
    "follow_up_ticked": ("endpoints", (Area(SITE),)),
    "make_exception": ("except", HERE),
    "end_exception": ("except", HERE),
    "start-rollout": ("roll-out", WHOLE_FLEET),
    "resume-rollout": ("roll-out", WHOLE_FLEET),
    "approve-rollout": ("approve", WHOLE_FLEET),
    "approve-from-list": ("approve", WHOLE_FLEET),
    "drop-bundle": ("withdraw", WHOLE_FLEET),
    "offer-at-site": ("roll-out", HERE),
    "end-sessions": ("people", WHOLE_FLEET),  # they are another one's, as what follows
    "remove-key": ("people", WHOLE_FLEET),
    "revoke-api-token": ("people", WHOLE_FLEET),
    "reset-password": ("people", WHOLE_FLEET),
    "profile-prepare": ("profiles", HERE),
}
"""What forms need for which PCs, where that follows from what they are about; by the form's name.

Each form is here whose operation asks by itself.
"""
Row: TypeAlias = Page[Any] | Form[Any, Any]
EVERYTHING: tuple[Row, ...] = (*PAGES, *FORMS)
STRANGERS = {form.name for form in FORMS for page in PAGES if page.name == form.of_page and page.everybody}
"""Forms for whoever comes."""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """Return a company with a published patch."""
    cheap_passwords(monkeypatch)
    made = company_at(published_home(tmp_path), tmp_path / "company")
    yield made
    made.database.close()


@pytest.fixture
def fast_clock() -> trio.testing.MockClock:
    """Let waiting last a twentieth: the forms of strangers take turns."""
    return trio.testing.MockClock(rate=20)


def prepared(company: Company) -> Values:
    """Make what requests are about."""
    context = company.context
    endpoint_operations.deny(context, ADA, OTHERS[1])
    row = exception_operations.add_exception(
        context, ADA, who=f'site == "{SITE}"', until=BEGIN + 9e5, reason="r", owner="o"
    )
    file = context.home.root / "december.toml"
    file.write_text(DIAGNOSIS)
    operations.set_template(context, ADA, "december", file, OfflineKeys(context.home.offline_keys, None))
    add_person(context, ROOT, "yui", roles=["viewer"])
    api_token = make_api_token(context, ROOT, label="z", seconds=60, permissions=["look"], owner="yui").row.token_id
    add_webhook(context, ROOT, "yui", "https://chat.example.com/hooks/7", events=["rollout"])
    with context.home.settings.open("a") as settings:
        settings.write(SLA)
    context.home.sites.write_text(SITES)
    bundle = preparing.prepare_withdrawal(context, ADA, "office", "bad", context.home.root / "copy.bundle")
    company.start()
    return Values(
        {
            "endpoint": OTHERS[0], "patch": "office@1", "number": "1", "site": SITE, "name": "yui",
            "id": bundle.bundle_id, "token": api_token, "entry": "0", "delivery": "1",
            "template.name": "rings", "template_file.name": "rings", "diagnosis.name": "december",
            "diagnosis_pcs.name": "december",
            "end_exception.number": str(row.number),
            **{f"{form.name}.name": SITE for form in FORMS if form.path.startswith("/profiles/")},
            "profile.name": SITE,
        },
        {
            "reason": "r", "who": f'site == "{SITE}"', "until": "2027-02-01", "owner": "o", "site": SITE,
            "template": "rings", "patch": "office@1", "ring": "test", "roles": "viewer", "note": "n", "state": "told",
            "text": PROFILE, "profile-simulate.text": "x", "revoke-api-token.id": api_token,
            "follow_up_ticked.row": f"{OTHERS[0]} office@1",
        },
    )  # fmt: skip


def looking_at_nothing(page: Page[Any]) -> Page[Any]:
    """Return the page as it is admitted to: what it shows is the business of other tests."""

    def view(asked: Asked[Any]) -> Answer:
        del asked
        return Shown("seen", {"server": "s", "address": "a", "version": "v"}, template="help")

    return dataclasses.replace(page, view=view)


def rehearsed(form: Form[Any, Any]) -> Form[Any, Any]:
    """Return the form, which ends where its operation could be done."""

    def does(sent: Sent[Any, Any]) -> Answer:
        try:
            return form.does(sent)
        except RehearsedError:
            return Done("/")

    return dataclasses.replace(form, does=does)


def needed(row: Row) -> Iterator[tuple[Permission, Reach]]:
    """Yield what a request needs in any case."""
    rights = row.rights if isinstance(row, Form) else () if row.right is None or row.everybody else (row.right,)
    for permission, reach in rights:
        yield permission, NO_PC if reach is None else reach
    if isinstance(row, Form):
        yield from needed(next(page for page in PAGES if page.name == row.of_page))


def expected(row: Row, actor: Actor) -> bool:
    """Whether it is allowed."""
    if any(may(actor, permission, reach) is not None for permission, reach in needed(row)):
        return False
    if isinstance(row, Form) and row.name in REACHES:
        return may(actor, *REACHES[row.name]) is None
    assert isinstance(row, Page) or all(reach is not None for _, reach in row.rights), f"say for whom {row.name} is"
    return True


async def asked_for(browser: Browser, row: Row, values: Values) -> PageAnswer:
    if isinstance(row, Page):
        return await browser.get(values.address(row))
    return await browser.post(values.address(row), values.body(row))


def browsers(site: Site) -> Iterator[tuple[Role, str, Browser]]:
    for role in ROLES:
        for scope, of in SCOPES.items():
            if scope == "whole" or role not in WHOLE_ALONE:
                yield role, scope, site.browser(f"{role}.{scope}", role, sites=tuple(of.sites), password=PASSWORD)


@pytest.mark.trio
async def test_every_page_and_form_by_every_role_and_scope(company: Company) -> None:
    values, asked = prepared(company), 0
    surprises: list[tuple[object, ...]] = []
    pages, forms = tuple(map(looking_at_nothing, PAGES)), tuple(map(rehearsed, FORMS))
    rows: list[Row] = [*pages, *(form for form in forms if form.name not in STRANGERS)]
    async with pages_of(company.context) as made:
        people = [(role, scope, browser.cookies) for role, scope, browser in browsers(made)]
    async with pages_of(dataclasses.replace(company.context, rehearsal=True), pages, forms) as site:
        site.step_up_until = company.clock.now() + MINUTES_LATER
        for role, scope, cookies in people:
            actor = Actor("x", "password", rights_of(frozenset({role}), SCOPES[scope]))
            for row in rows:
                got = (await asked_for(Browser(site.app, dict(cookies)), row, values)).status
                asked += 1
                right = expected(row, actor)
                if got >= 500 or (got == 403) is right:
                    surprises.append((role, scope, row.name, right, got))
    assert surprises == []
    assert asked == len(people) * len(rows)


@pytest.mark.trio
async def test_who_is_not_signed_in_is_sent_to_where_that_is_done(
    company: Company, fast_clock: trio.testing.MockClock
) -> None:
    del fast_clock
    values = prepared(company)
    surprises: list[tuple[object, ...]] = []
    forms = tuple(dataclasses.replace(form, does=_never) for form in FORMS)
    async with pages_of(company.context, tuple(map(looking_at_nothing, PAGES)), forms) as site:
        for session in ("", "nobody-of-that-name", "x" * 4_000):
            for row in EVERYTHING:
                if (isinstance(row, Page) and row.everybody) or row.name in STRANGERS:
                    continue
                answer = await asked_for(site.browser(session), row, values)
                if answer.status != 303 or not answer.header("location").startswith("/login?"):
                    surprises.append((session[:20], row.name, answer.status))
    assert surprises == []


@pytest.mark.trio
async def test_no_form_is_taken_that_did_not_come_from_here(company: Company) -> None:
    values = prepared(company)
    surprises: list[tuple[object, ...]] = []
    ways: dict[str, dict[str, Any]] = {
        "no token": {"csrf": ""},
        "somebody else's token": {"csrf": "csrf of yui"},
        "another origin": {"headers": {"origin": "https://elsewhere.example"}},
        "no origin worth the name": {"headers": {"origin": "null"}},
        "another site, by the browser": {"headers": {"sec-fetch-site": "cross-site"}},
        "a sister of this host": {"headers": {"sec-fetch-site": "same-site"}},
        "the same name, without TLS": {"headers": {"origin": f"http://{HOST}"}},
    }
    forms = tuple(dataclasses.replace(form, does=_never) for form in FORMS)
    async with pages_of(company.context, PAGES, forms) as site:
        browser = site.browser("chief", "administrator")
        site.step_up_until = company.clock.now() + MINUTES_LATER
        for how, way in ways.items():
            for form in forms:
                answer = await browser.post(values.address(form), values.body(form), **way)
                if answer.status != 403:
                    surprises.append((how, form.name, answer.status))
    assert surprises == []


def _never(sent: Sent[Any, Any]) -> Done:
    raise AssertionError(f"{sent} was carried out")


@pytest.mark.trio
async def test_what_needs_a_second_factor_waits_for_it(company: Company) -> None:
    values = prepared(company)
    surprises: list[tuple[object, ...]] = []
    forms = tuple(dataclasses.replace(form, does=_never) for form in FORMS if form.step_up)
    async with pages_of(company.context, PAGES, forms) as site:
        browser = site.browser("chief", "administrator")
        for form in forms:
            answer = await browser.post(values.address(form), values.body(form))
            fields = waiting_at(answer, values.address(form))
            kept = {name: fields.get(name) for name in values.body(form)}
            if kept != values.body(form):  # what was typed waits with it
                surprises.append((form.name, answer.status, kept))
    assert surprises == []


def waiting_at(answer: PageAnswer, address: str) -> dict[str, str]:
    """Return what a page keeps of the form for this address."""
    found = (dict(fields) for form, fields in answer.read.forms if unquote(form.get("action", "")) == address)
    return next(found, {})


@pytest.mark.trio
async def test_a_viewer_sees_every_page_and_no_form_that_changes_anything(company: Company) -> None:
    values = prepared(company)
    surprises: list[tuple[object, ...]] = []
    async with pages_of(company.context) as site:
        browser = site.browser("vic", "viewer")
        actor = Actor("vic", "password", rights_of(frozenset({"viewer"}), PersonScope()))
        for page in PAGES:
            answer = await browser.get(values.address(page))
            right = expected(page, actor)
            if answer.status not in ({200, 303} if right else {403}):
                surprises.append((page.name, answer.status))
            if not answer.header("content-type").startswith("text/html"):
                continue
            posted = [unquote(form["action"]) for form in answer.elements("form") if form.get("method") == "post"]
            shown = [form for form in FORMS if values.address(form) in posted]
            lacking = [one for one in shown if any(may(actor, *right) is not None for right in needed(one))]
            surprises += [(page.name, form.name) for form in lacking]
    assert surprises == []
