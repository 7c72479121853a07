"""`seed_server.leasing.ledger` and `seed_server.leasing.site_ledger`, case by case."""

from typing import Any

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.leasing.builders import AWAITED_SECONDS, BUILDS_AHEAD, Builders
from seed_server.leasing.leases import MAX_LEASE_SECONDS
from seed_server.leasing.ledger import PieceLedger
from seed_server.leasing.site_ledger import LeasedPiece, SiteLedger
from seed_server.leasing.site_parts import SiteParts
from seed_server.leasing.standing import LONGEST_REJECTION_SECONDS, SENT_SHARE, SENT_SPARE_PIECES, Standings
from seed_server.leasing.times import STORED_GRACE_SECONDS
from seed_server.leasing.turns import FetcherRank
from tests.helpers.piece_sets import pieces_of

A, B, C = EndpointId("a" * 26), EndpointId("b" * 26), EndpointId("c" * 26)
ONE, TWO = TorrentHash("11" * 32), TorrentHash("22" * 32)
BASE = "e" * 64
LEASE_SECONDS = 30.0


def rank(endpoint: EndpointId, *, wired: bool = True, on_mains: bool = True, uptime_seconds: int = 0) -> FetcherRank:
    return FetcherRank(endpoint, wired, on_mains, uptime_seconds)


class Site:
    """One ledger and the site that it is for."""

    def __init__(
        self, pieces: int = 4, *, fetchers: int = 1, max_leases: int = 8, builders: Builders | None = None
    ) -> None:
        self.ready: dict[EndpointId, FetcherRank] = {}
        self.builders = builders or Builders()
        self.ledger = PieceLedger(
            ONE,
            pieces,
            SiteParts(self.ready, Standings(), builders=self.builders),
            fetchers=fetchers,
            lease_seconds=LEASE_SECONDS,
            max_leases_per_endpoint=max_leases,
        )

    def join(self, endpoint: EndpointId, now: float = 0.0, *, wired: bool = True, **want: Any) -> None:
        self.ready[endpoint] = rank(endpoint, wired=wired)
        self.want(endpoint, now, **want)

    def want(self, endpoint: EndpointId, now: float = 0.0, **want: Any) -> None:
        values: dict[str, Any] = {"have": 0, "lan_have": 0, "lan_stalled": False, "can_fetch": True}
        self.ledger.want(endpoint, **(values | want), now=now)

    def fetch(self, endpoint: EndpointId, now: float = 0.0) -> int:
        piece = self.ledger.next_piece(endpoint, now)
        assert piece is not None
        self.ledger.stored(endpoint, piece, now)
        return piece


class TestCannotFetch:
    def test_its_leases_go_to_another_at_once(self) -> None:
        site = Site(2)
        site.join(A)
        assert site.ledger.next_piece(A, 0.0) == 0
        site.join(B)
        assert site.ledger.next_piece(B, 0.0) is None, "the slot is taken"
        site.want(A, 1.0, can_fetch=False)
        assert site.ledger.leases == {}
        assert site.ledger.next_piece(B, 1.0) == 0


