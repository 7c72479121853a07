"""Shares what came in parcels, each patch by itself, with neighbours that lack only a few of them.

A torrent costs the engine milliseconds, and nobody may ever ask for it. While others still fetch, these are better
spent on that.
"""

import math
from collections.abc import Iterable

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.torrent_engine import EngineError
from p2pdist.transfer.transfer import ACTIVE_STEP_SECONDS, Transfer

SHARE_QUIET_SECONDS = 5.0  # since the last of them was proven: the neighbours are about as far
SHARED_AT_A_TIME = 8
PAUSE_SECONDS = 0.2  # between two times: a tenth of a processor, for seconds
BUSY_SHARE_SECONDS = 150.0  # while something else moves, which may take hours: parcels are shared for twice as long
SHARE_AGAIN_SECONDS = 600.0  # until one is tried again that the engine has refused

log = lazy_log()


class Unshared:
    """What is proven, and not shared yet; ``now`` is trio's clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number = 0
        self._most = 0
        """That there were since everything was shared."""
        self._quiet_since = 0.0
        self._refused_until: dict[TorrentHash, float] = {}
        self.pause_seconds = math.inf
        """How long to wait for the next time; infinite: everything is shared."""

    async def share_some(self, transfers: Iterable[Transfer], now: float, *, busy: bool) -> None:
        """Share what is due of what is proven. ``busy``: something else moves."""
        self._refused_until = {torrent: until for torrent, until in self._refused_until.items() if now < until}
        proven = [
            each
            for each in transfers
            if each.is_here and not each.in_engine and each.torrent_hash not in self._refused_until
        ]
        if len(proven) > self._number:
            self._quiet_since = now
        self._most = max(self._most, len(proven)) if proven else 0
        waits = self._quiet_since + SHARE_QUIET_SECONDS - now
        at_a_time = math.ceil(self._most * ACTIVE_STEP_SECONDS / BUSY_SHARE_SECONDS) if busy else SHARED_AT_A_TIME
        self._number = len(proven)
        for transfer in [] if waits > 0 else proven[:at_a_time]:
            self._number -= 1
            try:
                torrent = transfer.patch.torrent
                await self._engine.add(torrent, expected_hash=transfer.torrent_hash, assume_complete=True)
            except EngineError as error:
                log.warning("a patch cannot be shared", patch=str(transfer.ref), reason=error.message)
                self._refused_until[transfer.torrent_hash] = now + SHARE_AGAIN_SECONDS
                break  # perhaps it has answered late: the others come next time
            transfer.added(self._engine.snapshot(transfer.torrent_hash), now)
        self.pause_seconds = max(waits, PAUSE_SECONDS) if self._number else math.inf
