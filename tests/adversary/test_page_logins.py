"""Who is not let in: forged forms, stolen and old cookies, guesses, answers given twice, addresses that lure.

A cookie that was stolen works from elsewhere until its session ends: it is not bound to an address (ADR 0077).
"""

from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest

from seed_server.fleet.context import Context
from seed_server.fleet.login_wait import FREE_FAILURES
from seed_server.fleet.people_operations import set_second_factor
from seed_server.fleet.people_queries import new_seed
from seed_server.fleet.web_sessions import STEP_UP_SECONDS, read_sessions
from seed_server.settings.home import ServerHome
from seed_server.web.client import CLIENT_EXTENSION, Client
from seed_server.web.frame.browsers import MAX_PLACE_CHARS, place_after
from seed_server.web.frame.cookies import VISIT_COOKIE
from seed_server.web.frame.signed_in import SESSION_COOKIE
from tests.helpers.authenticator import Authenticator
from tests.helpers.fake_clock import FakeClock
from tests.helpers.page_logins import LoginSite, Person, login_site
from tests.helpers.pages_client import HOST
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person

ORIGIN = "https://hq.example:8444"
SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    with context.home.settings.open("a") as file:
        file.write(f'\n[pages]\norigin = "{ORIGIN}"\n')
    person(context, "ola", "operator")
    person(context, "eve", "viewer")
    return context, clock


def with_app(context: Context, clock: FakeClock) -> str:
    """Give ola an app as her second factor."""
    seed = new_seed(context, "ola").seed
    set_second_factor(context, ROOT, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
    clock.wall += 30
    return seed


async def is_logged_in(one: Person) -> bool:
    return "My account" in (await one.open("/account")).words


# --- forged forms ------------------------------------------------------------------------


async def test_a_form_without_its_token_or_with_anothers_does_nothing(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        ola, eve = site.person(), site.person()
        await ola.log_in("ola")
        await eve.log_in("eve")
        theirs = eve.page.hidden("/account/password")["_csrf"]
        mine = ola.page.hidden("/account/password")["_csrf"]
        assert mine != theirs
        await eve.fill("/logout")
        await eve.log_in("eve")
        of_before, stranger = theirs, site.person()
        await stranger.open("/login")
        visit = stranger.page.hidden("/login")["_csrf"]
        for token in ("", theirs, of_before, visit, mine[:-1], mine.swapcase(), "ä", "x" * 7_000):
            for action in ("/logout", "/account/sessions", "/account/password"):
                answer = await ola.post(action, {}, csrf=token, headers=SAME)
                assert answer.status == 403, (token, action)
        body = b"now=x"
        media = {"content-type": "application/x-www-form-urlencoded", **SAME}
        assert (await ola.ask("POST", "/logout", body, headers=media)).status == 403
        assert await is_logged_in(ola)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": f"http://{HOST}"},
        {"origin": f"https://{HOST}.evil.example"}, {"origin": "https://hq.example"},
    ],
)  # fmt: skip
async def test_a_form_of_another_site_does_nothing(server: tuple[Context, FakeClock], headers: dict[str, str]) -> None:
    """Even with the right token, which such a site cannot have."""
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.log_in("ola")
        token = ola.page.hidden("/logout")["_csrf"]
        assert (await ola.post("/logout", {}, csrf=token, headers=headers)).status == 403
        stranger = site.person()
        await stranger.open("/login")
        token = stranger.page.hidden("/login")["_csrf"]
        typed = {"name": "ola", "password": PASSWORD}
        assert (await stranger.post("/login", typed, csrf=token, headers=headers)).status == 403
        assert stranger.session == ""
        assert await is_logged_in(ola)