class TestWhatIsNeeded:
    def test_each_piece_once_lowest_first(self) -> None:
        site = Site(3)
        site.join(A)
        assert [site.ledger.next_piece(A, 0.0) for _ in range(4)] == [0, 1, 2, None]

    def test_nothing_before_the_endpoint_has_said_what_it_has(self) -> None:
        site = Site()
        site.ready[A] = rank(A)
        assert site.ledger.next_piece(A, 0.0) is None

    def test_nothing_without_a_data_connection(self) -> None:
        site = Site()
        site.want(A)
        assert site.ledger.next_piece(A, 0.0) is None

    def test_not_what_a_connected_endpoint_has(self) -> None:
        site = Site(3)
        site.join(A)
        site.join(B, have=pieces_of([0, 1]), can_fetch=False)
        assert site.fetch(A) == 2

    def test_not_what_the_lan_has(self) -> None:
        site = Site(3)
        site.join(A, lan_have=pieces_of([0, 2]))
        assert site.fetch(A) == 1
        assert site.ledger.next_piece(A, 0.0) is None

    def test_again_when_the_only_holder_has_left(self) -> None:
        site = Site(1)
        site.join(A)
        site.fetch(A)
        site.join(B)
        assert site.ledger.next_piece(B, 0.0) is None
        site.ledger.left(A)
        assert site.ledger.next_piece(B, 0.0) == 0

    def test_stalled_endpoint_gets_what_the_lan_only_claims_to_have(self) -> None:
        site = Site(3)
        site.join(A, have=pieces_of([1]), lan_have=all_pieces(3), lan_stalled=True)
        assert [site.ledger.next_piece(A, 0.0) for _ in range(3)] == [0, 2, None]

    def test_stalled_endpoint_first_gets_what_nobody_has(self) -> None:
        site = Site(3)
        site.join(A, lan_have=pieces_of([0, 1]), lan_stalled=True)
        assert site.ledger.next_piece(A, 0.0) == 2

    def test_stalled_endpoints_still_never_share_a_piece(self) -> None:
        site = Site(2, fetchers=2)
        site.join(A, lan_have=all_pieces(2), lan_stalled=True)
        site.join(B, lan_have=all_pieces(2), lan_stalled=True)
        assert [site.ledger.next_piece(e, 0.0) for e in (A, B, A, B)] == [0, 1, None, None]

    def test_want_that_crossed_the_news_of_a_stored_piece_does_not_undo_it(self) -> None:
        site = Site(2)
        site.join(A)
        assert site.fetch(A, now=10.0) == 0
        site.want(A, now=10.1)
        assert site.ledger.next_piece(A, 10.1) == 1

    def test_want_without_a_piece_after_the_grace_says_that_it_is_lost(self) -> None:
        site = Site(1)
        site.join(A)
        site.fetch(A, now=10.0)
        site.want(A, now=10.0 + STORED_GRACE_SECONDS)
        assert site.ledger.next_piece(A, 20.0) == 0


