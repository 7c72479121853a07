"""`seed_server.leasing.turns`: who fetches next, and when a turn is over."""

import pytest

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.times import IDLE_TURN_SECONDS, TURN_SECONDS, LedgerTimes
from seed_server.leasing.turns import (
    OUSTED_LOOK_SECONDS,
    OWED_SECONDS,
    TURN_LEAST_PIECES,
    TURN_SHARE,
    FetcherRank,
    FetcherTurns,
    Precedence,
)

A, B, C = EndpointId("a" * 26), EndpointId("b" * 26), EndpointId("c" * 26)


class Site:
    """Three PCs that could all fetch."""

    def __init__(self, pieces: int = 10_000, fetchers: int = 1) -> None:
        self.last: set[EndpointId] = set()
        self.later: set[EndpointId] = set()
        self.alone: set[EndpointId] = set()
        self.could = {A, B, C}
        self.freed = 0
        ready = {e: FetcherRank(e, wired=True, on_mains=True, uptime_seconds=0) for e in (A, B, C)}
        self.turns = FetcherTurns(
            pieces, ready, self.precedence, fetchers=fetchers, times=LedgerTimes(), on_freed=self.count
        )

    def precedence(self, endpoint: EndpointId, _now: float) -> Precedence:
        if endpoint in self.last:
            return Precedence.LAST
        if endpoint in self.alone:
            return Precedence.ALONE
        return Precedence.LATER if endpoint in self.later else Precedence.FIRST

    def count(self) -> None:
        self.freed += 1

    def asks(self, endpoint: EndpointId, now: float) -> bool:
        has = self.turns.has(endpoint, now, self.could.__contains__)
        if has:
            self.turns.granted(endpoint, now)
        return has


def test_turns_go_round() -> None:
    site, now = Site(), 0.0
    order: list[EndpointId] = []
    while len(order) < 6:
        for endpoint in (A, B, C):
            if site.asks(endpoint, now) and order[-1:] != [endpoint]:
                order.append(endpoint)
        now += 1.0
    assert order == [A, B, C, A, B, C]
    assert now == 5 * TURN_SECONDS + 1.0


def test_a_turn_is_over_after_its_share_of_the_file() -> None:
    site, pieces = Site(1_000), 0
    while site.asks(A, 0.0):
        pieces += 1
    assert pieces == int(TURN_SHARE * 1_000)
    assert site.freed == 2, "with the last piece, and when asked for more"
    assert site.asks(B, 0.0)


def test_the_next_turn_begins_while_the_last_piece_of_the_one_before_is_being_sent() -> None:
    site = Site(1_000)
    for _ in range(int(TURN_SHARE * 1_000) - 1):
        assert site.asks(A, 0.0)
    assert not site.asks(B, 0.0)
    assert site.freed == 0
    assert site.asks(A, 0.0)
    assert site.freed == 1
    assert site.asks(B, 0.0)
    assert site.turns.holders == {B}


def test_of_a_small_file_a_few_pieces_are_one_turn() -> None:
    site, pieces = Site(4), 0
    while site.asks(A, 0.0):
        pieces += 1
    assert pieces == TURN_LEAST_PIECES


def test_it_goes_on_while_nobody_else_could_fetch() -> None:
    site = Site(8)
    site.could = {A}
    assert all(site.asks(A, now) for now in range(1_000))


def test_a_holder_that_does_nothing_makes_room_also_for_one_that_comes_last() -> None:
    site = Site()
    site.last = {B, C}
    assert site.asks(A, 0.0)
    assert not site.asks(B, IDLE_TURN_SECONDS - 0.1)
    assert site.asks(B, IDLE_TURN_SECONDS)


def test_whoever_comes_last_waits_for_all_others() -> None:
    site = Site()
    site.last = {A}
    assert not site.asks(A, 0.0)
    assert site.asks(B, 0.0)
    site.could = {A, B}
    for now in range(1, 100):
        assert site.asks(B, float(now))
        assert not site.asks(A, float(now))


def test_a_holder_that_comes_last_from_now_on_makes_room_at_once() -> None:
    site = Site()
    assert site.asks(A, 0.0)
    site.last = {A}
    assert not site.asks(A, 0.1)
    assert site.asks(B, 0.1)


