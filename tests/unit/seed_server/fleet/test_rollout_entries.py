"""`seed_server.fleet.rollout_entries`: a rollout that was changed behind the audit log."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.wire import codec
from seed_server.fleet import audit_queries
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.taking_back import withdraw_from_ring
from tests.helpers.rollout_company import ADA, BOB, TESTERS, Company


def problems(company: Company) -> tuple[str, ...]:
    return audit_queries.verify_log(company.context).verdict.problems


def opens_both_rings(company: Company) -> None:
    """Write what somebody with the database alone can write."""
    kept = company.rollout()
    progress = replace(kept.progress, opened_at=(*kept.progress.opened_at, int(company.clock.wall)))
    with company.context.database() as database:
        database.change_rollout(1, state=progress.state, progress=codec.encode(progress), now=company.clock.wall)


def test_what_people_and_the_server_do_follows_from_one_entry_to_the_next(company: Company) -> None:
    company.start()
    company.look(0.0)
    rollouts.pause_rollout(company.context, ADA, 1, "lunch")
    rollouts.resume_rollout(company.context, BOB, 1, "after lunch")
    withdraw_from_ring(company.context, ADA, "office@1", "test", "a bad one")
    assert problems(company) == ()
    rollouts.abort_rollout(company.context, ADA, 1, "no")
    assert problems(company) == ()


def test_a_ring_that_was_opened_in_the_database_is_named_also_once_the_server_has_gone_on(company: Company) -> None:
    company.start()
    company.look(0.0)
    opens_both_rings(company)
    (problem,) = problems(company)
    assert "rollout 1: what the database has is not what entry " in problem
    rollouts.pause_rollout(company.context, ADA, 1, "what is this?")
    (problem,) = problems(company)
    assert "rollout 1: what entry " in problem
    company.say(dict.fromkeys(TESTERS, "verified"))
    assert problems(company) == (problem,), "it stays said"


@pytest.mark.parametrize("started", [True, False])
def test_a_rollout_that_has_made_no_step_has_nothing_to_be_held_to(company: Company, started: bool) -> None:
    if started:
        company.start()
    assert problems(company) == ()
