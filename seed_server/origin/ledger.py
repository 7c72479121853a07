"""Which endpoint fetches which piece of one torrent for one site; `now` is any clock in seconds that only grows. Pure.

Every piece is free, leased to one endpoint, or delivered. Nothing here is
stored: after a restart the ledger is rebuilt from what endpoints say.

A piece is *needed from the origin* when no connected endpoint of the site has
it, none sees it at a LAN peer, and it is not leased. An endpoint whose LAN has
stalled may also be leased pieces that only it lacks. Sending a piece grants the
lease; it ends when the endpoint has stored or rejected the piece, when its
transfer makes no progress for the lease time, or with its connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId, PieceIndex
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces, first_piece

STORED_GRACE_SECONDS = 5.0  # a Want that was composed before a piece was stored may arrive after the news of it
MAX_LEASE_SECONDS = 900.0  # the largest piece at 40 kbit/s; an endpoint that reads slower holds up its site
DEMOTED_SECONDS = 300.0  # an endpoint that let a lease expire fetches again only when no other can
FIRST_REJECTION_SECONDS = 2.0  # pause of an endpoint that rejected a piece; doubles each time
LONGEST_REJECTION_SECONDS = 600.0


@dataclass(frozen=True)
class FetcherRank:
    """What decides which endpoint fetches for the site: wired, on mains, longest uptime, lowest id, in this order."""

    endpoint: EndpointId
    wired: bool
    on_mains: bool
    uptime_seconds: int

    @property
    def order(self) -> tuple[bool, bool, int, EndpointId]:
        """Sorts the best fetcher first."""
        return (not self.wired, not self.on_mains, -self.uptime_seconds, self.endpoint)


@dataclass
class LedgerCounters:
    """Pieces since the ledger was made; each granted one ends as exactly one of the others or is still leased."""

    granted: int = 0
    stored: int = 0
    rejected: int = 0
    expired: int = 0
    voided: int = 0
    """Ended with the endpoint's connection."""


@dataclass(slots=True)
class _Member:
    have: PieceSet
    lan_have: PieceSet
    lan_stalled: bool
    can_fetch: bool
    stored_at: dict[PieceIndex, float] = field(default_factory=dict)


@dataclass
class _Lease:
    endpoint: EndpointId
    granted_at: float
    progress_at: float


@dataclass
class _Rejections:
    count: int
    paused_until: float


