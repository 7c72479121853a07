"""A whole site in virtual time around the real ledger: its line, its LAN, kills, and one PC that has gone bad."""

import random
from dataclasses import dataclass, field

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces
from seed_server.leasing.help import Help
from seed_server.leasing.site_ledger import LeasedPiece, SiteLedger
from seed_server.leasing.standing import Fault, Standings
from seed_server.leasing.turns import FetcherRank
from tests.helpers.piece_sets import iter_pieces

TORRENT = TorrentHash("ab" * 32)
PIECE_BYTES = 1 << 18
STEP_SECONDS = 0.1
WANT_SECONDS = 1.0
STALLED_SECONDS = 20.0  # how long an endpoint waits for its LAN before it says that it is stalled
LEASE_SECONDS = 30.0
HELPS_LESS = 2 / 3  # of what it would give
DEADLINE_SECONDS = 3_600.0


@dataclass(frozen=True)
class Malice:
    """What a bad PC does besides asking for pieces."""

    forgets: bool = False
    """Confirms each piece and asks for it again."""
    keeps: bool = False
    """Keeps what it gets, and neither shows it to its neighbours nor sees theirs."""
    silent: bool = False
    """Takes pieces and never says what became of them."""
    trickles: bool = False
    """Reads so slowly that a lease just goes on."""
    stalled: bool = False
    claims: bool = False
    """Tells the server that it has everything."""
    sees: bool = False
    """Tells the server that its neighbours have everything."""
    shows: bool = False
    """Tells its neighbours that it has everything, and gives nothing."""
    gives_every_seconds: float = 0.0
    """With ``shows``: gives each neighbour a piece so often."""
    reconnects_every_seconds: float = 0.0
    refuses_every_seconds: float = 0.0
    """Says so often that it serves nobody, and a moment later that it does."""


@dataclass
class Pc:
    """One PC: what is on its disk survives a kill."""

    id: EndpointId
    wired: bool
    uptime_seconds: int = 0
    malice: Malice | None = None
    has_lan: bool = True
    help: Help = Help.FULL
    told: Help = Help.FULL
    """What it has told the server of that."""
    can_fetch: bool = True
    have: PieceSet = 0
    up: bool = True
    wants_at: float = 0.0
    from_lan_at: float = 0.0
    stalled: bool = False
    said: PieceSet = 0
    """What it has told the server that it has."""
    receiving: LeasedPiece | None = None
    received_at: float = 0.0
    got: int = 0
    """Pieces that came over the line."""
    acts_at: float = 0.0
    done_at: float | None = None


def bad_pc(malice: Malice) -> Pc:
    """Return a bad PC that claims the best rank."""
    return Pc(EndpointId("0" * 26), wired=True, uptime_seconds=1 << 40, malice=malice)


