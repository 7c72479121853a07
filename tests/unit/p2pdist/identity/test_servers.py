"""`p2pdist.identity.servers`: which address is tried next, so that each has its turn and what works is kept."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.identity.servers import AddressTurns, Servers
from p2pdist.shared.manifest.servers import ServerList
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


def tried(servers: Servers) -> list[ServerAddress]:
    return list(servers.origin.order)


def listed(*addresses: ServerAddress, number: int = 1) -> ServerList:
    return ServerList(format=1, number=number, addresses=addresses)


def test_one_that_is_listed_and_used_stays_in_use() -> None:
    servers = Servers(A)
    assert not servers.signed(listed(A, B))
    assert (servers.origin.order, servers.origin.current, servers.number) == ((A, B), A, 1)
    servers.origin.failed(A, "moved")
    servers.origin.worked(B)
    assert not servers.signed(listed(A, B, C, number=2))
    assert servers.origin.current == B
    assert not servers.signed(listed(A, B, C, number=2)), "the same again"


def test_one_that_is_not_listed_any_more_is_left_at_once_and_the_own_one_is_the_last_resort() -> None:
    servers = Servers(A)
    servers.signed(listed(A, B))
    assert servers.signed(listed(B, C, number=2))
    assert servers.origin.order == servers.web.order == (B, C, A)
    assert servers.origin.current == servers.web.current == B
    servers.origin.failed(B, "no")
    servers.origin.failed(C, "no")
    assert servers.origin.current == A


def test_after_a_restart_the_one_that_worked_last_comes_first() -> None:
    servers = Servers(A, B)
    assert tried(servers) == [B, A]
    assert not servers.signed(listed(A, B))
    assert servers.origin.current == B
    assert Servers(A, A).origin.order == (A,)


def test_a_loopback_address_is_left_out_where_the_pc_has_not_enrolled_at_one() -> None:
    loop = ServerAddress("127.0.0.1", 8443, 7690)
    servers = Servers(A)
    servers.signed(listed(loop, ServerAddress("localhost", 1, 2), B))
    assert tried(servers) == [B, A]
    servers.signed(listed(loop, number=2))
    assert tried(servers) == [A], "nothing is left of it"
    here = Servers(ServerAddress("127.0.0.2", 8443, 7690))
    here.signed(listed(loop))
    assert here.origin.current == loop


def test_an_address_that_somebody_gives_is_tried_first_at_both_ports_and_stays_so() -> None:
    servers = Servers(A)
    servers.web.failed(A, "no")
    servers.signed(listed(A, C))
    servers.set_own(B)
    assert servers.own == B
    assert servers.origin.order == servers.web.order == (B, A, C)
    assert servers.origin.current == servers.web.current == B
    servers.signed(listed(C, number=2))
    assert tried(servers) == [C, B]


def waits(turns: AddressTurns, there: ServerAddress) -> tuple[list[ServerAddress], int]:
    """Return which addresses are tried until the server answers at ``there``, and how often is waited meanwhile."""
    tried, waited = [turns.current], 0
    while tried[-1] != there:
        turns.failed(tried[-1], "no")
        waited += not turns.more_now()
        tried.append(turns.current)
    turns.worked(there)
    return tried, waited


def test_after_an_outage_one_round_over_all_addresses_comes_without_a_wait_between_them() -> None:
    turns = AddressTurns([A, B, C])
    for _ in range(4):  # nobody answers anywhere
        rounds = []
        for _ in turns.order:
            turns.failed(turns.current, "no")
            rounds.append(turns.more_now())
        assert rounds == [True, True, False], "a wait after each round, not after each address"
    assert waits(turns, C) == ([A, B, C], 0)
    assert waits(turns, B) == ([C, A, B], 0), "a round begins where the server answered last"
    assert waits(AddressTurns([A]), A) == ([A], 0)


def test_a_round_begins_anew_with_other_addresses_and_is_asked_for_once() -> None:
    turns = AddressTurns([A, B])
    assert not turns.more_now(), "nothing has failed"
    turns.failed(A, "no")
    turns.failed(C, "late word on none of them")
    assert turns.more_now()
    assert not turns.more_now(), "an attempt that fails otherwise makes no loop"
    turns.use([A, B, C], A)
    turns.failed(A, "no")
    assert turns.more_now()
    one = AddressTurns([A])
    one.failed(A, "no")
    assert not one.more_now(), "one address is as it always was"


def test_where_the_server_answered_last_is_a_resort_until_it_answers_elsewhere() -> None:
    """A list with a wrong address alone, or one that is signed too early, costs attempts, and loses no PC."""
    servers = Servers(A)
    servers.signed(listed(A, B))
    servers.origin.failed(A, "moved")
    servers.origin.worked(B)
    servers.signed(listed(B, number=2))
    assert servers.signed(listed(C, number=3)), "nobody is there"
    assert tried(servers) == [C, A, B]
    servers.origin.failed(C, "no")
    servers.origin.failed(A, "no")
    assert servers.origin.current == B
    assert servers.web.order == (C, A), "each port by itself"
    servers.origin.worked(B)
    servers.signed(listed(C, number=4))
    servers.origin.worked(C)
    assert tried(servers) == [C, A], "that is over"
    restarted = Servers(A, B)
    assert restarted.signed(listed(C, number=3))
    assert restarted.web.order == restarted.origin.order == (C, A, B)


def test_another_list_of_the_same_number_is_another_list() -> None:
    """A server that was restored from a backup may have counted on from there."""
    servers = Servers(A)
    assert not servers.has(listed(A, B))
    servers.signed(listed(A, B))
    assert servers.has(listed(A, B))
    assert not servers.has(listed(A, C))
    assert not servers.has(listed(A, B, number=2))
