"""`seed_server.origin.join_pace`."""

from p2pdist.shared.identifiers import EndpointId
from seed_server.origin.join_pace import FREE_JOINS, JOIN_SECONDS, MAX_REMEMBERED_JOINS, JoinPace

A, B = EndpointId("a" * 26), EndpointId("b" * 26)


def test_three_are_free_then_one_in_thirty_seconds() -> None:
    pace = JoinPace()
    assert [pace.may_join(A, 0.0) for _ in range(FREE_JOINS + 1)] == [True] * FREE_JOINS + [False]
    assert not pace.may_join(A, JOIN_SECONDS - 0.1)
    assert pace.may_join(A, JOIN_SECONDS)
    assert not pace.may_join(A, JOIN_SECONDS + 0.1)
    assert pace.may_join(B, JOIN_SECONDS)


def test_who_asks_in_vain_does_not_wait_the_longer_for_it() -> None:
    pace = JoinPace()
    allowed = [now for now in range(600) if pace.may_join(A, float(now))]
    assert allowed == [0, 1, 2, *range(30, 600, 30)]


def test_a_quiet_time_gives_the_free_ones_back() -> None:
    pace = JoinPace()
    for _ in range(FREE_JOINS):
        pace.may_join(A, 0.0)
    later = FREE_JOINS * JOIN_SECONDS
    assert [pace.may_join(A, later) for _ in range(FREE_JOINS + 1)] == [True] * FREE_JOINS + [False]


def test_remembers_a_bounded_number() -> None:
    pace = JoinPace()
    for number in range(MAX_REMEMBERED_JOINS + 1):
        for _ in range(FREE_JOINS):
            pace.may_join(EndpointId(str(number)), 0.0)
    assert not pace.may_join(EndpointId("1"), 0.0)
    assert pace.may_join(EndpointId("0"), 0.0), "the oldest is forgotten"
