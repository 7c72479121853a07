"""`seed_server.leasing.site_ledger`: which torrent goes first. Its other promises are tested with `PieceLedger`'s."""

import pytest

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.manifest.urgency import EMERGENCY, urgency_of
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.fields import HELD_BYTES
from seed_server.leasing.help import Help
from seed_server.leasing.site_ledger import LeasedPiece, SiteLedger
from seed_server.leasing.standing import FIRST_REJECTION_SECONDS, SENT_SPARE_PIECES, Standings
from seed_server.leasing.times import DEFAULT_TIMES
from seed_server.leasing.turns import FetcherRank

PIECE_BYTES = 262_144
LINE = 1_000_000  # bytes per second: 8 Mbit/s
BIG = TorrentHash("aa" * 32)
SMALL = TorrentHash("bb" * 32)
PIECES = 21_000_000 // PIECE_BYTES + 1
PC, OTHER = EndpointId("a" * 26), EndpointId("b" * 26)


class Line:
    """A site whose PCs are sent pieces one after the other; ``now`` advances as its line takes them."""

    def __init__(self) -> None:
        self.ledger = SiteLedger(fetchers=1, lease_seconds=30.0)
        self.now = 0.0
        self.sent: list[tuple[float, LeasedPiece]] = []

    def connect(self, endpoint: EndpointId) -> None:
        self.ledger.data_connected(FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=1))

    def publish(self, torrent: TorrentHash, pieces: int, urgency: int, sequence: int) -> None:
        self.ledger.add_torrent(
            torrent, sequence=sequence, piece_count=pieces, piece_length_bytes=PIECE_BYTES, urgency=urgency
        )

    def want(self, endpoint: EndpointId, torrent: TorrentHash, have: int = 0) -> None:
        self.ledger.want(endpoint, torrent, have=have, lan_have=0, lan_stalled=False, can_fetch=True, now=self.now)

    def send(self, endpoint: EndpointId, size_bytes: int = PIECE_BYTES) -> LeasedPiece | None:
        leased = self.ledger.next_piece(endpoint, self.now)
        if leased is not None:
            self.now += size_bytes / LINE
            self.ledger.stored(endpoint, leased, self.now)
            self.sent.append((self.now, leased))
            self.ledger.expire(self.now, BytesPerSecond(LINE))
        return leased


def test_an_emergency_goes_before_the_rest_of_a_big_patch_and_nothing_is_sent_twice() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, PIECES, urgency_of("low", emergency=False), 1)
    line.want(PC, BIG)
    for _ in range(3):
        line.send(PC)
    began = line.now
    line.publish(SMALL, 1, EMERGENCY, 2)
    line.want(PC, SMALL)
    assert line.send(PC, size_bytes=1_000) == LeasedPiece(SMALL, PieceIndex(0))
    assert line.now - began < 0.01
    line.want(PC, SMALL, have=1)
    while line.send(PC) is not None:
        pass
    pieces = [leased for _, leased in line.sent]
    assert len(pieces) == len(set(pieces)) == PIECES + 1


def test_what_is_equally_urgent_goes_in_the_order_of_publication() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, 2, urgency_of("high", emergency=False), 1)
    line.publish(SMALL, 1, urgency_of("high", emergency=False), 2)
    for torrent in (SMALL, BIG):
        line.want(PC, torrent)
    assert [line.send(PC).torrent for _ in range(3)] == [BIG, BIG, SMALL]  # type: ignore[union-attr]


def test_severity_decides_and_may_be_raised_while_a_patch_is_under_way() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, 4, urgency_of("medium", emergency=False), 1)
    line.publish(SMALL, 4, urgency_of("low", emergency=False), 2)
    for torrent in (SMALL, BIG):
        line.want(PC, torrent)
    first = line.send(PC)
    line.publish(SMALL, 4, urgency_of("critical", emergency=False), 2)  # the same bytes again, corrected
    second = line.send(PC)
    assert [one and one.torrent for one in (first, second)] == [BIG, SMALL]


def test_who_fetches_the_big_patch_does_not_keep_another_pc_from_the_emergency() -> None:
    line = Line()
    for endpoint in (PC, OTHER):
        line.connect(endpoint)
    line.publish(BIG, PIECES, urgency_of("low", emergency=False), 1)
    for endpoint in (PC, OTHER):
        line.want(endpoint, BIG)
    line.send(PC)
    line.publish(SMALL, 1, EMERGENCY, 2)
    line.want(OTHER, SMALL)
    assert line.send(OTHER) == LeasedPiece(SMALL, PieceIndex(0))


ALL = all_pieces(4)
HOLDERS = [EndpointId(letter * 26) for letter in "defgh"]


