"""`seed_server.line.byte_budget`: each endpoint's own, earned back, and bounded."""

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES
from seed_server.line.byte_budget import BUDGET_BYTES, BUDGET_RATE, RANK_BYTES, REQUEST_COST_BYTES, ByteBudgets

ONE, TWO, THREE = (EndpointId(letter * 26) for letter in "abc")


def test_each_endpoint_has_its_own_and_earns_it_back() -> None:
    budgets = ByteBudgets(budget_bytes=1_000, rate=BytesPerSecond(10))
    assert budgets.spend(ONE, 1_000, 0.0)
    assert not budgets.spend(ONE, 1, 0.0)
    assert budgets.spend(TWO, 1_000, 0.0)
    assert not budgets.spend(ONE, 101, 10.0)
    assert budgets.spend(ONE, 100, 10.0)


def test_to_ask_what_is_left_costs_nothing() -> None:
    budgets = ByteBudgets(budget_bytes=1_000, rate=BytesPerSecond(10))
    assert budgets.has(ONE, 1_000, 0.0)
    assert not budgets.has(ONE, 1_001, 0.0)
    assert budgets.spend(ONE, 1_000, 0.0)
    assert not budgets.has(ONE, 1, 0.0)


def test_who_has_had_much_ranks_after_who_has_not() -> None:
    budgets = ByteBudgets()
    assert budgets.rank(ONE, 0.0) == 0
    budgets.spend(ONE, RANK_BYTES - 1, 0.0)
    assert budgets.rank(ONE, 0.0) == 0
    budgets.spend(ONE, RANK_BYTES, 0.0)
    assert (budgets.rank(ONE, 0.0), budgets.rank(TWO, 0.0)) == (1, 0)
    assert budgets.rank(ONE, 86_400.0) == 0


def test_requests_have_a_price_that_no_honest_pc_feels() -> None:
    assert BUDGET_RATE * DAY_SECONDS > 10 * 24 * 12 * REQUEST_COST_BYTES, "ten requests every five minutes"
    assert BUDGET_BYTES / REQUEST_COST_BYTES > 4 * 2_000, (
        "a manifest and a torrent of each patch of the largest catalogue"
    )


def test_memory_is_bounded() -> None:
    budgets = ByteBudgets(budget_bytes=1_000, max_budgets=2)
    for endpoint in (ONE, TWO, THREE):
        assert budgets.spend(endpoint, 1_000, 0.0)
    assert not budgets.spend(THREE, 1_000, 0.0)
    assert budgets.spend(ONE, 1_000, 0.0), "the longest unseen begins anew"


def test_a_first_refresh_of_the_largest_catalogue_fits() -> None:
    assert BUDGET_BYTES > 4 * MAX_TARGETS_ROLE_BYTES + 2_000 * 100_000


def test_what_is_spent_here_is_told_and_what_is_spent_at_the_other_port_is_charged() -> None:
    told: list[tuple[EndpointId, int]] = []
    here = ByteBudgets(budget_bytes=1_000, on_spent=lambda endpoint, count: told.append((endpoint, count)))
    assert here.spend(ONE, 400, 0.0)
    assert not here.spend(ONE, 700, 0.0)
    here.charge(ONE, 500, 0.0)
    here.charge(TWO, 5_000, 0.0)
    assert told == [(ONE, 400)], "what was not spent, or was spent there, is not told"
    assert not here.spend(ONE, 101, 0.0)
    assert here.spend(ONE, 100, 0.0)
    assert not here.spend(TWO, 1, 0.0), "more than there was: nothing is left, and no debt"
