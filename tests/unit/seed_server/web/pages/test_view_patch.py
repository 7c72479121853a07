"""`seed_server.web.pages.view_patch`: the page of one patch, its parts, and what its forms do."""

from pathlib import Path

import pytest

from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet import operations, rollout_operations, taking_back
from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.fleet.rollout import RolloutState
from tests.helpers.pages_client import RIGHT_CODE, pages_of
from tests.helpers.rollout_company import ADA, OTHERS, TEMPLATE, TESTERS, Company
from tests.helpers.weak_company import FIRST, import_kev, publish

pytestmark = pytest.mark.trio


async def test_states_have_their_age_and_lead_to_their_pcs(reported: Company) -> None:
    async with pages_of(reported.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches/office")
    assert answer.status == 200, answer.text
    assert "5 of 9 PCs have it" in answer.words
    assert "/patches/office@1?part=pcs&state=fetching" in answer.links
    assert "/missing?patch=office%401" in answer.links
    assert "10 days ago" in answer.words or "9 days ago" in answer.words
    assert "Start a rollout" not in answer.words, "a viewer is shown no form"
    assert [one["action"] for one in answer.elements("form") if one.get("method") == "post"] == ["/logout"]


async def test_the_pcs_behind_a_number_have_their_state_reason_and_age(reported: Company) -> None:
    async with pages_of(reported.context) as site:
        browser = site.browser("eve", "viewer")
        failed = await browser.get("/patches/office@1?part=pcs&state=failed")
        assert failed.status == 200, failed.text
        assert "1 PC " in failed.words
        assert f"/pcs/{OTHERS[6]}" in failed.links
        assert f"/pcs/{OTHERS[0]}" not in failed.links
        assert "2 days ago" in failed.words
        every = await browser.get("/patches/office@1?part=pcs&limit=4")
        (following,) = [one["href"] for one in every.elements("a") if one.get("rel") == "next"]
        seen = {link for page in (every, await browser.get(following)) for link in page.links if link[:5] == "/pcs/"}
        assert len(seen) == 8
        assert "No PC answers to this." in (await browser.get("/patches/office@1?part=pcs&reason=xyz")).words
        assert "No site 'nowhere' is known." in (await browser.get("/patches/office@1?part=pcs&site=nowhere")).words
        assert (await browser.get("/patches/office@1?part=pcs&state=wrong")).status == 422
        assert "is no end of a page" in (await browser.get("/patches/office@1?part=pcs&after=x")).words


async def test_a_reason_leads_to_those_who_give_it(company: Company) -> None:
    begin = 'the installer ended with exit code 1603 <i>&</i> "x"'
    reason = f"{begin}\u202eevil"
    for name, why in ((TESTERS[0], reason), (TESTERS[1], "the disk is full")):
        report = PatchReport(
            patch_id="office", version="1", state="failed", progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
            seconds=1.0, bytes_wasted=0, error=why, install="",
        )  # fmt: skip
        company.database.save_reports({name: [report]}, company.clock.now())
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/patches/office@1")
        led = [link for link in page.links if "reason=" in link and "1603" in link]
        assert len(led) == 1
        behind = await browser.get(led[0])
        assert f"/pcs/{TESTERS[0]}" in behind.links
        assert f"/pcs/{TESTERS[1]}" not in behind.links
        assert f"{begin}?evil" in behind.words
        assert "<i>" not in behind.text


async def test_a_plan_is_a_file_too(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        page = await browser.get("/patches/office@1?part=plan&template=rings")
        assert "/patches/office@1/plan.csv?template=rings" in page.links
        file = await browser.get("/patches/office@1/plan.csv?template=rings")
        assert (file.status, file.header("content-type")) == (200, "text/csv; charset=utf-8")
        assert file.text.splitlines()[0].startswith("site,pcs,pcs_away,")
        assert file.text.splitlines()[1].startswith("osaka,10,")
        assert (await browser.get("/patches/office@1/plan.csv?template=x")).status == 422
        assert (await browser.get("/patches/nothing@1/plan.csv")).status == 404


@pytest.mark.parametrize("part", ["pcs", "priority", "plan", "files", "start"])
async def test_each_part_is_there_in_both_languages(company: Company, part: str) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        for language in ("en", "ja"):
            answer = await browser.get(f"/patches/office@1?part={part}&lang={language}")
            assert answer.status == 200, answer.text
            assert len(answer.body) < 60_000


async def test_why_it_is_urgent_is_told_with_its_sources(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST)
    import_kev(company, tmp_path, FIRST)
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches/acme?part=priority")
    assert f"{FIRST} is exploited since" in answer.words
    assert "KEV" in answer.words
    assert "Place in the table" in answer.words


async def test_a_patch_that_is_not_there_is_not_found(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get("/patches/nothing@1")).status == 404
        assert (await browser.get("/patches/office@1?part=nothing")).status == 422
        assert (await browser.get("/patches/office@1?part=plan&template=/etc/passwd")).status == 422


async def test_a_rollout_is_started_by_a_template(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST, offered=False)
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        page = await browser.get("/patches/acme@1?part=start&template=emergency")
        assert "So many people besides you have to approve it: 1." in page.words
        assert page.hidden("/patches/acme@1/start")["template"] == "emergency"
        done = await browser.post("/patches/acme@1/start", {"template": "emergency", "_query": "part=start"})
        assert (done.status, done.header("location")) == (303, "/rollouts/1")
        after = await browser.get("/rollouts/1")
        assert "Rollout 1 of acme@1 has begun." in after.words
        assert "Before ring first opens, somebody else has to approve it (1 in all)" in after.words
        again = await browser.post("/patches/acme@1/start", {"template": "emergency", "_query": "part=start"})
        assert again.status == 409
        assert "Abort it before you start another one." in again.words
    (entry,) = newest_entries(company.context, Wanted(operation="start rollout"), 1)
    assert entry.entry.actor == "ada"


async def test_a_file_of_the_server_is_no_template(company: Company, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "x"')
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        answer = await browser.post("/patches/office@1/start", {"template": str(tmp_path / "mine.toml")})
    assert answer.status == 422
    assert "There is no template" in answer.words
    assert company.database.rollouts() == []


async def test_a_template_that_the_settings_name_starts_by_its_form(company: Company, tmp_path: Path) -> None:
    rings = tmp_path / "ours.toml"
    rings.write_text('title = "Ours"\n[[ring]]\nname = "all"\nsoak = "1h"\nsuccess = 50\nfailure = 20\n')
    settings = company.context.home.settings
    settings.write_text(f'rollout_template = "{rings}"\n' + settings.read_text().replace("rollout_template", "# it"))
    publish(company, tmp_path, "acme", FIRST, offered=False)
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        form = (await browser.get("/patches/acme@1?part=start")).hidden("/patches/acme@1/start")
        done = await browser.post("/patches/acme@1/start", {"template": form["template"], "_query": "part=start"})
    assert (done.status, done.header("location")) == (303, "/rollouts/1"), done.words
    assert company.rollout().row.template == "ours"


async def test_a_withdrawal_asks_for_a_second_factor_and_a_reason(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        asked = await browser.post("/patches/office@1/withdraw", {"reason": "crashes"})
        assert "Is it you?" in asked.words
        assert "office@1" in {str(one.ref) for one in company.repository.offered().entries}
        kept = asked.hidden("/patches/office@1/withdraw")
        done = await browser.post("/patches/office@1/withdraw", {"reason": kept["reason"], "_code": RIGHT_CODE})
        assert (done.status, done.header("location")) == (303, "/patches/office@1")
        after = await browser.get("/patches/office@1")
        assert "office@1 is withdrawn: crashes" in after.words
        none = await browser.post("/patches/office@1/withdraw", {"reason": ""})
        assert none.status == 422
        back = await browser.post("/patches/office@1/offer")
        assert back.status == 303
        assert "office@1 is offered to every PC again." in (await browser.get("/patches/office@1")).words


async def test_at_one_site_it_is_withdrawn_and_offered_again(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        site.step_up_until = 9e9
        done = await browser.post("/patches/office@1/withdraw-at-site", {"site": "osaka", "reason": "no printing"})
        assert done.status == 303
        page = await browser.get("/patches/office@1")
        assert "It is withdrawn at osaka." in page.words
        assert "no printing" in page.words
        wrong = await browser.post("/patches/office@1/withdraw-at-site", {"site": "nowhere", "reason": "x"})
        assert wrong.status == 422
        assert "No PC of site nowhere is known here." in wrong.words
        assert (await browser.post("/patches/office@1/offer-at-site", {"site": "osaka"})).status == 303
    assert taking_back.read_site_withdrawals(company.context) == {}


@pytest.mark.parametrize("does", ["start", "withdraw", "withdraw-at-site", "offer", "offer-at-site"])
async def test_a_viewer_changes_nothing(company: Company, does: str) -> None:
    fields = {"reason": "x", "template": "rings", "site": "osaka"}
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        site.step_up_until = 9e9
        wanted = {"start": ("template",), "withdraw": ("reason",), "withdraw-at-site": ("site", "reason"),
                  "offer": (), "offer-at-site": ("site",)}[does]  # fmt: skip
        answer = await browser.post(f"/patches/office@1/{does}", {name: fields[name] for name in wanted})
    assert answer.status == 403
    assert "is missing" in answer.words
    assert company.database.rollouts() == []


async def test_whose_scope_is_less_than_the_rings_starts_none(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator", sites=("osaka",))
        answer = await browser.post("/patches/office@1/start", {"template": "rings"})
    assert answer.status == 403
    assert "this reaches further" in answer.words


async def test_what_stands_in_a_reason_is_shown_as_text(company: Company) -> None:
    operations.withdraw(company.context, ADA, "office", '<b onmouseover="x">"&')
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches/office@1")
    assert '<b onmouseover="x">"&' in answer.words
    assert "<b " not in answer.text


async def test_a_reason_that_is_too_long_is_given_back_as_typed(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        site.step_up_until = 9e9
        answer = await browser.post("/patches/office@1/withdraw", {"reason": "x" * 4_000})
        assert answer.status == 422
        assert "x" * 4_000 in [one.get("value") for one in answer.elements("input")]
        second = await browser.post("/patches/office@1/withdraw", {"reason": "y" * 300})
        assert "A reason has at most 200 printable characters" in second.words


async def test_a_rollout_of_it_is_led_to(company: Company) -> None:
    rollout_operations.start_rollout(company.context, ADA, "office", TEMPLATE)
    rollout_operations.halt_rollout(company.context, ADA, 1, "it <em>broke</em>")
    assert company.rollout().progress.state is RolloutState.HALTED
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/patches/office@1")
    assert "/rollouts/1" in answer.links
    assert "it <em>broke</em>" in answer.words
