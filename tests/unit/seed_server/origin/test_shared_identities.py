"""`seed_server.origin.shared_identities`: copies are noticed, and nobody else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.fields import MAX_COPIES
from seed_server.origin.shared_identities import (
    FORGET_SECONDS,
    HOLDER_SECONDS,
    RETURN_SECONDS,
    Caller,
    SharedIdentities,
)

ENDPOINT = EndpointId("a" * 26)


def caller(name: str, address: str = "10.0.0.1") -> Caller:
    return Caller(instance=name * 32, hostname=f"pc-{name}", address=address)


A, B, C = caller("a"), caller("b"), caller("c")


class Port:
    """Connects PCs of one identity, and knows who is connected."""

    def __init__(self) -> None:
        self.identities = SharedIdentities()
        self.now = 0.0
        self.connected: Caller | None = None

    def come(self, who: Caller, after: float = 1.0) -> bool:
        self.now += after
        if not self.identities.may_connect(ENDPOINT, who, self.now):
            return False
        if self.connected is not None:
            self.identities.left(ENDPOINT, self.connected.instance, self.now)
        self.identities.joined(ENDPOINT)
        self.connected = who
        return True

    def leave(self, after: float = 1.0) -> None:
        self.now += after
        assert self.connected is not None
        self.identities.left(ENDPOINT, self.connected.instance, self.now)
        self.connected = None

    @property
    def others(self) -> list[str]:
        return [other.hostname for other in self.identities.others(ENDPOINT)]


def shared() -> Port:
    """Return a port where B holds the connection and A has just been refused."""
    port = Port()
    assert [port.come(who) for who in (A, B, A, B)] == [True, True, True, False]
    return port


def test_two_pcs_that_take_turns_are_copies_and_one_of_them_stays() -> None:
    port = shared()
    assert port.connected == A
    assert port.others == ["pc-b"]
    assert [port.come(B, 60.0) for _ in range(5)] == [False] * 5
    assert port.identities.others(ENDPOINT, B.instance) == (A,)


def test_more_copies_are_noticed_too_and_named_up_to_a_cap() -> None:
    port = Port()
    crowd = [caller("0123456789abcdef"[number]) for number in range(MAX_COPIES + 4)]
    for who in (*crowd[:3], *crowd[:3]):
        port.come(who)
    assert port.others == ["pc-2", "pc-1"]
    for who in crowd:
        port.come(who)
    assert len(port.others) == MAX_COPIES


@pytest.mark.parametrize(
    "visits",
    [
        pytest.param([A] * 9, id="reconnects"),
        pytest.param([A, caller("a", "10.9.9.9"), A, caller("a", "10.9.9.9")], id="changes its address"),
        pytest.param([caller(name) for name in "0123456789"], id="is restarted again and again"),
        pytest.param([A, A, B, B, C, C], id="is restarted, and reconnects in between"),
        pytest.param([A, B, A, C, C], id="is put back to a snapshot of its memory, then restarted"),
    ],
)
def test_one_pc_is_never_taken_for_several(visits: list[Caller]) -> None:
    port = Port()
    assert [port.come(who) for who in visits] == [True] * len(visits)
    assert port.others == []


def test_turns_that_are_far_apart_say_nothing() -> None:
    port = Port()
    for who in (A, B) * 5:
        assert port.come(who, RETURN_SECONDS + 1.0)
    assert port.others == []


def test_the_holder_may_come_back_before_another_takes_its_place() -> None:
    port = shared()
    port.leave()
    assert not port.come(B)
    assert port.come(A)
    port.leave()
    assert not port.come(B, HOLDER_SECONDS - 1.0)
    assert port.come(B, 1.0)
    assert not port.come(A)
    assert port.others == ["pc-a"]


def test_a_dead_connection_of_the_holder_keeps_others_out_only_until_it_ends() -> None:
    port = shared()
    assert not port.come(B, 10 * HOLDER_SECONDS)
    port.leave()
    assert port.come(B, HOLDER_SECONDS)


def test_it_is_over_when_no_other_has_come_for_long() -> None:
    port = shared()
    assert port.identities.take_ended(port.now + FORGET_SECONDS - 1.0) == set()
    assert port.identities.take_ended(port.now + FORGET_SECONDS) == {ENDPOINT}
    assert port.identities.take_ended(port.now + FORGET_SECONDS) == set()
    assert port.others == []
    assert port.come(B, FORGET_SECONDS)
    assert port.others == [], "it has to be seen anew"


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.floats(0.1, 700.0)), max_size=30))
def test_while_it_is_shared_nobody_is_thrown_out(visits: list[tuple[Caller, float]]) -> None:
    port = Port()
    for who, after in visits:
        before, was_shared = port.connected, bool(port.others)
        came = port.come(who, after)
        if was_shared and before is not None:
            assert port.connected is not None
            assert port.connected.instance == before.instance
        assert came == (port.connected is not None and port.connected.instance == who.instance)
