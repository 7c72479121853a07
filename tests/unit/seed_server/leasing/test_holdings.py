"""`seed_server.leasing.holdings`: who has all of what, in a few bytes for each PC."""

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.fields import HELD_BYTES
from seed_server.leasing.holdings import ServedTorrent, ServedTorrents, SiteHoldings

A, B = EndpointId("a" * 26), EndpointId("b" * 26)
ONE, TWO = TorrentHash("11" * 32), TorrentHash("22" * 32)


def served(torrents: ServedTorrents, torrent: TorrentHash) -> ServedTorrent:
    torrents.add(torrent, sequence=1, piece_count=4, piece_length_bytes=1 << 18)
    found = torrents.get(torrent)
    assert found is not None
    return found


def test_each_endpoint_has_what_it_said_until_it_says_otherwise_or_leaves() -> None:
    torrents, site = ServedTorrents(), SiteHoldings()
    one, two = served(torrents, ONE), served(torrents, TWO)
    site.add(A, one)
    site.add(B, one)
    site.add(B, two)
    assert (list(site.of(one)), list(site.of(two))) == ([A, B], [B])
    assert (A in site.of(one), A in site.of(two), len(site.of(one))) == (True, False, 2)
    assert site.drop(B, one)
    assert not site.drop(B, one)
    assert (list(site.of(one)), list(site.of(two))) == ([A], [B])
    site.left(A)
    site.left(B)
    assert not list(site.of(one))


def test_what_was_withdrawn_is_nobodys_when_it_is_served_again() -> None:
    torrents, site = ServedTorrents(), SiteHoldings()
    site.add(A, served(torrents, ONE))
    torrents.remove(ONE)
    assert torrents.get(ONE) is None
    assert not list(site.of(served(torrents, TWO))), "another torrent does not get its number either"
    assert not list(site.of(served(torrents, ONE)))


def test_a_message_names_torrents_by_the_beginning_of_their_hashes() -> None:
    torrents, site = ServedTorrents(), SiteHoldings()
    one, two = served(torrents, ONE), served(torrents, TWO)
    withdrawn = bytes.fromhex("33" * HELD_BYTES)
    site.add_bits(A, torrents.bits(bytes.fromhex(TWO)[:HELD_BYTES] + withdrawn))
    assert (list(site.of(one)), list(site.of(two))) == ([], [A])
    torrents.remove(TWO)
    assert torrents.bits(bytes.fromhex(TWO)[:HELD_BYTES]) == 0


def test_another_order_is_no_other_torrent() -> None:
    torrents, site = ServedTorrents(), SiteHoldings()
    site.add(A, served(torrents, ONE))
    torrents.add(ONE, sequence=9, piece_count=4, piece_length_bytes=1 << 18, urgency=3)
    now = torrents.get(ONE)
    assert now is not None
    assert (now.sequence, now.urgency, list(site.of(now))) == (9, 3, [A])
