"""Codes pieces before anybody asks for them, as small as they get: for a processor that has nothing else to do.

Of each publication: by the newest former version, then alone, then by two versions before. What was coded in haste is
replaced.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import structlog
import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.said_once import SaidOnce
from seed_server.deltas.coded_cache import NO_BASE, Pair
from seed_server.deltas.piece_coding import BEST_LEVEL
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.quiet_threads import QuietThreads
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.rows import ServedPayload

AHEAD_LOOK_SECONDS = 10.0  # after all is done: for what has been published since
NO_ROOM_SECONDS = 600.0
MOST_BASES = 3
MOST_CACHE_SHARE = 0.25  # of the cache, for one payload by one base: a huge one leaves room for the others
RECENT_SECONDS = 14 * DAY_SECONDS  # since its publication: of what is older, the few that lack it are coded for at once
BUSY_REST_SHARE = 1.0  # of the time that a piece took: while anything is sent, half of one processor is left alone
LATE_CONTROLLER_SECONDS = 0.005  # while controllers are later than is promised, one piece is coded …
LATE_REST_SECONDS = 5.0  # … in so long

log = structlog.get_logger()


def work(
    served: Mapping[TorrentHash, ServedPayload], former: Mapping[TorrentHash, tuple[Sha256Hex, ...]], now: float
) -> Iterator[tuple[ServedPayload, str]]:
    """Yield which payload is to be coded by what (SHA-256, or `NO_BASE`), in this order: the newest first."""
    recent = [row for row in served.values() if now - row.published_at < RECENT_SECONDS]
    newest_first = sorted(recent, key=lambda row: (-row.sequence, row.number))
    for payload in newest_first:
        yield from ((payload, base) for base in former.get(TorrentHash(payload.torrent_hash), ())[:1])
        yield payload, NO_BASE
    for payload in newest_first:
        yield from ((payload, base) for base in former.get(TorrentHash(payload.torrent_hash), ())[1:MOST_BASES])


class CodingAhead:
    """Of one server; one thread, and one piece at a time."""

    def __init__(
        self, forms: CodedForms, clock: Clock, *, is_busy: Callable[[], bool], late_seconds: Callable[[], float]
    ) -> None:
        """``is_busy``: whether anything is sent; ``late_seconds``: how late controllers have been lately."""
        self._forms = forms
        self._clock = clock
        self._is_busy = is_busy
        self._late_seconds = late_seconds
        self._threads = QuietThreads(1)
        self._done: set[Pair] = set()
        """Pairs of which all pieces are as small as they get."""
        self._failed = SaidOnce()

    async def run(self) -> None:
        """Code until cancelled."""
        if not self._forms.codes:
            return
        try:
            while True:
                wait = AHEAD_LOOK_SECONDS
                try:
                    if not await self.code(work(self._forms.served, self._forms.former, self._clock.now())):
                        wait = NO_ROOM_SECONDS
                except Exception:  # the port goes on, and pieces are coded when they are asked for
                    wait = NO_ROOM_SECONDS
                    if self._failed.is_new("failed"):
                        log.exception("pieces cannot be coded ahead")
                await trio.sleep(wait)
        finally:
            self._threads.close()

    async def code(self, pairs: Iterable[tuple[ServedPayload, str]]) -> bool:
        """Code all pieces of these, once the cache is loaded; return whether there was room for them."""
        await self._forms.started.wait()
        cache = self._forms.coding.cache
        pairs = list(pairs)
        cache.recent = frozenset(TorrentHash(payload.torrent_hash) for payload, _ in pairs)
        for payload, base in pairs:
            pair = Pair(TorrentHash(payload.torrent_hash), base)
            if (pair in self._done and cache.bytes_of(pair)) or not await self._is_worth_it(payload, base):
                continue
            if await self._code_pair(payload, pair):
                self._done.add(pair)
            elif cache.full:
                return False
        return True

    async def _is_worth_it(self, payload: ServedPayload, base: str) -> bool:
        if base == NO_BASE:
            try:
                return await trio.to_thread.run_sync(self._forms.coding.is_compressible, payload)
            except DamagedPayloadError:
                return False  # it is seen to when it is sent; those behind it are coded
        return self._forms.base(payload, [Sha256Hex(base)]) == base

    async def _code_pair(self, payload: ServedPayload, pair: Pair) -> bool:
        """Code what is lacking; return whether nothing more is to be done about this pair."""
        cache = self._forms.coding.cache
        lacking = await trio.to_thread.run_sync(partial(cache.lacking, pair, payload.piece_count, level=BEST_LEVEL))
        for piece in lacking:
            if cache.bytes_of(pair) > MOST_CACHE_SHARE * cache.max_bytes:
                return True  # the rest of it is coded when it is asked for
            if TorrentHash(payload.torrent_hash) not in self._forms.served:
                return False
            began_at = trio.current_time()
            await self._forms.made(payload, PieceIndex(piece), pair.base, BEST_LEVEL, self._threads)
            if not await trio.to_thread.run_sync(cache.level, pair, PieceIndex(piece)):
                return False  # it cannot be read now, or there is no room: later; or is of no use, which is remembered
            await self._rest(trio.current_time() - began_at)
        return True

    async def _rest(self, took_seconds: float) -> None:
        if self._late_seconds() > LATE_CONTROLLER_SECONDS:
            await trio.sleep(LATE_REST_SECONDS)
        await trio.sleep(took_seconds * BUSY_REST_SHARE if self._is_busy() else 0.0)
