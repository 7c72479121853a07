"""A session that has ended, however it ended, opens no page and carries out no form: with the cookie and token of it.

Such a cookie may have been kept by a browser, a proxy's log or a thief. Logins of an open session: `test_page_logins`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pyotp
import pytest
import trio.testing

from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import (
    remove_person,
    set_disabled,
    set_password,
    set_roles,
    set_scope,
    set_second_factor,
)
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.web_sessions import end_sessions
from seed_server.settings.home import ServerHome
from seed_server.web.frame.page import Done, Form, Page
from seed_server.web.frame.signed_in import SESSION_COOKIE
from seed_server.web.pages.table import FORMS, PAGES
from tests.helpers.fake_clock import FakeClock
from tests.helpers.page_logins import login_site
from tests.helpers.page_values import Values
from tests.helpers.people import ROOT, cheap_passwords, copied, new_home, person

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
FOR_ALL = {page.name for page in PAGES if page.everybody}


def never(asked: object) -> Done:
    raise AssertionError(f"{asked} was answered")


OWN_PAGES = tuple(dataclasses.replace(page, view=never) for page in PAGES if not page.everybody)
OWN_FORMS = tuple(dataclasses.replace(form, does=never) for form in FORMS if form.of_page not in FOR_ALL)
ROWS: tuple[Page[Any] | Form[Any, Any], ...] = (*OWN_PAGES, *OWN_FORMS)
VALUES = Values({name: "1" for row in ROWS for name in row.path_names})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    person(context, "ola", "operator")
    return context, clock


@pytest.fixture
def fast_clock() -> trio.testing.MockClock:
    """Let waiting last a twentieth: the forms of strangers take turns."""
    return trio.testing.MockClock(rate=20)


def end(how: str, context: Context, clock: FakeClock) -> None:
    """End all sessions of ola but by a logout."""
    match how:
        case "disuse":
            clock.wall += 30 * 60 + 1
        case "hours":
            clock.wall += 12 * 3_600 + 1
        case "an administrator":
            end_sessions(context, ROOT, "ola")
        case "disabled":
            set_disabled(context, ROOT, "ola", disabled=True)
        case "password":
            set_password(context, ROOT, "ola", "another horse battery")
        case "roles":
            set_roles(context, ROOT, "ola", ["viewer"])
        case "scope":
            set_scope(context, ROOT, "ola", sites=["osaka"], tags=[])
        case "second factor":
            seed = new_seed(context, "ola").seed
            set_second_factor(context, ROOT, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
        case "removed":
            remove_person(context, ROOT, "ola")


@pytest.mark.parametrize(
    "how",
    ["logout", "disuse", "hours", "an administrator", "disabled", "password", "roles", "scope", "second factor",
     "removed"],
)  # fmt: skip
async def test_an_ended_session_opens_no_page_and_carries_out_no_form(
    server: tuple[Context, FakeClock], how: str, fast_clock: trio.testing.MockClock
) -> None:
    del fast_clock
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.log_in("ola")
        session, token = ola.session, ola.page.hidden("/account/password")["_csrf"]
        assert session
        if how == "logout":
            await ola.fill("/logout")
    end(how, *server)
    surprises: list[tuple[object, ...]] = []
    for_all = tuple(page for page in PAGES if page.everybody)
    async with login_site(server[0], (*OWN_PAGES, *for_all), OWN_FORMS) as site:
        for row in ROWS:
            one = site.person()
            one.cookies[SESSION_COOKIE] = session
            if isinstance(row, Page):
                answer = await one.get(VALUES.address(row))
            else:
                answer = await one.post(VALUES.address(row), VALUES.body(row), csrf=token, headers=SAME_ORIGIN)
            if answer.status != 303 or not answer.header("location").startswith("/login?"):
                surprises.append((row.name, answer.status))
    assert surprises == []
