"""`seed_server.web.pages.pages_today`: what needs the reader, and how the fleet stands."""

from pathlib import Path

import pytest

from seed_server.fleet import rollout_operations
from seed_server.fleet.fleet_problem import FleetProblem
from seed_server.store.report_rows import FollowUpRow
from seed_server.web.pages.pages_today import _of_problem
from tests.helpers.pages_client import pages_of
from tests.helpers.report_company import DAY, with_reports
from tests.helpers.rollout_company import ADA, BEGIN, TESTERS, Company

pytestmark = pytest.mark.trio
HOSTILE = '<script>alert("1")</script> \u202eevil" onload="x'


async def test_how_much_is_done_is_shown_with_its_rules_and_gaps(company: Company) -> None:
    with_reports(company)
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/")
    assert answer.status == 200, answer.text
    assert "55.5% 5 of 9 PCs × patches" in answer.words
    assert "Share week critical" in answer.words, "the heads of its figures"
    assert "office@1 medium 4 9" in answer.words
    assert any(values.get("src", "").startswith("data:image/svg+xml") for values in answer.elements("img"))
    assert "/missing?patch=office%401" in answer.links


async def test_every_number_leads_to_its_rows(company: Company) -> None:
    with_reports(company)
    async with pages_of(company.context) as site:
        links = (await site.browser("eve", "viewer").get("/")).links
    assert {"/missing", "/pcs", "/pcs?state=connected", "/patches", "/rollouts"} >= {
        link for link in links if link in {"/missing", "/pcs", "/patches", "/rollouts"}
    }
    assert {"/missing", "/pcs", "/patches", "/rollouts"} <= set(links)


async def test_a_halted_rollout_says_why_and_an_approval_is_asked_of_who_may_give_it(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    company.look(3_700.0)
    async with pages_of(company.context) as site:
        eve = await site.browser("eve", "viewer").get("/")
        assert "your approval" not in eve.words
        adam = await site.browser("adam", "approver").get("/")
        assert "your approval" in adam.words
        rollout_operations.halt_rollout(company.context, ADA, 1, HOSTILE[:28])
        eve = await site.browser("eve").get("/")
    assert "halted" in eve.words
    assert "<script>alert" not in eve.text
    assert "&lt;script&gt;alert" in eve.text


async def test_where_all_is_well_it_is_calm(company: Company) -> None:
    company.clock.wall += 60.0
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/")
        assert answer.status == 200
        assert "Nothing needs you now." in answer.words
        japanese = await site.browser("eve").get("/?lang=ja")
    assert japanese.status == 200
    assert "No rollout is under way." in answer.words


async def test_follow_ups_are_due_after_two_weeks(company: Company) -> None:
    with_reports(company)
    patch = company.database.patch_heads()[0].number
    company.database.save_follow_ups([FollowUpRow(BEGIN - 5 * DAY, 1, patch, "told", "", "ada")])
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/")
    assert "follow-up" in answer.words


async def test_what_people_and_publishers_write_is_text(company: Company, tmp_path: Path) -> None:
    company.start()
    rollout_operations.pause_rollout(company.context, ADA, 1, 'x" onmouseover="alert(1)')
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").get("/")
    assert not any("onmouseover" in values for tag, values in answer.read.elements)


@pytest.mark.parametrize(
    ("mend", "address"),
    [
        ("seed-server rollout why 7", "/rollouts/7"),
        ("seed-server priority acme@1.2 --why", "/patches/acme@1.2"),
        ("seed-server sites", "/sites"),
        ("seed-server audit verify", "/audit"),
        ("seed-server renew", None),
        ("correct /etc/sites.toml", None),
    ],
)
async def test_a_problem_leads_to_where_it_is_shown(mend: str, address: str | None) -> None:
    need = _of_problem(FleetProblem("It is broken.", mend, urgent=False))
    assert (need.link.address if need.link else None) == address
    assert need.tone == "open"
    assert (need.command or need.mend) == mend
