"""`bandwidth.core.bulk`: transfers by their onset, their rate and their pauses, by hand."""

import pytest

from bandwidth.core.bulk import FLOWS_MOST, BulkDetector
from bandwidth.core.units import BytesPerSecond

FAST = BytesPerSecond(100_000_000)  # its 2 % are out of reach of what begins here


def looks(
    detector: BulkDetector[str],
    flows: list[dict[str, int]],
    start: float = 0.0,
    *,
    every: float = 0.25,
    rtt: float = 0.2,
    capacity: BytesPerSecond | None = FAST,
) -> list[bool]:
    """Take look after look. With a round trip of 0.2 s a span is 1.25 of them: 0.25 s."""
    return [
        detector.observe(each, start + n * every, rtt_seconds=rtt, capacity=capacity) for n, each in enumerate(flows)
    ]


def test_the_first_look_has_nothing_to_compare_with() -> None:
    assert looks(BulkDetector(), [{"old": 10**9}, {"old": 10**9}]) == [False, False]


@pytest.mark.parametrize(("size", "seen"), [(13_999, False), (14_000, True)])
def test_a_first_window_is_a_transfer(size: int, seen: bool) -> None:
    assert looks(BulkDetector(), [{}, {"new": size}]) == [False, seen]


@pytest.mark.parametrize(("size", "seen"), [(8_749, False), (8_750, True)])
def test_growth_is_a_quarter_from_span_to_span(size: int, seen: bool) -> None:
    # 13 000 bytes in the first two spans are too few; then 7 000 and 1.25 × 7 000 = 8 750
    flows = [{"a": 100_000}, {"a": 106_000}, {"a": 113_000}, {"a": 113_000 + size}]
    assert looks(BulkDetector(), flows) == [False, False, False, seen]


def test_growth_of_less_than_a_first_window_is_none() -> None:
    assert looks(BulkDetector(), [{"a": 0}, {"a": 1_000}, {"a": 13_999}]) == [False, False, False]


@pytest.mark.parametrize(
    ("capacity", "per_look", "seen"),
    [
        (None, 7_999, False),
        (None, 8_000, True),  # 32 kB in a second
        (BytesPerSecond(1_600_000), 8_000, True),  # its 2 % are as much
        (BytesPerSecond(2_000_000), 9_999, False),
        (BytesPerSecond(2_000_000), 10_000, True),  # 40 kB
    ],
)
def test_a_steady_part_of_the_line_is_a_transfer_after_a_second(
    capacity: BytesPerSecond | None, per_look: int, seen: bool
) -> None:
    # from span to span it does not grow
    flows = [{"a": 1_000_000 + n * per_look} for n in range(6)]
    assert looks(BulkDetector(), flows, capacity=capacity) == [False] * 4 + [seen] * 2


def test_a_sustained_transfer_without_onset() -> None:
    # 13 000 bytes a look of 0.25 s never grow by a quarter; 4 × 13 000 in the last second are above 32 000
    detector: BulkDetector[str] = BulkDetector()
    sizes = [0, 4_000, 11_000, 19_000, 27_000, 35_000]
    answers = looks(detector, [{"a": 1_000_000 + size} for size in sizes], capacity=None)
    # growth: 11 000 and 15 000 in two spans; 15 000 ≥ 14 000 but 8 000 < 1.25 × 7 000; the second is full at 1.25 s:
    # from 0.25 to 1.25 s 31 000 bytes are below 32 000
    assert answers == [False] * 6
    assert looks(detector, [{"a": 1_043_000}], 1.5, capacity=None) == [True]  # 43 000 − 11 000 = 32 000


@pytest.mark.parametrize(("more", "seen"), [(1_447, False), (1_448, True)])
def test_a_transfer_ends_when_not_a_segment_arrives_in_the_pause(more: int, seen: bool) -> None:
    detector: BulkDetector[str] = BulkDetector()
    # a short line: the pause is 0.15 s, looked at every 1/16 s: three of them
    assert looks(detector, [{}, {"a": 20_000}], every=0.0625, rtt=0.02) == [False, True]
    flat = [{"a": 20_000}] * 2 + [{"a": 20_000 + more}]
    assert looks(detector, flat, 0.125, every=0.0625, rtt=0.02) == [True, True, seen]


