"""`p2pdist.status.neighbourhood`: daemon and doctor judge a PC's network alike."""

import pytest

from p2pdist.local_api.delivery_answers import Peer, PeerCallers
from p2pdist.status.neighbourhood import (
    LEAST_REACHED,
    LEAST_WATCHED_SECONDS,
    callers_come_in,
    neighbourhood,
)


def peer(*sources: str, connected: bool = False, reason: str | None = None) -> Peer:
    return Peer("n", "10.0.0.2", 7_691, list(sources), connected, reason, 0, 0)


@pytest.mark.parametrize(
    ("peers", "unheard", "cut_off"),
    [
        ([], False, False),
        ([peer("server")], True, False),
        ([peer("server"), peer("mdns")], False, False),
        ([peer("server"), peer("server", connected=True)], False, False),
        ([peer("mdns", reason="timed out")], False, True),
        ([peer("mdns", reason="connection refused")], False, False),
        ([peer("mdns", reason="timed out"), peer("server", connected=True)], False, False),
    ],
)
def test_what_neighbours_show(peers: list[Peer], unheard: bool, cut_off: bool) -> None:
    around = neighbourhood(peers)
    assert (around.is_unheard, around.is_cut_off) == (unheard, cut_off)


def test_one_caller_is_enough_and_only_many_that_do_not_call_show_a_firewall() -> None:
    many, long = LEAST_REACHED, LEAST_WATCHED_SECONDS
    assert callers_come_in(None) is None
    assert callers_come_in(PeerCallers(1, 5.0, 0, 0.0)) is True
    assert callers_come_in(PeerCallers(0, None, many, long)) is False
    assert callers_come_in(PeerCallers(0, None, many - 1, long)) is None
    assert callers_come_in(PeerCallers(0, None, many, long - 1)) is None
