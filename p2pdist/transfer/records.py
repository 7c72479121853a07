"""Remembers the transfers from run to run: records on disk, written when they have changed."""

from collections.abc import Iterable

from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer import files
from p2pdist.transfer.states import TransferRecord

SAVE_SECONDS = 5.0  # counters on disk lag by at most this much; a kill loses no bytes, only their count
MOVED_SAVE_SECONDS = 1.0  # states, likewise: each write is of all records, and a start proves again what is not in them

log = lazy_log()


class TransferMemory:
    """The records of all transfers, including those of earlier runs."""

    def __init__(self, home: EndpointHome) -> None:
        self._path = home.records
        self.records: dict[TorrentHash, TransferRecord] = {}
        self._saved: list[TransferRecord] = []
        self._saved_at = 0.0
        self.problem = ""
        """Why the records cannot be written, in words; empty while they can."""

    async def load(self) -> None:
        """Read what an earlier run remembered. Call once, first."""
        self._saved = await files.load_records(self._path)
        self.records = {TorrentHash(record.torrent_hash): record for record in self._saved}

    def due(self, now: float, *, moved: bool) -> bool:
        """Whether what is on disk is old enough to be written again; ``moved``: not only counters have changed."""
        return now - self._saved_at >= (MOVED_SAVE_SECONDS if moved else SAVE_SECONDS)

    async def save(self, records: Iterable[TransferRecord], now: float) -> None:
        """Remember ``records`` beside those of other torrents; write all to disk if any has changed."""
        self._saved_at = now
        for record in records:
            self.records[TorrentHash(record.torrent_hash)] = record
        everything = list(self.records.values())
        if everything == self._saved:
            return
        try:
            await files.save_records(self._path, everything)
            self._saved = everything
            self.problem = ""
        except OSError as error:
            self.problem = f"{self._path} cannot be written ({error.strerror}): make room or check the disk."
            log.error("transfer records cannot be written", path=str(self._path), cause=error.strerror)  # noqa: TRY400
