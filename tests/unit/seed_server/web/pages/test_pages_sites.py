"""`seed_server.web.pages.pages_sites` and `view_site`: each site's line, and what limits it."""

import msgspec
import pytest

from bandwidth.core.states import Reason
from seed_server.fleet import operations
from seed_server.fleet.sites import never_sent
from seed_server.service.plan_upkeep import PlanUpkeep
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.minute_rows import LineSlot, WatchedSlot, slot_of
from seed_server.store.rows import HarmPauseRow, SeenRow
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, Company

pytestmark = pytest.mark.trio
SLOT = slot_of(BEGIN) - 3
ROW = LineSlot(
    "osaka", SLOT, active=300.0, sent=60_000_000, allowed=3e8, cause=Reason.CEILING.value, cause_seconds=290.0,
    business=5_000_000, business_seconds=60.0, harm_seconds=2.0, queue=0.012,
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>",
    '" onload="alert(2)',
    "'><img src=x onerror=alert(3)>",
    "a\u202etxt.exe",
    "x" * 4_000,
)
PROFILE = 'name = "Nights"\ntime_zone = "Asia/Tokyo"\n[[limit]]\nname = "always"\ncap = "8 Mbit/s"\n'


@pytest.fixture
def lines(company: Company) -> Company:
    """Return a company with a busy line, a paused one, one of which nothing is known, and 60 that were never used."""
    limit = msgspec.structs.replace(
        never_sent("osaka"), at=BEGIN - 60, active=True, rate=1_000_000, capacity=2_500_000, fetchers=2,
        learned_at=BEGIN - 7_200, reason="policy ceiling: <b>office</b> hours", seconds={"policy ceiling": 90.0},
    )  # fmt: skip
    pause = HarmPauseRow("connections of others were slowed down while we sent", BEGIN - 60, BEGIN + 840, 1, 1)
    paused = msgspec.structs.replace(limit, site="kobe", harm=pause, rate=0)
    company.database.save_site_limits([limit, paused])
    company.database.add_line_minutes([ROW], [WatchedSlot(SLOT, 1, 600.0)])
    sites = "".join(f'[[site]]\nname = "site-{n:02d}"\nnetworks = ["10.{n}.0.0/16"]\n' for n in range(60))
    company.context.home.sites.write_text(sites)
    return company


async def test_each_site_has_its_line_its_limit_and_its_pcs(lines: Company) -> None:
    async with pages_of(lines.context) as site:
        answer = await site.browser("eve", "viewer").get("/sites")
    assert answer.status == 200, answer.text
    assert "62 sites" in answer.words
    for words in ("osaka", "20 Mbit/s", "learned 2 hr ago", "<b>office</b> hours", "2.0 s"):
        assert words in answer.words, words
    assert {"/sites/osaka", "/pcs?site=osaka"} <= set(answer.links)
    assert "<b>office" not in answer.text


async def test_pages_follow_on_each_other_and_filters_stand_in_the_address(lines: Company) -> None:
    async with pages_of(lines.context) as site:
        browser = site.browser("eve", "viewer")
        first = await browser.get("/sites?sort=name&q=site-")
        (following,) = [link for link in first.links if "after=" in link]
        second = await browser.get(following)
        assert "site-49" in first.words
        assert "site-50" not in first.words
        assert "site-50" in second.words
        assert "This is the last page." in second.words
        never = await browser.get("/sites?state=never&limit=1")
        assert "60 sites" in never.words
        nowhere = await browser.get("/sites?q=nowhere")
        assert "No site is like that." in nowhere.words
        lost = await browser.get("/sites?after=nowhere")
        assert lost.status == 422
        assert (await browser.get("/sites?sort=size")).status == 422