def with_holders() -> Line:
    line = Line()
    line.publish(BIG, 4, urgency_of("low", emergency=False), 1)
    for endpoint in HOLDERS:
        line.connect(endpoint)
        line.want(endpoint, BIG, have=ALL)
    line.connect(PC)
    return line


def test_there_is_a_ledger_only_while_somebody_lacks_something() -> None:
    line = with_holders()
    assert line.ledger.ledger(BIG) is None
    line.want(PC, BIG)
    ledger = line.ledger.ledger(BIG)
    assert ledger is not None
    assert ledger.members == {PC}, "of those that have all, a bit is enough"
    line.want(PC, BIG, have=ALL)
    assert line.ledger.ledger(BIG) is None
    assert line.ledger.remaining_bytes(line.now) == 0


def test_the_last_piece_and_the_last_one_that_leaves_end_a_ledger_too() -> None:
    line = Line()
    line.publish(BIG, 4, urgency_of("low", emergency=False), 1)
    for endpoint in (PC, OTHER):
        line.connect(endpoint)
        line.want(endpoint, BIG)
    while line.send(PC) is not None:
        pass
    assert len(line.sent) == 4
    assert line.ledger.ledger(BIG) is not None
    line.ledger.left(OTHER)
    assert line.ledger.ledger(BIG) is None
    line.connect(OTHER)
    line.want(OTHER, BIG)
    assert line.send(OTHER) is None, "PC has all of it, as the server knows from its last piece"


def test_what_one_has_that_never_lacked_anything_is_at_the_site_until_it_leaves() -> None:
    line = with_holders()
    line.want(PC, BIG)
    assert line.send(PC) is None
    ledger = line.ledger.ledger(BIG)
    assert ledger is not None
    assert ledger.holders(PC, [*HOLDERS, OTHER], line.now) == HOLDERS
    for endpoint in HOLDERS[1:]:
        line.ledger.left(endpoint)
    assert line.send(PC) is None
    line.want(HOLDERS[0], BIG, have=0b0111)
    assert line.send(PC) == LeasedPiece(BIG, PieceIndex(3)), "it says that it has lost the last one"


def test_who_serves_nobody_does_not_count_though_it_has_all() -> None:
    line = with_holders()
    line.want(PC, BIG)
    for endpoint in HOLDERS:
        line.ledger.helps(endpoint, Help.NONE)
    assert line.send(PC) == LeasedPiece(BIG, PieceIndex(0))
    line.ledger.helps(HOLDERS[0], Help.FULL)
    assert line.send(PC) is None


def test_a_want_that_the_last_piece_has_overtaken_takes_nothing_back() -> None:
    """Of a small file, one piece is all: its ledger ends with it, and the Want of a moment before comes after that."""
    standings = Standings()
    line = Line()
    line.ledger = SiteLedger(fetchers=1, lease_seconds=30.0, standings=standings)
    line.connect(PC)
    line.publish(SMALL, 1, 0, 1)
    line.publish(BIG, 1, 0, 2)
    for torrent in (SMALL, BIG):
        line.want(PC, torrent)
        assert line.send(PC) == LeasedPiece(torrent, PieceIndex(0))
        line.want(PC, torrent)
        assert line.send(PC) is None, "it would cross the line once more"
        assert not standings.distrusted(PC, line.now)
    line.want(OTHER, SMALL)
    line.connect(OTHER)
    assert line.send(OTHER) is None, "it is at the site"
    line.want(PC, SMALL)
    assert line.send(OTHER) is None
    line.now += DEFAULT_TIMES.stored_grace_seconds
    line.want(PC, SMALL)
    assert standings.distrusted(PC, line.now), "that is no old word"


@pytest.mark.parametrize("how", ["it has left", "it has given it up", "it is served anew"])
def test_what_was_confirmed_counts_no_longer_when(how: str) -> None:
    line = Line()
    line.connect(PC)
    line.publish(SMALL, 1, 0, 1)
    line.want(PC, SMALL)
    assert line.send(PC)
    if how == "it has left":
        line.ledger.left(PC)
        line.connect(PC)
    elif how == "it has given it up":
        line.ledger.given_up(PC, SMALL)
    else:
        line.ledger.remove_torrent(SMALL)
        line.publish(SMALL, 1, 0, 1)
    line.want(PC, SMALL)
    assert line.send(PC) == LeasedPiece(SMALL, PieceIndex(0))


def test_a_pause_after_a_rejected_piece_outlives_connection_and_ledger() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, 4, urgency_of("low", emergency=False), 1)
    line.want(PC, BIG)
    leased = line.ledger.next_piece(PC, line.now)
    assert leased is not None
    assert line.ledger.rejected(PC, leased, line.now)
    line.ledger.left(PC)
    line.connect(PC)
    line.want(PC, BIG)
    assert line.send(PC) is None
    line.now += FIRST_REJECTION_SECONDS
    assert line.send(PC) is not None


