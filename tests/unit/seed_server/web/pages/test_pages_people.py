"""The pages of people, as an administrator, an auditor and a viewer use them."""

import re

import pytest

from seed_server.fleet import people_operations
from seed_server.fleet.accounts import login
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.fleet.passkey_operations import read_passkeys
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import PERMISSIONS, ROLES
from seed_server.fleet.web_sessions import CameFrom, begin_session, read_sessions
from seed_server.store.session_records import PasskeyRow
from tests.helpers.pages_client import RIGHT_CODE, ROOT, PageAnswer, pages_of
from tests.helpers.people import PASSWORD, cheap_passwords
from tests.helpers.rollout_company import BEGIN, Company

pytestmark = pytest.mark.trio
HOSTILE = '<script>alert("1")</script>\u202e'


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)


def _rows(answer: PageAnswer) -> list[str]:
    """Return the accounts that a list shows, by its links."""
    return [link.removeprefix("/people/") for link in answer.links if re.fullmatch("/people/[^#]+", link)]


def _password_on(answer: PageAnswer) -> str:
    found = re.search(r"<code>([a-z0-9-]{24})</code>", answer.text)
    assert found is not None, answer.words
    return found[1]


# --- the list ----------------------------------------------------------------------------


async def test_accounts_are_listed_and_filters_choose_among_them(company: Company) -> None:
    context = company.context
    add_person(context, ROOT, "ada", roles=["administrator"], password=PASSWORD)
    add_person(context, ROOT, "nora", roles=["network-admin"], sites=["oslo"], tags=["kiosk"])
    add_person(context, ROOT, "olga", roles=["viewer", "auditor"], password=PASSWORD)
    people_operations.set_disabled(context, ROOT, "olga", disabled=True)
    async with pages_of(context) as site:
        browser = site.browser("eve", "viewer")
        whole = await browser.get("/people")
        assert _rows(whole) == ["ada", "eve", "nora", "olga"]
        assert "tag kiosk" in whole.words
        assert "/sites/oslo" in whole.links
        for query, names in {
            "role=network-admin": ["nora"],
            "state=disabled": ["olga"],
            "state=active&factor=no&way=password": ["ada"],
            "way=program": ["eve", "nora"],
            "text=OL": ["olga"],
            "text=zz": [],
            "role=&state=": ["ada", "eve", "nora", "olga"],
        }.items():
            assert _rows(await browser.get(f"/people?{query}")) == names, query
        assert (await browser.get("/people?role=king")).status == 422
        assert (await browser.get("/people?x=1")).status == 422


async def test_the_number_of_accounts_without_a_second_factor_leads_to_them(company: Company) -> None:
    add_person(company.context, ROOT, "ada", roles=["administrator"], password=PASSWORD)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        whole = await browser.get("/people")
        (link,) = [one for one in whole.links if one.startswith("/people?state=active&factor=no")]
        assert _rows(await browser.get(link)) == ["ada"]


async def test_a_list_goes_on_behind_its_fiftieth_row(company: Company) -> None:
    for number in range(60):
        add_person(company.context, ROOT, f"p{number:02}", roles=["viewer"])
    async with pages_of(company.context) as site:
        browser = site.browser("zoe", "viewer")
        first = await browser.get("/people?way=program")
        assert len(_rows(first)) == 50
        (more,) = [one for one in first.links if "after=" in one]
        assert "way=program" in more
        assert _rows(await browser.get(more)) == [*[f"p{number:02}" for number in range(50, 60)], "zoe"]


# --- one account -------------------------------------------------------------------------


async def test_rights_and_why_stand_on_the_page_of_an_account(company: Company) -> None:
    add_person(company.context, ROOT, "nora", roles=["network-admin"], sites=["oslo"])
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/people/nora")
        assert answer.status == 200
        for permission in PERMISSIONS:
            assert permission in answer.words
        stopping = "pause, halt and abort rollouts network-admin the whole fleet"
        assert stopping in answer.words
        assert "set and clear throttle profiles of sites, and change the site map network-admin oslo" in answer.words
        assert (
            "manage accounts, and revoke API tokens of others administrator" in answer.words
        )  # which they do not have
        people_operations.set_disabled(company.context, ROOT, "nora", disabled=True)
        disabled = await site.browser("eve").get("/people/nora")
        assert "Nothing: the account is disabled." in disabled.words
        assert (await site.browser("eve").get("/people/nobody")).status == 404
        assert (await site.browser("eve").get("/people/%3Cscript%3E")).status == 404


