"""The page of one's own account: password, codes, keys, sessions and tokens, as people change them."""

import re
from pathlib import Path

import pyotp
import pytest

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import set_roles
from seed_server.fleet.web_sessions import STEP_UP_SECONDS, read_sessions
from seed_server.settings.home import ServerHome
from tests.helpers.authenticator import Authenticator
from tests.helpers.fake_clock import FakeClock
from tests.helpers.page_logins import Person, login_site
from tests.helpers.people import PASSWORD, ROOT, cheap_passwords, copied, new_home, person

pytestmark = pytest.mark.trio
ORIGIN = "https://hq.example:8444"
HOSTILE = "<script>alert(1)</script>\"'\u202eb"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, FakeClock]:
    cheap_passwords(monkeypatch)
    context, clock = copied(home, tmp_path)
    with context.home.settings.open("a") as file:
        file.write(f'\n[pages]\norigin = "{ORIGIN}"\n')
    person(context, "ola", "operator", sites=("oslo",))
    return context, clock


def seed_on(one: Person) -> str:
    """Return the seed that the page shows to be typed."""
    found = re.search(r"<code>([A-Z2-7 ]{39})</code>", one.page.text)
    assert found is not None
    return found[1].replace(" ", "")


async def with_codes(one: Person, clock: FakeClock) -> str:
    """Set up an app, as the account's first second factor."""
    await one.open("/account/codes")
    seed = seed_on(one)
    code = pyotp.TOTP(seed).at(int(clock.wall))
    assert (
        "From now on a code is asked for"
        in (await one.fill("/account/codes/first", code=code, password=PASSWORD)).words
    )
    return seed


