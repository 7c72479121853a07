"""Logging in and out with a browser, as people do."""

from pathlib import Path

import pyotp
import pytest

from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import set_second_factor
from seed_server.fleet.people_queries import new_seed
from seed_server.settings.home import ServerHome
from tests.helpers.authenticator import Authenticator
from tests.helpers.fake_clock import FakeClock
from tests.helpers.page_logins import LoginSite, Person, login_site
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person

pytestmark = pytest.mark.trio
ORIGIN = "https://hq.example:8444"


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
    return context, clock


async def with_key(site: LoginSite, name: str = "ola") -> tuple[Person, Authenticator]:
    """Log in, and add a key."""
    one, key = site.person(), Authenticator(ORIGIN)
    await one.log_in(name)
    made = key.create(one.key_options("/account/keys/first"))
    page = await one.fill("/account/keys/first", label="blue", password=PASSWORD, answer=made)
    assert "The key blue opens your account" in page.words, page.words
    return one, key


async def test_name_and_password_lead_to_the_page_that_was_asked_for(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        ola = site.person()
        page = await ola.open("/account")
        assert "Log in" in page.words
        page = await ola.fill("/login", name="ola", password=PASSWORD)
        assert (page.status, "My account" in page.words) == (200, True)
        assert "Firefox, Linux" in page.words
        page = await ola.fill("/logout")
        assert "You are logged out." in page.words
        assert ola.session == ""
        assert "Log in" in (await ola.open("/account")).words


async def test_the_cookie_is_for_this_host_alone_and_for_no_script(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.open("/login")
        form = ola.page.hidden("/login")
        answer = await ola.post("/login", {"name": "ola", "password": PASSWORD}, csrf=form["_csrf"])
        (made,) = [value for name, value in answer.headers if name == "set-cookie" and "session=" in value]
        assert made.startswith("__Host-session=")
        assert made.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")


async def test_what_is_wrong_is_said_with_the_name_kept_and_the_password_gone(
    server: tuple[Context, FakeClock],
) -> None:
    async with login_site(server[0]) as site:
        ola = site.person()
        told = set()
        for name, password in (("ola", "wrong"), ("nobody", PASSWORD), ("", "")):
            page = await ola.log_in(name, password)
            assert page.status == 409
            told.add(next(text for text in page.read.texts if "is wrong" in text))
            values = {one.get("name", ""): one.get("value", "") for one in page.elements("input")}
            assert (values["name"], values["password"], ola.session) == (name, "", "")
        assert len(told) == 1
        page = await ola.open("/login?lang=ja")
        assert ("html", {"lang": "ja"}) in page.read.elements


async def test_a_code_is_asked_for(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    seed = new_seed(context, "ola").seed
    set_second_factor(context, ROOT, "ola", seed, pyotp.TOTP(seed).at(int(clock.wall)))
    clock.wall += 30
    async with login_site(context) as site:
        ola = site.person()
        assert (await ola.log_in("ola")).status == 409
        code = pyotp.TOTP(seed).at(int(clock.wall))
        assert "My account" in (await ola.log_in("ola", code=f"{code[:3]} {code[3:]}")).words
        assert (await site.person().log_in("ola", code=code)).status == 409


async def test_a_key_is_the_second_factor(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        _, key = await with_key(site)
        ola = site.person()
        page = await ola.log_in("ola")
        assert "show that it is you, ola" in page.words
        assert ola.session == ""
        page = await ola.fill("/login/second", answer="{}")
        assert "show that it is you, ola" in page.words
        assert "The key's answer was not taken" in page.words
        page = await ola.fill("/login/second", answer=key.get(ola.key_options("/login/second")))
        assert "password and key" in page.words


async def test_a_key_alone_logs_in_where_it_verifies(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        _, key = await with_key(site)
        ola = site.person()
        await ola.open("/login?next=/account")
        answer = key.get(ola.key_options("/login/key"))
        page = await ola.fill("/login/key", answer=answer)
        assert "My account" in page.words
        other = site.person()
        await other.open("/login")
        page = await other.fill("/login/key", answer=answer)
        assert page.status == 409
        assert "was not taken" in page.words


async def test_who_is_logged_in_goes_on_at_once_and_a_link_from_elsewhere_finds_them(
    server: tuple[Context, FakeClock],
) -> None:
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.log_in("ola")
        assert "My account" in (await ola.open("/login?next=/account")).words
        stranger = site.person()
        page = await stranger.get("/account?x=1", headers={"sec-fetch-site": "cross-site"})
        assert page.status == 200
        assert {"http-equiv": "refresh", "content": "0"} in page.elements("meta")
        assert "/account?x=1" in page.links


async def test_page_and_script_are_light(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        page = await site.person().open("/login")
        assert len(page.body) < 12_000
        scripts = [one["src"] for one in page.elements("script")]
        assert len(scripts) == 2
        assert all("src" in one for one in page.elements("script"))
