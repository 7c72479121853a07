"""The ledgers of all torrents of one site, and which torrent an endpoint is served next. Pure."""

from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet
from seed_server.leasing.help import Help
from seed_server.leasing.leases import MAX_LEASE_SECONDS
from seed_server.leasing.ledger import PieceLedger, SiteParts
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


@dataclass(frozen=True)
class ExpiredLease:
    """A lease that ended because its transfer made no progress."""

    endpoint: EndpointId
    torrent: TorrentHash
    piece: PieceIndex


@dataclass(frozen=True)
class _Entry:
    urgency: int
    """The lowest goes first; of equals, the lowest sequence."""
    sequence: int
    ledger: PieceLedger
    piece_bytes: int


class SiteLedger:
    """All that one site fetches. Unknown torrents and endpoints are ignored: they may just have gone."""

    def __init__(
        self,
        *,
        fetchers: int,
        lease_seconds: float,
        standings: Standings | None = None,
        times: LedgerTimes = DEFAULT_TIMES,
    ) -> None:
        """``standings`` is the fleet's, so that an endpoint's past is known at every site."""
        self._fetchers = fetchers
        self._times = times
        self._expired_at: float | None = None
        self._freed = False
        self._lease_seconds = lease_seconds
        self._unconfirmed_bytes = UNCONFIRMED_BYTES
        self._turn_least_seconds = 0.0
        self._entries: dict[TorrentHash, _Entry] = {}
        self._ready: dict[EndpointId, FetcherRank] = {}
        self._help_of: dict[EndpointId, Help] = {}
        self._parts = SiteParts(self._ready, standings or Standings(), self._help_of, self._note_freed)
        # with thousands of patches that every PC has, only those under way may cost time
        self._wanted: dict[EndpointId, set[TorrentHash]] = {}
        self._leased: set[TorrentHash] = set()

    def add_torrent(
        self, torrent: TorrentHash, *, sequence: int, piece_count: int, piece_length_bytes: int, urgency: int = 0
    ) -> None:
        """Begin to serve ``torrent``; lower urgencies go first, then lower sequences. A known one keeps its ledger."""
        known = self._entries.get(torrent)
        ledger = (
            known.ledger
            if known
            else PieceLedger(
                torrent,
                piece_count,
                self._parts,
                fetchers=self._fetchers,
                lease_seconds=self._lease_seconds,
                max_leases_per_endpoint=self._max_leases(piece_length_bytes),
                piece_bytes=piece_length_bytes,
                times=self._times,
            )
        )
        self._entries[torrent] = entry = _Entry(urgency, sequence, ledger, piece_length_bytes)
        self._fit(entry)

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
        for entry in self._entries.values():
            self._fit(entry)

    def _fit(self, entry: _Entry) -> None:
        entry.ledger.resize(
            fetchers=self._fetchers,
            max_leases_per_endpoint=self._max_leases(entry.piece_bytes),
            turn_least_seconds=self._turn_least_seconds,
        )

    def remove_torrent(self, torrent: TorrentHash) -> None:
        """Serve ``torrent`` no longer; its leases are void."""
        self._entries.pop(torrent, None)

    def ledger(self, torrent: TorrentHash) -> PieceLedger | None:
        """Return one torrent's ledger."""
        entry = self._entries.get(torrent)
        return entry.ledger if entry else None

    def data_connected(self, rank: FetcherRank) -> None:
        """Note that an endpoint can now be sent pieces."""
        self._ready[rank.endpoint] = rank

    def data_lost(self, endpoint: EndpointId) -> None:
        """Note that an endpoint's data connection is gone; its leases are void."""
        self._ready.pop(endpoint, None)
        for entry in self._entries.values():
            entry.ledger.data_lost(endpoint)

    def helps(self, endpoint: EndpointId, how: Help) -> bool:
        """Note how far an endpoint helps its neighbours; until it says so, it is in full. Return whether that is new.

        If so, whoever waits should ask: it may fetch now, or what it lacks may be needed from here again.
        """
        if self._help_of.get(endpoint, Help.FULL) is how:
            return False
        self._help_of[endpoint] = how
        for entry in self._entries.values():
            entry.ledger.helps_otherwise(endpoint)
        return True

    def left(self, endpoint: EndpointId) -> None:
        """Note that an endpoint's control connection is gone."""
        self._ready.pop(endpoint, None)
        self._help_of.pop(endpoint, None)
        self._wanted.pop(endpoint, None)
        for entry in self._entries.values():
            entry.ledger.left(endpoint)

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
        """As `PieceLedger.want`."""
        if entry := self._entries.get(torrent):
            entry.ledger.want(
                endpoint, have=have, lan_have=lan_have, lan_stalled=lan_stalled, can_fetch=can_fetch, now=now
            )
            wanted = self._wanted.setdefault(endpoint, set())
            (wanted.add if entry.ledger.lacks(endpoint) else wanted.discard)(torrent)

    def stored(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> bool:
        """As `PieceLedger.stored`."""
        entry = self._entries.get(at.torrent)
        return entry is not None and entry.ledger.stored(endpoint, at.piece, now)

    def rejected(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> bool:
        """As `PieceLedger.rejected`."""
        entry = self._entries.get(at.torrent)
        return entry is not None and entry.ledger.rejected(endpoint, at.piece, now)

    def progressed(self, endpoint: EndpointId, at: LeasedPiece, now: float) -> None:
        """As `PieceLedger.progressed`."""
        if entry := self._entries.get(at.torrent):
            entry.ledger.progressed(endpoint, at.piece, now)

    def unsent(self, endpoint: EndpointId, at: LeasedPiece) -> None:
        """As `PieceLedger.unsent`."""
        if entry := self._entries.get(at.torrent):
            entry.ledger.unsent(endpoint, at.piece)

    def may_fetch(self, endpoint: EndpointId, now: float) -> bool:
        """Return whether `next_piece` has a piece for ``endpoint`` now; it has a fetcher slot then."""
        return any(self._entries[torrent].ledger.may_fetch(endpoint, now) for torrent in self._wanted_by(endpoint))

    def next_piece(self, endpoint: EndpointId, now: float) -> LeasedPiece | None:
        """Lease ``endpoint`` its next piece, of the most urgent torrent that has one for it.

        What is leased already is sent first: no piece under way is lost.
        """
        for torrent in self._wanted_by(endpoint):
            piece = self._entries[torrent].ledger.next_piece(endpoint, now)
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
            entry = self._entries.get(torrent)
            if entry:
                slow = rate is not None and SLOW_PIECES * entry.piece_bytes / rate > MAX_LEASE_SECONDS
                ended = entry.ledger.expire(
                    now,
                    least_seconds=least_seconds,
                    slow=slow,
                    line_pieces=(rate or 0) * seconds / entry.piece_bytes,
                )
                expired += [ExpiredLease(endpoint, torrent, piece) for endpoint, piece in ended]
            if not entry or not entry.ledger.leases:
                self._leased.discard(torrent)
        return expired

    def look(self, now: float, rate: BytesPerSecond) -> bool:
        """Judge whether what endpoints say comes true; return whether more is needed from here now.

        ``rate`` is what the whole site may be sent.
        """
        # one torrent at a time: with a thousand endpoints a look takes milliseconds
        entries = [self._entries[torrent] for torrent in self._active()]
        entry = min(entries, key=lambda entry: (entry.ledger.look_at(now), entry.sequence), default=None)
        return entry is not None and entry.ledger.look(now, rate / entry.piece_bytes)

    def remaining_bytes(self, now: float) -> int:
        """Return what the site still needs from here of the torrents that its endpoints want."""
        entries = [self._entries[torrent] for torrent in self._active()]
        return sum(entry.ledger.remaining_pieces(now) * entry.piece_bytes for entry in entries)

    def hold(self, now: float) -> None:
        """Renew all leases and turns, because it is we who send nothing now."""
        for torrent in self._active():
            self._entries[torrent].ledger.hold(now)

    def _active(self) -> set[TorrentHash]:
        """Return the torrents that somebody lacks."""
        torrents = {torrent for wanted in self._wanted.values() for torrent in wanted}
        return torrents & self._entries.keys()

    def _wanted_by(self, endpoint: EndpointId) -> list[TorrentHash]:
        wanted = (torrent for torrent in self._wanted.get(endpoint, ()) if torrent in self._entries)
        return sorted(wanted, key=self._turn)

    def _turn(self, torrent: TorrentHash) -> tuple[int, int, TorrentHash]:
        entry = self._entries[torrent]
        return (entry.urgency, entry.sequence, torrent)