async def test_it_says_who_i_am_and_what_i_may(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        page = await site.person().log_in("ola")
    for words in (
        "operator",
        "site oslo",
        "A password alone is easily lost",
        "No keys yet",
        "this one",
        "No API tokens",
    ):
        assert words in page.words, words
    assert len(page.body) < 40_000


async def test_an_app_is_set_up_with_the_password_and_with_a_code_it_is_set_up_anew(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola")
        await ola.open("/account/codes")
        first = seed_on(ola)
        (image,) = [one for one in ola.page.elements("img") if one["src"].startswith("data:image/svg+xml")]
        assert int(image["width"]) > 100
        page = await ola.fill("/account/codes/first", code="000000", password=PASSWORD)
        assert "That is not the code of now" in page.words
        assert seed_on(ola) == first, "the app has it already"
        code = pyotp.TOTP(first).at(int(clock.wall))
        page = await ola.fill("/account/codes/first", code=code, password="wrong")
        assert "The password of now is wrong" in page.words
        page = await ola.fill("/account/codes/first", code=code, password=PASSWORD)
        assert "From now on a code is asked for" in page.words
        clock.wall += STEP_UP_SECONDS + 30
        await ola.open("/account/codes")
        second = seed_on(ola)
        page = await ola.fill("/account/codes", code=pyotp.TOTP(second).at(int(clock.wall)))
        assert "Is it you?" in page.words
        page = await ola.fill("/account/codes", _code=pyotp.TOTP(first).at(int(clock.wall)))
        assert "From now on a code is asked for" in page.words
        clock.wall += 30
        assert (await site.person().log_in("ola", code=pyotp.TOTP(first).at(int(clock.wall)))).status == 409
        assert "My account" in (await site.person().log_in("ola", code=pyotp.TOTP(second).at(int(clock.wall)))).words


async def test_where_there_is_a_second_factor_a_password_brings_no_other(server: tuple[Context, FakeClock]) -> None:
    """Who has stolen session and password is not to add a key of their own."""
    context, clock = server
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola")
        await ola.open("/account")
        before = ola.page
        key = Authenticator(ORIGIN)
        made = key.create(ola.key_options("/account/keys/first"))
        await ola.open("/account/codes")
        codes_before = ola.page
        await with_codes(ola, clock)
        clock.wall += STEP_UP_SECONDS + 1
        ola.page = before
        page = await ola.fill("/account/keys/first", label="x", password=PASSWORD, answer=made)
        assert "has a second factor meanwhile" in page.words
        ola.page = codes_before
        code = pyotp.TOTP(seed_on(ola)).at(int(clock.wall))
        assert (
            "has a second factor meanwhile"
            in (await ola.fill("/account/codes/first", code=code, password=PASSWORD)).words
        )


async def test_a_key_is_added_named_and_removed_once_the_second_factor_was_shown(
    server: tuple[Context, FakeClock],
) -> None:
    context, clock = server
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola")
        seed = await with_codes(ola, clock)
        clock.wall += STEP_UP_SECONDS + 30
        await ola.open("/account")
        key = Authenticator(ORIGIN)
        page = await ola.fill("/account/keys", label="<b>blue</b>", answer=key.create(ola.key_options("/account/keys")))
        assert "Is it you?" in page.words
        page = await ola.fill("/account/keys", _code="111111")
        assert (page.status, "is wrong" in page.words) == (422, True)
        page = await ola.fill("/account/keys", _code=pyotp.TOTP(seed).at(int(clock.wall)))
        assert "The key <b>blue</b> opens your account" in page.words
        assert "<b>blue" not in page.text
        page = await ola.fill("/account/keys/name", label="green")
        assert "The key is called green now." in page.words
        clock.wall += STEP_UP_SECONDS + 1
        await ola.open("/account")
        page = await ola.fill("/account/keys/remove")
        assert "Is it you?" in page.words
        page = await ola.fill("/account/keys/remove", _key=key.get(ola.key_options("/account/keys/remove")))
        assert "The key green opens nothing any more." in page.words


async def test_the_password_is_changed_with_the_one_of_now(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    new = "another horse battery"
    async with login_site(context) as site:
        ola, elsewhere = site.person(), site.person()
        await elsewhere.log_in("ola")
        await ola.log_in("ola")
        for typed, words in (
            ({"now": "wrong", "new": new, "again": new}, "The password of now is wrong"),
            ({"now": PASSWORD, "new": new, "again": "other"}, "not the same"),
            ({"now": PASSWORD, "new": "short", "again": "short"}, "5 characters"),
        ):
            page = await ola.fill("/account/password", **typed)
            assert words in page.words
        page = await ola.fill("/account/password", now=PASSWORD, new=new, again=new)
        assert "Your password is changed" in page.words
        assert "Log in" in (await elsewhere.open("/account")).words
        assert (await site.person().log_in("ola")).status == 409
        assert "My account" in (await site.person().log_in("ola", new)).words


async def test_sessions_are_seen_and_ended(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    async with login_site(context) as site:
        ola, elsewhere, third = site.person(), site.person(), site.person()
        for one in (elsewhere, third, ola):
            await one.log_in("ola")
        assert ola.page.words.count("Firefox, Linux") >= 3
        page = await ola.fill("/account/sessions", session="nothing")
        assert "has no session" in page.words
        assert len(read_sessions(context, "ola")) == 3
        page = await ola.fill("/account/sessions", session="")
        assert "Sessions that have ended: 2." in page.words
        for one in (elsewhere, third):
            assert "Log in" in (await one.open("/account")).words


async def test_tokens_are_seen_and_revoked_and_hostile_texts_are_texts(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    label = HOSTILE.replace("\u202e", "")
    make_api_token(context, ROOT, label=label, seconds=int(DAY_SECONDS), permissions=["look"], owner="ola")
    async with login_site(context) as site:
        ola = site.person()
        ola.language = "en"
        page = await ola.log_in("ola")
        assert label in page.words
        assert "<script>alert" not in page.text
        page = await ola.fill("/account/tokens")
        assert "speaks for nobody any more" in page.words
        assert "revoked" in page.words


async def test_a_browser_that_calls_itself_something_hostile_is_not_shown(server: tuple[Context, FakeClock]) -> None:
    async with login_site(server[0]) as site:
        ola = site.person()
        await ola.open("/login?next=/account")
        form = ola.page.hidden("/login")
        await ola.post(
            "/login",
            {"name": "ola", "password": PASSWORD},
            csrf=form["_csrf"],
            headers={"user-agent": "<script>Firefox/1"},
        )
        page = await ola.open("/account")
        assert "Firefox" in page.words
        assert "<script>F" not in page.text


async def test_what_may_changes_at_once_or_ends(server: tuple[Context, FakeClock]) -> None:
    context, _ = server
    async with login_site(context) as site:
        ola = site.person()
        await ola.log_in("ola")
        set_roles(context, ROOT, "ola", ["viewer"])
        assert "Log in" in (await ola.open("/account")).words
