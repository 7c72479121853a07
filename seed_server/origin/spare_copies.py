"""Answers PCs that need room: which of their copies the site can spare. One site, one question at a time."""

from collections.abc import Callable, Mapping, Sized

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.spare_copies import SPARE_HASH_BYTES, SpareCopies, SpareWanted
from seed_server.leasing.holdings import ServedTorrents
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.spares import SparedCopies
from seed_server.store.rows import ServedPayload

log = structlog.get_logger()


class SpareAnswers:
    """Knows what was given up at which site since the server was started. PCs that are off may lack everything."""

    def __init__(
        self,
        patches: Mapping[TorrentHash, ServedPayload],
        torrents: ServedTorrents,
        endpoints_at: Callable[[SiteName], int],
    ) -> None:
        """``patches``: what is published; ``endpoints_at`` returns how many PCs belong to a site, blocking."""
        self._patches = patches
        self._torrents = torrents
        self._endpoints_at = endpoints_at
        self._spared: dict[SiteName, SparedCopies] = {}

    async def answer(
        self, wanted: SpareWanted, endpoint: EndpointId, site: SiteName, ledger: SiteLedger, connected: Sized
    ) -> SpareCopies:
        """Return what ``endpoint`` need not keep; the ledger counts on it no more. Raises `DecodeError`."""
        if len(wanted.torrents) % SPARE_HASH_BYTES:
            raise DecodeError("a part of a hash")
        try:
            known = await trio.to_thread.run_sync(self._endpoints_at, site)
        except UserError as error:
            log.warning("nobody is told what to spare", site=site, reason=error.message)
            return SpareCopies()
        # from here on nothing waits: two that ask at once do not both give up the last copies
        others = max(known, len(connected)) - 1
        spared = self._spared.setdefault(site, SparedCopies())
        told = b""
        for at in range(0, len(wanted.torrents), SPARE_HASH_BYTES):
            torrent = wanted.torrents[at : at + SPARE_HASH_BYTES]
            if self._may_spare(TorrentHash(torrent.hex()), endpoint, others, ledger, spared):
                told += torrent
        return SpareCopies(told)

    def _may_spare(
        self, torrent: TorrentHash, endpoint: EndpointId, others: int, ledger: SiteLedger, spared: SparedCopies
    ) -> bool:
        patch, served = self._patches.get(torrent), self._torrents.get(torrent)
        if patch is None or patch.damaged or served is None:
            return False  # this server may have lost it: what is withdrawn, PCs remove by themselves
        under_way = ledger.ledger(torrent)
        lacking = () if under_way is None else under_way.lacking
        copies = ledger.copies_beside(endpoint, torrent, trio.current_time())
        if not spared.may_spare(endpoint, served, copies=copies, lacking=lacking, others=others):
            return False
        ledger.given_up(endpoint, torrent)
        return True
