"""Logging in at the identity provider with a browser, over real HTTP, and what is wrong with what it brings back."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import trio

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.provider_visit import MAX_VISIT_CHARS, VISIT_SECONDS, begin_visit, end_visit
from seed_server.fleet.web_sessions import STEP_UP_SECONDS, CameFrom
from seed_server.settings.home import ServerHome
from seed_server.web.pages.pages_provider import VISITING_COOKIE
from tests.helpers.fake_clock import FakeClock
from tests.helpers.oidc_provider import CLIENT, SECRET, OidcProvider, oidc_provider
from tests.helpers.page_logins import Person, login_site
from tests.helpers.people import cheap_passwords, copied, new_home

ORIGIN = "https://hq.example:8444"
DESK = CameFrom("127.0.0.9", "127.0.0.9", "Firefox")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(FakeClock().wall) as running:
        yield running


@pytest.fixture
def server(
    home: ServerHome, tmp_path: Path, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    (context.home.root / "oidc-secret").write_text(SECRET)
    (context.home.root / "oidc-secret").chmod(0o600)
    with context.home.settings.open("a") as file:
        file.write(
            f'\n[pages]\norigin = "{ORIGIN}"\n\n[oidc]\nissuer = "{provider.address}"\nclient_id = "{CLIENT}"\n'
            'client_secret_file = "oidc-secret"\n\n[[oidc.groups]]\ngroup = "patch-operators"\nroles = ["operator"]\n'
        )
    return context, clock


async def brought_back(one: Person) -> str:
    """Follow the page to the provider, log in there, and return the address that it sends the browser to."""
    (refresh,) = [tag["content"] for tag in one.page.elements("meta") if tag.get("http-equiv") == "refresh"]
    address = refresh.removeprefix("0;url=")
    with httpx.Client(trust_env=False) as client:
        answer = await trio.to_thread.run_sync(lambda: client.get(address))
    place = answer.headers["Location"]
    assert place.startswith(f"{ORIGIN}/login/oidc?")
    return str(place.removeprefix(ORIGIN))


async def test_who_the_provider_knows_is_let_in_and_goes_on(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        alice = site.person()
        await alice.open("/login?next=/account")
        answer = await alice.fill("/login/provider")
        (kept,) = [value for name, value in answer.headers if name == "set-cookie"]
        assert kept.startswith(f"{VISITING_COOKIE}=")
        assert "; Secure; HttpOnly; SameSite=Lax" in kept
        page = await alice.open(await brought_back(alice), **{"sec-fetch-site": "cross-site"})
        assert {"http-equiv": "refresh", "content": "0;url=/account"} in page.elements("meta")
        assert VISITING_COOKIE not in alice.cookies
        page = await alice.open("/account")
        assert "alice" in page.words
        assert "You come by the identity provider" in page.words
        assert "identity provider" in page.words
        assert not [one for one in page.elements("form") if one["action"].startswith("/account/keys")]
        page = await alice.fill("/logout")
        assert "You are logged out." in page.words


async def test_an_answer_counts_once_and_in_the_browser_that_went_there(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        alice, thief = site.person(), site.person()
        await alice.open("/login")
        await alice.fill("/login/provider")
        back = await brought_back(alice)
        page = await thief.open(back)
        assert "Log in" in page.words
        await thief.open("/login")
        await thief.fill("/login/provider")
        page = await thief.open(back)
        assert page.status == 409
        assert thief.session == ""
        visiting = alice.cookies[VISITING_COOKIE]
        await alice.open(back)
        assert alice.session
        alice.cookies.clear()
        alice.cookies[VISITING_COOKIE] = visiting
        page = await alice.open(back)
        assert (page.status >= 400, alice.session) == (True, "")


def test_a_second_factor_was_shown_when_the_provider_says_so(
    server: tuple[Context, FakeClock], provider: OidcProvider
) -> None:
    context, clock = server
    at = int(clock.wall) - 100
    provider.claims = lambda claims: claims.update(auth_time=at)
    begun, _ = end_visit(context, *there_and_back(context, again=True), DESK)
    assert provider.asked["prompt"] == "login"
    assert provider.asked["max_age"] == "0"
    assert begun.row.factor_at == at
    assert begun.row.factor_at + STEP_UP_SECONDS > clock.wall
    wrong: tuple[object, ...] = (None, "yesterday", True, -5, {})
    for spoilt in wrong:
        provider.claims = partial(dict.update, auth_time=spoilt)
        begun, _ = end_visit(context, *there_and_back(context), DESK)
        assert begun.row.factor_at == 0.0
    provider.claims = lambda claims: claims.update(auth_time=clock.wall + 1e6)
    begun, _ = end_visit(context, *there_and_back(context), DESK)
    assert begun.row.factor_at == clock.wall
    assert "prompt" not in provider.asked


def there_and_back(context: Context, *, again: bool = False) -> tuple[str, dict[str, str]]:
    begun = begin_visit(context, "/", again=again)
    with httpx.Client(trust_env=False) as client:
        place = client.get(begun.address).headers["Location"]
    return begun.sealed, dict(parse_qsl(urlsplit(place).query))


def test_what_is_sealed_is_bounded_and_ends(server: tuple[Context, FakeClock]) -> None:
    context, clock = server
    assert len(begin_visit(context, "/" + "x" * 5_000, again=False).sealed) <= MAX_VISIT_CHARS
    sealed, answer = there_and_back(context)
    for wrong in ("", "x", sealed[:-2], sealed.swapcase(), "x" * 100_000):
        with pytest.raises(UserError) as caught:
            end_visit(context, wrong, answer, DESK)
        assert caught.value.kind is FaultKind.REFUSED
    clock.wall += VISIT_SECONDS + 1
    with pytest.raises(UserError) as caught:
        end_visit(context, sealed, answer, DESK)
    assert caught.value.kind is FaultKind.REFUSED


async def test_what_providers_add_to_an_answer_is_no_error(
    server: tuple[Context, FakeClock], provider: OidcProvider
) -> None:
    provider.answer = lambda answer: answer.update(session_state="abc", iss=provider.address, scope="openid")
    async with login_site(server[0]) as site:
        alice = site.person()
        await alice.open("/login")
        await alice.fill("/login/provider")
        await alice.open(await brought_back(alice))
        assert alice.session


async def test_a_provider_that_lets_nobody_in_is_told_in_words(
    server: tuple[Context, FakeClock], provider: OidcProvider
) -> None:
    provider.person["groups"] = ["others"]
    async with login_site(server[0]) as site:
        alice = site.person()
        await alice.open("/login")
        await alice.fill("/login/provider")
        page = await alice.open(await brought_back(alice))
        assert "none of their groups may anything here" in page.words
        assert alice.session == ""
        page = await alice.open("/login/oidc?error=access_denied&error_description=%3Cscript%3Eno")
        assert alice.session == ""
        assert "<script>no" not in page.text
