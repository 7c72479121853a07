"""News of the signed files that cross the site's line once: fetched and swapped with neighbours as a patch is.

It is no patch: no record outlives it, and nothing is said of it but to server and neighbours. What comes is believed as
little as what is downloaded: whoever asked for it verifies each file.
"""

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog
import trio

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet, pack
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.messages import FromEndpoint, News, PieceRejected, PieceStored, Want
from p2pdist.shared.wire.news_torrent import MadeTorrent, NewsTorrent, make_torrent
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.states import LanActivity
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome, TransferSnapshot
from p2pdist.transfer.transfer import giving_up

NEWS_PATIENCE_SECONDS = 45.0  # without a piece, whatever neighbours say: a LAN that has stalled, then a slow line
ALONE_SECONDS = 8.0  # without a neighbour: in a VPN's pool of addresses nobody reaches another
NEWS_STALL_SECONDS = 12.0  # without a piece from neighbours: of a patch it may be longer, but all wait for its news
AFTER_FAILURE_SECONDS = 600.0  # without trying again: each try delays all that is new
SHARED_SECONDS = 300.0  # others hear of it within seconds, and those that were busy or off for a moment come later
MOST_SHARED_NEWS = 4  # of some megabytes each; the oldest goes first
AWAITED_LOOK_SECONDS = 0.3  # while news are awaited
IDLE_LOOK_SECONDS = 10.0

AskServer: TypeAlias = Callable[[int, int], Awaitable[News | None]]
"""Asks the server what has changed since a root and a snapshot; None: no answer."""

log = structlog.get_logger()


@dataclass
class _Shared:
    """One torrent."""

    told: NewsTorrent
    made: MadeTorrent
    began_at: float
    progress_at: float
    activity: LanActivity
    had: PieceSet = 0
    """Pieces that are here: what neighbours say that they have is no progress until it comes."""
    origin_pieces: PieceSet = 0
    snapshot: TransferSnapshot | None = None
    wanted: Want | None = None
    ended: trio.Event = field(default_factory=trio.Event)
    data: bytes | None = None
    """All of it, once ``ended`` is set; None: it did not come."""