async def test_what_somebody_did_is_shown_to_who_may_read_the_audit_log(company: Company) -> None:
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        await chief.post("/people", {"name": "bob", "roles": ["viewer"], "way": "program", "_code": RIGHT_CODE})
        seen = await site.browser("olga", "auditor").get("/people/ada")
        assert "add account" in seen.words
        assert "/people/bob" in seen.links
        assert "/audit?who=ada" in seen.links
        unseen = await site.browser("eve", "viewer").get("/people/ada")
        assert "add account" not in unseen.words


async def test_api_tokens_are_listed_without_their_secrets_and_end_by_a_form(company: Company) -> None:
    context = company.context
    add_person(context, ROOT, "ci", roles=["viewer"])
    made = make_api_token(context, ROOT, label=HOSTILE[:-1], seconds=3_600, permissions=["look"], owner="ci")
    async with pages_of(context) as site:
        chief = site.browser("ada", "administrator")
        answer = await chief.get("/people/ci")
        assert made.row.token_id in answer.words
        assert made.text not in answer.text
        assert ("script", {}) not in answer.read.elements
        listed = await chief.get("/people?text=ci")
        assert "/people/ci#tokens" in listed.links
        done = await chief.post("/people/ci/revoke-token", {"id": made.row.token_id, "_code": RIGHT_CODE})
        assert (done.status, done.header("location")) == (303, "/people/ci")
        assert "revoked" in (await chief.get("/people/ci")).words


async def test_who_does_not_manage_people_is_offered_no_form_and_refused(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], password=PASSWORD)
    async with pages_of(company.context) as site:
        viewer = site.browser("eve", "viewer")
        for path in ("/people", "/people/bob"):
            answer = await viewer.get(path)
            posts = [form for form in answer.elements("form") if form.get("method") == "post"]
            assert [form["action"] for form in posts if form["action"].startswith("/people")] == []
        for address in (
            "/people", "/people/bob/rights", "/people/bob/disable", "/people/bob/enable", "/people/bob/password",
            "/people/bob/no-second-factor", "/people/bob/remove", "/people/bob/end-sessions", "/people/bob/remove-key",
        ):  # fmt: skip
            fields = {"name": "x", "roles": ["viewer"], "sure": "true", "key": "k1", "_code": RIGHT_CODE}
            assert (await viewer.post(address, fields)).status in {403, 409, 422}, address
    row = company.database.person("bob")
    assert row is not None
    assert (row.roles, row.disabled) == (("viewer",), False)
    login(company.context, "bob", PASSWORD, "", source="desk")


# --- sessions and keys -------------------------------------------------------------------


def _logged_in(company: Company, name: str, browser: str) -> str:
    person = company.database.person(name)
    assert person is not None
    return begin_session(company.context, person, "code", CameFrom("", "10.9.8.7", browser)).row.session_id


def _key(company: Company, key_id: str, person: str, name: str) -> None:
    assert company.database.add_passkey(PasskeyRow(key_id, person, name, key_id.encode(), b"cose", 0, BEGIN))


async def test_sessions_and_keys_are_told_to_who_manages_people_alone(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], password=PASSWORD)
    _logged_in(company, "bob", HOSTILE[:-1])
    _key(company, "k1", "bob", HOSTILE[:-1])
    async with pages_of(company.context) as site:
        answer = await site.browser("ada", "administrator").get("/people/bob")
        for words in ("10.9.8.7", "password and code", "1 key"):
            assert words in answer.words, words
        assert "<script>alert" not in answer.text
        for name, role in (("eve", "viewer"), ("olga", "auditor")):
            unseen = (await site.browser(name, role).get("/people/bob")).words  # type: ignore[arg-type]
            assert "10.9.8.7" not in unseen
            assert "Keys that open it" not in unseen
            assert "1 key" in unseen  # that there is a second factor


