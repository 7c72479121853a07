from collections import Counter

import pytest

from p2pdist.neighbours.few_pieces import LATER_LINK_SECONDS, MAX_SPARE_LINKS, SPARE_LINK_SECONDS
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.peer_book import (
    ATTEMPT_SECONDS,
    FASTEST_REATTEMPT_SECONDS,
    FIRST_TORRENTS,
    GONE_SHOWN_SECONDS,
    LINKS_OF_FIRST,
    MAX_CONNECTS_PER_CALL,
    MAX_IDS_PER_ADDRESS,
    MAX_LINKS_OF_ALL,
    MAX_LINKS_PER_TORRENT,
    MAX_MDNS_PEERS,
    ConnectTo,
    PeerBook,
)
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.fields import FEW_PIECES, MAX_SITE_PEERS
from p2pdist.shared.wire.messages import Holders, SitePeer, SitePeers
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

SWARM, OTHER_SWARM = "a" * 16, "b" * 16
SITE, OTHER_SITE = "c" * 16, "d" * 16
OWN = EndpointId("m" * 26)
LOW, HIGH = EndpointId("a" * 26), EndpointId("z" * 26)
T1, T2 = TorrentHash("1" * 64), TorrentHash("2" * 64)
MANY = 100  # pieces
WANT = {T1: MANY}


def hint(endpoint_id=LOW, address="10.0.0.1", port=7691, swarm=SWARM, site=SITE) -> Announcement:
    return Announcement(EndpointId(endpoint_id), address, port, swarm, site)


def peer(endpoint_id=LOW, address="10.0.0.1", port=7691) -> SitePeer:
    return SitePeer(endpoint_id=endpoint_id, address=address, port=port)


def joined(*peers: SitePeer, anew=True) -> SitePeers:
    return SitePeers(anew=anew, joined=list(peers), left=[])


def numbered(number: int) -> EndpointId:
    digits = "".join("abcdefghijklmnopqrstuvwxyz234567"[(number >> 5 * i) & 31] for i in range(5))
    return EndpointId("a" * 21 + digits)


@pytest.fixture
def book() -> PeerBook:
    return PeerBook(OWN, swarm_tag=SWARM, site_tag=SITE)


def only(book: PeerBook):
    (entry,) = book.entries()
    return entry


def test_a_new_neighbour_is_connected_at_once_and_once(book):
    book.observe(hint(), "mdns", 0.0)
    assert only(book).reason is PeerReason.NOT_TRIED
    assert book.connections_wanted(WANT, 0.0) == [ConnectTo(T1, "10.0.0.1", 7691)]
    assert book.connections_wanted(WANT, 0.1) == []
    book.connected(T1, "10.0.0.1", 0.2)
    entry = only(book)
    assert (entry.status, entry.reason, entry.sources) == ("connected", None, ("mdns",))
    assert book.connections_wanted(WANT, 1_000.0) == []


def test_each_torrent_has_its_own_connection(book):
    book.observe(hint(), "mdns", 0.0)
    book.connections_wanted(WANT, 0.0)
    book.connected(T1, "10.0.0.1", 0.0)
    assert book.connections_wanted({T1: MANY, T2: MANY}, 1.0) == [ConnectTo(T2, "10.0.0.1", 7691)]


def test_who_has_everything_connects_to_nobody_but_is_found(book):
    book.observe(hint(), "mdns", 0.0)
    assert book.connections_wanted({T1: 0}, 0.0) == []
    assert only(book).reason is PeerReason.NOTHING_TO_FETCH
    book.connected(T1, "10.0.0.1", 1.0)
    assert only(book).status == "connected"
    book.disconnected(T1, "10.0.0.1", PeerReason.BOTH_COMPLETE, 2.0)
    assert only(book).reason is PeerReason.BOTH_COMPLETE


def test_sources_are_merged_by_endpoint_id(book):
    book.observe(hint(), "mdns", 0.0)
    book.change_server_list(joined(peer()), 0.0)
    assert only(book).sources == ("mdns", "server")
    assert len(book.connections_wanted(WANT, 0.0)) == 1
    book.lost(LOW, "mdns", 1.0)
    assert only(book).sources == ("server",)
    book.change_server_list(joined(), 2.0)
    assert only(book).reason is PeerReason.GONE
    assert book.connections_wanted(WANT, 100.0) == []
    assert book.entries() == []