class TestLeases:
    def test_want_that_has_the_leased_piece_fulfils_the_lease(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        site.want(A, have=pieces_of([0]))
        assert site.ledger.leases == {}
        assert site.ledger.counters.stored == 1

    def test_expires_without_progress_and_goes_to_another(self) -> None:
        site = Site()
        site.join(A)
        site.join(B)
        site.ledger.next_piece(A, 0.0)
        assert site.ledger.expire(LEASE_SECONDS - 0.1) == []
        assert site.ledger.expire(LEASE_SECONDS) == [(A, 0)]
        # the better rank no longer counts: it has let one expire
        assert site.ledger.next_piece(A, LEASE_SECONDS) is None
        assert site.ledger.next_piece(B, LEASE_SECONDS) == 0

    def test_goes_on_while_there_is_progress(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        site.ledger.progressed(A, PieceIndex(0), 20.0)
        assert site.ledger.expire(LEASE_SECONDS) == []
        assert site.ledger.expire(20.0 + LEASE_SECONDS) == [(A, 0)]

    def test_trickle_of_progress_does_not_hold_a_piece_for_ever(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        now = 0.0
        while now < MAX_LEASE_SECONDS:
            assert site.ledger.expire(now) == []
            site.ledger.progressed(A, PieceIndex(0), now)
            now += 20.0
        assert site.ledger.expire(now) == [(A, 0)]

    def test_progress_of_somebody_else_is_no_progress(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        site.ledger.progressed(B, PieceIndex(0), 20.0)
        assert site.ledger.expire(LEASE_SECONDS) == [(A, 0)]

    def test_lone_endpoint_goes_on_after_an_expiry(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        site.ledger.expire(LEASE_SECONDS)
        assert site.ledger.next_piece(A, LEASE_SECONDS) == 0

    def test_ends_with_the_data_connection(self) -> None:
        site = Site()
        site.join(A)
        site.join(B)
        site.ledger.next_piece(A, 0.0)
        del site.ready[A]
        site.ledger.data_lost(A)
        assert site.ledger.next_piece(B, 0.0) == 0
        assert site.ledger.counters.voided == 1

    def test_unconfirmed_pieces_are_bounded(self) -> None:
        site = Site(8, max_leases=3)
        site.join(A)
        assert [site.ledger.next_piece(A, 0.0) for _ in range(4)] == [0, 1, 2, None]
        site.ledger.stored(A, PieceIndex(1), 0.0)
        assert site.ledger.next_piece(A, 0.0) == 3

    def test_unsent_piece_is_free_again(self) -> None:
        site = Site()
        site.join(A)
        site.ledger.next_piece(A, 0.0)
        site.ledger.unsent(A, PieceIndex(0))
        assert site.ledger.next_piece(A, 0.0) == 0

    def test_late_news_of_an_expired_lease_counts_as_having_it_and_ends_nobody_elses(self) -> None:
        site = Site()
        site.join(A)
        site.join(B)
        site.ledger.next_piece(A, 0.0)
        site.ledger.expire(LEASE_SECONDS)
        assert site.ledger.next_piece(B, LEASE_SECONDS) == 0
        site.ledger.stored(A, PieceIndex(0), LEASE_SECONDS)
        assert site.ledger.leases == {0: B}

    def test_news_of_a_piece_that_does_not_exist_is_ignored(self) -> None:
        site = Site(2)
        site.join(A)
        site.ledger.stored(A, PieceIndex(2), 0.0)
        assert site.fetch(A) == 0
        assert site.fetch(A) == 1


class TestSlots:
    def test_wired_before_wireless_whoever_asks_first(self) -> None:
        site = Site()
        site.join(A, wired=False)
        site.join(B)
        assert site.ledger.next_piece(A, 0.0) is None
        assert site.ledger.next_piece(B, 0.0) == 0
        assert site.ledger.slots == {B}

    def test_order_of_ranks(self) -> None:
        ranks = [
            rank(C, wired=False, uptime_seconds=9),
            rank(B, on_mains=False, uptime_seconds=9),
            rank(C, uptime_seconds=5),
            rank(B, uptime_seconds=5),
            rank(A, uptime_seconds=7),
        ]
        assert sorted(ranks, key=lambda r: r.order) == ranks[::-1]

    def test_as_many_as_the_setting(self) -> None:
        site = Site(8, fetchers=2)
        for endpoint in (A, B, C):
            site.join(endpoint)
        assert [site.ledger.next_piece(e, 0.0) for e in (A, B, C)] == [0, 1, None]

    def test_a_better_newcomer_does_not_displace_a_holder(self) -> None:
        site = Site()
        site.join(B)
        site.fetch(B)
        site.join(A)
        assert site.ledger.next_piece(A, 0.0) is None
        assert site.fetch(B) == 1

    def test_is_released_when_fetching_is_forbidden(self) -> None:
        site = Site()
        site.join(A)
        site.join(B)
        site.fetch(A)
        site.want(A, have=1, can_fetch=False)
        assert site.ledger.slots == set()
        assert site.fetch(B) == 1

    def test_is_released_on_completion(self) -> None:
        site = Site(1)
        site.join(A)
        site.fetch(A)
        assert site.ledger.slots == set()

    def test_holder_with_nothing_to_fetch_does_not_block_a_stalled_endpoint(self) -> None:
        site = Site(2)
        site.join(A)
        site.fetch(A)
        site.want(A, have=pieces_of([0]), lan_have=pieces_of([1]))
        assert site.ledger.slots == {A}
        site.join(B, lan_have=all_pieces(2), lan_stalled=True)
        assert site.ledger.next_piece(B, 0.0) == 0


class TestRejections:
    def test_another_endpoint_tries_while_the_first_pauses(self) -> None:
        site = Site()
        site.join(A)
        site.join(B)
        site.ledger.next_piece(A, 0.0)
        site.ledger.rejected(A, PieceIndex(0), 0.0)
        assert site.ledger.next_piece(A, 0.0) is None
        assert site.ledger.next_piece(B, 0.0) == 0

    def test_endpoint_that_rejects_pauses_longer_each_time(self) -> None:
        site = Site()
        site.join(A)
        now, pauses = 0.0, []
        for _ in range(12):
            assert site.ledger.next_piece(A, now) == 0
            site.ledger.rejected(A, PieceIndex(0), now)
            pause = 0.0
            while site.ledger._on_offer(A, site.ledger._needed(now + pause), now + pause) == 0:
                pause += 1.0
            pauses.append(pause)
            now += pause
        assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
        assert pauses[-1] == LONGEST_REJECTION_SECONDS

    def test_rejecting_what_was_never_leased_means_nothing(self) -> None:
        site = Site()
        site.join(A)
        for _ in range(20):
            site.ledger.rejected(A, PieceIndex(0), 0.0)
        assert site.ledger.next_piece(A, 0.0) == 0


class TestSiteLedger:
    def site(self) -> SiteLedger:
        site = SiteLedger(fetchers=1, lease_seconds=LEASE_SECONDS)
        site.add_torrent(TWO, sequence=2, piece_count=2, piece_length_bytes=1 << 18)
        site.add_torrent(ONE, sequence=1, piece_count=2, piece_length_bytes=1 << 18)
        return site

    def want(self, site: SiteLedger, endpoint: EndpointId, torrent: TorrentHash) -> None:
        site.want(endpoint, torrent, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)

    def test_lower_sequence_goes_first(self) -> None:
        site = self.site()
        site.data_connected(rank(A))
        self.want(site, A, TWO)
        self.want(site, A, ONE)
        assert [site.next_piece(A, 0.0) for _ in range(5)] == [
            LeasedPiece(ONE, PieceIndex(0)),
            LeasedPiece(ONE, PieceIndex(1)),
            LeasedPiece(TWO, PieceIndex(0)),
            LeasedPiece(TWO, PieceIndex(1)),
            None,
        ]

    def test_adding_a_known_torrent_keeps_its_leases(self) -> None:
        site = self.site()
        site.data_connected(rank(A))
        self.want(site, A, ONE)
        site.next_piece(A, 0.0)
        site.add_torrent(ONE, sequence=9, piece_count=2, piece_length_bytes=1 << 18)
        ledger = site.ledger(ONE)
        assert ledger is not None
        assert ledger.leases == {0: A}

    def test_losing_the_data_connection_frees_the_pieces_of_all_torrents(self) -> None:
        site = self.site()
        site.data_connected(rank(A))
        for torrent in (ONE, TWO):
            self.want(site, A, torrent)
        leased = [site.next_piece(A, 0.0) for _ in range(3)]
        site.data_lost(A)
        assert site.next_piece(A, 0.0) is None
        site.data_connected(rank(A))
        assert [site.next_piece(A, 0.0) for _ in range(3)] == leased

    def test_expired_leases_name_everything(self) -> None:
        site = self.site()
        site.data_connected(rank(A))
        self.want(site, A, TWO)
        site.next_piece(A, 0.0)
        (expired,) = site.expire(LEASE_SECONDS)
        assert (expired.endpoint, expired.torrent, expired.piece) == (A, TWO, 0)

    def test_what_is_not_there_is_ignored(self) -> None:
        site = self.site()
        site.remove_torrent(ONE)
        site.remove_torrent(ONE)
        self.want(site, A, ONE)
        piece = LeasedPiece(ONE, PieceIndex(0))
        site.stored(A, piece, 0.0)
        site.progressed(A, piece, 0.0)
        site.unsent(A, piece)
        site.rejected(A, piece, 0.0)
        site.left(A)
        assert site.next_piece(A, 0.0) is None


class TestWhoCanBuild:
    """Pieces can be coded for those that have a former version: they fetch first, and alone."""

    def builder(self, site: Site, endpoint: EndpointId, *torrents: TorrentHash) -> None:
        site.builders.say(endpoint, torrents)

    def test_it_fetches_and_the_others_wait_though_a_slot_is_free(self) -> None:
        site = Site(4, fetchers=2)
        self.builder(site, C, ONE)
        for endpoint in (A, B, C):
            site.join(endpoint)
        assert site.ledger.next_piece(A, 0.0) is None
        assert [site.fetch(C) for _ in range(2)] == [0, 1]
        assert site.ledger.next_piece(B, 0.0) is None

    def test_a_holder_that_cannot_gives_way_and_fetches_again_when_the_builder_is_gone(self) -> None:
        site = Site(6, fetchers=2)
        site.join(A)
        assert site.fetch(A) == 0
        self.builder(site, C, ONE)
        site.join(C, 1.0)
        assert site.fetch(C, 1.0) == 1
        assert site.ledger.next_piece(A, 1.0) is None
        del site.ready[C]
        site.ledger.left(C)
        site.builders.say(C, ())
        assert site.ledger.next_piece(A, 2.0) == 1, "what it had alone is needed again"

    def test_one_of_another_torrent_goes_before_nobody(self) -> None:
        site = Site(4)
        self.builder(site, C, TWO)
        site.join(A)
        site.join(C, wired=False)
        assert site.fetch(A) == 0
        assert site.ledger.next_piece(C, 0.0) is None

    def test_one_that_cannot_fetch_or_has_not_answered_keeps_nobody_waiting(self) -> None:
        site = Site(4)
        self.builder(site, C, ONE)
        site.join(A)
        site.join(C, can_fetch=False)
        assert site.fetch(A) == 0
        site.want(C, 1.0, have=0, can_fetch=True)
        assert site.ledger.next_piece(C, 1.0) == 1
        site.ledger.expire(1.0 + LEASE_SECONDS)
        assert site.fetch(A, 1.0 + LEASE_SECONDS) == 1

    def test_one_that_takes_no_free_slot_does_not_keep_others_waiting_for_long(self) -> None:
        site = Site(4)
        self.builder(site, C, ONE)
        site.join(A)
        site.join(C)
        assert site.ledger.next_piece(A, 0.0) is None
        assert site.ledger.next_piece(A, 3.1) == 0

    def test_what_it_could_not_decode_is_nobodys_fault_and_is_leased_again(self) -> None:
        site = Site(2)
        self.builder(site, A, ONE)
        site.join(A)
        assert site.ledger.next_piece(A, 0.0) == 0
        site.ledger.coded(B, PieceIndex(0), BASE)
        site.ledger.coded(A, PieceIndex(0), BASE)
        assert site.ledger.undecoded(B, PieceIndex(0), 0.0) is None
        assert site.ledger.undecoded(A, PieceIndex(0), 0.0) == BASE
        assert site.ledger.undecoded(A, PieceIndex(0), 0.0) is None
        site.ledger.coded(A, PieceIndex(0), BASE)
        assert site.ledger.next_piece(A, 0.0) == 0
        assert site.ledger.counters.voided == 1

    def test_of_what_it_was_sent_whole_it_cannot_say_that_it_could_not_decode_it(self) -> None:
        site = Site(400)
        self.builder(site, A, ONE)
        site.join(A)
        site.join(B)
        piece = site.ledger.next_piece(A, 0.0)
        assert piece == 0
        site.ledger.coded(A, piece, "")
        assert site.ledger.undecoded(A, piece, 0.0) == ""
        assert site.ledger.next_piece(A, 0.0) == 0, "now whole"
        assert site.ledger.undecoded(A, piece, 0.0) is None
        assert site.ledger.leases == {piece: A}
        site.ledger.rejected(A, piece, 0.0)
        assert site.ledger.next_piece(A, 0.0) is None, "it pauses"
        assert site.fetch(B) == 0

    def test_where_one_may_come_the_others_wait_for_a_moment(self) -> None:
        builders = Builders()
        builders.are_awaited = lambda torrent: torrent == ONE
        site = Site(8, builders=builders)
        site.join(A, 5.0)
        assert site.ledger.next_piece(A, 5.0) is None
        assert site.ledger.could_fetch(A, 5.0), "it is to be connected by then"
        self.builder(site, C, ONE)
        site.join(C, 6.0)
        assert site.fetch(C, 6.0) == 0
        site.ledger.left(C)
        self.builder(site, C)
        assert site.ledger.next_piece(A, 5.0 + AWAITED_SECONDS - 0.01) is None
        assert site.ledger.next_piece(A, 5.0 + AWAITED_SECONDS) == 0

    def test_it_may_be_sent_more_before_it_answers(self) -> None:
        site = Site(100, max_leases=2)
        self.builder(site, A, ONE)
        site.join(A)
        assert [site.ledger.next_piece(A, 0.0) for _ in range(9)] == [*range(2 * BUILDS_AHEAD), None]

    def test_what_it_can_be_sent_in_vain_is_bounded(self) -> None:
        site = Site(10)
        site.join(A)
        sent = 0
        while (piece := site.ledger.next_piece(A, 0.0)) is not None:
            sent += 1
            site.ledger.coded(A, piece, BASE)
            site.ledger.undecoded(A, piece, 0.0)
        assert sent <= 10 * SENT_SHARE + SENT_SPARE_PIECES
