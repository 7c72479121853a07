"""`seed_server.web.pages.view_rollouts`: the list of rollouts, and what waits for whose approval."""

from pathlib import Path

import pytest

from seed_server.fleet import rollout_operations
from seed_server.fleet.rollout import RolloutState
from tests.helpers.pages_client import RIGHT_CODE, pages_of
from tests.helpers.rollout_company import ADA, TEMPLATE, TESTERS, Company

pytestmark = pytest.mark.trio


def waiting(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    company.look(3_700.0)


async def test_those_that_are_not_over_come_first_and_the_others_are_a_click_away(company: Company) -> None:
    company.start()
    rollout_operations.abort_rollout(company.context, ADA, 1, "wrong one")
    rollout_operations.start_rollout(company.context, ADA, "office", TEMPLATE)
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        live = await browser.get("/rollouts")
        assert "/rollouts/2" in live.links
        assert "/rollouts/1" not in live.links
        assert "The server does not run" in live.words
        over = await browser.get("/rollouts?show=over")
        assert "/rollouts/1" in over.links
        assert "wrong one" in over.words
        assert "/rollouts/2" not in over.links
        every = await browser.get("/rollouts?show=all&limit=1")
        assert [one["href"] for one in every.elements("a") if one.get("rel") == "next"] == [
            "/rollouts?show=all&limit=1&after=2"
        ]


async def test_where_there_is_none_the_next_step_is_told(company: Company) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/rollouts")
    assert "No rollout is under way." in answer.words
    assert "/patches?state=waiting" in answer.links


async def test_a_record_that_cannot_be_read_is_told(company: Company) -> None:
    company.start()
    company.database.change_rollout(1, state="running", progress=b"nonsense", now=company.clock.now())
    async with pages_of(company.context) as site:
        answer = await site.browser("ada", "operator").get("/rollouts")
    assert answer.status == 200, answer.text
    assert "The record of rollout 1 of office@1 cannot be read" in answer.words
    assert "/rollouts/1/abort" in [one.get("action") for one in answer.elements("form")]


async def test_what_waits_for_me_comes_first_and_is_approved_from_there(company: Company) -> None:
    waiting(company)
    async with pages_of(company.context) as site:
        ben = site.browser("ben", "approver")
        page = await ben.get("/approvals")
        assert page.status == 200, page.text
        assert "Waits for you" in page.words
        assert "/approvals/1/approve" in [one.get("action") for one in page.elements("form")]
        asked = await ben.post("/approvals/1/approve")
        assert "Is it you?" in asked.words
        done = await ben.post("/approvals/1/approve", {"_code": RIGHT_CODE})
        assert (done.status, done.header("location")) == (303, "/approvals")
        after = await ben.get("/approvals")
        assert "You have approved 2 of its 2 rings." in after.words
        assert "Nothing waits for your approval." in after.words
        assert "/rollouts/1" in after.links, "what I approved lately"
    assert company.look(0.0).progress.state is RolloutState.RUNNING


async def test_who_started_it_is_refused_by_four_eyes(company: Company) -> None:
    async with pages_of(company.context) as site:
        ada = site.browser("ada", "operator", "approver")
        site.step_up_until = 9e9
        await ada.post("/patches/office@1/start", {"template": "rings"})
        page = await ada.get("/approvals")
        assert "You have started rollout 1 yourself, so somebody else has to approve it." in page.words
        assert "/approvals/1/approve" not in [one.get("action") for one in page.elements("form")]
        forced = await ada.post("/approvals/1/approve")
        assert forced.status == 409
        assert "You have started rollout 1 yourself" in forced.words
    assert company.database.approvals(1) == []


async def test_a_viewer_sees_who_could_and_approves_nothing(company: Company) -> None:
    waiting(company)
    async with pages_of(company.context) as site:
        site.browser("ben", "approver")
        eve = site.browser("eve", "viewer")
        page = await eve.get("/approvals")
        assert "You have not the right 'approve'." in page.words
        assert "Could: ben" in page.words
        assert (await eve.post("/approvals/1/approve")).status == 403
        assert (await eve.post("/rollouts/1/approve")).status == 403
    assert company.database.approvals(1) == []


async def test_where_pcs_want_signatures_the_command_is_told(company: Company, tmp_path: Path) -> None:
    company.names_approvers(tmp_path, "ben", "cy")
    company.clock.wall += 60
    ref = company.publish_to_nobody("tool", tmp_path)
    rollout_operations.start_rollout(company.context, ADA, str(ref), TEMPLATE)
    company.look(0.0)
    async with pages_of(company.context) as site:
        page = await site.browser("ben", "approver").get("/approvals")
    assert "seed-server rollout approve 1 --key FILE" in page.words
    assert "/approvals/1/approve" not in [one.get("action") for one in page.elements("form")]