def test_the_server_s_list_changes_by_who_leaves_and_joins(book):
    book.change_server_list(joined(peer(), peer(HIGH, "10.0.0.2")), 0.0)
    book.change_server_list(SitePeers(anew=False, joined=[peer(HIGH, "10.0.0.3")], left=[LOW]), 1.0)
    assert [(e.endpoint_id, e.address, e.sources) for e in book.entries()] == [
        (LOW, "10.0.0.1", ()),
        (HIGH, "10.0.0.3", ("server",)),
    ]
    # named as gone and as come in one message: it has come
    book.change_server_list(SitePeers(anew=False, joined=[peer()], left=[LOW]), 2.0)
    assert [e.sources for e in book.entries()] == [("server",)] * 2
    # a list that begins anew, as after each connection, says the same without a new attempt
    assert len(book.connections_wanted(WANT, 2.0)) == 2
    book.refused(T1, "10.0.0.3", 7691, PeerReason.CERTIFICATE_REFUSED, 2.0)
    book.change_server_list(joined(peer(), peer(HIGH, "10.0.0.3")), 3.0)
    assert book.connections_wanted(WANT, 4.5) == []
    book.change_server_list(joined(peer()), 5.0)
    assert [e.sources for e in book.entries()] == [("server",), ()]


def test_a_list_that_changes_adds_up_to_no_more_connections_than_the_cap(book):
    for number in range(MAX_SITE_PEERS):
        book.change_server_list(joined(peer(numbered(number), f"10.0.1.{number}"), anew=False), 0.0)
    for wanted in book.connections_wanted(WANT, 0.0):
        book.connected(T1, wanted.address, 0.0)
    # the site grows: other neighbours are nearer on the ring now, the connections stay
    left: list[str] = [numbered(number) for number in range(MAX_SITE_PEERS // 2)]
    new = [peer(numbered(100 + number), f"10.0.2.{number}") for number in range(MAX_SITE_PEERS // 2)]
    book.change_server_list(SitePeers(anew=False, joined=new, left=left), 1.0)
    assert book.connections_wanted(WANT, 1.0) == []
    book.disconnected(T1, "10.0.1.0", PeerReason.BOTH_COMPLETE, 2.0)
    assert len(book.connections_wanted(WANT, 2.0)) == 1


def test_the_server_s_list_is_capped_whatever_it_sends(book):
    for number in range(3 * MAX_SITE_PEERS):
        book.change_server_list(joined(peer(numbered(number), f"10.0.1.{number}"), anew=False), 0.0)
    assert sum(e.sources == ("server",) for e in book.entries()) == MAX_SITE_PEERS
    assert book.dropped_hints == 2 * MAX_SITE_PEERS
    # one that is on it may move
    book.change_server_list(joined(peer(numbered(0), "10.0.2.1"), anew=False), 1.0)
    assert "10.0.2.1" in {e.address for e in book.entries()}


def test_a_refused_connect_is_retried_with_growing_pauses(book):
    book.observe(hint(), "mdns", 0.0)
    now, pauses = 0.0, []
    for _ in range(6):
        assert len(book.connections_wanted(WANT, now)) == 1
        book.refused(T1, "10.0.0.1", 7691, PeerReason.CONNECTION_REFUSED, now)
        assert only(book).reason is PeerReason.CONNECTION_REFUSED
        start = now
        while not book.connections_wanted(WANT, now):
            now += 0.25
        pauses.append(now - start)
        book.refused(T1, "10.0.0.1", 7691, PeerReason.CONNECTION_REFUSED, now)
        now += 1_000
    assert pauses == sorted(pauses)
    assert pauses[0] <= 2.0
    assert pauses[-1] <= 30.25


def test_a_new_announcement_makes_it_due_but_not_faster_than_the_cap(book):
    book.observe(hint(), "mdns", 0.0)
    book.connections_wanted(WANT, 0.0)
    for failure in range(8):
        book.refused(T1, "10.0.0.1", 7691, PeerReason.CONNECTION_REFUSED, failure * 100.0)
        book.connections_wanted(WANT, failure * 100.0 + 99)
    book.observe(hint(), "mdns", 1_000.0)
    assert len(book.connections_wanted(WANT, 1_000.0)) == 1
    attempts = 0
    for step in range(100):  # an announcement every 50 ms, by whoever wants us to be busy
        now = 1_000.0 + step * 0.05
        book.observe(hint(), "mdns", now)
        attempts += len(book.connections_wanted(WANT, now))
    assert attempts <= 5.0 / FASTEST_REATTEMPT_SECONDS


def test_the_lower_id_comes_back_sooner():
    pauses = {}
    for other in (LOW, HIGH):
        book = PeerBook(OWN, swarm_tag=SWARM, site_tag=SITE)
        book.observe(hint(other), "mdns", 0.0)
        book.connections_wanted(WANT, 0.0)
        book.connected(T1, "10.0.0.1", 0.0)
        book.disconnected(T1, "10.0.0.1", PeerReason.DUPLICATE, 0.0)
        now = 0.0
        while not book.connections_wanted(WANT, now):
            now += 0.01
        pauses[other] = now
    assert pauses[HIGH] == pytest.approx(pauses[LOW] / 2, abs=0.02)  # own id is below HIGH


def test_no_answer_at_all_is_a_timeout(book):
    book.observe(hint(), "mdns", 0.0)
    book.connections_wanted(WANT, 0.0)
    assert book.connections_wanted(WANT, ATTEMPT_SECONDS - 0.1) == []
    book.connections_wanted(WANT, ATTEMPT_SECONDS)
    assert only(book).reason is PeerReason.TIMED_OUT


@pytest.mark.parametrize(
    ("observed", "reason"),
    [(hint(swarm=OTHER_SWARM), PeerReason.OTHER_SWARM), (hint(site=OTHER_SITE), PeerReason.OTHER_SITE)],
)
def test_others_are_not_tried_and_the_reason_is_told(book, observed, reason):
    book.observe(observed, "mdns", 0.0)
    assert book.connections_wanted(WANT, 0.0) == []
    assert only(book).reason is reason


def test_an_unknown_site_on_either_side_is_tried():
    unknowing = PeerBook(OWN, swarm_tag=SWARM)
    unknowing.observe(hint(), "mdns", 0.0)
    assert unknowing.connections_wanted(WANT, 0.0)
    unknowing.set_site(OTHER_SITE)
    assert only(unknowing).reason is PeerReason.OTHER_SITE
    knowing = PeerBook(OWN, swarm_tag=SWARM, site_tag=SITE)
    knowing.observe(hint(site=""), "mdns", 0.0)
    assert knowing.connections_wanted(WANT, 0.0)


def test_itself_and_malformed_hints_are_ignored(book):
    book.observe(hint(OWN), "mdns", 0.0)
    for bad in (hint("nonsense"), hint(address="somewhere"), hint(port=0), hint(port=1_023), hint(port=65_536)):
        book.observe(bad, "mdns", 0.0)
    assert book.entries() == []
    assert book.dropped_hints == 5


def test_where_the_sources_differ_both_addresses_are_tried_in_turn(book):
    book.change_server_list(joined(peer()), 0.0)
    book.observe(hint(address="10.0.0.66"), "mdns", 0.0)  # perhaps somebody else's doing
    assert book.connections_wanted(WANT, 0.0) == [ConnectTo(T1, "10.0.0.66", 7691)]
    book.refused(T1, "10.0.0.66", 7691, PeerReason.CERTIFICATE_REFUSED, 0.0)
    assert book.connections_wanted(WANT, 10_000.0) == [ConnectTo(T1, "10.0.0.1", 7691)]


def test_a_false_hint_does_not_hide_that_a_connection_ended(book):
    book.observe(hint(), "mdns", 0.0)
    book.connected(T1, "10.0.0.1", 0.0)
    book.observe(hint(address="10.0.0.66"), "mdns", 1.0)
    assert only(book).status == "connected"
    book.disconnected(T1, "10.0.0.1", PeerReason.CONNECTION_LOST, 2.0)
    assert only(book).status == "not connected"


def test_over_the_connection_cap(book):
    for number in range(MAX_LINKS_PER_TORRENT + 3):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    assert len(book.connections_wanted(WANT, 0.0)) == MAX_LINKS_PER_TORRENT
    assert sum(e.reason is PeerReason.OVER_CONNECTION_CAP for e in book.entries()) == 3


def test_ids_per_address_are_capped(book):
    for number in range(MAX_IDS_PER_ADDRESS + 1):
        book.observe(hint(numbered(number)), "mdns", 0.0)
    assert len(book.entries()) == MAX_IDS_PER_ADDRESS
    assert book.dropped_hints == 1


def test_a_full_book_keeps_room_for_who_is_real(book):
    for number in range(MAX_MDNS_PEERS):
        book.observe(hint(numbered(number), address=f"10.1.{number // 250}.{number % 250}"), "mdns", 0.0)
    book.observe(hint(HIGH, address="10.2.0.1"), "mdns", 0.0)
    assert HIGH not in {e.endpoint_id for e in book.entries()}
    # the server's list is not the LAN's to fill
    book.change_server_list(joined(peer(LOW[:-1] + "z", address="10.3.0.1")), 0.0)
    assert len(book.entries()) == MAX_MDNS_PEERS + 1
    # and what proved useless goes first
    (tried, *_) = book.connections_wanted(WANT, 0.0)
    book.refused(T1, tried.address, tried.port, PeerReason.TIMED_OUT, 1.0)
    book.observe(hint(HIGH, address="10.2.0.1"), "mdns", 2.0)
    assert HIGH in {e.endpoint_id for e in book.entries()}


def test_who_left_is_shown_for_a_while_and_a_connection_outlives_the_hint(book):
    book.observe(hint(), "mdns", 0.0)
    book.connected(T1, "10.0.0.1", 0.0)
    book.lost(LOW, "mdns", 1.0)
    book.connections_wanted(WANT, 1.0 + GONE_SHOWN_SECONDS)
    assert only(book).status == "connected"
    book.disconnected(T1, "10.0.0.1", PeerReason.CONNECTION_LOST, 100.0)
    book.connections_wanted(WANT, 100.0)
    assert book.entries() == []


def test_a_torrent_that_is_gone_is_forgotten(book):
    book.observe(hint(), "mdns", 0.0)
    book.connected(T1, "10.0.0.1", 0.0)
    book.connections_wanted({}, 1.0)
    assert only(book).status == "not connected"


# --- a torrent of few pieces ------------------------------------------------------------


def site(count: int) -> dict[EndpointId, PeerBook]:
    """Return the books of as many endpoints, which know each other; number N listens at 10.0.0.N."""
    ids = [numbered(number) for number in range(count)]
    books = {own: PeerBook(own, swarm_tag=SWARM, site_tag=SITE) for own in ids}
    for own, one in books.items():
        peers = (peer(other, address=f"10.0.0.{number}") for number, other in enumerate(ids) if other != own)
        one.change_server_list(joined(*peers), 0.0)
    return books


def asked(wanted: list[ConnectTo]) -> list[str]:
    return [each.address for each in wanted]


def test_of_one_piece_all_but_one_connect_to_that_one():
    books = site(8)
    first_looks = [asked(one.connections_wanted({T1: 1}, 0.0)) for one in books.values()]
    assert sorted(map(len, first_looks)) == [0, 1, 1, 1, 1, 1, 1, 1]
    (first,) = {address for look in first_looks for address in look}
    assert first_looks[int(first.rpartition(".")[2])] == []


def test_other_torrents_burden_other_endpoints():
    hashes = [TorrentHash(f"{digit:x}" * 64) for digit in range(16)]
    books = site(8).values()
    burdened = {at for each in hashes for one in books for at in asked(one.connections_wanted({each: 1}, 0.0))}
    assert len(burdened) >= 4


@pytest.mark.parametrize("pieces", range(1, FEW_PIECES + 1))
def test_few_pieces_reach_all_and_no_two_connect_to_each_other(pieces):
    books = site(12)
    ids = list(books)
    links = {
        (own, ids[int(address.rpartition(".")[2])])
        for own, one in books.items()
        for address in asked(one.connections_wanted({T1: pieces}, 0.0))
    }
    assert not links & {(b, a) for a, b in links}, "both connections would be lost, or one of them"
    reached, before = {ids[0]}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {b for a, b in links if a in reached} | {a for a, b in links if b in reached}
    assert reached == set(ids)
    assert len(links) <= pieces * len(ids)


def test_the_next_in_the_order_is_asked_when_the_first_does_not_answer():
    tried: list[list[str]] = []
    for one in site(5).values():
        tried.append([])
        while wanted := one.connections_wanted({T1: 1}, 0.0):
            one.refused(T1, wanted[0].address, wanted[0].port, PeerReason.CONNECTION_REFUSED, 0.0)
            tried[-1] += asked(wanted)
    longest = max(tried, key=len)
    assert sorted(tried, key=len) == [longest[:before] for before in range(5)], "those before it, in one order for all"


def test_one_neighbour_more_is_asked_when_the_piece_does_not_come_and_not_all_of_them(book):
    for number in range(20):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    connected = 0
    for step in range(10):
        now = step * SPARE_LINK_SECONDS
        for wanted in book.connections_wanted({T1: 1}, now):
            book.connected(T1, wanted.address, now)
            connected += 1
        assert connected <= 1 + min(step, MAX_SPARE_LINKS)
    assert connected == 1 + MAX_SPARE_LINKS


def test_where_no_server_says_who_has_it_all_are_asked_in_the_end(book):
    for number in range(20):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    connected = set()
    for minute in range(20):
        for wanted in book.connections_wanted({T1: 1}, minute * LATER_LINK_SECONDS):
            book.connected(T1, wanted.address, minute * LATER_LINK_SECONDS)
            connected.add(wanted.address)
    assert len(connected) == 20


def test_who_comes_later_asks_at_once_one_that_has_all(book):
    for number in range(20):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    before = asked(book.connections_wanted({T1: 1}, 0.0))
    named = [number for number in range(20) if f"10.0.1.{number}" not in before][-2:]
    book.set_holders(Holders(torrent=T1, endpoints=[numbered(99), *map(numbered, named)]))
    assert asked(book.connections_wanted({T1: 1}, 0.1)) == [f"10.0.1.{named[0]}"], "whom it knows, and one of them"
    book.connected(T1, f"10.0.1.{named[0]}", 0.2)
    assert book.connections_wanted({T1: 1}, 0.3) == []
    book.disconnected(T1, f"10.0.1.{named[0]}", PeerReason.CONNECTION_LOST, 0.4)
    assert asked(book.connections_wanted({T1: 1}, 0.5)) == [f"10.0.1.{named[1]}"], "the other, when the first has gone"


@pytest.mark.parametrize("reason", [PeerReason.CONNECTION_REFUSED, PeerReason.NOT_SHARED])
def test_a_named_holder_that_refuses_lets_nobody_else_be_asked_sooner(book, reason):
    for number in range(39):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    book.set_holders(Holders(torrent=T1, endpoints=[numbered(7)]))
    connected = 0
    for second in range(60):
        for wanted in book.connections_wanted({T1: 1}, float(second)):
            if wanted.address == "10.0.1.7":
                book.refused(T1, wanted.address, wanted.port, reason, float(second))
            else:
                book.connected(T1, wanted.address, float(second))
                connected += 1
    assert connected <= 1 + MAX_SPARE_LINKS


def test_a_named_holder_is_asked_though_others_have_all_connections(book):
    large_site(book)
    opened_by(book, {TorrentHash(f"{number:064x}"): MANY for number in range(20)}, 0.0)
    waiting = {TorrentHash(f"{number:064x}"): MANY for number in range(20)} | {T1: 1, T2: 1}
    assert book.connections_wanted(waiting, 20.0) == []
    book.set_holders(Holders(torrent=T1, endpoints=[numbered(3)]))
    assert asked(book.connections_wanted(waiting, 20.0)) == ["10.0.1.3"]


def test_however_long_few_pieces_are_waited_for_few_are_connected(book):
    large_site(book)
    for hour in range(9):
        opened_by(book, {T1: 1}, hour * 3_600.0)
    assert sum(1 for peer in book.entries() if peer.status == "connected") <= MAX_LINKS_PER_TORRENT


def test_who_had_all_is_forgotten_with_the_torrent(book):
    for number in range(20):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    usual = asked(book.connections_wanted({T1: 1}, 0.0))
    named = next(number for number in range(20) if f"10.0.1.{number}" not in usual)
    book.set_holders(Holders(torrent=T1, endpoints=[numbered(named)]))
    book.connections_wanted({T1: 0}, 1.0)
    assert asked(book.connections_wanted({T1: 1}, 100.0)) == usual


def test_hundreds_of_torrents_at_once_stay_within_the_engine_s_room(book):
    for number in range(16):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    torrents = {TorrentHash(f"{number:064x}"): MANY for number in range(500)}
    opened = 0
    for look in range(20):
        wanted = book.connections_wanted(torrents, float(look))
        assert len(wanted) <= MAX_CONNECTS_PER_CALL
        for each in wanted:
            book.connected(each.torrent_hash, each.address, float(look))
        opened += len(wanted)
    assert opened == MAX_LINKS_OF_ALL
    # the most urgent ones have got them, and what is here makes room for what is not
    done = dict.fromkeys(list(torrents)[: MAX_LINKS_OF_ALL // 16], 0)
    for torrent_hash in done:
        for number in range(16):
            book.disconnected(torrent_hash, f"10.0.1.{number}", PeerReason.NOT_SHARED, 30.0)
    assert book.connections_wanted(torrents | done, 30.0)


def large_site(book: PeerBook) -> list[str]:
    """Let ``book`` know more neighbours than one torrent connects to, and return their addresses."""
    addresses = [f"10.0.1.{number}" for number in range(MAX_LINKS_PER_TORRENT + 5)]
    for number, address in enumerate(addresses):
        book.observe(hint(numbered(number), address=address), "mdns", 0.0)
    return addresses


def opened_by(book: PeerBook, torrents: dict[TorrentHash, int], since: float) -> Counter[TorrentHash]:
    """Return how many links ``book`` opens for each torrent in ten looks; all of them come to be."""
    opened = Counter[TorrentHash]()
    for now in (since + second for second in range(10)):
        for each in book.connections_wanted(torrents, now):
            book.connected(each.torrent_hash, each.address, now)
            opened[each.torrent_hash] += 1
    return opened


@pytest.mark.parametrize("pieces", [1, FEW_PIECES, MANY])
def test_an_urgent_torrent_gets_links_though_others_have_all(book, pieces):
    large_site(book)
    others = {TorrentHash(f"{number:064x}"): MANY for number in range(4)}
    assert opened_by(book, others, 0.0).total() == MAX_LINKS_OF_ALL
    urgent = opened_by(book, {T1: pieces} | others, 100.0)
    assert urgent == {T1: min(LINKS_OF_FIRST, pieces + 1)}, "for the one piece: its neighbour, and later one more"
    # and however many come: what is not among the first opens no more than there is room
    more = {TorrentHash(f"{number:064x}"): MANY for number in range(100, 150)}
    later = opened_by(book, {T1: 0} | more | others, 200.0)
    assert later == dict.fromkeys([*more][:FIRST_TORRENTS], LINKS_OF_FIRST)


def test_what_neighbours_open_takes_no_room_of_what_this_endpoint_opens(book):
    theirs = [TorrentHash(f"{number:064x}") for number in range(4)]
    for address in large_site(book):
        for torrent_hash in theirs:
            book.connected(torrent_hash, address, 0.0)
    opened = opened_by(book, {T1: MANY} | dict.fromkeys(theirs, MANY), 1.0)
    assert opened == {T1: MAX_LINKS_PER_TORRENT}, "each of theirs has enough"


def test_a_link_that_ended_is_no_longer_one_that_was_opened(book):
    large_site(book)
    torrents = {TorrentHash(f"{number:064x}"): MANY for number in range(4)}
    for since in (0.0, 10_000.0):
        opened = book.connections_wanted(torrents, since)
        assert len(opened) == MAX_CONNECTS_PER_CALL
        for each in opened:
            book.connected(each.torrent_hash, each.address, since)
        for each in opened:
            book.disconnected(each.torrent_hash, each.address, PeerReason.CONNECTION_LOST, since)
    assert opened_by(book, torrents, 20_000.0).total() == MAX_LINKS_OF_ALL


def test_who_begins_later_is_asked_again_within_a_second(book):
    book.observe(hint(), "mdns", 0.0)
    (wanted,) = book.connections_wanted(WANT, 0.0)
    book.refused(T1, wanted.address, wanted.port, PeerReason.NOT_SHARED, 0.0)
    assert book.connections_wanted(WANT, 1.0) == [wanted]


def test_who_never_shares_is_asked_ever_more_rarely(book):
    book.observe(hint(), "mdns", 0.0)
    tries = 0
    for now in range(3_600):
        for wanted in book.connections_wanted(WANT, float(now)):
            tries += 1
            book.refused(T1, wanted.address, wanted.port, PeerReason.NOT_SHARED, float(now))
    assert tries < 250


def test_thousands_of_patches_that_are_here_cost_nothing(book):
    for number in range(50):
        book.observe(hint(numbered(number), address=f"10.0.1.{number}"), "mdns", 0.0)
    book.connections_wanted({TorrentHash(f"{number:064x}"): 0 for number in range(4_000)}, 0.0)
    assert not any(known.links for known in book._peers.values())
    assert {entry.reason for entry in book.entries()} == {PeerReason.NOTHING_TO_FETCH}
