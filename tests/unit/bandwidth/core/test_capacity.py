"""`bandwidth.core.capacity`: learned at congestion, forgotten slowly, never against the admin."""

import pytest

from bandwidth.core.capacity import LARGEST_DECAY, MAX_FILTER_SECONDS, MEMORY_SECONDS, CapacityEstimate
from bandwidth.core.line_memory import LineMemory
from bandwidth.core.units import BytesPerSecond


def test_nothing_is_known_at_first() -> None:
    assert CapacityEstimate(None).bytes_per_second(0.0) is None


def test_what_the_admin_says_is_never_overruled() -> None:
    capacity = CapacityEstimate(BytesPerSecond(1_000))
    capacity.at_congestion(10.0, 0.0)
    capacity.carried(5_000.0, 1.0)
    assert capacity.bytes_per_second(2.0) == 1_000.0


def test_the_best_of_ten_minutes_counts() -> None:
    capacity = CapacityEstimate(None)
    capacity.at_congestion(1_000.0, 0.0)
    capacity.at_congestion(300.0, 60.0)  # beside hidden business
    assert capacity.bytes_per_second(60.0) == 1_000.0
    assert capacity.bytes_per_second(MAX_FILTER_SECONDS + 1) == pytest.approx(300.0, rel=0.1)


def test_decays_by_a_percent_a_minute_without_news() -> None:
    capacity = CapacityEstimate(None)
    capacity.at_congestion(1_000.0, 0.0)
    assert capacity.bytes_per_second(300.0) == pytest.approx(950.0)
    assert capacity.bytes_per_second(10 * MEMORY_SECONDS) == pytest.approx(1_000.0 * (1 - LARGEST_DECAY))


def test_what_got_through_raises_it() -> None:
    capacity = CapacityEstimate(None)
    capacity.carried(2_000.0, 0.0)
    assert capacity.bytes_per_second(0.0) is None, "without congestion it says only: no less than this"
    capacity.at_congestion(1_000.0, 0.0)
    capacity.carried(1_500.0, 1.0)
    assert capacity.bytes_per_second(1.0) == 1_500.0


def test_nothing_carried_is_no_news_and_a_clock_step_no_harm() -> None:
    capacity = CapacityEstimate(None)
    capacity.at_congestion(0.0, 0.0)
    assert capacity.bytes_per_second(0.0) is None
    capacity.at_congestion(1_000.0, 1e6)
    assert capacity.bytes_per_second(0.0) == 1_000.0


def test_an_earlier_run_is_remembered_with_its_age() -> None:
    earlier = CapacityEstimate(None)
    assert earlier.memory(0.0) is None
    earlier.at_congestion(900.0, 0.0)
    earlier.at_congestion(1_000.0, 40.0)
    memory = earlier.memory(100.0)
    assert memory is not None
    assert (memory.capacity, memory.age_seconds) == (1_000.0, 60.0)
    later = CapacityEstimate(None)
    later.remember(memory, -5_000.0)  # another clock
    assert later.bytes_per_second(-5_000.0) == earlier.bytes_per_second(100.0)
    assert later.memory(-4_970.0) == LineMemory(1_000.0, 90.0), "it grows no younger by being kept"


def test_a_memory_gives_way_to_what_the_line_shows_after_it() -> None:
    capacity = CapacityEstimate(None)
    capacity.remember(LineMemory(1_000.0, MAX_FILTER_SECONDS), 0.0)
    capacity.at_congestion(300.0, 1.0)
    assert capacity.bytes_per_second(1.0) == 300.0


def test_an_old_memory_keeps_its_full_rate_for_the_next_run() -> None:
    capacity = CapacityEstimate(None)
    capacity.remember(LineMemory(1_000.0, 2 * MEMORY_SECONDS), 0.0)
    assert capacity.bytes_per_second(0.0) == pytest.approx(1_000.0 * (1 - LARGEST_DECAY))
    assert capacity.memory(0.0) == LineMemory(1_000.0, 2 * MEMORY_SECONDS), "the decay counts once, not at each restart"


def test_of_a_configured_line_nothing_is_remembered() -> None:
    capacity = CapacityEstimate(BytesPerSecond(1_000))
    capacity.at_congestion(10.0, 0.0)
    assert capacity.memory(1.0) is None
    capacity.remember(LineMemory(500.0, 0.0), 1.0)
    assert capacity.bytes_per_second(1.0) == 1_000.0
