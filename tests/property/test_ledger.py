"""The promises of `seed_server.leasing.ledger`, whatever the order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.wire.bitfield import all_pieces, first_piece
from seed_server.leasing.builders import BUILDS_AHEAD, Builders
from seed_server.leasing.ledger import PieceLedger
from seed_server.leasing.site_parts import SiteParts
from seed_server.leasing.standing import (
    DEMOTED_SECONDS,
    LONGEST_REJECTION_SECONDS,
    REFILL_SECONDS,
    SENT_SHARE,
    SENT_SPARE_PIECES,
    Standings,
)
from seed_server.leasing.times import STORED_GRACE_SECONDS
from seed_server.leasing.turns import FetcherRank

TORRENT = TorrentHash("ab" * 32)
PIECES = 6
FETCHERS = 2
LEASE_SECONDS = 30.0
MAX_LEASES = 3
ENDPOINTS = [EndpointId(letter * 26) for letter in "abcd"]

# beside a bad neighbour
MANY = 30
LINE_PIECES = 3  # a second
LONGEST_SECONDS = 2 * MANY / LINE_PIECES + 2 * LEASE_SECONDS + 2 * LAN_STALL_SECONDS

endpoints = st.sampled_from(ENDPOINTS)
piece_sets = st.integers(0, all_pieces(PIECES))
many_pieces = st.sampled_from([0, all_pieces(MANY)]) | st.integers(0, all_pieces(MANY))
pieces = st.integers(0, PIECES).map(PieceIndex)  # one of them does not exist


class LedgerMachine(RuleBasedStateMachine):
    """Any interleaving of joins, wants, fetches, stores, rejections, losses, expiries and waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ready: dict[EndpointId, FetcherRank] = {}
        self.said: dict[EndpointId, tuple[int, int, bool]] = {}
        self.builders = Builders()
        self.ledger = PieceLedger(
            TORRENT,
            PIECES,
            SiteParts(self.ready, Standings(), builders=self.builders),
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
        ahead = BUILDS_AHEAD if endpoint in self.builders.of_torrent.get(TORRENT, ()) else 1
        assert sum(holder == endpoint for holder in before.values()) < MAX_LEASES * ahead
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
    def cannot_decode(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        before = self.ledger.leases
        coded = self.ledger.undecoded(endpoint, piece, self.now) == "base"
        assert not coded or before.pop(piece) == endpoint
        assert self.ledger.leases == before

    @rule(endpoint=endpoints, piece=pieces)
    def is_sent_coded(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        self.ledger.coded(endpoint, piece, "base")
        if self.ledger.leases.get(piece) == endpoint:
            assert self.ledger.undecoded(endpoint, piece, self.now) == "base"

    @rule(endpoint=endpoints, builds=st.booleans())
    def says_whether_it_builds(self, endpoint: EndpointId, builds: bool) -> None:
        self.builders.say(endpoint, [TORRENT] if builds else [])

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


class BadNeighbourMachine(RuleBasedStateMachine):
    """Two honest PCs, and one that may do and say anything, beside them and in their place: they finish."""

    fetchers = 1
    with_neighbour = True
    """Whether there is a second honest PC, with which the first swaps pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.standings = Standings()
        self.ready: dict[EndpointId, FetcherRank] = {}
        self.builders = Builders()
        self.ledger = PieceLedger(
            TORRENT,
            MANY,
            SiteParts(self.ready, self.standings, builders=self.builders),
            fetchers=self.fetchers,
            lease_seconds=LEASE_SECONDS,
            max_leases_per_endpoint=MAX_LEASES,
        )
        self.bad, self.honest = ENDPOINTS[0], ENDPOINTS[1 : 3 if self.with_neighbour else 2]
        self.have = dict.fromkeys(self.honest, 0)
        self.from_lan_at = dict.fromkeys(self.honest, 0.0)
        self.shown = self.given = 0
        self.confirms = self.reconnects = self.stalled = True
        self.undecoded = self.coded = False
        self.claims: tuple[int, int] = (0, 0)
        self.delay = 0
        self.taken = 0
        self.fetched: list[PieceIndex] = []
        for endpoint in (self.bad, *self.honest):
            uptime = 1 << 40 if endpoint == self.bad else 0
            self.ready[endpoint] = FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=uptime)

    # --- what the bad one decides -------------------------------------------------------

    @rule(have=many_pieces, lan=many_pieces, stalled=st.booleans())
    def says(self, have: int, lan: int, stalled: bool) -> None:
        self.claims, self.stalled = (have, lan), stalled

    @rule(shown=many_pieces, given=many_pieces)
    def shows_and_gives(self, shown: int, given: int) -> None:
        self.shown, self.given = shown, given & shown

    @rule(confirms=st.booleans(), reconnects=st.booleans(), delay=st.integers(0, 40))
    def behaves(self, confirms: bool, reconnects: bool, delay: int) -> None:
        self.confirms, self.reconnects, self.delay = confirms, reconnects, delay

    @rule(piece=st.integers(0, MANY - 1).map(PieceIndex))
    def rejects(self, piece: PieceIndex) -> None:
        self.ledger.rejected(self.bad, piece, self.now)

    @rule(bad=st.booleans(), honest=st.booleans())
    def say_whether_they_build(self, bad: bool, honest: bool) -> None:
        self.builders.say(self.bad, [TORRENT] if bad else [])
        self.builders.say(self.honest[0], [TORRENT] if honest else [])

    @rule(undecoded=st.booleans(), coded=st.booleans())
    def decodes_nothing(self, undecoded: bool, coded: bool) -> None:
        self.undecoded, self.coded = undecoded, coded

    @rule(seconds=st.integers(1, 30))
    def plays(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    # --- a second at the site -----------------------------------------------------------

    def second(self) -> None:
        self.now += 1.0
        if self.reconnects and int(self.now) % 4 == 0:
            self.ledger.left(self.bad)
        self.say(self.bad, *self.claims, stalled=self.stalled)
        for endpoint in self.honest:
            lan = self.shown
            for other in self.honest:
                lan |= self.have[other] if other != endpoint else 0
            stalled = self.now - self.from_lan_at[endpoint] >= LAN_STALL_SECONDS
            self.say(endpoint, self.have[endpoint], lan, stalled=stalled)
        self.bad_fetches()
        for endpoint in self.honest:
            for _ in range(LINE_PIECES):
                if (sent := self.ledger.next_piece(endpoint, self.now)) is not None:
                    self.have[endpoint] |= 1 << sent
                    self.ledger.stored(endpoint, sent, self.now)
        self.swap()
        self.ledger.expire(self.now, line_pieces=float(LINE_PIECES))
        self.ledger.look(self.now, float(LINE_PIECES))

    def say(self, endpoint: EndpointId, have: int, lan: int, *, stalled: bool) -> None:
        self.ledger.want(endpoint, have=have, lan_have=lan, lan_stalled=stalled, can_fetch=True, now=self.now)

    def bad_fetches(self) -> None:
        for piece in self.fetched:
            if self.undecoded and self.ledger.undecoded(self.bad, piece, self.now) is None:
                self.ledger.rejected(self.bad, piece, self.now)
            # it reads a little, or confirms, or does nothing
            if self.confirms:
                self.ledger.stored(self.bad, piece, self.now)
            elif self.delay and int(self.now) % self.delay == 0:
                self.ledger.progressed(self.bad, piece, self.now)
        if self.confirms or self.undecoded:
            self.fetched = []
        for _ in range(LINE_PIECES):
            if (sent := self.ledger.next_piece(self.bad, self.now)) is not None:
                self.taken += 1
                if self.coded:
                    self.ledger.coded(self.bad, sent, "base")
                self.fetched.append(sent)

    def swap(self) -> None:
        """Let each honest PC get a piece from its honest neighbour, and one that the bad one gives."""
        for endpoint in self.honest:
            offered = [self.have[other] for other in self.honest if other != endpoint]
            for pieces in (*offered, self.given if int(self.now) % 10 == 0 else 0):
                lacking = first_piece(pieces & ~self.have[endpoint])
                if lacking is not None:
                    self.have[endpoint] |= 1 << lacking
                    self.from_lan_at[endpoint] = self.now

    @invariant()
    def what_is_sent_to_one_is_bounded(self) -> None:
        assert self.taken <= MANY * SENT_SHARE + SENT_SPARE_PIECES + MANY * self.now / REFILL_SECONDS

    @invariant()
    def slots_are_within_the_setting(self) -> None:
        assert len(self.ledger.slots) <= self.fetchers

    def teardown(self) -> None:
        """Whatever it has done so far and goes on to do: the honest ones get everything, and soon."""
        began_at = self.now
        while any(have != all_pieces(MANY) for have in self.have.values()):
            self.second()
            assert self.now - began_at <= LONGEST_SECONDS, self.have


class TwoFetchersMachine(BadNeighbourMachine):
    """The same with two fetchers."""

    fetchers = 2


class AloneWithItMachine(BadNeighbourMachine):
    """The same with a single honest PC, whose word stands against the bad one's."""

    with_neighbour = False


LedgerMachine.TestCase.settings = settings(stateful_step_count=30)
TestLedger = LedgerMachine.TestCase
BadNeighbourMachine.TestCase.settings = settings(stateful_step_count=8, max_examples=60, deadline=None)
TestBadNeighbour = BadNeighbourMachine.TestCase
TwoFetchersMachine.TestCase.settings = settings(stateful_step_count=8, max_examples=30, deadline=None)
TestTwoFetchers = TwoFetchersMachine.TestCase
AloneWithItMachine.TestCase.settings = settings(stateful_step_count=8, max_examples=60, deadline=None)
TestAloneWithIt = AloneWithItMachine.TestCase