async def test_sessions_are_ended_one_by_one_and_all(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], password=PASSWORD)
    first, *others = (_logged_in(company, "bob", f"browser {number}") for number in range(3))
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        fields = {"session": first, "_code": RIGHT_CODE}
        done = await chief.post("/people/bob/end-sessions", fields)
        assert (done.status, done.header("location")) == (303, "/people/bob")
        assert {one.session_id for one in read_sessions(company.context, "bob")} == set(others)
        assert (await chief.post("/people/bob/end-sessions", {"session": "nonsense"})).status == 422
        await chief.post("/people/bob/end-sessions")
        assert read_sessions(company.context, "bob") == []
        assert "logged in with no browser" in (await chief.get("/people/bob")).words


async def test_a_lost_key_is_taken_away_alone_or_with_all_second_factors(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], password=PASSWORD)
    for key_id in ("k1", "k2", "k3"):
        _key(company, key_id, "bob", f"key {key_id}")
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        assert (await chief.post("/people/bob/remove-key", {"key": "k1"})).status == 200  # asks for a second factor
        await chief.post("/people/bob/remove-key", {"key": "k1", "_code": RIGHT_CODE})
        assert [one.key_id for one in read_passkeys(company.context, "bob")] == ["k2", "k3"]
        assert (await chief.post("/people/bob/remove-key", {"key": "k1"})).status == 422
        assert "/people/bob/no-second-factor" in [
            form.get("action") for form in (await chief.get("/people/bob")).elements("form")
        ]
        await chief.post("/people/bob/no-second-factor")
        assert read_passkeys(company.context, "bob") == []


async def test_a_key_is_a_second_factor_in_the_list(company: Company) -> None:
    for name in ("ada", "bob"):
        add_person(company.context, ROOT, name, roles=["viewer"], password=PASSWORD)
    _key(company, "k1", "bob", "blue")
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert _rows(await browser.get("/people?factor=yes")) == ["bob"]
        assert _rows(await browser.get("/people?state=active&factor=no&way=password")) == ["ada"]


# --- forms -------------------------------------------------------------------------------


async def test_an_account_is_made_and_its_first_password_is_shown_once(company: Company) -> None:
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        fields = {"name": "Bob", "roles": ["operator", "approver"], "sites": "oslo, bergen", "tags": "kiosk"}
        asked = await chief.post("/people", fields)
        assert asked.status == 200  # a second factor is asked for first
        assert company.database.person("bob") is None
        made = await chief.post("/people", {**fields, "_code": RIGHT_CODE})
        assert made.status == 200
        password = _password_on(made)
        assert made.header("cache-control") == "no-store"
        assert password not in str(made.headers)
        for path in ("/people/bob", "/people"):
            assert password not in (await chief.get(path)).text
    row = company.database.person("bob")
    assert row is not None
    assert (row.roles, row.sites, row.tags) == (("operator", "approver"), ("bergen", "oslo"), ("kiosk",))
    assert login(company.context, "bob", password, "", source="desk").name == "bob"
    (logged,) = newest_entries(company.context, Wanted(operation="add account", subject="bob"), 1)
    assert logged.entry.actor == "ada"
    assert password.encode() not in logged.data