def test_one_message_says_of_all_that_is_complete_that_it_is_at_the_site() -> None:
    line = Line()
    for sequence, torrent in enumerate((BIG, SMALL), start=1):
        line.publish(torrent, 4, urgency_of("low", emergency=False), sequence)
    line.connect(PC)
    line.want(PC, SMALL)
    both = b"".join(bytes.fromhex(torrent)[:HELD_BYTES] for torrent in (BIG, SMALL))
    assert line.ledger.holdings(OTHER, both, line.now) == [SMALL], "what others lack"
    line.want(PC, BIG)
    assert line.send(PC) is None
    line.ledger.left(OTHER)
    assert line.send(PC) == LeasedPiece(BIG, PieceIndex(0))
    assert sorted(line.ledger.holdings(PC, both, line.now)) == [BIG, SMALL]
    assert line.ledger.ledger(BIG) is None


def test_nobody_lacks_what_is_served_no_longer() -> None:
    line = Line()
    for torrent in (BIG, SMALL):
        line.publish(torrent, 1, 0, 1)
        line.want(PC, torrent)
    line.want(OTHER, BIG)
    line.ledger.remove_torrent(BIG)
    assert line.ledger.lacking() == [PC]
    assert not line.ledger.lacks(OTHER)
    line.ledger.remove_torrent(SMALL)
    assert line.ledger.lacking() == []
    assert not line.ledger.is_busy
    line.publish(BIG, 1, 0, 1)
    assert not line.ledger.lacks(OTHER), "it says so again"


def test_who_gives_up_gets_nothing_more_keeps_nothing_back_and_is_not_blamed() -> None:
    line = Line()
    standings = Standings()
    line.ledger = SiteLedger(fetchers=1, lease_seconds=30.0, standings=standings)
    line.publish(BIG, 3, 0, 1)
    for endpoint in (PC, OTHER):
        line.connect(endpoint)
        line.want(endpoint, BIG)
    stored = line.send(PC)
    under_way = line.ledger.next_piece(PC, line.now)
    assert stored is not None
    assert under_way is not None
    line.ledger.given_up(PC, BIG)
    assert line.ledger.take_freed(), "who waits for a turn is to ask"
    assert line.ledger.lacking() == [OTHER]
    assert line.ledger.next_piece(PC, line.now) is None
    assert not line.ledger.stored(PC, under_way, line.now), "what was on its way comes too late"
    line.now += 1_000
    assert line.ledger.expire(line.now, BytesPerSecond(LINE)) == []
    came = [line.send(OTHER) for _ in range(4)]
    assert came[3] is None
    assert {stored, under_way} < set(came), "its pieces count no longer"
    line.want(PC, BIG)
    assert not standings.demoted(PC, line.now), "that it has nothing any more it has said itself"
    assert standings.take_alarms() == []


def test_who_had_all_and_gives_up_is_named_to_nobody() -> None:
    line = Line()
    line.publish(BIG, 1, 0, 1)
    line.want(PC, BIG, have=1)
    line.ledger.given_up(PC, BIG)
    line.connect(OTHER)
    line.want(OTHER, BIG)
    ledger = line.ledger.ledger(BIG)
    assert ledger is not None
    assert ledger.holders(OTHER, [PC], line.now) == []
    assert line.send(OTHER) is not None


def test_to_give_up_does_not_buy_a_file_more() -> None:
    line = Line()
    line.publish(BIG, 1, 0, 1)
    line.connect(PC)
    sent = 0
    for _ in range(200):
        line.want(PC, BIG)
        sent += line.send(PC) is not None
        line.ledger.given_up(PC, BIG)
    assert sent <= SENT_SPARE_PIECES + 2


def test_to_give_up_what_nobody_serves_is_nothing() -> None:
    line = Line()
    line.ledger.given_up(PC, BIG)
    assert not line.ledger.is_busy


def test_while_business_is_spared_only_emergencies_are_leased() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, 4, urgency_of("critical", emergency=False), 1)
    line.want(PC, BIG)
    assert line.send(PC) is not None
    line.ledger.emergencies_only = True
    assert (line.ledger.may_lease_any, line.ledger.may_lease(BIG)) == (False, False)
    assert not line.ledger.could_fetch(PC, line.now)
    assert not line.ledger.may_fetch(PC, line.now)
    assert line.send(PC) is None
    assert line.ledger.lacks(PC), "it still waits"
    line.publish(SMALL, 1, EMERGENCY, 2)
    line.want(PC, SMALL)
    assert line.ledger.may_lease_any
    assert line.send(PC) == LeasedPiece(SMALL, PieceIndex(0))
    line.want(PC, SMALL, have=1)
    assert line.send(PC) is None
    line.ledger.emergencies_only = False
    assert [line.send(PC) is not None for _ in range(4)] == [True, True, True, False]