def test_one_that_does_not_want_its_slot_holds_up_nobody() -> None:
    site = Site()
    assert not site.asks(C, 0.0), "A and B go first"
    assert not site.asks(C, OWED_SECONDS - 0.1)
    assert not site.asks(B, OWED_SECONDS - 0.1), "A still goes first"
    assert site.asks(B, OWED_SECONDS)


def test_one_that_asked_while_there_was_nothing_for_it_still_waits() -> None:
    site = Site()
    site.could = {A, C}
    assert not site.asks(C, 0.0), "A goes first"
    site.turns.asked_in_vain(A, 1.0)
    assert not site.asks(C, OWED_SECONDS + 0.5)
    assert site.asks(A, OWED_SECONDS + 0.5)


def test_a_holder_with_nothing_to_do_is_not_idle() -> None:
    site = Site()
    site.last = {B, C}
    assert site.asks(A, 0.0)
    site.turns.asked_in_vain(A, IDLE_TURN_SECONDS)
    assert not site.asks(B, IDLE_TURN_SECONDS + 1.0)


def test_leaving_and_coming_back_is_no_way_to_the_front() -> None:
    site = Site()
    site.could = {A, B}
    assert site.asks(A, 0.0)
    site.turns.left(A)
    assert not site.asks(A, 0.1)
    assert site.asks(B, 0.1)


def test_held_time_does_not_count() -> None:
    site = Site()
    assert site.asks(A, 0.0)
    site.turns.hold(3_600.0)
    assert site.asks(A, 3_600.1)


def test_one_that_helps_less_has_no_slot_beside_one_that_helps_in_full() -> None:
    site = Site(fetchers=3)
    site.later = {A}
    assert not site.asks(A, 0.0), "B and C may come"
    assert site.asks(B, 0.1)
    assert not site.asks(A, 0.2), "there are two more slots"
    assert site.asks(C, 0.3)
    site.turns.end(B)
    site.turns.end(C)
    site.could = {A}
    assert site.asks(A, 0.4), "nobody else could fetch"


@pytest.mark.parametrize("kind", ["later", "alone"])
def test_one_that_helps_less_from_now_on_leaves_the_line_to_the_others(kind: str) -> None:
    site = Site(fetchers=2)
    assert site.asks(A, 0.0)
    assert site.asks(B, 0.0)
    setattr(site, kind, {A})
    site.could = {A, B}
    assert not site.asks(A, 0.1)
    assert site.turns.holders == {B}


def test_one_that_helps_less_does_not_wait_for_one_that_does_nothing() -> None:
    site = Site(fetchers=2)
    site.later, site.could = {A}, {A, B}
    assert site.asks(B, 0.0)
    assert not site.asks(A, IDLE_TURN_SECONDS - 0.1)
    assert site.asks(A, IDLE_TURN_SECONDS)


def test_where_all_help_less_they_share_the_slots_as_ever() -> None:
    site = Site(fetchers=2)
    site.later = {A, B, C}
    assert [site.asks(e, 0.0) for e in (A, B, C)] == [True, True, False]
    assert site.asks(C, TURN_SECONDS)


def test_before_one_whose_pieces_serve_it_alone_go_those_that_help_less_but_none_with_a_fault() -> None:
    site = Site(fetchers=3)
    site.last, site.alone, site.later = {A}, {B}, {C}
    assert not site.asks(B, 0.0)
    assert site.asks(C, 0.1)
    assert not site.asks(B, 0.2)
    site.turns.end(C)
    site.could = {A, B}
    assert site.asks(B, 0.3)
    assert site.asks(A, 0.3), "slots enough"


def test_a_holder_that_helps_less_looks_at_the_others_now_and_then() -> None:
    site = Site()
    site.later, site.could = {A, B, C}, {A}
    looks = 0

    def could(endpoint: EndpointId) -> bool:
        nonlocal looks
        looks += 1
        return endpoint in site.could

    site.turns.has(A, 0.0, could)
    looks = 0
    for n in range(100):
        assert site.turns.has(A, n / 100, could)
    assert looks <= 2 * 1 / OUSTED_LOOK_SECONDS
    site.later, site.could = {A}, {A, B}
    assert not site.turns.has(A, 1.0 + OUSTED_LOOK_SECONDS, could)
