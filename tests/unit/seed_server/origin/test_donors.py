"""`seed_server.origin.donors`: who is asked next, and for how long."""

import random
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.signed_files import TrustTold
from seed_server.origin.donors import (
    FIRST_BACKOFF_SECONDS,
    FIRST_PATIENCE_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_PATIENCE_SECONDS,
    Donor,
    Donors,
)


@dataclass
class Pc:
    endpoint: EndpointId
    features: Features = ()
    outbox: "Pc" = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = self

    def put(self, key: str, news: Message, /) -> None:
        raise AssertionError(key, news)


A, B = EndpointId("a" * 26), EndpointId("b" * 26)


def donors(*endpoints: EndpointId, complete: EndpointId | None = None) -> Donors:
    found = Donors(random.Random(1).random)
    for endpoint in endpoints:
        told = TrustTold(1, 1, 1, bytes(16), complete=endpoint == complete)
        found.add(Donor(Pc(endpoint), told, {}))
    return found


def asked(found: Donors, now: float) -> EndpointId | None:
    donor = found.next(now)
    return None if donor is None else donor.pc.endpoint


def test_who_has_everything_is_asked_first_and_who_failed_last() -> None:
    found = donors(A, B, complete=B)
    assert asked(found, 0.0) == B
    found.blame(B, 0.0)
    assert asked(found, 1.0) == A
    assert asked(found, FIRST_BACKOFF_SECONDS) == A, "it has not failed yet"
    found.blame(A, 1.0)
    assert asked(found, 2.0) is None
    assert found.wait(2.0) == FIRST_BACKOFF_SECONDS - 2.0
    found.remove(B)
    found.remove(A)
    assert found.wait(2.0) == float("inf")
    assert len(found) == len(list(found)) == 0


def test_whoever_fails_again_and_again_is_left_alone_for_longer_and_longer_also_after_it_was_gone() -> None:
    found, now, waits = donors(A), 0.0, []
    for _ in range(9):
        found.blame(A, now)
        found.remove(A)
        found.add(Donor(Pc(A), TrustTold(1, 1, 1, bytes(16)), {}))
        waits.append(found.wait(now))
        now += waits[-1]
    assert waits[:3] == [FIRST_BACKOFF_SECONDS, 2 * FIRST_BACKOFF_SECONDS, 4 * FIRST_BACKOFF_SECONDS]
    assert waits[-1] == MAX_BACKOFF_SECONDS


def test_it_gives_way_to_others_that_have_failed_no_more_and_the_next_one_has_more_time() -> None:
    found = donors(A)
    late = FIRST_PATIENCE_SECONDS + 1
    assert not found.gives_way(A, 0.0, late), "nobody else is there"
    found.add(Donor(Pc(B), TrustTold(1, 1, 1, bytes(16)), {}))
    assert found.gives_way(A, 0.0, late)
    assert not found.gives_way(A, 0.0, late - 2)
    found.was_too_slow(A, late)
    found.add(Donor(Pc(EndpointId("c" * 26)), TrustTold(1, 1, 1, bytes(16)), {}))
    assert not found.gives_way(B, late, 2 * late)
    assert found.gives_way(B, late, late + 2 * FIRST_PATIENCE_SECONDS + 1)
    for _ in range(9):
        found.was_too_slow(A, late)
    assert not found.gives_way(EndpointId("c" * 26), 0.0, MAX_PATIENCE_SECONDS)


def test_whoever_failed_more_often_does_not_push_out_one_that_failed_less() -> None:
    found = donors(A, B)
    found.blame(B, 0.0)
    assert not found.gives_way(A, 0.0, 2 * FIRST_BACKOFF_SECONDS)
