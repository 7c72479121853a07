"""`seed_server.origin.peer_lists`: who is told whom, and what is sent of it."""

from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.fields import MAX_SITE_PEERS
from p2pdist.shared.wire.messages import SitePeer, SitePeers
from seed_server.origin.join_pace import FREE_JOINS, JOIN_SECONDS, JoinPace
from seed_server.origin.peer_lists import (
    CONTENT_PEERS_SECONDS,
    LARGE_SITE_PEERS_SECONDS,
    SMALL_SITE_ENDPOINTS,
    SMALL_SITE_PEERS_SECONDS,
    PeerList,
    PeerLists,
    around,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def numbered(number: int) -> EndpointId:
    return EndpointId("a" * 23 + "".join(LETTERS[number >> 5 * place & 31] for place in (2, 1, 0)))


@dataclass
class Pc:
    """An endpoint that applies what it is told."""

    endpoint: EndpointId
    peer: SitePeer
    peer_list: PeerList = field(default_factory=PeerList)
    knows: dict[str, SitePeer] = field(default_factory=dict)
    messages: list[SitePeers] = field(default_factory=list)

    def take(self) -> None:
        message = self.peer_list.message()
        if message is None:
            return
        self.messages.append(message)
        if message.anew:
            self.knows = {}
        for gone in message.left:
            del self.knows[gone]
        self.knows |= {peer.endpoint_id: peer for peer in message.joined}


def pc(number: int, port: int = 7691) -> Pc:
    return Pc(numbered(number), SitePeer(endpoint_id=numbered(number), address="10.0.0.1", port=port))


class Site:
    """A site whose endpoints are told at once."""

    def __init__(self) -> None:
        self.lists = PeerLists(JoinPace(), self.tell)
        self.pcs: dict[EndpointId, Pc] = {}
        self.told: Counter[EndpointId] = Counter()
        self.now = 0.0

    def tell(self, endpoint: EndpointId) -> None:
        self.told[endpoint] += 1
        self.pcs[endpoint].take()

    def join(self, number: int, port: int = 7691) -> Pc:
        came = self.pcs[numbered(number)] = pc(number, port)
        self.lists.join(came, self.now)
        return came

    def leave(self, number: int) -> None:
        del self.pcs[numbered(number)]
        self.lists.leave(numbered(number), self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.lists.tell_changes(self.now)


class TestGraph:
    @pytest.mark.parametrize("size", [1, 2, MAX_SITE_PEERS, MAX_SITE_PEERS + 1, MAX_SITE_PEERS + 2, 200, 1_000])
    def test_is_one_and_fair(self, size: int) -> None:
        ring = [numbered(number) for number in range(size)]
        told = {endpoint: around(ring, at) for at, endpoint in enumerate(ring)}
        degree = min(size - 1, MAX_SITE_PEERS)
        assert all(len(set(others) - {endpoint}) == len(others) == degree for endpoint, others in told.items())
        assert set(Counter(other for others in told.values() for other in others).values()) <= {degree}
        reached, queue = {ring[0]}, deque([ring[0]])
        while queue:
            new = set(told[queue.popleft()]) - reached
            reached |= new
            queue.extend(new)
        assert len(reached) == size

    @pytest.mark.parametrize("size", [49, 200])
    def test_newcomer_concerns_its_surroundings_alone(self, size: int) -> None:
        site = Site()
        for number in range(1, size):
            site.join(number)
        site.wait(LARGE_SITE_PEERS_SECONDS)
        site.told.clear()
        site.join(0)
        site.wait(LARGE_SITE_PEERS_SECONDS)
        assert len(site.told) == min(size, MAX_SITE_PEERS + 1)
        for endpoint in site.told.keys() - {numbered(0)}:
            newest = site.pcs[endpoint].messages[-1]
            assert (newest.anew, [peer.endpoint_id for peer in newest.joined]) == (False, [numbered(0)])
            assert len(newest.left) == (1 if size > MAX_SITE_PEERS + 1 else 0)


class TestContent:
    """Those that lack nothing."""

    def site(self, *numbers: int) -> Site:
        site = Site()
        site.lists = PeerLists(JoinPace(), site.tell, lacks=lambda endpoint: endpoint in lacking)
        lacking = {numbered(number) for number in numbers}
        for number in range(20):
            site.join(number)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        site.told.clear()
        return site

    def test_a_newcomer_is_told_at_once_as_is_who_lacks_something_and_the_others_of_many_in_one_message(self) -> None:
        site = self.site(3)
        for number in (30, 31, 32):
            site.join(number)
            site.wait(SMALL_SITE_PEERS_SECONDS)
        assert site.told == {numbered(3): 3} | dict.fromkeys(map(numbered, (30, 31, 32)), 1)
        assert len(site.pcs[numbered(32)].knows) == 22
        site.wait(CONTENT_PEERS_SECONDS)
        assert all(len(one.knows) == 22 for one in site.pcs.values())
        assert site.told[numbered(5)] == 1

    def test_who_begins_to_lack_something_is_told_what_it_has_missed(self) -> None:
        site = self.site()
        site.join(30)
        site.leave(4)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        site.lists.begins_to_lack(numbered(5))
        site.lists.begins_to_lack(numbered(5))
        assert site.told == {numbered(30): 1, numbered(5): 1}
        assert site.pcs[numbered(5)].knows.keys() == site.pcs.keys() - {numbered(5)}
        site.leave(6)
        site.wait(CONTENT_PEERS_SECONDS + SMALL_SITE_PEERS_SECONDS)
        assert all(one.knows.keys() == site.pcs.keys() - {one.endpoint} for one in site.pcs.values())


class TestDifferences:
    def test_the_first_one_is_whole_even_if_it_is_empty(self) -> None:
        site = Site()
        only = site.join(0)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert only.messages == [SitePeers(anew=True, joined=[], left=[])]

    def test_who_comes_back_before_it_is_missed_is_no_news(self) -> None:
        site = Site()
        site.join(0)
        stays = site.join(1)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        site.leave(0)
        site.join(0)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert len(stays.messages) == 1

    def test_another_port_is_one_entry(self) -> None:
        site = Site()
        site.join(0)
        stays = site.join(1)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        site.leave(0)
        moved = site.join(0, port=7777)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert stays.messages[-1] == SitePeers(anew=False, joined=[moved.peer], left=[])

    def test_news_that_is_none_any_more_is_no_message(self) -> None:
        peer_list = PeerList()
        assert peer_list.message() == SitePeers(anew=True, joined=[], left=[])
        assert peer_list.message() is None

    @given(
        st.sampled_from([0, 38, 43, 90]),
        st.lists(st.tuples(st.integers(0, 99), st.sampled_from([7691, 7777]), st.sampled_from([0, 0, 9])), max_size=60),
    )
    def test_what_was_told_adds_up_to_what_is(self, already: int, script: list[tuple[int, int, float]]) -> None:
        site = Site()
        for number in range(already):
            site.join(number)
        site.wait(LARGE_SITE_PEERS_SECONDS)
        for number, port, pause in script:
            if numbered(number) in site.pcs:
                site.leave(number)
            else:
                site.join(number, port)
            site.wait(pause)
        site.wait(FREE_JOINS * len(script) * JOIN_SECONDS)
        site.wait(LARGE_SITE_PEERS_SECONDS)
        ring = sorted(site.pcs)
        for at, endpoint in enumerate(ring):
            assert set(site.pcs[endpoint].knows) == set(around(ring, at))
            assert all(site.pcs[EndpointId(other)].peer == peer for other, peer in site.pcs[endpoint].knows.items())


class TestPace:
    def test_who_joins_too_often_is_told_nobody_and_told_to_nobody_until_it_is_due(self) -> None:
        site = Site()
        stays = site.join(1)
        for port in range(7_000, 7_000 + FREE_JOINS):
            site.join(0, port)
            site.wait(SMALL_SITE_PEERS_SECONDS)
            site.leave(0)
            site.wait(SMALL_SITE_PEERS_SECONDS)
        heard = len(stays.messages)
        again = site.join(0)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert (again.messages, len(stays.messages)) == ([], heard)
        site.wait(JOIN_SECONDS)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert again.messages == [SitePeers(anew=True, joined=[stays.peer], left=[])]
        assert stays.messages[-1].joined == [again.peer]

    def test_a_large_site_is_told_of_many_at_once(self) -> None:
        site = Site()
        for number in range(SMALL_SITE_ENDPOINTS + 1):
            site.join(number)
        site.wait(SMALL_SITE_PEERS_SECONDS)
        assert not site.told
        site.wait(LARGE_SITE_PEERS_SECONDS)
        assert set(site.told.values()) == {1}
