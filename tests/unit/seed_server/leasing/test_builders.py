"""`seed_server.leasing.builders`."""

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from seed_server.leasing.builders import Builders
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.turns import FetcherRank

A, B = EndpointId("a" * 26), EndpointId("b" * 26)
ONE, TWO = TorrentHash("11" * 32), TorrentHash("22" * 32)


def test_what_is_said_last_counts() -> None:
    builders = Builders()
    assert builders.say(A, [ONE, TWO])
    assert builders.say(B, [TWO])
    assert not builders.say(B, [TWO])
    assert builders.of_torrent == {ONE: {A}, TWO: {A, B}}
    assert builders.say(A, [TWO])
    assert builders.of_torrent == {TWO: {A, B}}
    assert builders.any_of(A)
    assert builders.say(A, [])
    assert not builders.say(A, [])
    assert not builders.any_of(A)
    assert builders.of_torrent == {TWO: {B}}


def test_nothing_stays_of_what_nobody_builds_any_more_or_a_ledger_only_asked_for() -> None:
    """A server begins ledgers for years, of every news torrent."""
    ledger = SiteLedger(fetchers=1, lease_seconds=10.0)
    ledger.builders.say(A, [ONE, TWO])
    ledger.builders.say(A, [TWO])
    for torrent in (ONE, TWO):
        ledger.add_torrent(torrent, sequence=1, piece_count=1, piece_length_bytes=1)
        ledger.data_connected(FetcherRank(A, wired=True, on_mains=True, uptime_seconds=0))
        ledger.want(A, torrent, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)
        assert ledger.next_piece(A, 0.0) is not None
    ledger.left(A)
    assert ledger.builders.of_torrent == {}