@dataclass
class LedgerSite:
    """The site, its line and its LAN."""

    rng: random.Random
    pieces: int
    fetchers: int
    lan_pieces_per_second: float
    line_pieces_per_second: float
    kill_chance_per_second: float = 0.0
    pcs: list[Pc] = field(default_factory=list)
    now: float = 0.0
    sent: int = 0
    line_free_at: float = 0.0
    lan_budget: float = 0.0
    needless: int = 0
    """Pieces that were sent although one that serves had them, by what all had said."""

    def __post_init__(self) -> None:
        self.standings = Standings()
        self.told: dict[tuple[EndpointId, Fault], None] = {}
        self.ledger = SiteLedger(fetchers=self.fetchers, lease_seconds=LEASE_SECONDS, standings=self.standings)
        self.ledger.add_torrent(TORRENT, sequence=1, piece_count=self.pieces, piece_length_bytes=PIECE_BYTES)

    @property
    def honest(self) -> list[Pc]:
        return [pc for pc in self.pcs if pc.malice is None]

    @property
    def rate(self) -> BytesPerSecond:
        return BytesPerSecond(int(self.line_pieces_per_second * PIECE_BYTES))

    def alarms(self) -> list[tuple[EndpointId, Fault]]:
        """Return the faults so far that are more than a lease that expired."""
        self.told |= dict.fromkeys((alarm.endpoint, alarm.fault) for alarm in self.standings.take_alarms())
        return [told for told in self.told if told[1] is not Fault.EXPIRED]

    def run(self, *, until_kills_stop: float = 0.0, within_seconds: float = DEADLINE_SECONDS) -> None:
        """Run until every honest PC has everything."""
        for pc in self.pcs:
            self.connect(pc)
        end = self.now + within_seconds
        while any(pc.done_at is None for pc in self.honest):
            assert self.now < end, "the site never got everything"
            self.step(kills=self.now < until_kills_stop)

    def run_for(self, seconds: float) -> None:
        """Run on for ``seconds``."""
        end = self.now + seconds
        while self.now < end:
            self.step(kills=False)

    def step(self, *, kills: bool) -> None:
        self.now += STEP_SECONDS
        if kills:
            self.kill_or_revive()
        for pc in self.pcs:
            if not pc.up and not kills:
                self.connect(pc)
            if pc.up:
                self.say_want(pc)
                self.receive(pc)
            if pc.have == all_pieces(self.pieces) and pc.done_at is None:
                pc.done_at = self.now
        self.swap()
        self.ledger.expire(self.now, self.rate)
        self.ledger.look(self.now, self.rate)

    def connect(self, pc: Pc) -> None:
        pc.up = True
        pc.wants_at = pc.from_lan_at = self.now
        self.ledger.data_connected(FetcherRank(pc.id, pc.wired, on_mains=True, uptime_seconds=pc.uptime_seconds))

    def disconnect(self, pc: Pc) -> None:
        pc.up = False
        pc.told, pc.said = Help.FULL, 0
        pc.receiving = None
        self.ledger.left(pc.id)

    def kill_or_revive(self) -> None:
        for pc in self.pcs:
            if self.rng.random() >= self.kill_chance_per_second * STEP_SECONDS:
                continue
            if pc.up:
                self.disconnect(pc)
            else:
                self.connect(pc)

    # --- what a PC says -----------------------------------------------------------------

    def shown_to(self, pc: Pc) -> PieceSet:
        """Return what the neighbours of ``pc`` show it on the LAN."""
        lan = 0
        for other in self.pcs:
            if other is pc or not other.up or not (pc.has_lan and other.has_lan):
                continue
            if other.malice is None:
                lan |= other.have
            elif other.malice.shows:
                lan |= all_pieces(self.pieces)
        return lan

    def say_want(self, pc: Pc) -> None:
        if self.now < pc.wants_at:
            return
        pc.wants_at = self.now + WANT_SECONDS * self.rng.uniform(0.8, 1.2)
        if pc.told is not pc.help:
            pc.told = pc.help
            self.ledger.helps(pc.id, pc.help)
        have, lan, stalled = pc.have, self.shown_to(pc), self.now - pc.from_lan_at > STALLED_SECONDS
        pc.stalled, pc.said = stalled, have
        if pc.malice is not None:
            have = all_pieces(self.pieces) if pc.malice.claims else 0 if pc.malice.forgets else have
            lan = all_pieces(self.pieces) if pc.malice.sees else 0
            stalled = pc.malice.stalled
            if pc.malice.reconnects_every_seconds and self.now >= pc.acts_at:
                pc.acts_at = self.now + pc.malice.reconnects_every_seconds
                self.disconnect(pc)
                self.connect(pc)
            if pc.malice.refuses_every_seconds and self.now >= pc.acts_at:
                pc.acts_at = self.now + pc.malice.refuses_every_seconds
                self.ledger.helps(pc.id, Help.NONE)
                self.ledger.helps(pc.id, Help.FULL)
        self.ledger.want(
            pc.id, TORRENT, have=have, lan_have=lan, lan_stalled=stalled, can_fetch=pc.can_fetch, now=self.now
        )

    # --- the line -----------------------------------------------------------------------

    def receive(self, pc: Pc) -> None:
        malice = pc.malice or Malice()
        if pc.receiving and malice.trickles:
            # the server writes 32 KiB at a time: one such step just before the lease would end
            if self.now >= pc.received_at:
                self.ledger.progressed(pc.id, pc.receiving, self.now)
                pc.received_at = self.now + LEASE_SECONDS - 1
            ledger = self.ledger.ledger(TORRENT)
            if ledger is not None and ledger.leases.get(pc.receiving.piece) != pc.id:
                pc.receiving = None  # the server has ended the data connection
            return
        if pc.receiving and self.now >= pc.received_at:
            if not malice.silent:
                pc.have |= 1 << pc.receiving.piece
                pc.said |= 1 << pc.receiving.piece
                self.ledger.stored(pc.id, pc.receiving, self.now)
            pc.receiving = None
        if pc.receiving is None and self.line_free_at <= self.now:
            pc.receiving = self.ledger.next_piece(pc.id, self.now)
            if pc.receiving:
                self.sent += 1
                pc.got += 1
                self.needless += self.is_served(pc.receiving.piece) and not pc.stalled
                pc.received_at = self.now + 1 / self.line_pieces_per_second
                if not malice.trickles:
                    self.line_free_at = pc.received_at

    def is_served(self, piece: PieceIndex) -> bool:
        """Whether a PC that serves its neighbours has ``piece``, by what all have said."""
        return any(pc.up and pc.told is not Help.NONE and pc.said >> piece & 1 for pc in self.pcs)

    # --- the LAN ------------------------------------------------------------------------

    def swap(self) -> None:
        """Let random pairs of neighbours copy pieces, as fast as the LAN allows."""
        self.lan_budget += self.lan_pieces_per_second * STEP_SECONDS
        up = [pc for pc in self.pcs if pc.up and pc.has_lan and pc.malice is None]
        for pc in self.pcs:
            if pc.malice and pc.malice.gives_every_seconds and self.now >= pc.acts_at:
                pc.acts_at = self.now + pc.malice.gives_every_seconds
                for taker in up:
                    self.give(taker, all_pieces(self.pieces) & ~taker.have)
        while self.lan_budget >= 1:
            self.lan_budget -= 1
            pairs = [(a, b) for a in up for b in up if a.help is not Help.NONE and a.have & ~b.have]
            if not pairs:
                return
            giver, taker = self.rng.choice(pairs)
            if giver.help is Help.LESS and self.rng.random() > HELPS_LESS:
                continue
            self.give(taker, giver.have & ~taker.have)

    def give(self, taker: Pc, pieces: PieceSet) -> None:
        if pieces:
            # the rarest first, as libtorrent does
            have = [pc.have for pc in self.pcs if pc.up and pc.malice is None]
            rarity = {piece: sum(pieces >> piece & 1 for pieces in have) for piece in iter_pieces(pieces)}
            rarest = min(rarity.values())
            piece: PieceIndex = self.rng.choice([piece for piece, count in rarity.items() if count == rarest])
            taker.have |= 1 << piece
            taker.from_lan_at = self.now


def honest_pcs(count: int, rng: random.Random, *, has_lan: bool = True) -> list[Pc]:
    """Return PCs that do what they say."""
    return [Pc(EndpointId(f"{n:026}"), wired=rng.random() < 0.5, has_lan=has_lan) for n in range(1, count + 1)]
