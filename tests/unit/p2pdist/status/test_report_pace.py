"""`p2pdist.status.report_pace`: what can wait is told as often as the server asks for, by one PC after the other."""

import math

from p2pdist.shared.wire.fields import DEFAULT_REPORT_SECONDS
from p2pdist.status.report_pace import ReportPace

SLOW = 64.0


def first_due(pace: ReportPace, now: float) -> float:
    """Return the second at which news that begins ``now`` is told, and tell it."""
    while not pace.is_due(now):
        now += 1.0
    pace.told(now)
    return now


def test_at_the_usual_pace_nobody_waits_for_others() -> None:
    pace = ReportPace(0.9)
    assert pace.is_usual
    assert first_due(pace, 100.0) == 100.0 + DEFAULT_REPORT_SECONDS
    assert first_due(pace, 103.0) == 103.0 + DEFAULT_REPORT_SECONDS


def test_when_it_is_due_is_known_before_and_what_is_taken_back_is_not_waited_for() -> None:
    pace = ReportPace(0.0)
    assert pace.due_at == math.inf
    assert not pace.is_due(100.0)
    assert pace.due_at == 100.0 + DEFAULT_REPORT_SECONDS
    pace.nothing_waits()
    assert pace.due_at == math.inf
    assert not pace.is_due(200.0)


def test_in_a_large_fleet_the_pcs_tell_what_happens_to_all_one_after_the_other() -> None:
    told = []
    for n in range(100):
        pace = ReportPace(n / 100)
        pace.seconds = SLOW
        assert not pace.is_usual
        told.append(first_due(pace, 100.0))
    assert max(told.count(at) for at in told) <= 3
    assert max(told) <= 100.0 + SLOW


def test_between_two_reports_of_a_pc_there_is_the_time_that_the_server_asks_for() -> None:
    pace = ReportPace(0.0)
    pace.seconds = SLOW
    first = 100.0 + DEFAULT_REPORT_SECONDS
    told = [first_due(pace, 100.0), first_due(pace, first + 1.0), first_due(pace, 500.0)]
    assert told == [first, first + SLOW, 500.0 + DEFAULT_REPORT_SECONDS]


def test_a_faster_pace_holds_at_once() -> None:
    pace = ReportPace(0.9)
    pace.seconds = SLOW
    assert not pace.is_due(100.0)
    pace.seconds = DEFAULT_REPORT_SECONDS
    assert pace.is_due(100.0 + DEFAULT_REPORT_SECONDS)