async def test_nobody_is_logged_in_as_somebody_by_a_form_of_another_browser(server: tuple[Context, FakeClock]) -> None:
    """Else a site could log its visitors in as its own author, and see what they do."""
    async with login_site(server[0]) as site:
        eve, victim = site.person(), site.person()
        await eve.open("/login")
        await victim.open("/login")
        typed = {"name": "eve", "password": PASSWORD}
        answer = await victim.post("/login", typed, csrf=eve.page.hidden("/login")["_csrf"], headers=SAME)
        assert (answer.status, victim.session) == (403, "")
        victim.cookies.clear()
        answer = await victim.post("/login", typed, csrf="", headers=SAME)
        assert (answer.status, victim.session) == (403, "")


# --- cookies -----------------------------------------------------------------------------


async def test_a_stolen_cookie_is_nobodys_after_the_logout_and_somebodys_until_then(
    server: tuple[Context, FakeClock],
) -> None:
    async with login_site(server[0]) as site:
        ola, thief = site.person(), site.person()
        await ola.log_in("ola")
        thief.cookies[SESSION_COOKIE] = ola.session
        thief_scope = thief.scope

        def from_elsewhere(method: str, address: str, headers: dict[str, str] | None = None) -> dict[str, object]:
            scope = thief_scope(method, address, headers)
            scope["client"] = ("203.0.113.9", 1)
            scope["extensions"] = {CLIENT_EXTENSION: Client("203.0.113.9", 1, None, lambda: None)}
            return scope

        thief.scope = from_elsewhere  # type: ignore[method-assign] # comes from another network
        assert await is_logged_in(thief), "a cookie is not bound to an address: the page says where it is used"
        await ola.fill("/logout")
        assert not await is_logged_in(thief)


