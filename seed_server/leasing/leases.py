"""Which pieces of one torrent are on their way to which endpoint of a site, and for how long. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet

MAX_LEASE_SECONDS = 900.0  # the largest piece at 40 kbit/s; an endpoint that reads slower holds up its site
LATE_PIECES = 4.0  # the line could have carried so many meanwhile: the lease of a piece that others lack has ended


@dataclass(frozen=True)
class ExpiredLease:
    """A lease that ended because its transfer made no progress."""

    endpoint: EndpointId
    torrent: TorrentHash
    piece: PieceIndex


@dataclass(slots=True)
class Lease:
    """A piece on its way."""

    endpoint: EndpointId
    granted_at: float
    progress_at: float
    line_pieces: float = 0.0
    """What the line could have carried since it was granted."""
    coded_by: str | None = None
    """The base by which it was coded; empty: by none. None: it is sent whole."""


class Leases:
    """The leases of one torrent at one site: a piece has at most one."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._leases: dict[PieceIndex, Lease] = {}
        self.pieces: PieceSet = 0
        """All pieces that are leased."""

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def holders(self) -> dict[PieceIndex, EndpointId]:
        """Which endpoint is fetching which piece."""
        return {piece: lease.endpoint for piece, lease in self._leases.items()}

    def of(self, endpoint: EndpointId) -> list[PieceIndex]:
        """Return the pieces that are on their way to ``endpoint``."""
        return [piece for piece, lease in self._leases.items() if lease.endpoint == endpoint]

    def count_of(self, endpoint: EndpointId) -> int:
        """Return how many pieces are on their way to ``endpoint``."""
        return sum(lease.endpoint == endpoint for lease in self._leases.values())

    def are_with(self, endpoint: EndpointId, piece: PieceIndex) -> bool:
        """Whether ``piece`` is on its way to ``endpoint``."""
        lease = self._leases.get(piece)
        return lease is not None and lease.endpoint == endpoint

    def grant(self, endpoint: EndpointId, piece: PieceIndex, now: float) -> None:
        """Lease a free ``piece`` to ``endpoint``."""
        self._leases[piece] = Lease(endpoint, now, now)
        self.pieces |= 1 << piece

    def end(self, piece: PieceIndex) -> None:
        """Free a piece."""
        del self._leases[piece]
        self.pieces &= ~(1 << piece)

    def coded(self, piece: PieceIndex, base: str) -> None:
        """Note that a leased piece is sent in a form that was coded by ``base``; empty: by none."""
        self._leases[piece].coded_by = base

    def coded_by(self, endpoint: EndpointId, piece: PieceIndex) -> str | None:
        """Return by what a piece is coded that is on its way to ``endpoint``; None: there is none, or it goes whole."""
        return self._leases[piece].coded_by if self.are_with(endpoint, piece) else None

    def progressed(self, piece: PieceIndex, now: float) -> None:
        """Note that the transfer of a leased piece has advanced."""
        self._leases[piece].progress_at = now

    def hold(self, now: float) -> None:
        """Restart the time of every lease."""
        for lease in self._leases.values():
            lease.granted_at = lease.progress_at = now
            lease.line_pieces = 0.0

    def expire(
        self,
        now: float,
        *,
        least_seconds: float,
        slow: bool,
        line_pieces: float,
        is_missed: Callable[[EndpointId, PieceIndex], bool],
    ) -> list[tuple[EndpointId, PieceIndex]]:
        """End the leases that have lasted too long, and return their holders and pieces.

        A lease lasts as long as its transfer makes progress, up to `MAX_LEASE_SECONDS`. If somebody else waits for
        the piece (``is_missed``), it lasts no longer than the line would have needed for `LATE_PIECES` of them. The
        other arguments are as in `PieceLedger.expire`.
        """
        patience = max(self._lease_seconds, least_seconds)
        expired = []
        for piece, lease in self._leases.items():
            lease.line_pieces += line_pieces
            if slow:
                lease.granted_at = now
            age = now - lease.granted_at
            late = lease.line_pieces >= LATE_PIECES and age >= self._lease_seconds
            if (
                now - lease.progress_at >= patience
                or age >= MAX_LEASE_SECONDS
                or (late and is_missed(lease.endpoint, piece))
            ):
                expired.append((lease.endpoint, piece))
        for _, piece in expired:
            self.end(piece)
        return expired
