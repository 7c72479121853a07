"""`seed_server.web.pages.pages_profiles`, with `view_profile` and `profile_words`: as network admins use the pages."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from bandwidth.profiles.shipped import shipped_text
from seed_server.fleet import operations
from seed_server.fleet.queries import read_prepared
from seed_server.signing.bundle import encode_bundle
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow
from seed_server.web.pages.pages_profiles import MAX_PROFILE_FORM_BYTES, PROFILES_FORMS, PROFILES_PAGES, address_of
from seed_server.web.pages.profile_look import MAX_PROFILE_CHARS
from tests.helpers.pages_client import Browser, PageAnswer, pages_of
from tests.helpers.rollout_company import ADA, BEGIN, Company

OFFICE = 'name = "office hours"\ntime_zone = "Asia/Tokyo"\n[[window]]\nname = "day"\nfrom = "08:00"\nto = "18:00"\n'
TEXT = f'{OFFICE}cap = "4 Mbit/s"\n'
STOPPED = 'name = "shut"\ntime_zone = "UTC"\n[[stop]]\nname = "fire"\n'
BUTTONS = ("look", "simulate", "file", "prepare")
HOSTILE = "<script>alert(1)</script>\"'\u202e\x1b[31m"


@pytest.fixture
def network(company: Company, tmp_path: Path) -> Company:
    """Return a company with three sites: one has a profile, one is stopped, and one has none."""
    for number, site in enumerate(["leeds", "auto-10.0.0.0/24"]):
        company.database.save_seen({f"pc-{number}": SeenRow(site, "10.0.0.1", "p2pdist/1", True, BEGIN)})
    for site, text in (("osaka", TEXT), ("auto-10.0.0.0/24", STOPPED)):
        (tmp_path / "own.toml").write_text(text)
        keys = OfflineKeys(company.context.home.offline_keys, None)
        operations.set_profile(company.context, ADA, site, tmp_path / "own.toml", keys)
    return company


def rows(answer: PageAnswer) -> str:
    return answer.words.partition("Line")[2]


def picture(answer: PageAnswer, number: int = 0) -> list[str]:
    """Return the words of a picture of the page."""
    address = answer.elements("img")[number]["src"]
    svg = unquote(address.removeprefix("data:image/svg+xml,"))
    return list(ET.fromstring(svg).itertext())


async def send(browser: Browser, button: str, text: str, site: str = "osaka", **typed: object) -> PageAnswer:
    return await browser.post(address_of(site, button), {"text": text, **typed})


# --- the list ----------------------------------------------------------------------------


async def test_the_list_says_what_each_site_may_have_now_and_why(network: Company) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/profiles")
        assert "2 of 3 sites have a throttle profile" in answer.words
        assert "osaka office hours 4 Mbit/s window “day”" in answer.words  # 17:00 in Japan
        assert "auto-10.0.0.0/24 shut ✖ stopped emergency stop “fire”" in answer.words
        assert "leeds none as its line allows there is no profile" in answer.words
        assert {"/profiles/osaka", "/profiles/auto-10.0.0.0%2F24"} < set(answer.links)
        network.clock.wall += 2 * 3_600
        assert "osaka office hours as its line allows no rule" in (await browser.get("/profiles")).words


@pytest.mark.parametrize(
    ("query", "sites"),
    [
        ("having=profile", {"osaka", "auto"}),
        ("having=none", {"leeds"}),
        ("having=stopped", {"auto"}),
        ("site=LEE&profile=&having=", {"leeds"}),
        ("profile=hours", {"osaka"}),
        ("site=nowhere", set()),
        ("limit=1", {"auto"}),
        ("limit=1&after=leeds", {"osaka"}),
    ],
)
async def test_sites_are_chosen_by_the_address(network: Company, query: str, sites: set[str]) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("eve", "viewer").get(f"/profiles?{query}")
    assert answer.status == 200
    listed = {link.removeprefix("/profiles/").split("-")[0] for link in answer.links if link.startswith("/profiles/")}
    assert listed == sites


async def test_a_profile_is_read_once_as_long_as_it_is_the_same(
    network: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seed_server.fleet import profile_queries

    first = profile_queries.read_profiles_in_force(network.context)
    again = profile_queries.read_profiles_in_force(network.context)
    assert all(again[site] is first[site] for site in first)
    (tmp_path / "new.toml").write_text(TEXT.replace("office hours", "other"))
    operations.set_profile(
        network.context, ADA, "osaka", tmp_path / "new.toml", OfflineKeys(network.context.home.offline_keys, None)
    )
    operations.clear_profile(
        network.context, ADA, "auto-10.0.0.0/24", OfflineKeys(network.context.home.offline_keys, None)
    )
    changed = profile_queries.read_profiles_in_force(network.context)
    assert {site: one.rules.name for site, one in changed.items()} == {"osaka": "other"}


# --- the editor --------------------------------------------------------------------------


async def test_the_editor_begins_with_what_is_in_force(network: Company) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("nora", "network-admin").get("/profiles/osaka")
    assert answer.status == 200
    assert 'cap = "4 Mbit/s"' in answer.words.replace("\n", " ")
    assert "In force: office hours. It lets 4 Mbit/s go now, by window “day”." in answer.words
    assert "Nothing to change." in answer.words
    told = picture(answer)
    assert "office hours: osaka" in told
    assert "now 17:00" in told
    assert "Asia/Tokyo. Nothing is known of the line: 100 Mbit/s is assumed." in told
    assert "Fri 15 Jan 08:00–18:00: 4 Mbit/s (window “day”)" in told
    assert (
        "Fri 15 Jan 00:00–08:00 no limit (no rule: what the line gives); 08:00–18:00 4 Mbit/s (window “day”)"
        in answer.words
    )  # its figures, as a table


@pytest.mark.parametrize("start", ["office-hours", "gentle", "overnight"])
async def test_the_editor_begins_with_a_shipped_profile(network: Company, start: str) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("nora", "network-admin").get(f"/profiles/leeds?start={start}")
    assert " ".join(shipped_text(start).split()) in answer.words
    assert "The profile would be added." in answer.words


async def test_a_site_without_a_profile_begins_with_one_that_is_good(network: Company) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("nora", "network-admin").get("/profiles/leeds")
    assert "No profile is in force here" in answer.words
    assert "✔ It can be used" in answer.words


async def test_what_is_typed_is_drawn_and_held_to_what_is_in_force(network: Company) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin")
        typed = TEXT.replace("4 Mbit/s", "2 Mbit/s").replace("office hours", "quiet")
        answer = await send(browser, "look", typed, at="2027-01-16T07:59", line="10 Mbit/s")
    assert answer.status == 200
    assert "2 Mbit/s window “day”, 2027-01-15 17:00 JST" in answer.words
    assert "2027-01-16 07:59 JST as its line allows" in answer.words
    assert 'The profile would be changed. name: "office hours" → "quiet"' in answer.words
    assert '- name = "office hours" + name = "quiet"' in answer.words
    assert "Asia/Tokyo. Line: 10 Mbit/s." in picture(answer)
    assert "Fri 15 Jan 08:00–18:00: 2 Mbit/s (window “day”)" in picture(answer)
    [area] = answer.elements("textarea")
    assert area["name"] == "text"
    assert "quiet" in answer.words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{OFFICE}\n  cpa = "1 B/s"\n', "Line 8, column 3: unknown key 'cpa' in [[window]]; the nearest valid key is"),
        (f"{OFFICE}cap = 20\n", "Line 7, column 1: cap: 20 is not a rate"),
        ("name = \n", "Line 1, column 8: not valid TOML"),
        (f'{TEXT}[[site]]\nname = "osaaka"\n', "has no [[site]] 'osaka'; the nearest is 'osaaka'"),
        ("", "the profile needs the key 'name'"),
    ],
)
async def test_a_fault_is_told_at_its_line_and_column(network: Company, text: str, words: str) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin")
        for button in BUTTONS:
            answer = await send(browser, button, text)
            if not text and answer.status == 422:  # the form itself says it
                continue
            assert words in answer.words, button
            assert not answer.elements("img")
            assert "Nothing to draw" in answer.words
            assert ("<mark>cpa</mark>" in answer.text) is ("cpa" in text)
    assert not read_prepared(network.context)


async def test_a_text_that_a_pc_or_person_could_make_hostile_is_shown_as_text(network: Company) -> None:
    hostile = HOSTILE.replace('"', "").replace("\x1b", "")
    text = f'name = "{hostile}"\ntime_zone = "UTC"\n[[window]]\nname = "{hostile}"\nto = "18:00"\ncap = "1 Mbit/s"\n'
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin")
        for typed in (text, f"# {HOSTILE}\nname =", HOSTILE * 60, f"{HOSTILE}\n" * 500):
            answer = await send(browser, "look", typed, at=HOSTILE[:40], line=HOSTILE[:40])
            assert answer.status == 200
            assert "<script>" not in answer.text.replace("<script src=", "")
            assert "\u202e" not in answer.text
            assert "\x1b" not in answer.text
            assert len(answer.text) < 200_000
        drawn = await send(browser, "look", text.replace("\u202e", ""))
        assert "<script>alert(1)</script>'[31m: osaka" in picture(drawn)


async def test_too_many_rules_are_not_drawn(network: Company) -> None:
    rules = "".join(
        f'[[window]]\nfrom = "{n % 24:02}:{n // 24:02}"\nto = "{n % 24:02}:{n // 24 + 1:02}"\ncap = "1 B/s"\n'
        for n in range(400)
    )
    async with pages_of(network.context) as site:
        answer = await send(site.browser("nora", "network-admin"), "look", f'name = "p"\ntime_zone = "UTC"\n{rules}')
    assert "The profile has 400 rules for this site, which are too many to be drawn here" in answer.words
    assert not answer.elements("img")


@pytest.mark.parametrize(("length", "status"), [(MAX_PROFILE_CHARS, 200), (MAX_PROFILE_CHARS + 1, 422)])
async def test_the_longest_text_and_one_over(network: Company, length: int, status: int) -> None:
    text = f"{TEXT}{'#' * (length - len(TEXT))}"
    async with pages_of(network.context) as site:
        answer = await send(site.browser("nora", "network-admin"), "look", text)
        assert answer.status == status
        assert len("名" * MAX_PROFILE_CHARS) * 9 < MAX_PROFILE_FORM_BYTES
        answer = await send(site.browser("nora"), "look", "名" * MAX_PROFILE_CHARS)
        assert answer.status == 200
        assert "not valid TOML" in answer.words


# --- what becomes of it ------------------------------------------------------------------


async def test_the_file_is_what_was_typed(network: Company) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin")
        answer = await send(browser, "file", TEXT, "auto-10.0.0.0/24")
        assert answer.header("content-disposition") == 'attachment; filename="auto-10.0.0.0-24.toml"'
        assert answer.body == TEXT.encode()
        page = await browser.get(address_of("auto-10.0.0.0/24"))
    assert "seed-server profile set auto-10.0.0.0/24 auto-10.0.0.0-24.toml" in page.words


async def test_what_is_prepared_waits_for_its_signature(network: Company, tmp_path: Path) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin", sites=("osaka",))
        answer = await send(browser, "prepare", TEXT.replace("4 Mbit", "3 Mbit"))
        assert answer.status == 303
        assert answer.header("location") == "/profiles/osaka"
        page = await browser.get("/profiles/osaka")
        [waiting] = read_prepared(network.context)
        assert f"Prepared as {waiting.bundle.bundle_id}" in page.words
        assert f"seed-server finish {waiting.bundle.bundle_id}.bundle" in page.words
        answer = await browser.get(f"/profiles/bundles/{waiting.bundle.bundle_id}")
        assert answer.body == encode_bundle(waiting.bundle)
        assert (await browser.get("/profiles/bundles/none")).status == 404
        assert "Waits for signatures" not in (await browser.get("/profiles/leeds")).words
    assert waiting.bundle.purpose == "change the profiles of osaka"


async def test_the_scope_bounds_whose_profile_is_prepared(network: Company) -> None:
    async with pages_of(network.context) as site:
        answer = await send(site.browser("nora", "network-admin", sites=("leeds",)), "prepare", TEXT)
        assert answer.status == 403
        assert "for site leeds alone" in answer.words
    assert not read_prepared(network.context)


async def test_a_viewer_looks_draws_and_downloads_but_prepares_nothing(network: Company) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/profiles/osaka")
        assert "Prepare it for signing" not in page.words
        assert (await send(browser, "look", TEXT)).status == 200
        assert (await send(browser, "file", TEXT)).status == 200
        answer = await send(browser, "prepare", TEXT)
        assert answer.status == 403
        assert "the right 'profiles' is missing" in answer.words
        for page_row in PROFILES_PAGES:
            assert (await site.browser().get(page_row.path)).status in {303, 404}
        for form in PROFILES_FORMS:
            answer = await site.browser().post(form.path.replace("{name}", "osaka"), {"text": TEXT})
            assert answer.status == 303
            assert answer.header("location").startswith("/login?")
            assert (await browser.post(form.path.replace("{name}", "osaka"), {"text": TEXT}, csrf="x")).status == 403
    assert not read_prepared(network.context)


@pytest.mark.parametrize("name", ["no%20site", "x" * 65, "-", "%00", "a%22b"])
async def test_what_is_no_site_has_no_editor(network: Company, name: str) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("eve", "viewer").get(f"/profiles/{name}")
    assert answer.status in {404, 422}


async def test_a_site_that_nobody_has_seen_says_so(network: Company) -> None:
    async with pages_of(network.context) as site:
        answer = await site.browser("eve", "viewer").get("/profiles/osakka")
    assert answer.status == 200
    assert "No site 'osakka' is known" in answer.words


# --- the simulation ----------------------------------------------------------------------


@pytest.mark.processes
async def test_a_simulation_stands_beside_the_text(network: Company) -> None:
    async with pages_of(network.context) as site:
        browser = site.browser("nora", "network-admin")
        values: dict[str, Any] = {"scenario": "download", "seconds": "20", "file_gb": "0.5", "line": "10 Mbit/s"}
        answer = await send(browser, "simulate", TEXT, at="2027-01-15T10:00", **values)
        assert "Business keeps" in answer.words
        assert "2027-01-15 10:00" in answer.words
        assert "download: " in answer.words
        assert len(picture(answer, 1)) > 20
        answer = await send(browser, "simulate", TEXT, at="2027-01-15T10:00", line="10 kbit/s")
        assert "cannot be simulated" in answer.words
        answer = await send(browser, "simulate", TEXT, at="no time")
        assert "is not a date and time" in answer.words
        for wrong in ({"seconds": "121"}, {"seconds": "19"}, {"scenario": "other"}, {"file_gb": "nan"}):
            assert (await send(browser, "simulate", TEXT, **wrong)).status == 422
