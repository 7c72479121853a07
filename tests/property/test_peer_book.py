"""Whatever hints and outcomes come in whatever order: the book's promises hold."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.peer_book import (
    FASTEST_REATTEMPT_SECONDS,
    MAX_CONNECTS_PER_CALL,
    MAX_LINKS_PER_TORRENT,
    MAX_MDNS_PEERS,
    PeerBook,
)
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.messages import SitePeer, SitePeers
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

SWARM, SITE = "a" * 16, "c" * 16
IDS = [EndpointId(letter * 26) for letter in "abcxyz"]
OWN = IDS[3]
ADDRESSES = [f"10.0.0.{n}" for n in range(1, 5)]
TORRENTS = [TorrentHash(digit * 64) for digit in "12"]

hints = st.builds(
    Announcement,
    st.sampled_from([*IDS, EndpointId("no id")]),
    st.sampled_from([*ADDRESSES, "no address"]),
    st.sampled_from([0, 1, 1_024, 7691, 65_535, 65_536]),
    st.sampled_from([SWARM, "b" * 16]),
    st.sampled_from([SITE, "d" * 16, ""]),
)
server_peers = st.builds(
    SitePeer, endpoint_id=st.sampled_from(IDS), address=st.sampled_from(ADDRESSES), port=st.just(7691)
)
server_changes = st.builds(
    SitePeers,
    anew=st.booleans(),
    joined=st.lists(server_peers, max_size=5),
    left=st.lists(st.sampled_from(IDS), max_size=5),
)
reasons = st.sampled_from(PeerReason)
torrents = st.sampled_from(TORRENTS)
steps = st.one_of(
    st.tuples(st.just("observe"), hints),
    st.tuples(st.just("lost"), st.sampled_from(IDS), st.sampled_from(["mdns", "server"])),
    st.tuples(st.just("server"), server_changes),
    st.tuples(st.just("connected"), torrents, st.sampled_from(ADDRESSES)),
    st.tuples(st.just("disconnected"), torrents, st.sampled_from(ADDRESSES), reasons),
    st.tuples(st.just("refused"), torrents, st.sampled_from(ADDRESSES), reasons),
    st.tuples(st.just("site"), st.sampled_from([SITE, "d" * 16, ""])),
    st.tuples(st.just("look"), st.dictionaries(torrents, st.sampled_from([0, 1, 4, 5, 1_000]))),
)


def take(book: PeerBook, step: tuple, now: float) -> None:
    match step:
        case ("observe", hint):
            book.observe(hint, "mdns", now)
        case ("lost", endpoint_id, source):
            book.lost(endpoint_id, source, now)
        case ("server", change):
            book.change_server_list(change, now)
        case ("connected", torrent, address):
            book.connected(torrent, address, now)
        case ("disconnected", torrent, address, reason):
            book.disconnected(torrent, address, reason, now)
        case ("refused", torrent, address, reason):
            book.refused(torrent, address, 7691, reason, now)
        case ("site", tag):
            book.set_site(tag)


@given(st.lists(st.tuples(steps, st.floats(0, 90)), max_size=60))
def test_promises(script):
    book = PeerBook(OWN, swarm_tag=SWARM, site_tag=SITE)
    now = 0.0
    for step, pause in script:
        now += pause
        take(book, step, now)
        if step[0] == "look":
            incomplete = step[1]
            wanted = book.connections_wanted(incomplete, now)
            assert all(incomplete[w.torrent_hash] for w in wanted)
            assert len(wanted) <= MAX_CONNECTS_PER_CALL
            assert all(w.address in ADDRESSES and 1_024 <= w.port <= 65_535 for w in wanted)
            # asking again at once brings nothing, and nobody is tried faster than the cap
            assert book.connections_wanted(incomplete, now) == []
        for entry in book.entries():
            assert entry.endpoint_id in IDS
            assert entry.endpoint_id != OWN
            assert (entry.status == "connected") == (entry.reason is None)
            assert entry.sources or entry.status == "connected" or entry.reason is PeerReason.GONE


@given(st.lists(st.integers(0, 600), max_size=700))
def test_a_flood_of_names_stays_within_the_caps(numbers):
    book = PeerBook(OWN, swarm_tag=SWARM)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for number in numbers:
        name = EndpointId("b" * 24 + alphabet[number // 32 % 32] + alphabet[number % 32])
        book.observe(Announcement(name, f"10.9.{number // 250}.{number % 250}", 7691, SWARM, ""), "mdns", 0.0)
    assert len(book.entries()) <= MAX_MDNS_PEERS
    assert len(book.connections_wanted({TORRENTS[0]: 1_000}, 0.0)) <= MAX_LINKS_PER_TORRENT


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_repeated_announcements_never_make_it_hammer(pauses):
    book = PeerBook(OWN, swarm_tag=SWARM)
    now, tried_at = 0.0, []
    for pause in pauses:
        now += pause
        book.observe(Announcement(IDS[0], ADDRESSES[0], 7691, SWARM, ""), "mdns", now)
        tried_at += [now] * len(book.connections_wanted({TORRENTS[0]: 1_000}, now))
        book.refused(TORRENTS[0], ADDRESSES[0], 7691, PeerReason.CONNECTION_REFUSED, now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tried_at)]
    assert all(gap >= FASTEST_REATTEMPT_SECONDS - 1e-9 for gap in gaps)
