"""`seed_server.fleet.rollout_log`: what the audit log says of one rollout, and where it stops looking."""

from seed_server.fleet import people_operations, rollout_log, rollout_operations
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_log import read_rollout_log
from tests.helpers.rollout_company import ADA, BOB, TEMPLATE, TESTERS, Company


def operations(company: Company, number: int = 1) -> list[str]:
    return [one.entry.operation for one in read_rollout_log(company.context, company.rollout(number)).entries]


def test_all_that_was_done_is_told_the_newest_first(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    approve_rollout(company.context, BOB, 1)
    rollout_operations.pause_rollout(company.context, ADA, 1, "later")
    assert operations(company) == ["pause rollout", "approve rollout", "rollout: a ring opens", "start rollout"]
    assert read_rollout_log(company.context, company.rollout()).whole


def test_another_rollout_is_not_told(company: Company) -> None:
    company.start()
    rollout_operations.abort_rollout(company.context, ADA, 1, "no")
    rollout_operations.start_rollout(company.context, ADA, "office", TEMPLATE)
    assert operations(company, 1) == ["abort rollout", "start rollout"]
    assert operations(company, 2) == ["start rollout"]


def test_no_more_than_the_newest_entries_are_looked_at(company: Company) -> None:
    company.start()
    for number in range(3):
        people_operations.add_person(company.context, ADA, f"p{number}", roles=["viewer"])
    assert read_rollout_log(company.context, company.rollout()).whole
    found = read_rollout_log(company.context, company.rollout(), most=2)
    assert (found.entries, found.whole) == ([], False)
    assert rollout_log.MOST_LOG_ENTRIES > 1_000
