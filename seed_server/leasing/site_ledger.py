"""The ledgers of all torrents of one site, and which torrent an endpoint is served next. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.manifest.urgency import EMERGENCY
from p2pdist.shared.wire.bitfield import PieceSet
from seed_server.leasing.confirmed import ConfirmedLately
from seed_server.leasing.help import Help
from seed_server.leasing.holdings import ServedTorrent, ServedTorrents, SiteHoldings
from seed_server.leasing.leases import MAX_LEASE_SECONDS, ExpiredLease
from seed_server.leasing.ledger import PieceLedger
from seed_server.leasing.site_parts import SiteParts
from seed_server.leasing.spares import CopiesBeside, copies_beside
from seed_server.leasing.standing import Standings
from seed_server.leasing.times import DEFAULT_TIMES, LedgerTimes
from seed_server.leasing.turns import FetcherRank

UNCONFIRMED_BYTES = 16 << 20  # what one endpoint may have been sent and not confirmed, until `resize` says otherwise
IN_KERNEL_BYTES = 64 << 10  # written, but perhaps not yet sent: while this drains, no progress shows
SLOW_PIECES = 2  # pieces that must fit into the longest lease
LONGEST_STEP_SECONDS = 1.0  # between two calls of `expire`: a server that stood still is no reason to expire anything
MIN_UNCONFIRMED_PIECES = 4  # with the largest pieces too, one is written while another is checked


@dataclass(frozen=True)
class LeasedPiece:
    """A piece on its way to an endpoint."""

    torrent: TorrentHash
    piece: PieceIndex


class SiteLedger:
    """All that one site fetches. Unknown torrents and endpoints are ignored: they may just have gone."""

    def __init__(
        self,
        *,
        fetchers: int,
        lease_seconds: float,
        standings: Standings | None = None,
        times: LedgerTimes = DEFAULT_TIMES,
        torrents: ServedTorrents | None = None,
    ) -> None:
        """``standings`` and ``torrents`` are the fleet's: an endpoint's past is known at every site."""
        self._fetchers, self._times = fetchers, times
        self._expired_at: float | None = None
        self._freed = False
        self._lease_seconds, self._unconfirmed_bytes = lease_seconds, UNCONFIRMED_BYTES
        self._turn_least_seconds = 0.0
        self._torrents = torrents or ServedTorrents()
        self._holdings = SiteHoldings()
        self._ledgers: dict[TorrentHash, PieceLedger] = {}
        """Of the torrents that somebody lacks. With thousands that every PC has, only those under way may cost time."""
        self._ready: dict[EndpointId, FetcherRank] = {}
        self._help_of: dict[EndpointId, Help] = {}
        self._parts = SiteParts(self._ready, standings or Standings(), self._help_of, self._note_freed, self.holding)
        self.builders = self._parts.builders
        self._wanted: dict[EndpointId, set[TorrentHash]] = {}
        """What each lacks; those that lack nothing are not in it."""
        self._leased: set[TorrentHash] = set()
        self._confirmed = ConfirmedLately(times.stored_grace_seconds)
        self.emergencies_only = False
        """Lease only pieces of emergencies: business on the site's line has to be spared."""

    def add_torrent(
        self, torrent: TorrentHash, *, sequence: int, piece_count: int, piece_length_bytes: int, urgency: int = 0
    ) -> None:
        """Begin to serve ``torrent`` at all sites; lower urgencies go first, then lower sequences."""
        self._torrents.add(
            torrent,
            sequence=sequence,
            piece_count=piece_count,
            piece_length_bytes=piece_length_bytes,
            urgency=urgency,
        )

    def holding(self, torrent: TorrentHash) -> Collection[EndpointId]:
        """Return the endpoints that have all of ``torrent``, as of now: a view."""
        served = self._torrents.get(torrent)
        return () if served is None else self._holdings.of(served)

    def copies_beside(self, endpoint: EndpointId, torrent: TorrentHash, now: float) -> CopiesBeside:
        """Return the copies of ``torrent`` that there are without that of ``endpoint``."""
        return copies_beside(endpoint, self.holding(torrent), self._parts.standings, self._help_of, now)

    def _begun(self, torrent: TorrentHash, served: ServedTorrent) -> PieceLedger:
        ledger = self._ledgers[torrent] = PieceLedger(
            torrent,
            served.piece_count,
            self._parts,
            fetchers=self._fetchers,
            lease_seconds=self._lease_seconds,
            max_leases_per_endpoint=self._max_leases(served.piece_bytes),
            piece_bytes=served.piece_bytes,
            times=self._times,
        )
        self._fit(ledger)
        return ledger

    @property
    def fetchers(self) -> int:
        """Endpoints that may fetch one torrent at the same time."""
        return self._fetchers

    def _max_leases(self, piece_bytes: int) -> int:
        return max(MIN_UNCONFIRMED_PIECES, self._unconfirmed_bytes // piece_bytes)

    def resize(self, *, fetchers: int, unconfirmed_bytes: int, turn_least_seconds: float = 0.0) -> None:
        """Let ``fetchers`` endpoints fetch a torrent at the same time, each so far ahead and at least for so long."""
        sizes = (fetchers, unconfirmed_bytes, turn_least_seconds)
        if sizes == (self._fetchers, self._unconfirmed_bytes, self._turn_least_seconds):
            return
        self._fetchers, self._unconfirmed_bytes, self._turn_least_seconds = sizes
        for ledger in self._ledgers.values():
            self._fit(ledger)

    def _fit(self, ledger: PieceLedger) -> None:
        ledger.resize(
            fetchers=self._fetchers,
            max_leases_per_endpoint=self._max_leases(ledger.piece_bytes),
            turn_least_seconds=self._turn_least_seconds,
        )

    def remove_torrent(self, torrent: TorrentHash) -> None:
        """Serve ``torrent`` no longer; its leases here are void."""
        self._torrents.remove(torrent)
        self._confirmed.forget(torrent)
        if (ledger := self._ledgers.pop(torrent, None)) is not None:
            for endpoint in ledger.lacking:
                self._wants_no_longer(endpoint, torrent)

    def ledger(self, torrent: TorrentHash) -> PieceLedger | None:
        """Return the ledger of a torrent that somebody lacks."""
        return self._ledgers.get(torrent)

    @property
    def is_busy(self) -> bool:
        """Whether anybody lacks anything, or a slot has become free."""
        return bool(self._ledgers) or self._freed

    def held_by_anybody(self) -> Callable[[TorrentHash], bool]:
        """Return what tells of a torrent whether somebody has all of it now."""
        held = self._holdings.of_anybody

        def is_held(torrent: TorrentHash) -> bool:
            served = self._torrents.get(torrent)
            return served is not None and bool(held >> served.number & 1)

        return is_held

    @property
    def ready(self) -> Collection[EndpointId]:
        """The endpoints that have a data connection."""
        return self._ready.keys()

    def lacking(self) -> list[EndpointId]:
        """Return the endpoints that lack anything that is served."""
        return list(self._wanted)

    def could_fetch(self, endpoint: EndpointId, now: float) -> bool:
        """Whether there is something for ``endpoint`` to fetch now, had it a data connection and its turn."""
        return any(self._ledgers[torrent].could_fetch(endpoint, now) for torrent in self._on_offer_to(endpoint))

    def may_lease(self, torrent: TorrentHash) -> bool:
        """Whether pieces of ``torrent`` are leased now, if there is anything to lease."""
        served = self._torrents.get(torrent)
        return not self.emergencies_only or (served is not None and served.urgency == EMERGENCY)

    @property
    def may_lease_any(self) -> bool:
        """Whether pieces of anything that somebody lacks are leased now, or nothing keeps them back."""
        return not self.emergencies_only or any(map(self.may_lease, self._ledgers))

    def lacks(self, endpoint: EndpointId) -> bool:
        """Whether an endpoint lacks anything that is served, by its own word."""
        return endpoint in self._wanted

    def data_connected(self, rank: FetcherRank) -> None:
        """Note that an endpoint can now be sent pieces."""
        self._ready[rank.endpoint] = rank

    def data_lost(self, endpoint: EndpointId) -> None:
        """Note that an endpoint's data connection is gone; its leases are void."""
        self._ready.pop(endpoint, None)
        for torrent in self._wanted_by(endpoint):
            self._ledgers[torrent].data_lost(endpoint)

    def helps(self, endpoint: EndpointId, how: Help) -> bool:
        """Note how far an endpoint helps its neighbours; until it says so, it is in full. Return whether that is new.

        If so, whoever waits should ask: it may fetch now, or what it lacks may be needed from here again.
        """
        if self._help_of.get(endpoint, Help.FULL) is how:
            return False
        self._help_of[endpoint] = how
        for ledger in self._ledgers.values():
            ledger.helps_otherwise(endpoint)
        return True

    def left(self, endpoint: EndpointId) -> None:
        """Note that an endpoint's control connection is gone."""
        self._ready.pop(endpoint, None)
        self._help_of.pop(endpoint, None)
        self.builders.say(endpoint, ())
        self._wanted.pop(endpoint, None)
        self._holdings.left(endpoint)
        self._confirmed.left(endpoint)
        for torrent, ledger in list(self._ledgers.items()):
            ledger.left(endpoint)
            self._end_if_nobody_lacks(torrent, ledger)

    def want(
        self,
        endpoint: EndpointId,
        torrent: TorrentHash,
        *,
        have: PieceSet,
        lan_have: PieceSet,
        lan_stalled: bool,
        can_fetch: bool,
        now: float,
    ) -> None:
        """As `PieceLedger.want`; an endpoint that has all from the beginning is not kept in a ledger."""
        served = self._torrents.get(torrent)
        if served is None:
            return
        have |= self._confirmed.pieces(endpoint, torrent, now)
        if have == served.all:
            self._holds(endpoint, torrent, served, now)
            return
        ledger = self._ledgers.get(torrent)
        if ledger is None:
            ledger = self._begun(torrent, served)
        if self._holdings.drop(endpoint, served):
            ledger.holds_no_longer()
        ledger.want(endpoint, have=have, lan_have=lan_have, lan_stalled=lan_stalled, can_fetch=can_fetch, now=now)
        self._wanted.setdefault(endpoint, set()).add(torrent)
        if not ledger.lacks(endpoint):  # of the rest, the news came before this
            self._holds(endpoint, torrent, served, now)

    def given_up(self, endpoint: EndpointId, torrent: TorrentHash) -> None:
        """Note that ``endpoint`` has nothing of ``torrent`` and wants nothing: its leases are void, without a fault."""
        served = self._torrents.get(torrent)
        if served is None:
            return
        self._parts.standings.gave_up(endpoint, torrent)
        self._holdings.drop(endpoint, served)
        self._confirmed.gave_up(endpoint, torrent)
        self._wants_no_longer(endpoint, torrent)
        if (ledger := self._ledgers.get(torrent)) is not None:
            ledger.left(endpoint)
            self._end_if_nobody_lacks(torrent, ledger)

    def holdings(self, endpoint: EndpointId, beginnings: bytes, now: float) -> list[TorrentHash]:
        """Note that ``endpoint`` has all of the torrents whose hashes begin so; return those that others lack."""
        bits = self._torrents.bits(beginnings)
        self._holdings.add_bits(endpoint, bits)
        lacked = []
        for torrent in list(self._ledgers):
            served = self._torrents.get(torrent)
            if served is not None and bits >> served.number & 1:
                self._holds(endpoint, torrent, served, now)
                lacked.append(torrent)
        return lacked

    def _holds(self, endpoint: EndpointId, torrent: TorrentHash, served: ServedTorrent, now: float) -> None:
        self._holdings.add(endpoint, served)
        self._wants_no_longer(endpoint, torrent)
        if (ledger := self._ledgers.get(torrent)) is not None:
            ledger.holds(endpoint, now)
            self._end_if_nobody_lacks(torrent, ledger)

    def _wants_no_longer(self, endpoint: EndpointId, torrent: TorrentHash) -> None:
        if (wanted := self._wanted.get(endpoint)) is not None:
            wanted.discard(torrent)
            if not wanted:
                del self._wanted[endpoint]

    def _end_if_nobody_lacks(self, torrent: TorrentHash, ledger: PieceLedger) -> None:
        if not ledger.lacking:
            del self._ledgers[torrent]
            self._confirmed.ended(torrent, ledger.confirmed)

    def stored(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> bool:
        """As `PieceLedger.stored`."""
        ledger, served = self._ledgers.get(at.torrent), self._torrents.get(at.torrent)
        if ledger is None or served is None:
            return False
        lacked = ledger.lacks(endpoint)
        leased = ledger.stored(endpoint, at.piece, now)
        if lacked and not ledger.lacks(endpoint):
            self._holds(endpoint, at.torrent, served, now)
        return leased

    def rejected(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> bool:
        """As `PieceLedger.rejected`."""
        ledger = self._ledgers.get(at.torrent)
        return ledger is not None and ledger.rejected(endpoint, at.piece, now)

    def progressed(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> None:
        """As `PieceLedger.progressed`."""
        if ledger := self._ledgers.get(at.torrent):
            ledger.progressed(endpoint, at.piece, now)

    def unsent(self, endpoint: EndpointId, at: LeasedPiece) -> None:
        """As `PieceLedger.unsent`."""
        if ledger := self._ledgers.get(at.torrent):
            ledger.unsent(endpoint, at.piece)

    def may_fetch(self, endpoint: EndpointId, now: float) -> bool:
        """Return whether `next_piece` has a piece for ``endpoint`` now; it has a fetcher slot then."""
        return any(self._ledgers[torrent].may_fetch(endpoint, now) for torrent in self._on_offer_to(endpoint))

    def next_piece(self, endpoint: EndpointId, now: float) -> LeasedPiece | None:
        """Lease ``endpoint`` its next piece, of the most urgent torrent that has one for it.

        What is leased already is sent first: no piece under way is lost.
        """
        for torrent in self._on_offer_to(endpoint):
            piece = self._ledgers[torrent].next_piece(endpoint, now)
            if piece is not None:
                self._leased.add(torrent)
                return LeasedPiece(torrent, piece)
        return None

    def _note_freed(self) -> None:
        self._freed = True

    def take_freed(self) -> bool:
        """Return whether a slot has become free since the last call: who waits should ask."""
        freed, self._freed = self._freed, False
        return freed

    def expire(self, now: float, rate: BytesPerSecond | None = None) -> list[ExpiredLease]:
        """End all leases without progress, and return them; ``rate`` is what each fetcher is sent at, if that is known.

        While nothing may be sent (0), nothing expires.
        """
        seconds = 0.0 if self._expired_at is None else min(LONGEST_STEP_SECONDS, now - self._expired_at)
        self._expired_at = now
        if rate == 0:
            return []
        least_seconds = 0.0 if rate is None else IN_KERNEL_BYTES / rate
        expired: list[ExpiredLease] = []
        for torrent in sorted(self._leased):
            ledger = self._ledgers.get(torrent)
            if ledger:
                slow = rate is not None and SLOW_PIECES * ledger.piece_bytes / rate > MAX_LEASE_SECONDS
                ended = ledger.expire(
                    now,
                    least_seconds=least_seconds,
                    slow=slow,
                    line_pieces=(rate or 0) * seconds / ledger.piece_bytes,
                )
                expired += [ExpiredLease(endpoint, torrent, piece) for endpoint, piece in ended]
            if not ledger or not ledger.leases:
                self._leased.discard(torrent)
        return expired

    def look(self, now: float, rate: BytesPerSecond) -> bool:
        """Judge whether what endpoints say comes true; return whether more is needed from here now.

        ``rate`` is what the whole site may be sent.
        """
        # one torrent at a time: with a thousand endpoints a look takes milliseconds
        torrent = min(self._ledgers, key=lambda torrent: (self._ledgers[torrent].look_at(now), torrent), default=None)
        if torrent is None:
            return False
        ledger = self._ledgers[torrent]
        return ledger.look(now, rate / ledger.piece_bytes)

    def remaining_bytes(self, now: float) -> int:
        """Return what the site still needs from here of the torrents that its endpoints want."""
        return sum(ledger.remaining_pieces(now) * ledger.piece_bytes for ledger in self._ledgers.values())

    def unsent_bytes(self, now: float) -> int:
        """Return as much of `remaining_bytes` as is not on its way."""
        return sum(ledger.needed_pieces(now) * ledger.piece_bytes for ledger in self._ledgers.values())

    def hold(self, now: float) -> None:
        """Renew all leases and turns, because it is we who send nothing now."""
        for ledger in self._ledgers.values():
            ledger.hold(now)

    def _on_offer_to(self, endpoint: EndpointId) -> list[TorrentHash]:
        wanted = self._wanted_by(endpoint)
        return list(filter(self.may_lease, wanted)) if self.emergencies_only else wanted

    def _wanted_by(self, endpoint: EndpointId) -> list[TorrentHash]:
        wanted = (torrent for torrent in self._wanted.get(endpoint, ()) if torrent in self._ledgers)
        return sorted(wanted, key=self._turn)

    def _turn(self, torrent: TorrentHash) -> tuple[int, int, TorrentHash]:
        served = self._torrents.get(torrent)
        return (0, 0, torrent) if served is None else (served.urgency, served.sequence, torrent)
