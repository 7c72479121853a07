"""Which endpoint fetches which piece of one torrent for one site; `now` is any clock in seconds that only grows. Pure.

Every piece is free, leased to one endpoint, or at the site. Nothing here is
stored: after a restart the ledger is rebuilt from what endpoints say.

A piece is *needed from the origin* when it is not at the site (`claims` says
what that is), and it is not leased. An endpoint whose LAN has stalled may also
be leased pieces that only it lacks. Sending a piece grants the lease; it ends
when the endpoint has stored or rejected the piece, when its transfer makes no
progress for the lease time, when it is far slower than the line while others
wait for the piece, or with its connection.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import partial

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces, first_piece
from seed_server.leasing.builders import AWAITED_SECONDS, BUILDS_AHEAD, NO_BUILDERS
from seed_server.leasing.claims import SiteClaims, SiteMember
from seed_server.leasing.confirmed import Confirmed
from seed_server.leasing.help import Help
from seed_server.leasing.leases import Leases
from seed_server.leasing.site_parts import LedgerCounters, SiteParts
from seed_server.leasing.standing import Fault
from seed_server.leasing.times import DEFAULT_TIMES, LedgerTimes
from seed_server.leasing.turns import FetcherTurns, Precedence


class PieceLedger:
    """The ledger of one (site, torrent)."""

    def __init__(
        self,
        torrent: TorrentHash,
        piece_count: int,
        site: SiteParts,
        *,
        fetchers: int,
        lease_seconds: float,
        max_leases_per_endpoint: int,
        piece_bytes: int = 0,
        times: LedgerTimes = DEFAULT_TIMES,
    ) -> None:
        self._all = all_pieces(piece_count)
        self.piece_bytes = piece_bytes
        self._ready = site.ready
        self._max_leases = max_leases_per_endpoint
        self._torrent = torrent
        self._standings = site.standings
        self._help_of = site.help_of
        self._builders_of = site.builders.of_torrent
        self._builders: Collection[EndpointId] = NO_BUILDERS
        """At the time that is looked at, as the next."""
        self._built = False
        """One of them could fetch."""
        self._awaited_until: float | None = None if site.builders.are_awaited(torrent) else 0.0
        """None: the first word decides."""
        self._claims = SiteClaims(
            torrent,
            self._all,
            site.standings,
            times,
            piece_bytes=piece_bytes,
            help_of=site.help_of,
            holding=partial(site.holding, torrent),
        )
        self._turns = FetcherTurns(
            piece_count, site.ready, self._precedence, fetchers=fetchers, times=times, on_freed=site.on_freed
        )
        self._leases = Leases(lease_seconds)
        self.lacking: set[EndpointId] = set()
        """Members that have not all of it."""
        self.counters = LedgerCounters()

    def resize(self, *, fetchers: int, max_leases_per_endpoint: int, turn_least_seconds: float = 0.0) -> None:
        """Use other numbers from now on; an endpoint with a slot too many keeps it until its turn is over."""
        self._turns.fetchers, self._turns.least_seconds = fetchers, turn_least_seconds
        self._max_leases = max_leases_per_endpoint

    @property
    def slots(self) -> frozenset[EndpointId]:
        """Endpoints that hold a fetcher slot: never more than the setting at the time when they took it."""
        return self._turns.holders

    @property
    def leases(self) -> dict[PieceIndex, EndpointId]:
        """Which endpoint is fetching which piece."""
        return self._leases.holders

    @property
    def confirmed(self) -> Confirmed:
        """What each has confirmed since a while before its last word on all of it, and when."""
        return {endpoint: member.stored_at for endpoint, member in self._claims.members.items() if member.stored_at}

    @property
    def members(self) -> frozenset[EndpointId]:
        """Endpoints that have said what they have, as long as somebody lacked something."""
        return frozenset(self._claims.members)

    def everybody(self) -> Iterator[EndpointId]:
        """Return all whose pieces are known: members, and those that have all."""
        return (endpoint for endpoint, _, _ in self._claims.said_by_all())

    @property
    def piece_count(self) -> int:
        """How many pieces the torrent has."""
        return self._all.bit_count()

    def remaining_pieces(self, now: float) -> int:
        """Return how many pieces nobody at the site has, those on their way included."""
        return self.needed_pieces(now) + len(self._leases)

    def needed_pieces(self, now: float) -> int:
        """Return how many pieces nobody at the site has, and nobody is being sent."""
        return self._needed(now).bit_count()

    def lacks(self, endpoint: EndpointId) -> bool:
        """Whether ``endpoint`` has said what it has, and that is not everything."""
        return endpoint in self.lacking

    def holders(self, endpoint: EndpointId, among: Iterable[EndpointId], now: float) -> list[EndpointId]:
        """As `SiteClaims.holders`."""
        return self._claims.holders(endpoint, among, now)

    # --- what endpoints say -------------------------------------------------------------

    def want(
        self,
        endpoint: EndpointId,
        *,
        have: PieceSet,
        lan_have: PieceSet,
        lan_stalled: bool,
        can_fetch: bool,
        now: float,
    ) -> None:
        """Record an endpoint's view of the torrent; it replaces the previous one. The sets fit the piece count."""
        if self._awaited_until is None:
            self._awaited_until = now + AWAITED_SECONDS
        leased = self._leases.of(endpoint)
        member = self._claims.want(
            endpoint,
            have=have,
            lan_have=lan_have,
            lan_stalled=lan_stalled,
            can_fetch=can_fetch,
            leased=sum(1 << piece for piece in leased),
            now=now,
        )
        for piece in leased:
            if have >> piece & 1:
                self._leases.end(piece)
                self._turns.moved(endpoint, now)
                self.counters.stored += 1
        self._note_lack(endpoint, member)
        if not can_fetch:
            # what is on its way there will not be stored: lease it to another endpoint at once
            self.data_lost(endpoint)
        elif member.have == self._all:
            self._turns.end(endpoint)

    def stored(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> bool:
        """Record that ``endpoint`` has ``piece`` on its disk, and return whether that was leased to it."""
        member = self._claims.members.get(endpoint)
        if member is None or not self._all >> piece & 1:
            return False
        leased = self._leases.are_with(endpoint, piece)
        self._claims.stored(endpoint, piece, now, leased=leased)
        if leased:
            self._leases.end(piece)
            self._turns.moved(endpoint, now)
            self.counters.stored += 1
        self._note_lack(endpoint, member)
        if member.have == self._all:
            self._turns.end(endpoint)
        return leased

    def _note_lack(self, endpoint: EndpointId, member: SiteMember) -> None:
        (self.lacking.discard if member.have == self._all else self.lacking.add)(endpoint)

    def holds(self, endpoint: EndpointId, now: float) -> None:
        """Record that ``endpoint`` has all; a member it becomes only if it answers for what it was sent."""
        member = self._claims.members.get(endpoint)
        if member is not None and member.have == self._all:
            return
        if member is not None or self._standings.answers_for(endpoint, self._torrent):
            self.want(endpoint, have=self._all, lan_have=0, lan_stalled=False, can_fetch=False, now=now)
        else:
            self._claims.holds(endpoint, now)

    def holds_no_longer(self) -> None:
        """Take into account that one that had all says that it has not."""
        self._claims.recount()

    def rejected(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> bool:
        """Record that ``piece`` failed its hash check at ``endpoint``, and return whether it was leased to it.

        Each piece is checked before it is sent, so the fault is the endpoint's: it
        pauses, twice as long each time, and another one tries.
        """
        if not self._leases.are_with(endpoint, piece):
            return False
        self._leases.end(piece)
        self.counters.rejected += 1
        self._turns.end(endpoint)
        self._claims.members[endpoint].account.reject(now)
        return True

    def undecoded(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> str | None:
        """Record that ``endpoint`` could make no piece of what it was sent; return the base by which that was coded.

        Nobody is blamed. It has crossed the line, so it counts among what may be sent to the endpoint. None: no coded
        form of the piece is on its way there, and nothing was recorded: of what was sent whole, it is a rejection.
        """
        base = self._leases.coded_by(endpoint, piece)
        if base is not None:
            self._leases.end(piece)
            self._turns.moved(endpoint, now)
            self.counters.voided += 1
        return base

    def helps_otherwise(self, endpoint: EndpointId) -> None:
        """Take into account that ``endpoint`` helps its neighbours more or less than before."""
        self._claims.helps_otherwise(endpoint)

    def data_lost(self, endpoint: EndpointId) -> None:
        """End an endpoint's leases, and free its slot."""
        self._turns.end(endpoint)
        for piece in self._leases.of(endpoint):
            self._leases.end(piece)
            self._claims.members[endpoint].account.debt += 1
            self.counters.voided += 1

    def left(self, endpoint: EndpointId) -> None:
        """Forget an endpoint whose control connection is gone, or that has given up; its pieces no longer count."""
        self.data_lost(endpoint)
        self._turns.left(endpoint)
        self._claims.left(endpoint)
        self.lacking.discard(endpoint)

    # --- what the sender does -----------------------------------------------------------

    def may_fetch(self, endpoint: EndpointId, now: float) -> bool:
        """Return whether `next_piece` has a piece for ``endpoint`` now; it has a fetcher slot then."""
        needed = self._needed(now)
        member = self._claims.members.get(endpoint)
        if member is None or not self._on_offer(endpoint, needed, now):
            self._turns.asked_in_vain(endpoint, now)
            return False
        self._builders = self._builders_of.get(self._torrent, NO_BUILDERS)
        if now < (self._awaited_until or 0.0) and endpoint not in self._builders:
            return False  # one that builds may say so in a moment
        if self._leases.count_of(endpoint) >= self._max_leases * (BUILDS_AHEAD if endpoint in self._builders else 1):
            return False
        if member.account.left(now) < 1:
            self._standings.fault(endpoint, self._torrent, Fault.OVER_ALLOWANCE, now)
            self._turns.end(endpoint)
            return False
        for holder in sorted(self._turns.holders):
            # a holder that fetches nothing and has nothing to fetch must not block one that has
            if not self._leases.count_of(holder) and not self._could_fetch(holder, needed, now):
                self._turns.end(holder)
        self._built = False
        if self._builders:
            self._built = any(
                self._precedence(one, now) is Precedence.FIRST and self._could_fetch(one, needed, now)
                for one in self._builders
            )
        return self._turns.has(endpoint, now, lambda other: self._could_fetch(other, needed, now))

    def next_piece(self, endpoint: EndpointId, now: float) -> PieceIndex | None:
        """Lease the next piece to ``endpoint``, or return None when it has nothing to fetch now."""
        if not self.may_fetch(endpoint, now):
            return None
        needed = self._needed(now)
        on_offer = self._on_offer(endpoint, needed, now)
        # what nobody has first: one copy of it serves the whole site
        piece = first_piece(on_offer & needed or on_offer)
        assert piece is not None
        self._leases.grant(endpoint, piece, now)
        self._turns.granted(endpoint, now)
        self._claims.members[endpoint].account.send(now)
        self.counters.granted += 1
        return piece

    def progressed(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> None:
        """Renew the lease of a piece whose transfer has advanced."""
        if self._leases.are_with(endpoint, piece):
            self._leases.progressed(piece, now)
            self._turns.moved(endpoint, now)

    def coded(self, endpoint: EndpointId, piece: PieceIndex, base: str) -> None:
        """Note that a piece is sent coded by ``base``, empty: by none; so ``endpoint`` may answer `undecoded`."""
        if self._leases.are_with(endpoint, piece):
            self._leases.coded(piece, base)

    def unsent(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        """Give back a lease whose piece could not be sent, through no fault of the endpoint's."""
        if self._leases.are_with(endpoint, piece):
            self._leases.end(piece)
            self._claims.members[endpoint].account.unsend()
            self.counters.voided += 1

    def expire(
        self, now: float, *, least_seconds: float = 0.0, slow: bool = False, line_pieces: float = 0.0
    ) -> list[tuple[EndpointId, PieceIndex]]:
        """End the leases without progress, demote their holders, and return both.

        At the rate that we send at, ``least_seconds`` may pass without progress, and ``line_pieces`` could have been
        sent since the last call. ``slow``: the rate is too low for a whole piece in `MAX_LEASE_SECONDS`, so no lease
        grows old.
        """
        expired = self._leases.expire(
            now, least_seconds=least_seconds, slow=slow, line_pieces=line_pieces, is_missed=self._is_missed
        )
        for endpoint, _ in expired:
            self._claims.members[endpoint].account.debt += 1
            self.counters.expired += 1
            self._turns.end(endpoint)
            self._standings.fault(endpoint, self._torrent, Fault.EXPIRED, now)
        return expired

    def look_at(self, now: float) -> float:
        """Return when the next `look` is due."""
        return self._claims.look_at(now)

    def look(self, now: float, line_pieces_per_second: float) -> bool:
        """Judge whether what endpoints say comes true; return whether more pieces are needed now."""
        return self._claims.look(
            now, line_pieces_per_second, lambda endpoint: self._precedence(endpoint, now) is not Precedence.LAST
        )

    def hold(self, now: float) -> None:
        """Restart the time of every lease and turn."""
        self._leases.hold(now)
        self._turns.hold(now)

    # --- inside -------------------------------------------------------------------------

    def _needed(self, now: float) -> PieceSet:
        return self._all & ~self._claims.on_site(now) & ~self._leases.pieces

    def could_fetch(self, endpoint: EndpointId, now: float) -> bool:
        """Whether there is something for ``endpoint`` to fetch now, had it a data connection and a slot."""
        on_offer = self._on_offer(endpoint, self._needed(now), now, connected=True)
        return bool(on_offer) and self._claims.members[endpoint].account.left(now) >= 1

    def _on_offer(self, endpoint: EndpointId, needed: PieceSet, now: float, *, connected: bool = False) -> PieceSet:
        """Return what ``endpoint`` could fetch now, slots and allowance aside; ``connected``: as if it were."""
        member = self._claims.members.get(endpoint)
        if member is None or not member.can_fetch or not (connected or endpoint in self._ready):
            return 0
        if now < member.account.paused_until:
            return 0
        missed = self._all if member.lan_stalled else member.missed
        return (needed | missed & ~self._leases.pieces) & ~member.have

    def _could_fetch(self, endpoint: EndpointId, needed: PieceSet, now: float) -> bool:
        return bool(self._on_offer(endpoint, needed, now)) and self._claims.members[endpoint].account.left(now) >= 1

    def _precedence(self, endpoint: EndpointId, now: float) -> Precedence:
        if self._standings.demoted(endpoint, now):
            return Precedence.LAST
        member = self._claims.members.get(endpoint)
        if member is None:
            return Precedence.FIRST
        owes = endpoint not in self._turns.holders and self._leases.count_of(endpoint) > 0
        if member.account.debt or owes or member.isolated:
            return Precedence.LAST
        how = self._help_of.get(endpoint)
        if how is Help.LESS:
            return Precedence.LATER
        if how is Help.NONE:
            return Precedence.ALONE
        behind = self._built and endpoint not in self._builders
        return Precedence.LATER if behind else Precedence.FIRST

    def _is_missed(self, holder: EndpointId, piece: PieceIndex) -> bool:
        """Whether an endpoint other than ``holder`` could fetch ``piece``."""
        return any(
            endpoint != holder and member.can_fetch and endpoint in self._ready and not member.have >> piece & 1
            for endpoint, member in self._claims.members.items()
        )
