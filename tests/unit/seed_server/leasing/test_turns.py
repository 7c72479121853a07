"""`seed_server.leasing.turns`: who fetches next, and when a turn is over."""

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.times import IDLE_TURN_SECONDS, TURN_SECONDS, LedgerTimes
from seed_server.leasing.turns import (
    OWED_SECONDS,
    TURN_LEAST_PIECES,
    TURN_SHARE,
    FetcherRank,
    FetcherTurns,
)

A, B, C = EndpointId("a" * 26), EndpointId("b" * 26), EndpointId("c" * 26)


class Site:
    """Three PCs that could all fetch."""

    def __init__(self, pieces: int = 10_000, fetchers: int = 1) -> None:
        self.last: set[EndpointId] = set()
        self.could = {A, B, C}
        self.freed = 0
        ready = {e: FetcherRank(e, wired=True, on_mains=True, uptime_seconds=0) for e in (A, B, C)}
        self.turns = FetcherTurns(
            pieces, ready, lambda e, _: e in self.last, fetchers=fetchers, times=LedgerTimes(), on_freed=self.count
        )

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
    assert site.freed == 1
    assert site.asks(B, 0.0)


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
