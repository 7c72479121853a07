"""What one endpoint can make pieces of, by its own word, and what it could not. Pure."""

from collections.abc import Sequence

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.wire.beginnings import beginning, beginnings
from seed_server.leasing.site_ledger import LeasedPiece

MAX_UNDECODED = 64  # of one connection: some dozens are on their way when a base turns out to be another; then no more
NO_BASES = frozenset[bytes]()  # one for all: nearly all PCs have nothing to build


class Decoding:
    """Of one connection."""

    __slots__ = ("_refused", "_told", "_whole")

    def __init__(self) -> None:
        self._told = NO_BASES
        self._refused: dict[str, None] | None = None
        """Bases that it could not decode by."""
        self._whole: set[LeasedPiece] | None = None
        """Pieces that it could not decode."""

    def told(self, names: bytes) -> None:
        """Note which payloads it has: the beginnings of their SHA-256, one after the other."""
        self._told = frozenset(beginnings(names)) or NO_BASES

    @property
    def has_bases(self) -> bool:
        """Whether it has told of any."""
        return bool(self._told)

    @property
    def beginnings(self) -> frozenset[bytes]:
        """The beginnings of the SHA-256 of all that it has told of."""
        return self._told

    def undecoded(self, leased: LeasedPiece, base: str) -> bool:
        """Note what it could not decode; return whether it is the first of that base."""
        self._whole = self._whole or set()
        self._refused = self._refused or {}
        new = base not in self._refused
        if len(self._whole) <= MAX_UNDECODED:
            self._whole.add(leased)
            self._refused[base] = None
        return new

    def takes(self, leased: LeasedPiece) -> bool:
        """Whether it may be sent this piece in a coded form."""
        return self._whole is None or (leased not in self._whole and len(self._whole) <= MAX_UNDECODED)

    def takes_alone(self) -> bool:
        """Whether it may be sent pieces that are coded without a base."""
        return not self._refused or "" not in self._refused

    def bases(self, former: Sequence[Sha256Hex]) -> list[Sha256Hex]:
        """Return those of ``former`` payloads that it has, in their order."""
        if not self._told or (self._whole is not None and len(self._whole) > MAX_UNDECODED):
            return []
        refused = self._refused or ()
        return [one for one in former if one not in refused and beginning(one) in self._told]