class PieceLedger:
    """The ledger of one (site, torrent).

    ``ready`` is the site's: the endpoints that have a data connection now. The
    ledger only reads it.
    """

    def __init__(
        self,
        piece_count: int,
        ready: Mapping[EndpointId, FetcherRank],
        *,
        fetchers: int,
        lease_seconds: float,
        max_leases_per_endpoint: int,
    ) -> None:
        self._all = all_pieces(piece_count)
        self._ready = ready
        self._fetchers = fetchers
        self._lease_seconds = lease_seconds
        self._max_leases = max_leases_per_endpoint
        self._members: dict[EndpointId, _Member] = {}
        # union of what the members have and see, None when it must be counted anew
        self._on_site: PieceSet | None = 0
        self._leases: dict[PieceIndex, _Lease] = {}
        self._leased: PieceSet = 0
        self._slots: set[EndpointId] = set()
        self._demoted_until: dict[EndpointId, float] = {}
        self._rejections: dict[EndpointId, _Rejections] = {}
        self.counters = LedgerCounters()

    def resize(self, *, fetchers: int, max_leases_per_endpoint: int) -> None:
        """Use other numbers from now on; an endpoint with a slot too many keeps it until it has nothing to fetch."""
        self._fetchers = fetchers
        self._max_leases = max_leases_per_endpoint

    @property
    def slots(self) -> frozenset[EndpointId]:
        """Endpoints that hold a fetcher slot: never more than the setting at the time when they took it."""
        return frozenset(self._slots)

    @property
    def leases(self) -> dict[PieceIndex, EndpointId]:
        """Which endpoint is fetching which piece."""
        return {piece: lease.endpoint for piece, lease in self._leases.items()}

    @property
    def members(self) -> frozenset[EndpointId]:
        """Endpoints that have said what they have."""
        return frozenset(self._members)

    @property
    def remaining_pieces(self) -> int:
        """Pieces that nobody at the site has, those on their way included."""
        return self._needed().bit_count() + len(self._leases)

    def lacks(self, endpoint: EndpointId) -> bool:
        """Whether ``endpoint`` has said what it has, and that is not everything."""
        member = self._members.get(endpoint)
        return member is not None and member.have != self._all

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
        if have == self._all:
            have = self._all  # one object for all: thousands of patches, each complete on hundreds of PCs
        old = self._members.get(endpoint)
        recent = {p: at for p, at in old.stored_at.items() if now - at < STORED_GRACE_SECONDS} if old else {}
        for piece in recent:
            have |= 1 << piece
        self._members[endpoint] = _Member(have, lan_have, lan_stalled, can_fetch, recent)
        if old and (old.have | old.lan_have) & ~(have | lan_have):
            self._on_site = None
        elif self._on_site is not None:
            self._on_site |= have | lan_have
        for piece in [p for p, lease in self._leases.items() if lease.endpoint == endpoint and have >> p & 1]:
            self._end_lease(piece)
            self.counters.stored += 1
        if not can_fetch:
            # what is on its way there will not be stored: lease it to another endpoint at once
            self.data_lost(endpoint)
        elif have == self._all:
            self._slots.discard(endpoint)

    def stored(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> None:
        """Record that ``endpoint`` has ``piece`` on its disk."""
        member = self._members.get(endpoint)
        if member is None or not self._all >> piece & 1:
            return
        member.have |= 1 << piece
        member.stored_at[piece] = now
        if self._on_site is not None:
            self._on_site |= 1 << piece
        if self._holds(endpoint, piece):
            self._end_lease(piece)
            self.counters.stored += 1
        if member.have == self._all:
            self._slots.discard(endpoint)

    def rejected(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> None:
        """Record that ``piece`` failed its hash check at ``endpoint``.

        Each piece is checked before it is sent, so the fault is the endpoint's: it
        pauses, twice as long each time, and another one tries.
        """
        if not self._holds(endpoint, piece):
            return
        self._end_lease(piece)
        self.counters.rejected += 1
        self._slots.discard(endpoint)
        earlier = self._rejections.get(endpoint)
        count = earlier.count + 1 if earlier else 1
        # the exponent is capped only to keep the power small
        pause = min(LONGEST_REJECTION_SECONDS, FIRST_REJECTION_SECONDS * 2 ** min(count - 1, 20))
        self._rejections[endpoint] = _Rejections(count, now + pause)

    def data_lost(self, endpoint: EndpointId) -> None:
        """End an endpoint's leases, and free its slot."""
        self._slots.discard(endpoint)
        for piece in [p for p, lease in self._leases.items() if lease.endpoint == endpoint]:
            self._end_lease(piece)
            self.counters.voided += 1

    def left(self, endpoint: EndpointId) -> None:
        """Forget an endpoint whose control connection is gone; its pieces no longer count."""
        self.data_lost(endpoint)
        if self._members.pop(endpoint, None):
            self._on_site = None

    # --- what the sender does -----------------------------------------------------------

    def next_piece(self, endpoint: EndpointId, now: float) -> PieceIndex | None:
        """Lease the next piece to ``endpoint``, or return None when it has nothing to fetch now."""
        needed = self._needed()
        on_offer = self._on_offer(endpoint, needed, now)
        if not on_offer or self._lease_count(endpoint) >= self._max_leases:
            return None
        if endpoint not in self._slots and not self._take_slot(endpoint, needed, now):
            return None
        # what nobody has first: one copy of it serves the whole site
        piece = first_piece(on_offer & needed or on_offer)
        assert piece is not None
        self._leases[piece] = _Lease(endpoint, now, now)
        self._leased |= 1 << piece
        self.counters.granted += 1
        return piece

    def progressed(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> None:
        """Renew the lease of a piece whose transfer has advanced."""
        if self._holds(endpoint, piece):
            self._leases[piece].progress_at = now

    def unsent(self, endpoint: EndpointId, piece: PieceIndex) -> None:
        """Give back a lease whose piece could not be sent, through no fault of the endpoint's."""
        if self._holds(endpoint, piece):
            self._end_lease(piece)
            self.counters.voided += 1

    def expire(
        self, now: float, *, least_seconds: float = 0.0, slow: bool = False
    ) -> list[tuple[EndpointId, PieceIndex]]:
        """End the leases without progress, demote their holders, and return both.

        At the rate that we send at, ``least_seconds`` may pass without progress;
        ``slow``: that rate is too low for a whole piece in `MAX_LEASE_SECONDS`, so no lease grows old.
        """
        patience = max(self._lease_seconds, least_seconds)
        if slow:
            for lease in self._leases.values():
                lease.granted_at = now
        expired = [
            (lease.endpoint, piece)
            for piece, lease in self._leases.items()
            if now - lease.progress_at >= patience or now - lease.granted_at >= MAX_LEASE_SECONDS
        ]
        for endpoint, piece in expired:
            self._end_lease(piece)
            self.counters.expired += 1
            self._slots.discard(endpoint)
            self._demoted_until[endpoint] = now + DEMOTED_SECONDS
        self._demoted_until = {e: until for e, until in self._demoted_until.items() if until > now}
        return expired

    def hold(self, now: float) -> None:
        """Restart the time of every lease."""
        for lease in self._leases.values():
            lease.granted_at = lease.progress_at = now

    # --- inside -------------------------------------------------------------------------

    def _needed(self) -> PieceSet:
        if self._on_site is None:
            self._on_site = 0
            for member in self._members.values():
                self._on_site |= member.have | member.lan_have
        return self._all & ~self._on_site & ~self._leased

    def _on_offer(self, endpoint: EndpointId, needed: PieceSet, now: float) -> PieceSet:
        """Return what ``endpoint`` could fetch now, slots aside."""
        member = self._members.get(endpoint)
        if member is None or not member.can_fetch or endpoint not in self._ready:
            return 0
        rejections = self._rejections.get(endpoint)
        if rejections and now < rejections.paused_until:
            return 0
        return needed | (self._all & ~member.have & ~self._leased if member.lan_stalled else 0)

    def _take_slot(self, endpoint: EndpointId, needed: PieceSet, now: float) -> bool:
        """Give ``endpoint`` a slot if one is free and no better candidate waits for it."""
        # a holder that fetches nothing and has nothing to fetch must not block one that has
        self._slots = {e for e in self._slots if self._lease_count(e) or self._on_offer(e, needed, now)}
        free = self._fetchers - len(self._slots)
        if free < 1:
            return False
        own = self._slot_order(endpoint, now)
        for other in self._ready:
            waits = other not in self._slots and self._slot_order(other, now) < own
            if waits and self._on_offer(other, needed, now):
                free -= 1
                if free < 1:
                    return False
        self._slots.add(endpoint)
        return True

    def _slot_order(self, endpoint: EndpointId, now: float) -> tuple[bool, tuple[bool, bool, int, EndpointId]]:
        return self._demoted_until.get(endpoint, 0.0) > now, self._ready[endpoint].order

    def _lease_count(self, endpoint: EndpointId) -> int:
        return sum(lease.endpoint == endpoint for lease in self._leases.values())

    def _holds(self, endpoint: EndpointId, piece: PieceIndex) -> bool:
        lease = self._leases.get(piece)
        return lease is not None and lease.endpoint == endpoint

    def _end_lease(self, piece: PieceIndex) -> None:
        del self._leases[piece]
        self._leased &= ~(1 << piece)
