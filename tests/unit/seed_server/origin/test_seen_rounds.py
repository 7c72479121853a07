"""`seed_server.origin.seen_rounds`: each connected endpoint comes up within a minute, few at a time."""

from p2pdist.shared.identifiers import EndpointId
from seed_server.origin.seen_rounds import SEEN_SECONDS, SeenRounds


def test_in_a_minute_each_comes_up_once() -> None:
    rounds, connected = SeenRounds(), [EndpointId(f"{n:026}") for n in range(500)]
    steps = [rounds.next(connected, 0.25) for _ in range(round(SEEN_SECONDS / 0.25))]
    assert max(map(len, steps)) == 3
    seen = [endpoint for step in steps for endpoint in step]
    assert sorted(seen[: len(connected)]) == connected


def test_where_nobody_is_connected_nobody_comes_up() -> None:
    rounds = SeenRounds()
    assert rounds.next((), 0.25) == []
    assert rounds.next([EndpointId("a" * 26)], 0.25) == ["a" * 26]
