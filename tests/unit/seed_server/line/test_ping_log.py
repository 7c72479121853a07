"""`seed_server.line.ping_log`: round trips, and echoes of what was never sent."""

import pytest

from p2pdist.shared.wire.pings import PING_NUMBERS, Echo
from seed_server.line.ping_log import MAX_OUTSTANDING, MAX_READ, PingLog


def test_newest_round_trip_is_taken_once() -> None:
    log = PingLog()
    first, second = log.sent(1.0), log.sent(1.05)
    assert log.echoed(Echo(first), 1.04)
    assert log.echoed(Echo(second), 1.10)
    assert log.newest_round_trip() == pytest.approx((0.05, 0.0))
    assert log.newest_round_trip() is None
    assert log.echoes == 2


def test_second_and_late_echoes_say_nothing_and_unsent_ones_are_refused() -> None:
    log = PingLog()
    numbers = [log.sent(float(at)) for at in range(MAX_OUTSTANDING + 2)]
    assert log.echoed(Echo(numbers[-1]), 200.0)
    log.newest_round_trip()
    for number in numbers:
        assert log.echoed(Echo(number), 200.0)
    assert log.newest_round_trip() is None
    assert not log.echoed(Echo(numbers[-1] + 1), 200.0)
    assert not log.echoed(Echo(PING_NUMBERS - 1), 200.0)
    assert not PingLog().echoed(Echo(0), 0.0)


def test_memory_is_bounded_without_echoes() -> None:
    log = PingLog()
    for at in range(10 * MAX_OUTSTANDING):
        log.sent(float(at))
    assert len(log._sent) == MAX_OUTSTANDING


def test_numbers_begin_again() -> None:
    log = PingLog()
    log._next, log._total = PING_NUMBERS - 1, PING_NUMBERS - 1
    last, first = log.sent(0.0), log.sent(0.1)
    assert (last, first) == (PING_NUMBERS - 1, 0)
    assert log.echoed(Echo(last), 0.2)
    assert log.echoed(Echo(first), 0.2)


def test_clock_that_goes_back() -> None:
    log = PingLog()
    assert log.echoed(Echo(log.sent(5.0)), 4.0)
    assert log.newest_round_trip() == (0.0, 0.0)


def test_what_the_pc_read_late_is_told() -> None:
    log = PingLog()
    assert log.echoed(Echo(log.sent(1.0)), 1.03)
    log.newest_round_trip()
    assert log.echoed(Echo(log.sent(2.0), read_late_seconds=0.015), 2.05)
    assert log.newest_round_trip() == pytest.approx((0.05, 0.015))


def test_what_the_pc_sent_late_is_known_with_the_next_echo() -> None:
    log = PingLog()
    assert log.echoed(Echo(log.sent(1.0)), 1.03)
    assert log.echoed(Echo(log.sent(1.1), read_late_seconds=0.01), 1.17)
    log.newest_round_trip()
    assert log.echoed(Echo(log.sent(1.2), last_sent_late_seconds=0.025), 1.25)
    assert log.newest_round_trip() == pytest.approx((0.07, 0.035))


def test_where_the_pc_was_hardly_late_the_newest_round_trip_counts_not_the_one_before() -> None:
    log = PingLog()
    assert log.echoed(Echo(log.sent(1.0)), 1.03)
    assert log.echoed(Echo(log.sent(1.1), last_sent_late_seconds=0.001), 1.19)
    assert log.newest_round_trip() == pytest.approx((0.09, 0.0))


def test_after_an_echo_that_is_ignored_nothing_is_known_of_the_one_before() -> None:
    log = PingLog()
    assert log.echoed(Echo(log.sent(1.0)), 1.03)
    numbers = [log.sent(2.0) for _ in range(MAX_OUTSTANDING + 1)]
    assert log.echoed(Echo(numbers[0], last_sent_late_seconds=0.02), 60.0)
    assert log.echoed(Echo(log.sent(61.0), last_sent_late_seconds=0.02), 61.3)
    assert log.newest_round_trip() == pytest.approx((0.3, 0.0))


def test_a_pc_that_says_it_was_late_makes_no_line_shorter_than_it_is() -> None:
    log = PingLog()
    for at in (1.0, 2.0, 3.0):
        echo = Echo(log.sent(at), read_late_seconds=2.0, last_sent_late_seconds=2.0)
        assert log.echoed(echo, at + (0.03 if at == 1.0 else 0.1))
        newest = log.newest_round_trip()
        assert newest is not None
        assert newest.seconds - newest.late_seconds == pytest.approx(0.03)


def test_how_late_a_pc_reads_is_the_average_of_half_a_second() -> None:
    log = PingLog()
    assert log.read_late_seconds(0.0) == 0.0
    for at, late in ((1.0, 0.004), (1.1, 0.03), (1.2, 0.002)):
        assert log.echoed(Echo(log.sent(at), read_late_seconds=late), at + 0.05)
    assert log.read_late_seconds(1.3) == pytest.approx(0.012)
    assert log.read_late_seconds(1.7) == pytest.approx(0.002)
    assert log.read_late_seconds(2.0) == 0.0
    for at in range(1_000):
        log.echoed(Echo(log.sent(3.0), read_late_seconds=0.001 * (at % 2)), 3.0)
    assert log.read_late_seconds(3.0) == pytest.approx(0.0005)
    assert len(log._read_late) == MAX_READ
