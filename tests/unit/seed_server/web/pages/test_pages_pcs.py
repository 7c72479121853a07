"""The pages over PCs, as a browser gets them, over a real home."""

from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

import pytest

from p2pdist.shared.manifest.inventory import Inventory
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.fleet.exception_operations import add_exception
from seed_server.reporting.follow_up_operations import follow_up
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.store.rows import SeenRow
from seed_server.web.pages.pages_pcs import PCS_FORMS, PCS_PAGES
from tests.helpers.pages_client import RIGHT_CODE, Browser, PageAnswer, Site, pages_of
from tests.helpers.report_company import DAY, with_reports
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company
from tests.helpers.told_inventories import debian, tell

pytestmark = pytest.mark.trio
HOSTILE = (
    "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "a\u202eb\u2066c\x1b[31m", "{{ 7 * 7 }}", "日本語",
    "&lt;b&gt;&amp;", "x" * 4_000,
)  # fmt: skip


@pytest.fixture
async def site(company: Company) -> AsyncIterator[Site]:
    async with pages_of(with_reports(company).context, PCS_PAGES, PCS_FORMS) as found:
        yield found


def ada(site: Site) -> Browser:
    return site.browser("ada", "operator")


async def shown(browser: Browser, address: str) -> PageAnswer:
    answer = await browser.get(address)
    assert answer.status == 200, answer.words
    assert len(answer.body) < 60_000
    return answer


def rows_of(answer: PageAnswer) -> list[str]:
    """Return the PCs that a page links to, each once."""
    found = [link.removeprefix("/pcs/").partition("?")[0] for link in answer.links if link.startswith("/pcs/")]
    return list(dict.fromkeys(found))


# --- PCs ---------------------------------------------------------------------------------


async def test_all_pcs_are_there_and_pages_go_on(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    answer = await shown(browser, "/pcs")
    assert sorted(rows_of(answer)) == sorted(TESTERS + OTHERS)
    assert "10 PCs" in answer.words
    found, address = [], "/pcs?limit=3&site=osaka"
    while address:
        answer = await shown(browser, address)
        assert len(rows_of(answer)) <= 3
        found += rows_of(answer)
        following = [values["href"] for values in answer.elements("a") if values.get("rel") == "next"]
        address = following[0] if following else ""
    assert sorted(found) == sorted(TESTERS + OTHERS)


@pytest.mark.parametrize(
    ("query", "pcs"),
    [
        ("tag=test", TESTERS),
        ("begins=PC-TEST-1", TESTERS[1:2]),
        ("state=never_seen", []),
        ("not_seen_days=5", TESTERS[1:2]),
        ("patch=office&patch_state=failed", OTHERS[6:]),
        ("patch=office%401&lacking=true&tag=test", TESTERS),
        ("finding=clock", OTHERS[1:2]),
        ("finding=any", OTHERS[1:3]),
    ],
)
async def test_filters_are_in_the_address(company: Company, site: Site, query: str, pcs: list[str]) -> None:
    company.database.save_findings({OTHERS[1]: ["clock"], OTHERS[2]: ["disk"]})
    answer = await shown(site.browser("eve", "viewer"), f"/pcs?{query}")
    assert sorted(rows_of(answer)) == sorted(pcs)
    if not pcs:
        assert "No PC answers to this." in answer.words


async def test_what_cannot_be_asked_is_said_above_the_filters(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    for query, words in (
        ("site=osako", "No site 'osako' is known. Did you mean 'osaka'"),
        ("patch=ofice", "No patch 'ofice' was published here."),
        ("patch_state=failed", "Name the patch"),
        ("after=nonsense", "is no end of a page"),
    ):
        assert words in (await shown(browser, f"/pcs?{query}")).words
    for query in ("limit=201", "limit=0", "state=odd", "nothing=1", "not_seen_days=x", f"tag={'x' * 201}"):
        assert (await browser.get(f"/pcs?{query}")).status == 422, query


# --- one PC ------------------------------------------------------------------------------


async def test_a_pc_says_who_it_is_and_why_each_patch_is_not_there(company: Company, site: Site) -> None:
    company.database.save_findings({TESTERS[1]: ["clock", "of_a_newer_pc"]})
    answer = await shown(site.browser("eve", "viewer"), f"/pcs/{TESTERS[1]}")
    for words in (
        "it was not seen for days", "switch it on or wake it", "Its clock is wrong", "Set its clock", "of_a_newer_pc",
        "Run 'p2pdist doctor' on that PC", "office@1", "osaka",
    ):  # fmt: skip
        assert words in answer.words, words
    assert "/sites/osaka" in answer.links
    assert "/patches/office%401" in answer.links
    assert not [form for form in answer.elements("form") if form.get("method") == "post"], "a viewer changes nothing"


async def test_a_pc_that_is_named_by_its_host_is_found_and_one_that_is_not_there_is_not(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    assert (await shown(browser, f"/pcs/{OTHERS[0].upper()}")).elements("h1")
    answer = await browser.get("/pcs/nobody")
    assert answer.status == 404
    assert "No endpoint nobody is enrolled here" in answer.words


@pytest.mark.parametrize("part", ["now", "patches", "history", "inventory"])
async def test_each_part_of_a_pc_is_shown(site: Site, part: str) -> None:
    answer = await shown(site.browser("eve", "viewer"), f"/pcs/{OTHERS[6]}?show={part}")
    current = [values["href"] for values in answer.elements("a") if values.get("aria-current") == "page"]
    assert current == [f"/pcs/{OTHERS[6]}" if part == "now" else f"/pcs/{OTHERS[6]}?show={part}"]


async def test_what_it_did_can_be_asked_for_by_patch(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    address = f"/pcs/{OTHERS[6]}?show=history&patch="
    assert "office@1" in (await shown(browser, f"{address}office")).words
    assert "Nothing is kept of that" in (await shown(browser, f"{address}office%402")).words
    assert "office@1" in (await shown(browser, f"{address}&until=2090-01-01")).words
    answer = await shown(browser, f"{address}&until=2020-01-01")
    assert "Nothing is kept of that" in answer.words
    assert f"/pcs/{OTHERS[6]}?show=history" in answer.links, "filters can be cleared"
    assert "Clear filters" not in (await shown(browser, f"/pcs/{OTHERS[6]}?show=history")).words
    for day in ("2026-02-30", "soon"):
        assert (await browser.get(f"{address}&until={day}")).status in (400, 422), day


async def test_what_it_has_signed_is_shown_to_auditors_alone(site: Site) -> None:
    address = f"/pcs/{OTHERS[0]}?show=custody"
    auditor = await shown(site.browser("kim", "auditor"), address)
    assert "It has signed nothing of its installations yet." in auditor.words
    viewer = site.browser("eve", "viewer")
    assert (await viewer.get(address)).status == 403
    assert address not in (await shown(viewer, f"/pcs/{OTHERS[0]}")).links


async def test_a_pc_is_denied_with_a_second_factor_and_a_reason_and_allowed_again(company: Company, site: Site) -> None:
    browser, pc = ada(site), OTHERS[0]
    asked = await browser.post(f"/pcs/{pc}/deny", {"reason": "stolen"})
    assert asked.status == 200
    assert "Is it you?" in asked.words
    row = company.database.endpoint(pc)
    assert row is not None
    assert not row.denied
    done = await browser.post(f"/pcs/{pc}/deny", {"reason": "stolen", "_code": RIGHT_CODE})
    assert (done.status, done.header("location")) == (303, f"/pcs/{pc}")
    row = company.database.endpoint(pc)
    assert row is not None
    assert row.denied
    (entry,) = newest_entries(company.context, Wanted(operation="deny"), 1)
    assert (entry.entry.reason, entry.entry.subject) == ("stolen", pc)
    answer = await shown(browser, f"/pcs/{pc}")
    assert "It is denied." in answer.words
    assert f"/pcs/{pc}/allow" in [form.get("action") for form in answer.elements("form")]
    assert (await browser.post(f"/pcs/{pc}/allow", {"reason": "found"})).status == 303
    row = company.database.endpoint(pc)
    assert row is not None
    assert not row.denied


async def test_a_form_without_its_reason_comes_back_with_what_was_typed(company: Company, site: Site) -> None:
    browser = ada(site)
    site.step_up_until = company.clock.now() + 60.0
    answer = await browser.post(f"/pcs/{OTHERS[0]}/deny", {"reason": "", "keep_tokens": "true"})
    assert answer.status == 422
    assert "Fill this in." in answer.words
    boxes = [box for box in answer.elements("input") if box.get("name") == "keep_tokens"]
    assert [("checked" in box) for box in boxes] == [True]


async def test_a_pc_that_is_gone_is_forgotten_and_one_that_is_connected_is_not(company: Company, site: Site) -> None:
    browser = ada(site)
    site.step_up_until = company.clock.now() + 60.0
    row = SeenRow("osaka", "10.0.0.1", "p2pdist/1", connected=False, last_seen_at=company.clock.now())
    company.database.save_seen({OTHERS[0]: row})
    done = await browser.post(f"/pcs/{OTHERS[0]}/forget", {"reason": "scrapped"})
    assert (done.status, done.header("location")) == (303, "/pcs")
    assert company.database.endpoint(OTHERS[0]) is None
    assert f"{OTHERS[0]} is forgotten." in (await shown(browser, "/pcs")).words
    assert (await browser.get(f"/pcs/{OTHERS[0]}")).status == 404


async def test_who_looks_after_another_site_sees_the_pc_and_may_not_touch_it(company: Company, site: Site) -> None:
    browser = site.browser("lee", "operator", sites=("leeds",))
    site.step_up_until = company.clock.now() + 60.0
    answer = await shown(browser, f"/pcs/{TESTERS[1]}")
    assert not [form for form in answer.elements("form") if form.get("method") == "post"]
    for action, fields in (
        ("deny", {"reason": "x"}), ("allow", {}), ("forget", {"reason": "x"}), ("follow-up", {"state": "told"}),
    ):  # fmt: skip
        refused = await browser.post(f"/pcs/{TESTERS[1]}/{action}", fields)
        assert refused.status == 403, action
        assert "site leeds alone" in refused.words
    ticked = await browser.post("/missing/follow-up", {"row": f"{TESTERS[1]} office@1", "state": "told"})
    assert ticked.status == 403


async def test_a_follow_up_of_one_pc_is_noted_and_ended(site: Site) -> None:
    browser, pc = ada(site), TESTERS[1]
    for state, expected in (("ticket", True), ("none", False)):
        done = await browser.post(f"/pcs/{pc}/follow-up", {"state": state, "note": "IT-4711", "patch": "office@1"})
        assert (done.status, done.header("location")) == (303, f"/pcs/{pc}")
        answer = await shown(browser, f"/pcs/{pc}")
        assert "Noted for 1 patch." in answer.words
        assert ("IT-4711" in answer.words) is expected


# --- missing -----------------------------------------------------------------------------


async def test_reasons_are_counted_and_each_leads_to_its_rows(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    answer = await shown(browser, "/missing?patch=office")
    for words in ("it was not seen for days", "an exception holds it back", "the installation failed", "Sato"):
        assert words in answer.words
    assert sorted(rows_of(answer)) == sorted([*TESTERS, OTHERS[6]])
    assert "/missing?patch=office&reason=silent" in answer.links
    answer = await shown(browser, "/missing?patch=office&reason=silent")
    assert rows_of(answer) == [TESTERS[1]]
    assert "the installation failed" in answer.words, "the other reasons can still be chosen"
    assert rows_of(await shown(browser, f"/missing?owner={quote('Sato, 06-0000-0000')}&limit=1")) == [TESTERS[0]]
    assert "No site 'osako'" in (await shown(browser, "/missing?site=osako")).words
    assert (await browser.get("/missing?reason=odd")).status == 422


async def test_a_long_reason_is_cut_in_the_list_and_whole_on_the_pc(company: Company, site: Site) -> None:
    reason = f"{'long ' * 70}end"
    report = PatchReport("office", "1", "verified", 1.0, 0, 0, 0, 1.0, "", install="failed", install_reason=reason)
    company.database.save_reports({OTHERS[6]: [report]}, company.clock.wall)
    browser = site.browser("eve", "viewer")
    listed = (await shown(browser, "/missing?patch=office")).words
    assert "long…" in listed or "long …" in listed or "lon…" in listed
    assert reason not in listed
    assert reason in (await shown(browser, f"/pcs/{OTHERS[6]}")).words


async def test_all_patches_are_shown_by_how_many_lack_them(site: Site) -> None:
    answer = await shown(site.browser("eve", "viewer"), "/missing")
    assert "/missing?patch=office%401" in answer.links


async def test_many_are_ticked_and_noted_at_once(company: Company, site: Site) -> None:
    browser = ada(site)
    page = await shown(browser, "/missing?patch=office&limit=50")
    ticks = [box["value"] for box in page.elements("input") if box.get("name") == "row"]
    assert len(ticks) == 4
    fields = {
        "row": [*ticks, f"{OTHERS[0]} office@1"], "state": "visit", "note": "Monday", "back": "patch=office&limit=50",
    }  # fmt: skip
    done = await browser.post("/missing/follow-up", fields)
    assert (done.status, done.header("location")) == (303, "/missing?patch=office&limit=50")
    answer = await shown(browser, done.header("location"))
    assert "Noted for 4 PCs. 1 was passed over" in answer.words
    assert answer.words.count("Monday") == 4
    assert (await browser.post("/missing/follow-up", {"row": ticks, "state": "none"})).status == 303
    assert "Monday" not in (await shown(browser, "/missing?patch=office")).words
    assert [box["value"] for box in page.elements("input") if box.get("name") == "listed"] == ticks
    fields = {"row": ticks[:1], "listed": ticks[:3], "everything": "true", "state": "visit", "note": "Friday"}
    assert (await browser.post("/missing/follow-up", fields)).status == 303
    assert (await shown(browser, "/missing?patch=office")).words.count("Friday") == 3, "all that were listed"
    fields = {"row": ticks[3:], "listed": ticks, "state": "visit", "note": "Tuesday"}
    assert (await browser.post("/missing/follow-up", fields)).status == 303
    assert (await shown(browser, "/missing?patch=office")).words.count("Tuesday") == 1, "those that were ticked"


async def test_nothing_ticked_too_many_and_a_foreign_page_are_refused(site: Site) -> None:
    browser = ada(site)
    for fields in ({}, {"listed": f"{TESTERS[1]} office@1"}, {"everything": "true"}):
        answer = await browser.post("/missing/follow-up", {"state": "told", "note": "kept"} | fields)
        assert answer.status in (400, 422)
        assert "Tick those that are meant." in answer.words
        assert "kept" in [one.get("value") for one in answer.elements("input")]
    many = [f"pc-{number} office@1" for number in range(201)]
    assert (await browser.post("/missing/follow-up", {"row": many, "state": "told"})).status == 422
    assert (await browser.post("/missing/follow-up", {"row": many[100:200], "state": "told"})).status == 422
    assert (await browser.post("/missing/follow-up", {"row": "x", "state": "told"})).status == 422
    back = {"row": f"{TESTERS[1]} office@1", "state": "told", "back": "a=1\r\nSet-Cookie: x=1&next=//evil.example"}
    done = await browser.post("/missing/follow-up", back)
    assert done.header("location") == "/missing?a=1%0ASet-Cookie%3A+x%3D1&next=%2F%2Fevil.example"


async def test_all_of_them_are_a_file(site: Site) -> None:
    answer = await site.browser("eve", "viewer").get("/missing/file?patch=office&limit=1")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    heading, *lines = answer.text.splitlines()
    assert heading.startswith("patch,endpoint_id,hostname,site,reason")
    assert len(lines) == 4


# --- exceptions --------------------------------------------------------------------------


async def test_exceptions_are_made_renewed_and_ended(company: Company, site: Site) -> None:
    browser = ada(site)
    assert "trade" in (await shown(browser, "/exceptions")).words
    fields = {"patch": "office", "who": '"till" in tags', "until": "2027-01-30", "reason": "sale", "owner": "Shop"}
    done = await browser.post("/exceptions", fields)
    assert (done.status, done.header("location")) == (303, "/exceptions"), done.words
    answer = await shown(browser, "/exceptions")
    assert "Exception 2 holds." in answer.words
    assert "/missing?patch=office&reason=excepted" in answer.links
    again = await shown(browser, "/exceptions?again=2")
    values = {one.get("name"): one.get("value") for one in again.elements("input")}
    assert (values["who"], values["owner"], values["until"]) == ('"till" in tags', "Shop", "")
    assert (await browser.post("/exceptions/2/end")).status == 303
    answer = await shown(browser, "/exceptions")
    assert "Exception 2 has ended." in answer.words
    assert "sale" not in answer.words
    assert "sale" in (await shown(browser, "/exceptions?show=all")).words
    assert (await browser.get("/exceptions?again=99")).status == 404


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"until": "2020-01-01"}, "The last day of an exception is from"),
        ({"until": "soon"}, "is no day"),
        ({"who": "os.family ="}, "is no expression"),
        ({"who": 'installed("x")'}, "No exception can ask for"),
        ({"who": ""}, "Say which PCs, or tick that it is for every PC."),
        ({"owner": ""}, "Fill this in."),
    ],
)
async def test_what_cannot_be_held_back_is_said_with_what_was_typed(
    site: Site, changed: dict[str, str], words: str
) -> None:  # fmt: skip
    fields = {"patch": "office", "who": "true", "until": "2027-01-30", "reason": "inventory week", "owner": "Shop"}
    answer = await ada(site).post("/exceptions", fields | changed)
    assert answer.status in (422, 400)
    assert words in answer.words
    assert "inventory week" in [one.get("value") for one in answer.elements("input")]


# --- inventory ---------------------------------------------------------------------------


async def test_inventories_are_asked_and_errors_have_their_column(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    answer = await shown(browser, "/inventory")
    examples = [link for link in answer.links if link.startswith("/inventory?expression=")]
    assert len(examples) == 3
    for example in examples:
        found = await shown(browser, example)
        assert "PCs that are asked about10" in found.words
        assert not [one for one in found.elements("p") if one.get("role") == "alert"]
    answer = await shown(browser, f"/inventory?{urlencode({'expression': 'os.family = 1'})}")
    assert "This is no expression: column 11: to compare, write ==." in answer.words
    assert f"os.family = 1\n{' ' * 10}^" in answer.text
    answer = await shown(browser, f"/inventory?{urlencode({'expression': 'true', 'columns': 'bad name!'})}")
    assert "is no name of a fact or package" in answer.words


async def test_what_is_not_known_is_counted_apart(site: Site) -> None:
    browser = site.browser("eve", "viewer")
    answer = await shown(browser, "/inventory?package=openssl")
    assert "not known10 10 have told nothing" in answer.words
    asked = [link for link in answer.links if "unknown=true" in link]
    answer = await shown(browser, asked[-1])
    assert "told nothing" in answer.words
    assert sorted(rows_of(answer)) == sorted(TESTERS + OTHERS)


async def test_versions_are_counted_and_each_count_leads_to_its_pcs(company: Company, site: Site) -> None:
    now = company.clock.now()
    for pc, version in ((OTHERS[0], "3.0.16"), (OTHERS[1], "3.0.17"), (OTHERS[2], "3.0.17")):
        tell(company.database, pc, debian(openssl=version, bash="5.2"), now)
    tell(company.database, OTHERS[3], debian(told="withheld"), now)
    browser = site.browser("eve", "viewer")
    answer = await shown(browser, "/inventory?package=openssl")
    counts = [link for link in answer.links if link.startswith("/inventory?expression=") and "version" in link]
    assert [sorted(rows_of(await shown(browser, link))) for link in counts] == [OTHERS[1:3], OTHERS[:1]]
    assert "without it0 not known7" in answer.words
    assert answer.words.count("3.0.17") == 3, "the count of it, and two PCs that have it"
    among = await shown(
        browser, f"/inventory?{urlencode({'expression': 'ram_mb == 8000', 'package': 'openssl'})}&max_age_days=3"
    )
    counts = [link for link in among.links if "max_age_days=3" in link and "version" in link]
    assert [sorted(rows_of(await shown(browser, link))) for link in counts] == [OTHERS[1:3], OTHERS[:1]]
    assert all("ram_mb" in link for link in counts), "of those that the expression is true of"
    old = urlencode({"expression": 'package("openssl") < version("3.0.17")', "columns": "openssl,ram_mb"})
    answer = await shown(browser, f"/inventory?{old}")
    assert "true1" in answer.words
    assert "false2" in answer.words
    assert "6 have told nothing. 1 has its packages withheld by its administrator." in answer.words
    assert "8000" in answer.words
    answer = await shown(browser, f"/pcs/{OTHERS[0]}?show=inventory")
    for words in ("2 packages", "openssl", "3.0.16", "os.family", "debian"):
        assert words in answer.words
    answer = await shown(browser, f"/pcs/{OTHERS[0]}?show=inventory&package=SSL")
    assert "1 package" in answer.words
    assert "bash" not in answer.words
    answer = await shown(browser, f"/pcs/{OTHERS[3]}?show=inventory")
    assert "packages withheld by its administrator" in answer.words


# --- everywhere --------------------------------------------------------------------------

ADDRESSES = (
    "/pcs", f"/pcs/{OTHERS[1]}", f"/pcs/{OTHERS[1]}?show=patches", f"/pcs/{OTHERS[1]}?show=history",
    f"/pcs/{OTHERS[1]}?show=inventory", f"/pcs/{OTHERS[1]}?show=custody", "/missing", "/exceptions?show=all",
    "/inventory?expression=true&columns=hostname",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_texts_of_pcs_and_people_are_shown_as_text(company: Company, site: Site, text: str) -> None:
    database, pc = company.database, OTHERS[1]
    database.add_endpoint(pc, text, 1.0, ["x"])
    seen = SeenRow(text[:200], "10.0.0.1", text, connected=False, last_seen_at=company.clock.now(), claimed_site=text)
    database.save_seen({pc: seen})
    database.save_facts({pc: {"hostname": text[:200], "os.release": text[:200]}})
    tell(
        database,
        pc,
        Inventory({"os.release": text[:200]}, {(Ecosystem.DEB, text[:200]): text[:200]}),
        company.clock.wall,
    )
    reports = [
        PatchReport("office", "1", "verified", 1.0, 0, 0, 0, 1.0, text, install="failed", install_reason=text,
                    install_output=text)
    ]  # fmt: skip
    database.save_reports({pc: reports}, company.clock.wall)
    note = "".join(text.split())[:400] if text.isprintable() else "x"
    follow_up(company.context, ADA, pc, FollowUp.TICKET, note=note)
    clean = "".join(text.split())[:60] if text.isprintable() else "x"
    add_exception(
        company.context, ADA, who=f'hostname == "{clean}"'.replace('\\"', "") if clean.isalnum() else "true",
        until=company.clock.wall + DAY, reason=clean, owner=clean,
    )  # fmt: skip
    browser = site.browser("root", "administrator", "auditor")
    plain = {tag for tag, _ in (await browser.get("/exceptions?show=all&after=1")).read.elements}
    for address in (*ADDRESSES, f"/pcs?begins={quote(text[:200])}", f"/inventory?expression={quote(text[:900])}",
                    f"/missing?owner={quote(text[:200])}", f"/exceptions?who={quote(text[:900])}"):  # fmt: skip
        answer = await browser.get(address)
        assert answer.status in (200, 422), (address, answer.words)
        assert len(answer.body) < 120_000
        tags = [tag for tag, _ in answer.read.elements]
        assert tags.count("script") == 1, address
        assert "img" not in tags
        assert "b" not in tags
        assert not {"\u202e", "\u2066", "\x1b"} & set(answer.text)
        assert "49" not in answer.words or "{{ 7 * 7 }}" not in text
    assert "script" in plain


@pytest.mark.parametrize("address", ADDRESSES)
async def test_pages_speak_japanese(site: Site, address: str) -> None:
    browser = site.browser("root", "administrator", "auditor")
    answer = await shown(browser, f"{address}{'&' if '?' in address else '?'}lang=ja")
    assert ("html", {"lang": "ja"}) in answer.read.elements


@pytest.mark.parametrize("address", ADDRESSES)
async def test_nobody_sees_them_without_a_login(site: Site, address: str) -> None:
    assert (await site.browser().get(address)).status == 303


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (f"/pcs/{OTHERS[0]}/deny", {"reason": "x"}),
        (f"/pcs/{OTHERS[0]}/allow", {}),
        (f"/pcs/{OTHERS[0]}/forget", {"reason": "x"}),
        (f"/pcs/{OTHERS[0]}/follow-up", {"state": "told"}),
        ("/missing/follow-up", {"row": f"{TESTERS[1]} office@1", "state": "told"}),
        ("/exceptions", {"who": "true", "until": "2027-01-30", "reason": "x", "owner": "x"}),
        ("/exceptions/1/end", {}),
    ],
)
async def test_a_viewer_changes_nothing(company: Company, site: Site, address: str, fields: dict[str, str]) -> None:
    site.step_up_until = company.clock.now() + 60.0
    browser = site.browser("eve", "viewer")
    answer = await browser.post(address, fields)
    assert answer.status == 403
    assert "is missing" in answer.words
    assert not newest_entries(company.context, Wanted(actor="eve"), 1)
    for form in PCS_FORMS:
        page = (await browser.get("/exceptions")).elements("form")
        assert form.path not in [one.get("action") for one in page]
    assert {form.path for form in PCS_FORMS} == {
        "/pcs/{endpoint}/deny", "/pcs/{endpoint}/allow", "/pcs/{endpoint}/forget", "/pcs/{endpoint}/follow-up",
        "/missing/follow-up", "/exceptions", "/exceptions/{number}/end",
    }, "a row above for each"  # fmt: skip
