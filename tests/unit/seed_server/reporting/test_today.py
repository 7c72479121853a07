"""`seed_server.reporting.today`: what needs a person."""

from dataclasses import replace
from pathlib import Path

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet import rollout_operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Opened
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.rollout import RolloutState
from seed_server.reporting.priority_queries import read_unbegun
from seed_server.reporting.today import FOLLOW_UP_DAYS, read_today, read_today_compliance
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.store.report_rows import FollowUpRow
from tests.helpers.rollout_company import ADA, BEGIN, BOB, TESTERS, Company


def test_where_nothing_is_to_be_done_it_is_calm(company: Company) -> None:
    found = read_today(company.context)
    assert found.is_calm
    assert (found.stopped, found.running, found.urgent) == ([], [], [])


def test_an_approval_is_asked_of_who_can_give_it_and_has_not(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    company.look(3_700.0)
    found = read_today(company.context)
    assert [one.listed.kept.row.number for one in found.approvals_of(BOB)] == [1]
    assert [one.state for one in found.running] == [RolloutState.UNAPPROVED]
    assert read_today(company.context).approvals_of(ADA) == [], "she has started it"
    assert read_today(company.context).approvals_of(Actor("eve", "password")) == [], "she may not"


def test_what_is_paused_or_halted_waits_for_a_word(company: Company) -> None:
    company.start()
    rollout_operations.pause_rollout(company.context, ADA, 1, "lunch")
    found = read_today(company.context)
    assert [one.state for one in found.stopped] == [RolloutState.PAUSED]
    assert found.stopped[0].progress is not None
    assert found.stopped[0].progress.total == 10


def test_follow_ups_are_due_after_two_weeks_and_not_before(company: Company) -> None:
    patch = company.database.patch_heads()[0].number
    row = FollowUpRow(BEGIN, 1, patch, "told", "", "ada")
    company.database.save_follow_ups([row])
    company.clock.wall = BEGIN + FOLLOW_UP_DAYS * DAY_SECONDS
    assert read_today(company.context).due.pcs == 0
    company.clock.wall += 1.0
    due = read_today(company.context).due
    assert (due.pcs, due.oldest_at) == (1, BEGIN)
    assert not read_today(company.context).is_calm


def test_patches_that_nobody_began_are_looked_at_those_with_the_highest_score(company: Company, tmp_path: Path) -> None:
    assert read_unbegun(company.context, 5) == [], "PCs are offered it"
    company.publish_to_nobody("acme", tmp_path)
    company.publish_to_nobody("zeta", tmp_path)
    found = read_unbegun(company.context, 5)
    assert {str(one.decision.facts.ref) for one in found} == {"acme@1", "zeta@1"}
    assert len(read_unbegun(company.context, 1)) == 1


def test_what_is_urgent_and_what_is_done_are_kept_for_a_while_by_a_process_that_goes_on(company: Company) -> None:
    with open_lasting(company.context.home, company.context.settings()) as lasting:
        context = replace(company.context, opened=Opened(lasting, SignedRepository(company.context.home)))
        before, done = read_today(context).urgent, read_today_compliance(context)
        assert read_today(context).urgent is before
        assert read_today_compliance(context) is done
        company.clock.wall += RECENTLY_SECONDS
        assert read_today(context).urgent is not before
        assert read_today_compliance(context) is not done
