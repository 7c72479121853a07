"""`p2pdist.identity.servers`: which address is tried next, so that each has its turn and what works is kept."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.identity.servers import AddressTurns, Servers
from p2pdist.shared.server_address import ServerAddress

A, B, C = (ServerAddress(f"192.0.2.{number}", 8443, 7690) for number in (1, 2, 3))


def test_what_works_is_used_until_it_fails_and_then_the_next_one() -> None:
    turns = AddressTurns([A, B, C])
    assert turns.current == A
    turns.failed(A, "nothing listens")
    assert (turns.current, turns.problems) == (B, {A: "nothing listens"})
    turns.worked(B)
    turns.worked(B)
    assert turns.current == B
    turns.failed(B, "gone")
    turns.failed(C, "gone")
    assert turns.current == A, "and so on from the first"
    turns.worked(A)
    assert turns.problems == {B: "gone", C: "gone"}


def test_a_late_word_on_another_address_changes_nothing_of_the_turn() -> None:
    turns = AddressTurns([A, B])
    turns.failed(B, "late")
    turns.failed(C, "not one of them")
    assert (turns.current, turns.problems) == (A, {B: "late"})


@given(st.lists(st.sampled_from([A, B, C]), max_size=30), st.integers(1, 3))
def test_each_has_its_turn_within_as_many_attempts_as_there_are(worked: list[ServerAddress], count: int) -> None:
    turns = AddressTurns([A, B, C][:count])
    for address in worked:
        turns.worked(address)
    tried = set()
    for _ in range(count):
        tried.add(turns.current)
        turns.failed(turns.current, "no")
    assert tried == {A, B, C} & set(turns.order)


def test_an_address_that_somebody_gives_is_tried_first_at_both_ports() -> None:
    servers = Servers(A)
    servers.web.failed(A, "no")
    servers.set_own(B)
    assert servers.own == B
    assert servers.origin.order == servers.web.order == (B,)
    assert servers.origin.current == servers.web.current == B
    assert servers.web.problems == {}
