"""`seed_server.fleet.approval_queries`: what waits for whom, who could, and what somebody has approved."""

from pathlib import Path

from seed_server.answers.rollout_documents import wanted_approval_document
from seed_server.fleet import people_operations, rollout_operations
from seed_server.fleet.accounts import person_rights
from seed_server.fleet.actor import Actor
from seed_server.fleet.approval_queries import read_approvals, read_wanted_approval
from seed_server.fleet.rollout_approving import approve_rollout
from tests.helpers.rollout_company import ADA, BOB, TEMPLATE, TESTERS, Company


def account(company: Company, name: str, *roles: str, sites: tuple[str, ...] = ()) -> Actor:
    person = people_operations.add_person(company.context, ADA, name, roles=list(roles), sites=list(sites))
    return Actor(name, "password", person_rights(person))


def waiting(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    company.look(3_700.0)


def test_a_rollout_waits_for_who_did_not_start_it(company: Company) -> None:
    waiting(company)
    (mine,) = read_approvals(company.context, actor=BOB).mine
    assert (mine.ring, mine.rings, mine.has, mine.wanted, mine.waits, mine.is_mine) == ("all", 2, 0, 1, True, True)
    (hers,) = read_approvals(company.context, actor=ADA).wanted
    assert not hers.is_mine
    assert "You have started rollout 1 yourself" in hers.refusal


def test_it_is_told_who_could(company: Company) -> None:
    cy = account(company, "cy", "approver")
    dan = account(company, "dan", "approver", sites=("osaka",))
    eve = account(company, "eve", "viewer")
    account(company, "ada", "approver")  # who has started it, by another way
    people_operations.set_disabled(company.context, ADA, account(company, "fay", "approver").name, disabled=True)
    waiting(company)
    (one,) = read_approvals(company.context, actor=cy).wanted
    assert one.could == ("cy",)
    assert one.is_mine
    (of_dan,), (of_eve,) = (read_approvals(company.context, actor=one).wanted for one in (dan, eve))
    assert "this reaches further" in of_dan.refusal
    assert "'approve' is missing" in of_eve.refusal


def test_what_will_need_approval_comes_after_what_waits(company: Company, tmp_path: Path) -> None:
    waiting(company)
    ref = company.publish_to_nobody("tool", tmp_path)
    rollout_operations.start_rollout(company.context, ADA, str(ref), TEMPLATE)
    company.look(0.0)
    look = read_approvals(company.context, actor=BOB)
    assert [(one.kept.row.number, one.waits) for one in look.wanted] == [(1, True), (2, False)]
    assert [one.kept.row.number for one in look.mine] == [1]


def test_what_is_approved_waits_no_more_and_is_remembered(company: Company) -> None:
    waiting(company)
    approve_rollout(company.context, BOB, 1)
    look = read_approvals(company.context, actor=BOB)
    assert look.wanted == []
    assert [(one.rollout, str(one.patch), one.rings) for one in look.given] == [(1, "office@1", 2)]
    assert read_approvals(company.context, actor=ADA).given == []
    assert read_wanted_approval(company.context, company.rollout(), actor=BOB) is None


def test_an_approval_that_is_not_enough_is_told(company: Company) -> None:
    waiting(company)
    approve_rollout(company.context, BOB, 1, rings=1)
    (one,) = read_approvals(company.context, actor=BOB).wanted
    assert (one.has, one.given, one.is_mine) == (0, False, True), "of the first ring alone"


def test_where_pcs_want_signatures_an_approval_without_one_counts_for_nothing(company: Company, tmp_path: Path) -> None:
    company.names_approvers(tmp_path, "bob", "cy")
    company.clock.wall += 60
    ref = company.publish_to_nobody("tool", tmp_path)
    rollout_operations.start_rollout(company.context, ADA, str(ref), TEMPLATE)
    approve_rollout(company.context, BOB, 1)
    (one,) = read_approvals(company.context, actor=BOB).wanted
    assert (one.by_signature, one.ring, one.has, one.given) == (True, "test", 0, False)
    approve_rollout(company.context, BOB, 1, key=tmp_path / "bob.pem")
    assert read_approvals(company.context, actor=BOB).wanted == []


def test_nothing_is_asked_of_what_is_over(company: Company) -> None:
    waiting(company)
    rollout_operations.abort_rollout(company.context, ADA, 1, "no")
    assert read_approvals(company.context, actor=BOB).wanted == []


def test_the_document_says_the_same(company: Company) -> None:
    waiting(company)
    document = wanted_approval_document(read_approvals(company.context, actor=BOB).wanted[0])
    assert (document.rollout, document.patch, document.state, document.mine) == (
        1, "office@1", "waiting for approval", True,
    )  # fmt: skip
