"""`p2pdist.daemon.neighbour_news`: who is beside this PC is told hourly, where the server asks and the PC may."""

import pytest

from p2pdist.daemon.neighbour_news import AGAIN_SECONDS, FIRST_NEIGHBOURS_SECONDS, NeighbourNews
from p2pdist.pc.link_neighbours import LinkNeighbours
from p2pdist.pc.network import NetworkState
from p2pdist.shared.wire.neighbours_seen import MAX_NEIGHBOURS_SEEN, MAX_OWN_CARDS, NeighbourSeen, NeighboursSeen
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock

PRINTER = LinkNeighbours(("52:54:00:00:00:01",), {"52:54:00:12:34:56": "10.0.0.7"})
SAID = NeighboursSeen(("52:54:00:00:00:01",), (NeighbourSeen("52:54:00:12:34:56", "10.0.0.7"),))


def test_who_is_there_is_told_minutes_after_the_welcome_and_hourly() -> None:
    state, clock = made_up_state(), FakeClock()
    news = NeighbourNews(state, NetworkState, clock, allowed=True, look=lambda _: PRINTER)
    clock.wall += 10 * AGAIN_SECONDS
    assert news.news() == [], "nobody has asked"
    state.takes_neighbours = True
    assert news.news() == []
    clock.wall += FIRST_NEIGHBOURS_SECONDS
    assert news.news() == [SAID]
    state.welcomes += 1
    clock.wall += AGAIN_SECONDS - 1
    assert news.news() == [], "however often it connects"
    clock.wall += 1
    assert news.news() == [SAID]


@pytest.mark.parametrize("why", ["setting", "network", "kernel"])
def test_nothing_is_told_where_nothing_may_be_or_nothing_is_known(why: str) -> None:
    state, clock = made_up_state(), FakeClock()
    state.takes_neighbours = True

    def look(_network: NetworkState) -> LinkNeighbours | None:
        assert why != "setting", "then nobody even looks"
        if why == "kernel":
            raise OSError("no")
        return None

    news = NeighbourNews(state, NetworkState, clock, allowed=why != "setting", look=look)
    news.news()
    clock.wall += FIRST_NEIGHBOURS_SECONDS
    assert news.news() == []


def test_of_very_many_a_part_is_told() -> None:
    state, clock = made_up_state(), FakeClock()
    state.takes_neighbours = True
    cards = tuple(f"52:54:00:00:{number // 256:02x}:{number % 256:02x}" for number in range(1_000))
    many = LinkNeighbours(cards, dict.fromkeys(cards, "10.0.0.7"))
    news = NeighbourNews(state, NetworkState, clock, allowed=True, look=lambda _: many)
    news.news()
    clock.wall += FIRST_NEIGHBOURS_SECONDS
    (said,) = news.news()
    assert (len(said.own), len(said.seen)) == (MAX_OWN_CARDS, MAX_NEIGHBOURS_SEEN)