class SharedNews:
    """The news that this PC fetches and shares; all methods run in the daemon's one trio thread."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        send: Callable[[FromEndpoint], Awaitable[None]],
        ask_server: AskServer,
        *,
        can_fetch: Callable[[], bool],
        patience_seconds: float = NEWS_PATIENCE_SECONDS,
        shared_seconds: float = SHARED_SECONDS,
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._send = send
        self._ask_server = ask_server
        self._can_fetch = can_fetch
        self._patience_seconds = patience_seconds
        self._shared_seconds = shared_seconds
        self._shared: dict[TorrentHash, _Shared] = {}
        self._not_before = -math.inf
        self._woken = trio.Event()

    # --- the trust store ----------------------------------------------------------------

    async def ask(self, root: int, snapshot: int) -> bytes | None:
        """Return what has changed since these versions, an encoded `TrustNews`; None: it cannot be had this way."""
        news = await self._ask_server(root, snapshot)
        if news is None or news.torrent is None:
            return (news and news.files) or None
        return await self._fetch(news.torrent)

    async def _fetch(self, told: NewsTorrent) -> bytes | None:
        now = trio.current_time()
        try:
            made = make_torrent(told)
        except DecodeError as error:
            log.warning("the server's word of its news is of no use", reason=str(error))
            return None
        shared = self._shared.get(made.torrent_hash)
        if shared is None:
            if now < self._not_before or not await self._begin(told, made, now):
                return None
            shared = self._shared[made.torrent_hash]
        self._woken.set()
        await shared.ended.wait()
        return shared.data

    async def _begin(self, told: NewsTorrent, made: MadeTorrent, now: float) -> bool:
        fault = await self._cache.make_ready(made.name, told.length_bytes)
        if fault is not None:
            return False
        try:
            await self._engine.add(made.torrent, expected_hash=made.torrent_hash, assume_complete=False)
        except EngineError as error:
            log.warning("news cannot be fetched together with the neighbours", reason=error.message)
            return False
        self._shared[made.torrent_hash] = _Shared(told, made, now, now, LanActivity(0, now))
        return True

    # --- what happens meanwhile -----------------------------------------------------------

    def wake(self) -> None:
        """Look at once: something has come."""
        self._woken.set()

    async def piece_arrived(self, torrent: TorrentHash, piece: PieceIndex, outcome: PieceOutcome) -> None:
        """Tell the server whether a piece of news from it was good; those of patches are none of its business."""
        shared = self._shared.get(torrent)
        if shared is None or outcome == "not_stored":
            return
        if outcome == "stored":
            shared.origin_pieces |= 1 << piece
        answer = PieceRejected if outcome == "rejected" else PieceStored
        await self._send(answer(torrent=torrent, piece=piece))
        self._woken.set()

    def origin_unavailable(self, torrent: str, _reason: str) -> None:
        """Give news up that the server has forgotten, unless neighbours have it."""
        shared = self._shared.get(TorrentHash(torrent))
        if shared is not None and not (shared.snapshot and shared.snapshot.lan_have):
            shared.progress_at = -math.inf
            self._woken.set()

    def forget_wants(self, *, takes_holdings: bool) -> None:  # noqa: ARG002 - news are few
        """Ask for everything again: the server is a new one, or the same after a restart."""
        for shared in self._shared.values():
            shared.wanted = None

    def snapshots(self) -> list[TransferSnapshot]:
        """Return the torrents, for connecting neighbours: they go before all patches."""
        return [shared.snapshot for shared in self._shared.values() if shared.snapshot is not None]

    async def run(self, look_for: Callable[[Iterable[TransferSnapshot]], None]) -> None:
        """Fetch and share until cancelled. ``look_for``: looks for neighbours at once where something is missing."""
        while True:
            await self._step(trio.current_time())
            look_for(self.snapshots())
            awaited = any(not shared.ended.is_set() for shared in self._shared.values())
            with trio.move_on_after(AWAITED_LOOK_SECONDS if awaited else IDLE_LOOK_SECONDS):
                await self._woken.wait()
            self._woken = trio.Event()

    async def _step(self, now: float) -> None:
        if self._shared:
            await self._engine.refresh()
        for shared in list(self._shared.values()):
            await self._look(shared, now)
        gone = [each for each, shared in self._shared.items() if now - shared.began_at >= self._shared_seconds]
        over = max(0, len(self._shared) - MOST_SHARED_NEWS)
        for torrent_hash in {*gone, *list(self._shared)[:over]}:
            if self._shared[torrent_hash].ended.is_set():
                await self._drop(torrent_hash)

    async def _look(self, shared: _Shared, now: float) -> None:
        snapshot = self._observe(shared, now)
        if not shared.ended.is_set() and self._is_overdue(shared, snapshot, now):
            await self._engine.refresh()  # what came while the server was told of others counts
            snapshot = self._observe(shared, now)
        if not shared.ended.is_set():
            if snapshot.phase == "complete":
                await self._take(shared, snapshot)
            elif self._is_overdue(shared, snapshot, now):
                log.warning("news do not come from server and neighbours together, asking the web port")
                self._not_before = now + AFTER_FAILURE_SECONDS
                await self._drop(shared.made.torrent_hash)
                return
        if snapshot.phase != "checking" and snapshot.piece_count == shared.told.piece_count:
            want = self._want(shared, snapshot, now)
            if want != shared.wanted:
                shared.wanted = want
                await self._send(want)

    def _observe(self, shared: _Shared, now: float) -> TransferSnapshot:
        snapshot = shared.snapshot = self._engine.snapshot(shared.made.torrent_hash)
        if snapshot.have & ~shared.had:
            shared.had, shared.progress_at = snapshot.have, now
        shared.activity = shared.activity.observe((snapshot.have & ~shared.origin_pieces).bit_count(), now)
        return snapshot

    def _is_overdue(self, shared: _Shared, snapshot: TransferSnapshot, now: float) -> bool:
        return snapshot.phase == "error" or now - shared.progress_at >= self._patience_seconds

    async def _take(self, shared: _Shared, snapshot: TransferSnapshot) -> None:
        from_origin = shared.origin_pieces.bit_count()
        log.info("news are here", pieces=snapshot.piece_count, from_origin=from_origin)
        shared.data = await self._cache.read_unproven(shared.made.name, shared.told.length_bytes)
        shared.ended.set()

    def _want(self, shared: _Shared, snapshot: TransferSnapshot, now: float) -> Want:
        missing = snapshot.phase == "downloading"
        stalled = shared.activity.stalled(now, NEWS_STALL_SECONDS)
        alone = not snapshot.peers and now - shared.began_at >= ALONE_SECONDS
        return Want(
            torrent=shared.made.torrent_hash,
            have=pack(snapshot.have, snapshot.piece_count),
            lan_have=pack(snapshot.lan_have, snapshot.piece_count),
            lan_stalled=missing and (stalled or alone),
            can_fetch=missing and self._can_fetch(),
        )

    async def _drop(self, torrent_hash: TorrentHash) -> None:
        """Delete what is here of a torrent; the server need send nothing more of it, and count on nothing."""
        shared = self._shared.pop(torrent_hash)
        shared.ended.set()
        await self._engine.remove(torrent_hash, delete_files=True)
        await self._cache.remove(shared.made.name)
        if shared.wanted is not None:
            await self._send(giving_up(torrent_hash))
