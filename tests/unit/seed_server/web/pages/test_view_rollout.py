"""`seed_server.web.pages.view_rollout`: one rollout as it stands, and what its forms do."""

from typing import Any

import pytest

from seed_server.fleet import rollout_operations
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.web.pages.pages_rollouts import ROLLOUT_FORMS, ROLLOUT_PAGES
from tests.helpers.pages_client import RIGHT_CODE, pages_of
from tests.helpers.rollout_company import ADA, BOB, OTHERS, TESTERS, Company

pytestmark = pytest.mark.trio
FORMS = ("approve", "pause", "resume", "halt", "abort", "withdraw-from-ring")


def opened(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "verified", TESTERS[1]: "failed"})


async def test_why_it_waits_and_how_far_the_gate_is(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/rollouts/1")
    assert page.status == 200, page.text
    assert "Ring test is open since" in page.words
    assert "Before ring all opens" in page.words
    assert "2 of 3" in page.words, "PCs that decided"
    assert "at least 90%" in page.words
    assert "more than 20%, and 1 or more, halt it" in page.words
    assert "1 h" in page.words, "what is left of the soak"
    assert "Local users of the server's machine could, too." in page.words
    assert "The audit log says more" in page.words
    assert "/patches/office@1" in page.links


async def test_each_number_leads_to_its_pcs(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/rollouts/1")
    for address in ("ring=test&which=done", "ring=test&which=failed", "ring=test&which=waiting", "ring=all&which=done"):
        assert f"/rollouts/1/pcs?{address}" in page.links


async def test_what_comes_later_has_its_place_in_an_open_page(company: Company) -> None:
    """The script puts parts in place of those that are there: none may come or go with the rollout's state."""
    company.start()
    names = []
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        for step in range(3):
            page = await browser.get("/rollouts/1")
            parts = [one["data-part"] for tag in ("section", "div") for one in page.elements(tag) if "data-part" in one]
            names.append(parts)
            if step == 0:
                company.look(0.0)
            elif step == 1:
                rollout_operations.abort_rollout(company.context, ADA, 1, "wrong")
    assert names[0] == names[1] == names[2]


async def test_it_is_live(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/rollouts/1")
    (body,) = page.elements("body")
    assert {"rollout", "progress"} <= set(body["data-live"].split())
    parts = [one["data-part"] for tag in ("section", "div") for one in page.elements(tag) if "data-part" in one]
    assert len(parts) == len(set(parts)) >= 5


async def test_who_approved_and_what_was_done_is_told_to_an_auditor(company: Company) -> None:
    opened(company)
    approve_rollout(company.context, BOB, 1)
    async with pages_of(company.context) as site:
        page = await site.browser("tom", "auditor").get("/rollouts/1")
    assert "local:bob, " in page.words
    assert "approve rollout · local:bob" in page.words
    assert any(link.startswith("/audit/") for link in page.links)


async def test_it_is_paused_resumed_halted_and_ended(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")

        async def send(does: str, fields: dict[str, Any], said: str) -> RolloutState:
            answer = await browser.post(f"/rollouts/1/{does}", fields)
            assert (answer.status, answer.header("location")) == (303, "/rollouts/1"), answer.words
            page = await browser.get("/rollouts/1")
            assert said in page.words
            return company.rollout().progress.state

        assert await send("pause", {"reason": "<i>wait</i>"}, "It is paused since") is RolloutState.PAUSED
        page = await browser.get("/rollouts/1")
        assert "<i>wait</i>" in page.words
        assert "/rollouts/1/pause" not in [one.get("action") for one in page.elements("form")]
        assert await send("resume", {}, "running") is RolloutState.RUNNING
        asked = await browser.post("/rollouts/1/halt", {"reason": "stop"})
        assert "Is it you?" in asked.words
        assert company.rollout().progress.state is RolloutState.RUNNING
        assert await send("halt", {"reason": "stop", "_code": RIGHT_CODE}, "It was halted at") is RolloutState.HALTED
        assert await send("abort", {"reason": "for good"}, "It was aborted at") is RolloutState.ABORTED
        refused = await browser.post("/rollouts/1/pause", {"reason": "x"})
        assert refused.status == 409
        assert "Rollout 1 is aborted, so this cannot be done." in refused.words


async def test_it_is_withdrawn_from_a_ring(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        browser = site.browser("ada", "operator")
        site.step_up_until = 9e9
        done = await browser.post("/rollouts/1/withdraw-from-ring", {"ring": "test", "reason": "no printing"})
        assert done.status == 303
        assert "It is withdrawn from these rings: test." in (await browser.get("/rollouts/1")).words
        wrong = await browser.post("/rollouts/1/withdraw-from-ring", {"ring": "nothing", "reason": "x"})
        assert wrong.status == 422


async def test_some_of_its_rings_are_approved(company: Company) -> None:
    opened(company)
    async with pages_of(company.context) as site:
        ben = site.browser("ben", "approver")
        site.step_up_until = 9e9
        page = await ben.get("/rollouts/1")
        assert "Ring all has 0 of 1 approvals." in page.words
        done = await ben.post("/rollouts/1/approve", {"rings": "1"})
        assert done.status == 303
        assert "You have approved 1 of its 2 rings." in (await ben.get("/rollouts/1")).words
        many = await ben.post("/rollouts/1/approve", {"rings": "9"})
        assert "Rollout 1 has 2 rings, not 9." in many.words
        done = await ben.post("/rollouts/1/approve")
        assert "You have approved 2 of its 2 rings." in (await ben.get("/rollouts/1")).words


@pytest.mark.parametrize("does", FORMS)
async def test_a_viewer_changes_nothing(company: Company, does: str) -> None:
    opened(company)
    before = company.rollout()
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        site.step_up_until = 9e9
        page = await browser.get("/rollouts/1")
        assert f"/rollouts/1/{does}" not in [one.get("action") for one in page.elements("form")]
        assert (await browser.post(f"/rollouts/1/{does}", {"reason": "x"})).status == 403
        forged = await browser.post(f"/rollouts/1/{does}", {"reason": "x"}, csrf="forged")
        assert forged.status == 403
    assert company.rollout() == before


async def test_a_rollout_that_is_not_there_is_not_found(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.get("/rollouts/7")).status == 404
        assert (await browser.get("/rollouts/x")).status in (404, 422)


async def test_a_rollout_that_is_over_says_so(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    approve_rollout(company.context, BOB, 1)
    company.look(3_700.0)
    company.say(dict.fromkeys(OTHERS, "verified"))
    company.look(3_700.0)
    async with pages_of(company.context) as site:
        page = await site.browser("ada", "operator").get("/rollouts/1")
    assert company.rollout().progress.state is RolloutState.COMPLETE
    assert "All rings are through since" in page.words
    assert [one for one in page.elements("form") if one.get("action", "").startswith("/rollouts/")] == []


async def test_an_exception_and_pcs_without_a_ring_have_their_rows(company: Company) -> None:
    company.database.add_endpoint("new", "new", company.clock.now(), [])
    opened(company)
    async with pages_of(company.context) as site:
        page = await site.browser("eve", "viewer").get("/rollouts/1")
    assert "1 PC has not said yet what it is, and is in no ring." in page.words


async def test_in_japanese_every_sentence_is(company: Company) -> None:
    opened(company)
    rollout_operations.pause_rollout(company.context, ADA, 1, "wait")
    async with pages_of(company.context) as site:
        page = await site.browser("ada", "operator").get("/rollouts/1?lang=ja")
    assert page.status == 200
    assert "一時停止" in page.words


async def test_every_row_names_an_operation_and_a_page() -> None:
    names = {page.name for page in ROLLOUT_PAGES}
    assert all(form.of_page in names and form.operation for form in ROLLOUT_FORMS)