def test_bursts_a_round_trip_apart_are_one_transfer() -> None:
    detector: BulkDetector[str] = BulkDetector()
    flows, size = [dict[str, int]()], 0
    for _ in range(6):
        size += 20_000
        flows += [{"a": size}] * 8  # a window each 0.5 s
    assert looks(detector, flows, every=0.0625, rtt=0.5)[1:] == [True] * 48
    # the pause is 0.75 s there: from the last burst at 2.5625 s to 3.3125 s
    assert looks(detector, [{"a": size}] * 8, 3.0625, every=0.0625, rtt=0.5) == [True] * 4 + [False] * 4


def test_calls_look_ups_and_keep_alives_are_none() -> None:
    detector: BulkDetector[str] = BulkDetector()
    # a telephone call: 10 kB/s
    answers = looks(detector, [{"call": 1_000 + n * 500} for n in range(200)], every=0.05, rtt=0.04, capacity=None)
    assert not any(answers)
    assert not any(looks(detector, [{"name": 300, "mail": 5_000 + n} for n in range(50)], 10.0, every=0.05, rtt=0.04))


def test_one_transfer_among_many_connections_is_enough() -> None:
    detector: BulkDetector[int] = BulkDetector()
    quiet = dict.fromkeys(range(300), 1_000)
    assert not detector.observe(quiet, 0.0, rtt_seconds=0.04, capacity=FAST)
    assert detector.observe(quiet | {301: 14_000}, 0.05, rtt_seconds=0.04, capacity=FAST)
    assert not detector.observe(quiet, 0.1, rtt_seconds=0.04, capacity=FAST), "it was closed"


def test_a_clock_that_goes_back_starts_again() -> None:
    detector: BulkDetector[str] = BulkDetector()
    assert looks(detector, [{}, {"a": 50_000}], 1e6) == [False, True]
    assert looks(detector, [{"a": 100_000}], 0.0) == [False]
    assert looks(detector, [{"a": 100_000, "b": 14_000}], 0.25) == [True]


def test_a_machine_that_slept_sees_the_transfer_of_the_meantime_once() -> None:
    detector: BulkDetector[str] = BulkDetector()
    looks(detector, [{"a": 0}])
    assert looks(detector, [{"a": 10**8}] * 4, 3_600.0) == [True, True, False, False]


@pytest.mark.parametrize(("others", "seen"), [(FLOWS_MOST - 1, True), (FLOWS_MOST, False)])
def test_only_the_largest_connections_are_kept(others: int, seen: bool) -> None:
    detector: BulkDetector[int] = BulkDetector()
    large = dict.fromkeys(range(others), 10**6)
    detector.observe(large, 0.0, rtt_seconds=0.04, capacity=FAST)
    assert detector.observe(large | {-1: 14_000}, 0.05, rtt_seconds=0.04, capacity=FAST) is seen
    assert len(detector._looks[-1][1]) == FLOWS_MOST


def test_a_connection_that_becomes_one_of_the_largest_is_no_new_one() -> None:
    detector: BulkDetector[int] = BulkDetector()
    large = dict.fromkeys(range(FLOWS_MOST), 10**6)
    for n in range(5):
        detector.observe(large | {-1: 999_999}, n * 0.05, rtt_seconds=0.04, capacity=FAST)
    assert not detector.observe(large | {-1: 1_000_001}, 0.25, rtt_seconds=0.04, capacity=FAST)


def test_looks_are_not_kept_for_ever() -> None:
    detector: BulkDetector[str] = BulkDetector()
    looks(detector, [{"a": 1}] * 1_000, every=0.05, rtt=0.04)
    assert len(detector._looks) <= 22  # a second of them, and one that is older
