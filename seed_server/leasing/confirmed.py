"""What endpoints had confirmed of a torrent when its ledger ended: a word of before that may still come. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet

Confirmed: TypeAlias = Mapping[EndpointId, Mapping[PieceIndex, float]]
"""When each has confirmed which piece."""


class ConfirmedLately:
    """Of one site. Of a small file the first piece ends the ledger, and with it all that was known."""

    def __init__(self, grace_seconds: float) -> None:
        """``grace_seconds``: for so long, a Want may come that was composed before a piece was confirmed."""
        self._grace_seconds = grace_seconds
        self._ended: dict[TorrentHash, Confirmed] = {}
        """The last one to end is the last."""

    def ended(self, torrent: TorrentHash, confirmed: Confirmed) -> None:
        """Remember what was ``confirmed`` by those that have not left."""
        self._ended.pop(torrent, None)
        if confirmed:
            self._ended[torrent] = confirmed

    def pieces(self, endpoint: EndpointId, torrent: TorrentHash, now: float) -> PieceSet:
        """Return what ``endpoint`` has confirmed so lately that a Want without it may be of before."""
        oldest = now - self._grace_seconds
        while self._ended:
            first = next(iter(self._ended))
            if any(at > oldest for pieces in self._ended[first].values() for at in pieces.values()):
                break
            del self._ended[first]
        pieces = self._ended.get(torrent, {}).get(endpoint, {})
        return sum(1 << piece for piece, at in pieces.items() if at > oldest)

    def forget(self, torrent: TorrentHash) -> None:
        """Forget what is served no longer."""
        self._ended.pop(torrent, None)

    def gave_up(self, endpoint: EndpointId, torrent: TorrentHash) -> None:
        """Forget what an endpoint has given up itself."""
        if endpoint in self._ended.get(torrent, ()):
            others = {other: pieces for other, pieces in self._ended[torrent].items() if other != endpoint}
            self.ended(torrent, others)

    def left(self, endpoint: EndpointId) -> None:
        """Forget an endpoint: what it says on its next connection is no old word."""
        for torrent in list(self._ended):
            self.gave_up(endpoint, torrent)
