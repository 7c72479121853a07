"""The promises of `seed_server.leasing.ledger`, whatever the order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.leasing.ledger import LONGEST_REJECTION_SECONDS, PieceLedger, SiteParts
from seed_server.leasing.standing import DEMOTED_SECONDS, Standings
from seed_server.leasing.times import STORED_GRACE_SECONDS
from seed_server.leasing.turns import FetcherRank

PIECES = 6
FETCHERS = 2
LEASE_SECONDS = 30.0
MAX_LEASES = 3
ENDPOINTS = [EndpointId(letter * 26) for letter in "abcd"]

endpoints = st.sampled_from(ENDPOINTS)
piece_sets = st.integers(0, all_pieces(PIECES))
pieces = st.integers(0, PIECES).map(PieceIndex)  # one of them does not exist


class LedgerMachine(RuleBasedStateMachine):
    """Any interleaving of joins, wants, fetches, stores, rejections, losses, expiries and waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ready: dict[EndpointId, FetcherRank] = {}
        self.said: dict[EndpointId, tuple[int, int, bool]] = {}
        self.ledger = PieceLedger(
            TorrentHash("ab" * 32),
            PIECES,
            SiteParts(self.ready, Standings()),
            fetchers=FETCHERS,
            lease_seconds=LEASE_SECONDS,
            max_leases_per_endpoint=MAX_LEASES,
        )

    @rule(endpoint=endpoints, wired=st.booleans(), uptime=st.integers(0, 3))
    def data_connects(self, endpoint: EndpointId, wired: bool, uptime: int) -> None:
        self.ready[endpoint] = FetcherRank(endpoint, wired, on_mains=True, uptime_seconds=uptime)

    @rule(endpoint=endpoints, have=piece_sets, lan=piece_sets, stalled=st.booleans(), can_fetch=st.booleans())
    def wants(self, endpoint: EndpointId, have: int, lan: int, stalled: bool, can_fetch: bool) -> None:
        self.ledger.want(endpoint, have=have, lan_have=lan, lan_stalled=stalled, can_fetch=can_fetch, now=self.now)
        self.said[endpoint] = (have, lan, stalled)

    @rule(endpoint=endpoints)
    def fetches(self, endpoint: EndpointId) -> None:
        before = self.ledger.leases
        piece = self.ledger.next_piece(endpoint, self.now)
        if piece is None:
            return
        assert 0 <= piece < PIECES
        assert piece not in before, "two leases on one piece"
        assert endpoint in self.ready
        assert endpoint in self.ledger.slots
        assert sum(holder == endpoint for holder in before.values()) < MAX_LEASES
        have, _, stalled = self.said[endpoint]
        assert not have >> piece & 1, "leased to an endpoint that has it"
        if not stalled:
            for holder, (held, lan, _) in self.said.items():
                assert not (held | lan) >> piece & 1, f"leased although {holder} has it or sees it"

    @rule(endpoint=endpoints, piece=pieces)
    def stores(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        self.ledger.stored(endpoint, piece, self.now)
        if endpoint in self.said and piece < PIECES:
            have, lan, stalled = self.said[endpoint]
            self.said[endpoint] = (have | 1 << piece, lan, stalled)

    @rule(endpoint=endpoints, piece=pieces)
    def rejects(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        self.ledger.rejected(endpoint, piece, self.now)

    @rule(endpoint=endpoints, piece=pieces)
    def progresses(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        self.ledger.progressed(endpoint, piece, self.now)

    @rule(endpoint=endpoints)
    def loses_data(self, endpoint: EndpointId) -> None:
        self.ready.pop(endpoint, None)
        self.ledger.data_lost(endpoint)

    @rule(endpoint=endpoints)
    def leaves(self, endpoint: EndpointId) -> None:
        self.ready.pop(endpoint, None)
        self.said.pop(endpoint, None)
        self.ledger.left(endpoint)

    @rule(seconds=st.sampled_from([0.1, STORED_GRACE_SECONDS, LEASE_SECONDS, DEMOTED_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for endpoint, piece in self.ledger.expire(self.now):
            assert self.ledger.leases.get(piece) != endpoint

    @invariant()
    def slots_are_within_the_setting(self) -> None:
        assert len(self.ledger.slots) <= FETCHERS

    @invariant()
    def leases_are_of_connected_endpoints(self) -> None:
        assert set(self.ledger.leases.values()) <= set(self.ready) & self.ledger.members

    @invariant()
    def every_granted_lease_is_accounted_for(self) -> None:
        c = self.ledger.counters
        assert c.granted == c.stored + c.rejected + c.expired + c.voided + len(self.ledger.leases)

    def teardown(self) -> None:
        """From wherever this has come: honest endpoints get every piece in the end."""
        # the rejection pauses end, and leases of the past expire
        self.now += LONGEST_REJECTION_SECONDS + LEASE_SECONDS + STORED_GRACE_SECONDS
        self.ledger.expire(self.now)
        honest, hung, liar = ENDPOINTS[:2], ENDPOINTS[2], ENDPOINTS[3]
        have = dict.fromkeys(honest, 0)
        for endpoint in ENDPOINTS:
            self.ready[endpoint] = FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=0)
        for _ in range(60):
            for endpoint in honest:
                self.ledger.want(
                    endpoint, have=have[endpoint], lan_have=0, lan_stalled=True, can_fetch=True, now=self.now
                )
            # one takes leases and never answers, one says that it sees everything on the LAN
            self.ledger.want(hung, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=self.now)
            self.ledger.want(
                liar, have=0, lan_have=all_pieces(PIECES), lan_stalled=False, can_fetch=False, now=self.now
            )
            for endpoint in (hung, *honest):
                piece = self.ledger.next_piece(endpoint, self.now)
                if piece is not None and endpoint in have:
                    self.ledger.stored(endpoint, piece, self.now)
                    have[endpoint] |= 1 << piece
            self.now += LEASE_SECONDS / 2
            self.ledger.expire(self.now)
        assert all(pieces == all_pieces(PIECES) for pieces in have.values()), have


LedgerMachine.TestCase.settings = settings(stateful_step_count=30)
TestLedger = LedgerMachine.TestCase
