"""Which torrents are served, and which of them each endpoint of a site has all of: a bit for each. Pure.

Nearly every PC has nearly every patch, for years. So that costs a few bytes for each, and no ledger.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.beginnings import beginning, beginnings
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces


@dataclass(frozen=True, slots=True)
class ServedTorrent:
    """A torrent that is served."""

    number: int
    """Its bit; none that is served later has the same."""
    urgency: int
    """The lowest goes first; of equals, the lowest sequence."""
    sequence: int
    piece_count: int
    piece_bytes: int

    @property
    def all(self) -> PieceSet:
        """All of its pieces."""
        return all_pieces(self.piece_count)


class ServedTorrents:
    """All that are served; one for all sites."""

    def __init__(self) -> None:
        self._torrents: dict[TorrentHash, ServedTorrent] = {}
        self._bits: dict[bytes, int] = {}
        """By the beginning of each one's hash."""
        self._asked = (b"", 0)
        """What `bits` was asked last, and its answer."""
        self._next = 0

    def add(
        self, torrent: TorrentHash, *, sequence: int, piece_count: int, piece_length_bytes: int, urgency: int = 0
    ) -> None:
        """Begin to serve ``torrent``, or serve it in another order from now on."""
        known = self._torrents.get(torrent)
        number = self._next if known is None else known.number
        self._next += known is None
        self._bits[beginning(torrent)] = 1 << number
        self._asked = (b"", 0)
        self._torrents[torrent] = ServedTorrent(number, urgency, sequence, piece_count, piece_length_bytes)

    def remove(self, torrent: TorrentHash) -> None:
        """Serve ``torrent`` no longer. Who has it is forgotten: if it is served again, endpoints say so again."""
        if self._torrents.pop(torrent, None) is not None:
            self._bits.pop(beginning(torrent), None)
            self._asked = (b"", 0)

    def get(self, torrent: TorrentHash) -> ServedTorrent | None:
        """Return what is known of ``torrent``; None: it is not served."""
        return self._torrents.get(torrent)

    def bits(self, names: bytes) -> int:
        """Return the bits of the torrents whose hashes begin so; what is not served has none."""
        if names == self._asked[0]:  # most PCs have the same, and come together after a restart
            return self._asked[1]
        bits = self._bits
        found = 0
        for name in beginnings(names):
            found |= bits.get(name, 0)
        self._asked = (names, found)
        return found


class SiteHoldings:
    """Which endpoints of one site have all of which torrents, by their own word."""

    def __init__(self) -> None:
        self._held: dict[EndpointId, int] = {}

    def add(self, endpoint: EndpointId, torrent: ServedTorrent) -> None:
        """Note that ``endpoint`` has all of ``torrent``."""
        self._held[endpoint] = self._held.get(endpoint, 0) | 1 << torrent.number

    def add_bits(self, endpoint: EndpointId, bits: int) -> None:
        """As `add`, for all torrents with these ``bits``."""
        if bits:
            self._held[endpoint] = self._held.get(endpoint, 0) | bits

    def drop(self, endpoint: EndpointId, torrent: ServedTorrent) -> bool:
        """Note that ``endpoint`` lacks some of ``torrent``, and return whether it had all before."""
        held = self._held.get(endpoint, 0)
        if not held >> torrent.number & 1:
            return False
        self._held[endpoint] = held & ~(1 << torrent.number)
        return True

    def left(self, endpoint: EndpointId) -> None:
        """Forget an endpoint."""
        self._held.pop(endpoint, None)

    @property
    def of_anybody(self) -> int:
        """The bits of the torrents that somebody has all of."""
        return reduce(or_, self._held.values(), 0)

    def of(self, torrent: ServedTorrent) -> Collection[EndpointId]:
        """Return the endpoints that have all of ``torrent``, as of now: a view."""
        return _Holders(self._held, torrent.number)


class _Holders(Collection[EndpointId]):
    """Reads the bits of one torrent."""

    def __init__(self, held: Mapping[EndpointId, int], number: int) -> None:
        self._held = held
        self._number = number

    def __contains__(self, endpoint: object) -> bool:
        return bool(self._held.get(endpoint, 0) >> self._number & 1)  # type: ignore[call-overload] # any is looked up

    def __iter__(self) -> Iterator[EndpointId]:
        number = self._number
        return (endpoint for endpoint, held in self._held.items() if held >> number & 1)

    def __len__(self) -> int:
        return sum(1 for _ in self)