async def test_one_site_says_what_limits_it_and_what_its_line_did(lines: Company) -> None:
    async with pages_of(lines.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/sites/osaka")
        assert answer.status == 200, answer.text
        for words in ("The server does not run", "60 MB sent; business suffered for 2.0 s", "policy ceiling"):
            assert words in answer.words, words
        assert "/pcs?site=osaka&state=away" in answer.links
        week = await browser.get("/sites/osaka?span=week")
        assert week.status == 200
        assert len(answer.body) < 41_000
        assert (await browser.get("/sites/osako")).status == 404
        assert (await browser.get("/sites/osaka?show=all")).status == 422


async def test_its_profile_is_drawn_with_now(lines: Company, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with pages_of(lines.context) as site:
        browser = site.browser("eve", "viewer")
        none = await browser.get("/sites/osaka?show=profile")
        assert "This site has no throttle profile" in none.words
        file = tmp_path_factory.mktemp("profile") / "nights.toml"
        file.write_text(PROFILE)
        operations.set_profile(lines.context, ADA, "osaka", file, OfflineKeys(lines.context.home.offline_keys, None))
        answer = await browser.get("/sites/osaka?show=profile")
    assert answer.status == 200, answer.text
    assert "In force: Nights. It lets 8 Mbit/s go now, by absolute cap “always”." in answer.words
    assert "Fri 15 Jan" in answer.words, "the figures of its picture"
    assert len(answer.body) < 41_000


async def test_plans_stand_beside_what_became_of_them(lines: Company) -> None:
    lines.start()
    PlanUpkeep(lines.context, lines.database).look()
    async with pages_of(lines.context) as site:
        answer = await site.browser("eve", "viewer").get("/sites/osaka?show=plans")
        assert answer.status == 200, answer.text
        assert "1: office@1" in answer.words
        assert "not yet" in answer.words
        other = await site.browser("eve").get("/sites/kobe?show=plans")
    assert "No rollout that goes on has a plan for this site." in other.words


async def test_findings_say_who_can_mend_them(lines: Company) -> None:
    lines.clock.wall = BEGIN + 30 * 86_400.0
    lines.seen(["pc-0"], connected=False)
    lines.clock.wall += 60 * 86_400.0
    async with pages_of(lines.context) as site:
        answer = await site.browser("eve", "viewer").get("/sites/osaka?show=findings")
    assert answer.status == 200, answer.text
    assert "site-line" in answer.words
    assert "PCs are not asked who is beside them." in answer.words or "Its PCs see none" in answer.words


@pytest.mark.parametrize("name", ["auto-10.0.0.0/24", "ａ 大阪", "x" * 64])
async def test_a_site_of_any_name_has_a_page(company: Company, name: str) -> None:
    company.database.save_site_limits([msgspec.structs.replace(never_sent(name), at=BEGIN, reason="learning the line")])
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        listed = await browser.get("/sites")
        (address,) = [link for link in listed.links if link.startswith("/sites/") and "osaka" not in link]
        answer = await browser.get(address)
    assert answer.status == 200, answer.text
    assert name in answer.words


async def test_whoever_is_not_signed_in_is_sent_to_log_in(lines: Company) -> None:
    async with pages_of(lines.context) as site:
        for address in ("/", "/sites", "/sites/osaka"):
            assert (await site.browser().get(address)).status == 303


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_pcs_and_rules_are_called_is_text_on_every_part_of_a_site(lines: Company, text: str) -> None:
    claiming = SeenRow("osaka", "10.0.0.1", text, connected=True, last_seen_at=BEGIN, claimed_site=text)
    lines.database.save_seen({OTHERS[0]: claiming})
    lines.database.save_facts({OTHERS[0]: {"hostname": text[:200]}})
    lines.database.save_refusals({OTHERS[0]: text})
    pause = HarmPauseRow(text, BEGIN - 60, BEGIN + 840, 1, 1)
    limit = msgspec.structs.replace(never_sent("osaka"), at=BEGIN, reason=text, seconds={text: 90.0}, harm=pause)
    lines.database.save_site_limits([limit])
    async with pages_of(lines.context) as site:
        browser, said = site.browser("eve", "viewer"), list[str]()
        for address in ("/sites", "/sites/osaka", *(f"/sites/osaka?show={show}" for show in ("profile", "plans", "findings"))):  # fmt: skip  # noqa: E501
            answer = await browser.get(address)
            assert answer.status == 200, (address, answer.words)
            assert not [values for _, values in answer.read.elements if any(name.startswith("on") for name in values)]
            assert not [values for tag, values in answer.read.elements if tag == "img" and values.get("src") == "x"]
            assert "\u202e" not in answer.text
            assert "<script>alert" not in answer.text
            said.append(answer.words)
    assert sum(text.replace("\u202e", "")[1:20] in words for words in said) >= 3, "or nothing was tested"
