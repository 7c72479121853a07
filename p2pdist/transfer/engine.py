"""What the daemon asks of the torrent engine: types alone, without libtorrent."""

from collections.abc import AsyncIterator
from typing import Protocol

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.transfer.torrent_engine import EngineEvent, TransferSnapshot


class Engine(Protocol):
    """A running engine: `torrent_engine.engine.TorrentEngine`, or the daemon's network part.

    Its torrents' files are in the one directory that it was opened with, named by the payloads' SHA-256.
    """

    @property
    def listen_port(self) -> int:
        """The TLS port that neighbours connect to."""
        ...

    @property
    def events(self) -> AsyncIterator[EngineEvent]:
        """Events only prompt a look at the snapshot, which is the truth: some may be dropped."""
        ...

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        """Add a torrent: first the bytes on disk are checked, unless ``assume_complete``. Raises `EngineError`."""
        ...

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        """Remove a torrent and its connections. An unknown torrent is no error."""
        ...

    async def recheck(self, torrent_hash: TorrentHash) -> None:
        """Check all bytes on disk again, then fetch what is missing. Returns when the check has begun."""
        ...

    async def resume(self, torrent_hash: TorrentHash) -> None:
        """Resume a torrent that failed: check what is on disk, then fetch. Returns when the check has begun."""
        ...

    def connect_peer(self, torrent_hash: TorrentHash, address: str, port: int) -> None:
        """Connect to a neighbour within about a second, unless it is connected. An event reports the outcome."""
        ...

    async def limit_lan(self, *, upload: int | None, download: int | None, serve: bool) -> None:
        """Limit the traffic with neighbours to these rates, in bytes per second; None: unlimited."""
        ...

    def set_moving(self, moving: bool) -> None:
        """Say whether bytes move."""
        ...

    async def lan_bytes(self) -> tuple[int, int]:
        """Return the bytes received from and sent to neighbours so far, protocol overhead included."""
        ...

    async def refresh(self) -> None:
        """Bring every snapshot up to date."""
        ...

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        """Return a torrent's state as of the last `refresh`. Raises `EngineError` for an unknown one."""
        ...
