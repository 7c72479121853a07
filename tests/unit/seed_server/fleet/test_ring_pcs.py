"""`seed_server.fleet.ring_pcs`: the rows behind a rollout's numbers are as many as its numbers say."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import exception_operations
from seed_server.fleet.ring_pcs import OUTCOMES, RING_CLASSES, RingPcsQuestion, read_ring_pcs
from seed_server.fleet.rollout_queries import read_rollout
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company


def test_rows_are_as_many_as_the_tallies_say(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "verified", TESTERS[1]: "failed", OTHERS[0]: "verified"})
    company.say({OTHERS[1]: "waiting"}, install="not_applicable")
    company.seen([TESTERS[2]], connected=False)
    exception_operations.add_exception(
        company.context, ADA, who=f'hostname == "{OTHERS[2]}"', until=company.clock.now() + 9e5, reason="x", owner="y"
    )  # fmt: skip
    company.database.add_endpoint("new", "new", company.clock.now(), [])
    company.look(2 * 86_400.0)
    view = read_rollout(company.context, 1)
    found: dict[str, str] = {}
    for place, ring in enumerate(view.kept.plan.rings):
        for which, outcomes in OUTCOMES.items():
            page = read_ring_pcs(company.context, RingPcsQuestion(1, ring.name, which))
            assert page.total == len(page.rows) == sum(view.tallies[place][one] for one in outcomes)
            assert {one.ring for one in page.rows} <= {ring.name}
            found |= {one.pc.endpoint_id: which for one in page.rows}
    assert found[OTHERS[2]] == "excepted"
    assert found[TESTERS[2]] == "silent"
    assert read_ring_pcs(company.context, RingPcsQuestion(1, which="not_known")).total == view.not_known == 1
    assert read_ring_pcs(company.context, RingPcsQuestion(1, which="no_ring")).total == view.in_no_ring == 0
    assert set(RING_CLASSES) == {*OUTCOMES, "no_ring", "not_known"}


@pytest.mark.parametrize(
    "question", [RingPcsQuestion(9), RingPcsQuestion(1, "nothing"), RingPcsQuestion(1, after="x")], ids=str
)
def test_what_is_not_known_is_refused(company: Company, question: RingPcsQuestion) -> None:
    company.start()
    with pytest.raises(UserError) as caught:
        read_ring_pcs(company.context, question)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_who_is_forgotten_meanwhile_is_left_out(company: Company) -> None:
    company.start()
    numbers = [one.pc.endpoint for one in read_ring_pcs(company.context, RingPcsQuestion(1)).rows]
    found = company.database.standing_on(company.rollout().row.patch, [numbers[3], 4_000, numbers[0]])
    assert [one.endpoint for one in found] == [numbers[3], numbers[0]]
