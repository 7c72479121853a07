"""A whole site in virtual time around the real ledger: random kills, a slow LAN, few fetchers. Replayed by a seed."""

import random
from dataclasses import dataclass, field

import pytest

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.origin.ledger import FetcherRank
from seed_server.origin.site_ledger import LeasedPiece, SiteLedger
from tests.helpers.piece_sets import iter_pieces

TORRENT = TorrentHash("ab" * 32)
STEP_SECONDS = 0.1
WANT_SECONDS = 1.0
STALLED_SECONDS = 10.0  # how long an endpoint waits for its LAN before it says that it is stalled
LEASE_SECONDS = 30.0
DEADLINE_SECONDS = 3_600.0


@dataclass
class Endpoint:
    """One PC: what is on its disk survives a kill."""

    id: EndpointId
    wired: bool
    have: int = 0
    up: bool = True
    wants_at: float = 0.0
    lan_moved_at: float = 0.0
    receiving: LeasedPiece | None = None
    received_at: float = 0.0


@dataclass
class Site:
    """The site, its line and its LAN."""

    rng: random.Random
    pieces: int
    fetchers: int
    lan_pieces_per_second: float
    line_pieces_per_second: float
    kill_chance_per_second: float
    endpoints: list[Endpoint] = field(default_factory=list)
    now: float = 0.0
    sent: int = 0
    line_free_at: float = 0.0
    lan_budget: float = 0.0

    def __post_init__(self) -> None:
        self.ledger = SiteLedger(fetchers=self.fetchers, lease_seconds=LEASE_SECONDS)
        self.ledger.add_torrent(TORRENT, sequence=1, piece_count=self.pieces, piece_length_bytes=1 << 18)

    def run(self, *, until_kills_stop: float) -> None:
        for endpoint in self.endpoints:
            self.connect(endpoint)
        while any(endpoint.have != all_pieces(self.pieces) for endpoint in self.endpoints):
            assert self.now < DEADLINE_SECONDS, "the site never got everything"
            self.now += STEP_SECONDS
            if self.now < until_kills_stop:
                self.kill_or_revive()
            for endpoint in self.endpoints:
                if not endpoint.up and self.now >= until_kills_stop:
                    self.connect(endpoint)
                if endpoint.up:
                    self.say_want(endpoint)
                    self.receive(endpoint)
            self.swap()
            self.ledger.expire(self.now)

    def connect(self, endpoint: Endpoint) -> None:
        endpoint.up = True
        endpoint.wants_at = self.now
        endpoint.lan_moved_at = self.now
        self.ledger.data_connected(FetcherRank(endpoint.id, endpoint.wired, on_mains=True, uptime_seconds=0))

    def kill_or_revive(self) -> None:
        for endpoint in self.endpoints:
            if self.rng.random() >= self.kill_chance_per_second * STEP_SECONDS:
                continue
            if endpoint.up:
                endpoint.up = False
                endpoint.receiving = None
                self.ledger.left(endpoint.id)
            else:
                self.connect(endpoint)

    def say_want(self, endpoint: Endpoint) -> None:
        if self.now < endpoint.wants_at:
            return
        endpoint.wants_at = self.now + WANT_SECONDS * self.rng.uniform(0.8, 1.2)
        lan = 0
        for other in self.endpoints:
            if other is not endpoint and other.up:
                lan |= other.have
        stalled = bool(lan & ~endpoint.have) and self.now - endpoint.lan_moved_at > STALLED_SECONDS
        self.ledger.want(
            endpoint.id, TORRENT, have=endpoint.have, lan_have=lan, lan_stalled=stalled, can_fetch=True, now=self.now
        )

    def receive(self, endpoint: Endpoint) -> None:
        if endpoint.receiving and self.now >= endpoint.received_at:
            endpoint.have |= 1 << endpoint.receiving.piece
            self.ledger.stored(endpoint.id, endpoint.receiving, self.now)
            endpoint.receiving = None
        if endpoint.receiving is None and self.line_free_at <= self.now:
            endpoint.receiving = self.ledger.next_piece(endpoint.id, self.now)
            if endpoint.receiving:
                self.sent += 1
                endpoint.received_at = self.line_free_at = self.now + 1 / self.line_pieces_per_second

    def swap(self) -> None:
        """Let random pairs of neighbours copy pieces, as fast as the LAN allows."""
        self.lan_budget += self.lan_pieces_per_second * STEP_SECONDS
        up = [endpoint for endpoint in self.endpoints if endpoint.up]
        while self.lan_budget >= 1:
            self.lan_budget -= 1
            pairs = [(a, b) for a in up for b in up if a.have & ~b.have]
            if not pairs:
                return
            giver, taker = self.rng.choice(pairs)
            piece: PieceIndex = self.rng.choice(list(iter_pieces(giver.have & ~taker.have)))
            taker.have |= 1 << piece
            taker.lan_moved_at = self.now


def simulate(seed: int, *, endpoints: int, kill_chance: float, lan: float, fetchers: int) -> Site:
    rng = random.Random(seed)
    site = Site(
        rng,
        pieces=200,
        fetchers=fetchers,
        lan_pieces_per_second=lan,
        line_pieces_per_second=5.0,
        kill_chance_per_second=kill_chance,
        endpoints=[Endpoint(EndpointId(f"{n:026}"), wired=rng.random() < 0.5) for n in range(endpoints)],
    )
    try:
        site.run(until_kills_stop=120.0)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return site


@pytest.mark.parametrize("fetchers", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_without_kills_every_piece_crosses_the_line_once(seed: int, fetchers: int) -> None:
    site = simulate(seed, endpoints=8, kill_chance=0.0, lan=60.0, fetchers=fetchers)
    assert site.sent == site.pieces, f"seed {seed}: {site.sent} pieces sent for {site.pieces}"


@pytest.mark.parametrize("seed", range(8))
def test_kills_cost_little_more_than_what_they_destroy(seed: int) -> None:
    # one in fifty PCs dies or comes back each second: 8 PCs, two minutes, about 19 events
    site = simulate(seed, endpoints=8, kill_chance=0.02, lan=60.0, fetchers=2)
    assert site.sent / site.pieces <= 1.10, f"seed {seed}: ratio {site.sent / site.pieces:.2f}"


@pytest.mark.parametrize("seed", range(4))
def test_slow_lan_only_delays(seed: int) -> None:
    # the LAN is slower than the line: the site falls behind the fetcher, and nothing may be sent twice for it
    site = simulate(seed, endpoints=4, kill_chance=0.0, lan=4.0, fetchers=1)
    assert site.sent / site.pieces <= 1.02, f"seed {seed}: ratio {site.sent / site.pieces:.2f}"
