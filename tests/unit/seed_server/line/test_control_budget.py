"""`seed_server.line.control_budget`."""

import pytest

from bandwidth.core.units import BytesPerSecond
from seed_server.line.control_budget import (
    BURST_SECONDS,
    LEAST_BURST_BYTES,
    REPAID_SECONDS,
    ControlBudget,
    line_bytes,
)

RATE = BytesPerSecond(100_000)
STEP = 0.05


class TestTurns:
    def test_messages_use_their_rate_and_no_more(self) -> None:
        budget, spent = ControlBudget(0.0), 0
        for step in range(1, 1_001):
            while budget.has_room(RATE, step * STEP):
                budget.spend(500)
                spent += 500
        assert spent == pytest.approx(RATE * 1_000 * STEP, abs=LEAST_BURST_BYTES + 500)

    @pytest.mark.parametrize(("rate", "burst"), [(RATE, RATE * BURST_SECONDS), (100, LEAST_BURST_BYTES)])
    def test_what_was_not_used_allows_a_short_burst(self, rate: int, burst: float) -> None:
        budget, spent = ControlBudget(0.0), 0
        while budget.has_room(BytesPerSecond(rate), 1_000.0):
            budget.spend(100)
            spent += 100
        assert spent == pytest.approx(burst, abs=100)

    def test_a_large_message_goes_and_the_next_waits_until_it_is_paid_for(self) -> None:
        budget = ControlBudget(0.0)
        assert budget.has_room(RATE, 0.0)
        budget.spend(LEAST_BURST_BYTES + 100_000)
        assert not budget.has_room(RATE, 0.99)
        assert budget.has_room(RATE, 1.01)

    def test_what_cannot_wait_takes_no_message_s_turn(self) -> None:
        budget = ControlBudget(0.0)
        budget.count(1_000_000)
        assert budget.has_room(RATE, 0.0)

    def test_a_clock_that_goes_back_earns_nothing(self) -> None:
        budget = ControlBudget(100.0)
        budget.spend(LEAST_BURST_BYTES)
        assert not budget.has_room(RATE, 50.0)


class TestRepayment:
    def test_data_leave_exactly_what_was_counted(self) -> None:
        budget, left_free, repaid, counted = ControlBudget(0.0), 0.0, 0.0, 0
        for step in range(1, 2_001):
            left_free += budget.rate * STEP
            if step < 1_500 and step % 7 == 0:
                budget.count(3_000)
                counted += 3_000
            assert budget.collect(1e9, step * STEP) == (3_000 if step < 1_500 and step % 7 == 0 else 0)
            repaid += budget.repaid_bytes
            assert budget.repaid_bytes <= 3_000 * STEP / REPAID_SECONDS * 2, "in small parts"
        assert left_free == pytest.approx(counted, rel=1e-6)
        assert repaid == pytest.approx(left_free)

    def test_one_message_is_repaid_in_small_parts(self) -> None:
        budget = ControlBudget(0.0)
        budget.spend(3_000)
        budget.collect(1e9, 0.0)
        assert budget.rate == 3_000 / REPAID_SECONDS

    def test_never_more_than_the_most_and_a_flood_is_not_owed_for_ever(self) -> None:
        budget = ControlBudget(0.0)
        for step in range(1, 101):
            budget.count(1_000_000)
            budget.collect(5_000.0, step * STEP)
            assert budget.rate == 5_000.0
        for step in range(101, 151):
            budget.collect(5_000.0, step * STEP)
        assert budget.rate < 50.0

    def test_what_went_while_no_data_were_sent_is_not_owed(self) -> None:
        budget = ControlBudget(0.0)
        budget.count(1_000_000)
        budget.forget(60.0)
        assert budget.collect(1e9, 60.05) == 0
        assert budget.rate == 0.0


def test_a_frame_has_a_record_and_packets_around_it() -> None:
    assert line_bytes(8) == 8 + 22 + 52
    assert line_bytes(3_000) == 3_000 + 22 + 3 * 52