async def test_cookies_that_nobody_was_given_open_nothing(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola")
        (row,) = read_sessions(context, "ola")
        for forged in ("ola", row.session_id, ola.session[:-1], f"{ola.session}=", ola.session.swapcase(), "x" * 5_000):
            other = site.person()
            other.cookies[SESSION_COOKIE] = forged
            assert not await is_logged_in(other)


async def test_a_session_ends_by_itself_and_a_page_that_lies_open_does_not_keep_it(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    async with login_site(context) as site:
        ola, used = site.person(), site.person()
        await ola.log_in("ola")
        await used.log_in("ola")
        for _ in range(6):
            clock.wall += 5 * 60
            await ola.get("/account", headers={"sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"})
            assert await is_logged_in(used)
        assert not await is_logged_in(ola)
        for _ in range(25):
            clock.wall += 29 * 60
            await used.open("/account")
        assert not await is_logged_in(used), "twelve hours are over"


async def test_a_login_never_takes_a_cookie_that_was_there(server: tuple[Context, FakeClock]) -> None:
    """Fixation: who plants a cookie does not know the one that comes with the login."""
    async with login_site(server[0]) as site:
        planted = "A" * 43
        ola = site.person()
        ola.cookies |= {SESSION_COOKIE: planted, VISIT_COOKIE: "planted"}
        await ola.open("/login?next=/account")
        await ola.fill("/login", name="ola", password=PASSWORD)
        assert ola.session
        assert ola.session != planted
        assert VISIT_COOKIE not in ola.cookies
        thief = site.person()
        thief.cookies[SESSION_COOKIE] = planted
        assert not await is_logged_in(thief)


# --- guesses -----------------------------------------------------------------------------


async def test_guesses_wait_over_all_cookies_and_names_of_browsers(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    async with login_site(context) as site:
        for _ in range(FREE_FAILURES):
            page = await site.person().log_in("ola", "wrong horse battery")
            assert "is wrong" in page.words
        page = await site.person().log_in("ola")
        assert "Too many attempts were wrong" in page.words
        page = await site.person().log_in("eve")
        assert "My account" in page.words, "each account has waits of its own"


async def test_guesses_of_codes_in_an_open_session_wait_as_logins_do(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    seed = with_app(context, clock)
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola", code=pyotp.TOTP(seed).at(int(clock.wall)))
        clock.wall += STEP_UP_SECONDS + 1
        await ola.open("/account")
        made = Authenticator(ORIGIN).create(ola.key_options("/account/keys"))
        await ola.fill("/account/keys", label="x", answer=made)
        for number in range(FREE_FAILURES):
            page = await ola.fill("/account/keys", _code=f"{number:06d}")
            assert "is wrong" in page.words
        page = await ola.fill("/account/keys", _code=pyotp.TOTP(seed).at(int(clock.wall)))
        assert "Too many attempts were wrong" in page.words


async def test_a_code_is_taken_once_wherever_it_is_given(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    seed = with_app(context, clock)
    code = pyotp.TOTP(seed).at(int(clock.wall))
    async with login_site(context) as site:
        ola = site.person()
        assert "My account" in (await ola.log_in("ola", code=code)).words
        assert "is wrong" in (await site.person().log_in("ola", code=code)).words


# --- keys --------------------------------------------------------------------------------


async def with_key(site: LoginSite) -> Authenticator:
    one, key = site.person(), Authenticator(ORIGIN)
    await one.log_in("ola")
    made = key.create(one.key_options("/account/keys/first"))
    await one.fill("/account/keys/first", label="blue", password=PASSWORD, answer=made)
    await one.fill("/logout")
    return key


async def test_an_answer_of_a_key_is_taken_once_in_the_browser_that_asked_for_it(
    server: tuple[Context, FakeClock],
) -> None:
    async with login_site(server[0]) as site:
        key = await with_key(site)
        ola, thief = site.person(), site.person()
        await ola.open("/login")
        form = ola.page.hidden("/login/key")
        answer = key.get(ola.key_options("/login/key"))
        await thief.open("/login")
        page = await thief.fill("/login/key", sealed=form["sealed"], answer=answer)
        assert (page.status, thief.session) == (409, "")
        await ola.fill("/login/key", answer=answer)
        assert ola.session
        ola.cookies.pop(SESSION_COOKIE)
        ola.cookies[VISIT_COOKIE] = "x"  # of before is gone
        await ola.open("/login")
        page = await ola.fill("/login/key", sealed=form["sealed"], answer=answer)
        assert (page.status, ola.session) == (409, "")


@pytest.mark.parametrize("how", [{"origin": "https://hq.example.evil.com"}, {"host": "evil.com"}])
async def test_a_page_that_looks_like_ours_gets_nothing_from_a_key(
    server: tuple[Context, FakeClock], how: dict[str, str]
) -> None:
    async with login_site(server[0]) as site:
        key = await with_key(site)
        for name, value in how.items():
            setattr(key, name, value)
        ola = site.person()
        await ola.open("/login")
        page = await ola.fill("/login/key", answer=key.get(ola.key_options("/login/key")))
        assert (page.status, ola.session) == (409, "")


async def test_a_key_of_another_account_is_no_second_factor(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        await with_key(site)
        eve, key = site.person(), Authenticator(ORIGIN)
        await eve.log_in("eve")
        made = key.create(eve.key_options("/account/keys/first"))
        await eve.fill("/account/keys/first", label="red", password=PASSWORD, answer=made)
        thief = site.person()
        await thief.log_in("ola")
        page = await thief.fill("/login/second", answer=key.get(thief.key_options("/login/second")))
        assert "opens no account here" in page.words
        assert thief.session == ""


# --- luring ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%0d%0aSet-Cookie:x",
     "javascript:alert(1)", " /account", "/\t/evil.example", "/a\\..", "/account\r\nX: y", "", "account",
     "/login", "/logout", "/" + "x" * MAX_PLACE_CHARS, "/ä"],
)  # fmt: skip
async def test_a_login_leads_to_no_other_site(server: tuple[Context, FakeClock], place: str) -> None:
    found = place_after(place)
    assert found == "/" or (urlsplit(found).netloc == "" and found.startswith("/%0d"))
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.open("/login")
        form = ola.page.hidden("/login")
        typed = {"name": "ola", "password": PASSWORD, "next": place}
        answer = await ola.post("/login", typed, csrf=form["_csrf"], headers=SAME)
        if answer.status == 303:
            assert answer.header("location") == found
        else:
            assert answer.status == 422  # too long