async def test_what_cannot_be_is_said_above_the_form_with_what_was_typed(company: Company) -> None:
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        await chief.post("/people", {"name": "x", "roles": ["viewer"], "way": "program", "_code": RIGHT_CODE})
        for fields, words in (
            ({"name": HOSTILE, "roles": ["viewer"]}, "is no name of an account"),
            ({"name": "bob"}, "An account has at least one role"),
            ({"name": "bob", "roles": ["administrator"], "sites": "oslo"}, "administrator of a part of the fleet"),
            ({"name": "x", "roles": ["viewer"], "way": "program"}, "There is an account x already"),
            ({"name": "bob", "roles": ["king"]}, "Nothing was done"),
            ({"roles": ["viewer"]}, "Fill this in"),
        ):
            answer = await chief.post("/people", fields)
            assert answer.status in {409, 422}, answer.words
            assert words in answer.words, answer.words
            assert "<script>alert" not in answer.text
        answer = await chief.post(
            "/people", {"name": "bob", "sites": "oslo", "tags": '"kiosk"<b>', "roles": ["viewer"]}
        )
        assert tuple(
            re.search(f'name="{name}"[^>]* value="([^"]*)"', answer.text)[1]  # type: ignore[index]
            for name in ("sites", "tags")
        ) == ("oslo", "&#34;kiosk&#34;&lt;b&gt;")
    assert company.database.person("bob") is None


async def test_all_that_an_account_may_is_changed_at_once(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], sites=["oslo"])
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        page = await chief.get("/people/bob")
        assert page.hidden("/people/bob/rights")["sites"] == "oslo"
        fields = {"roles": ["operator"], "sites": "", "tags": "kiosk", "_code": RIGHT_CODE}
        done = await chief.post("/people/bob/rights", fields)
        assert done.status == 303
        assert "is changed" in (await chief.get("/people/bob")).words
        assert "is changed" not in (await chief.get("/people/bob")).words  # once
    row = company.database.person("bob")
    assert row is not None
    assert (row.roles, row.sites, row.tags, row.disabled) == (("operator",), (), ("kiosk",), False)


async def test_an_account_is_disabled_enabled_and_removed(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"])
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        assert (await chief.post("/people/bob/disable", {"_code": RIGHT_CODE})).status == 303
        assert company.database.person("bob").disabled  # type: ignore[union-attr]
        assert "/people/bob/enable" in [
            form.get("action") for form in (await chief.get("/people/bob")).elements("form")
        ]
        assert (await chief.post("/people/bob/enable")).status == 303
        assert not company.database.person("bob").disabled  # type: ignore[union-attr]
        unsure = await chief.post("/people/bob/remove")
        assert (unsure.status, "tick that you are sure" in unsure.words) == (422, True)
        gone = await chief.post("/people/bob/remove", {"sure": "true"})
        assert (gone.status, gone.header("location")) == (303, "/people")
        assert company.database.person("bob") is None
        again = await chief.post("/people/bob/remove", {"sure": "true"})
        assert again.status in {404, 422}


async def test_a_password_is_reset_and_the_former_one_opens_nothing(company: Company) -> None:
    add_person(company.context, ROOT, "bob", roles=["viewer"], password=PASSWORD)
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        answer = await chief.post("/people/bob/password", {"_code": RIGHT_CODE})
    password = _password_on(answer)
    login(company.context, "bob", password, "", source="desk")
    with pytest.raises(Exception, match="wrong"):
        login(company.context, "bob", PASSWORD, "", source="desk")


async def test_the_last_administrator_stays(company: Company) -> None:
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        assert "last administrator" in (await chief.get("/people/ada")).words
        for address, fields in (
            ("/people/ada/rights", {"roles": ["viewer"]}),
            ("/people/ada/disable", {}),
            ("/people/ada/remove", {"sure": "true"}),
        ):
            answer = await chief.post(address, {**fields, "_code": RIGHT_CODE})
            assert answer.status == 409
            assert "is the last administrator" in answer.words
    row = company.database.person("ada")
    assert row is not None
    assert (row.roles, row.disabled) == (("administrator",), False)


# --- roles -------------------------------------------------------------------------------


async def test_the_table_of_rights_is_that_of_the_roles(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/roles")
    assert answer.status == 200
    ticks = sum(len(permissions) for permissions in ROLES.values())
    assert answer.text.count('class="state good"') == ticks
    assert {f"/people?role={role}" for role in ROLES} <= set(answer.links)
    assert "/people/eve" in answer.links


async def test_the_pages_of_people_in_japanese_are_whole(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "administrator")
        for path in ("/people", "/people/ada", "/roles"):
            answer = await browser.get(f"{path}?lang=ja")
            assert answer.status == 200
            assert len(answer.body) < 40_000
