"""Torrents that server and PCs make by themselves: fetched and swapped with neighbours as a patch's is.

Such a torrent is no patch: no record outlives it. What comes is believed as little as what is downloaded: whoever asked
for it verifies what is in it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import trio

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.bitfield import PieceSet, pack
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.messages import FromEndpoint, Want
from p2pdist.shared.wire.news_torrent import MadeTorrent, NewsTorrent, make_torrent
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.states import LanActivity, giving_up, verdict
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome, TransferSnapshot

ALONE_SECONDS = 8.0  # without a neighbour: in a VPN's pool of addresses nobody reaches another
AWAITED_LOOK_SECONDS = 0.3  # while one is awaited
IDLE_LOOK_SECONDS = 10.0

log = lazy_log()


@dataclass(frozen=True)
class SharingTerms:
    """For how long torrents of one kind are waited for, and how many are shared for how long."""

    kind: str
    """What they hold, for the log."""
    patience_seconds: float
    """Without a piece here, whatever neighbours say, after which one is given up."""
    stall_seconds: float
    """Without a piece from neighbours, after which the line is asked for what they have too."""
    shared_seconds: float
    """Since it is here; and until no neighbour takes any of it."""
    most: int
    """At a time; those that are here longest go first."""
    together: bool = False
    """They come one after the other, in the server's order: what comes of one, or may not come now, spares all."""


@dataclass(eq=False)
class SharedTorrent:
    """One torrent."""

    told: NewsTorrent
    made: MadeTorrent
    terms: SharingTerms
    began_at: float
    progress_at: float
    activity: LanActivity
    had: PieceSet = 0
    """Pieces that are here: what neighbours say that they have is no progress until it comes."""
    origin_pieces: PieceSet = 0
    origin_piece_at: float | None = None
    snapshot: TransferSnapshot | None = None
    wanted: Want | None = None
    ended: trio.Event = field(default_factory=trio.Event)
    ended_at: float = 0.0
    refused: bool = False
    """Whether the server has it no longer: then it comes from neighbours, or not."""
    is_here: bool = False
    """Whether all of it is here, once ``ended`` is set; else it did not come."""
    described: bytes = b""
    """What tells the server again what is in it; for whoever wants it."""

    @property
    def awaited(self) -> bool:
        """Whether it may still come."""
        return not self.ended.is_set()


class MadeTorrents:
    """Those that this PC fetches and shares; all methods run in the daemon's one trio thread."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        send: Callable[[FromEndpoint], Awaitable[None]],
        *,
        can_fetch: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self.cache = cache
        """Where the files are."""
        self._send = send
        self._can_fetch = can_fetch
        self._shared: dict[TorrentHash, SharedTorrent] = {}
        self._unsaid: set[SharingTerms] = set()
        """The kinds of which the server is told nothing now."""
        self._woken = trio.Event()

    # --- whoever wants one ----------------------------------------------------------------

    async def begin(self, told: NewsTorrent, terms: SharingTerms) -> SharedTorrent | None:
        """Fetch and share what the server tells of, unless that is done already; None: it cannot be had this way."""
        now = trio.current_time()
        try:
            made = make_torrent(told)
        except DecodeError as error:
            log.warning("what the server says of a torrent is of no use", what=terms.kind, reason=str(error))
            return None
        known = self._shared.get(made.torrent_hash)
        if known is not None:
            known.refused = False
            self._woken.set()
            return known
        if await self.cache.make_ready(made.name, told.length_bytes) is not None:
            return None
        try:
            await self._engine.add(made.torrent, expected_hash=made.torrent_hash, assume_complete=False)
        except EngineError as error:
            log.warning("a torrent cannot be fetched with the neighbours", what=terms.kind, reason=error.message)
            return None
        shared = SharedTorrent(told, made, terms, now, now, LanActivity(0, now))
        self._shared[made.torrent_hash] = shared
        self._woken.set()
        return shared

    async def read(self, shared: SharedTorrent) -> bytes | None:
        """Return all of one that is here, as its writer left it; None: it cannot be read."""
        return await self.cache.read_unproven(shared.made.name, shared.told.length_bytes)

    def of(self, terms: SharingTerms) -> list[SharedTorrent]:
        """Return those of one kind, those that are still to come first."""
        return sorted(
            (each for each in self._shared.values() if each.terms is terms), key=lambda each: not each.awaited
        )

    def tell_of(self, terms: SharingTerms, *, tell: bool) -> None:
        """Tell the server what is here of one kind, or do not until it can know these torrents."""
        (self._unsaid.discard if tell else self._unsaid.add)(terms)
        self._woken.set()

    # --- what happens meanwhile -----------------------------------------------------------

    def wake(self) -> None:
        """Look at once: something has come."""
        self._woken.set()

    async def piece_arrived(
        self, torrent: TorrentHash, piece: PieceIndex, outcome: PieceOutcome, base: str = ""
    ) -> None:
        """Tell the server whether a piece from it was good; those of patches are none of its business.

        ``base`` as in `verdict`.
        """
        shared = self._shared.get(torrent)
        answer = verdict(torrent, piece, outcome, base)
        if shared is None or answer is None:
            return
        shared.origin_piece_at = trio.current_time()
        if outcome == "stored":
            shared.origin_pieces |= 1 << piece
        await self._send(answer)
        self._woken.set()

    def origin_unavailable(self, torrent: str, _reason: str) -> None:
        """Note what the server has forgotten: it is given up as soon as neighbours have nothing that is missing."""
        shared = self._shared.get(TorrentHash(torrent))
        if shared is not None:
            shared.refused = True
            self._woken.set()

    def forget_wants(self, *, takes_holdings: bool, takes_bases: bool = False) -> None:  # noqa: ARG002 - they are few
        """Ask for everything again: the server is a new one, or the same after a restart."""
        for shared in self._shared.values():
            shared.wanted, shared.refused = None, False

    def snapshots(self) -> list[TransferSnapshot]:
        """Return the torrents, for connecting neighbours: they go before all patches."""
        return [shared.snapshot for shared in self._shared.values() if shared.snapshot is not None]

    async def run(self, look_for: Callable[[Iterable[TransferSnapshot]], None]) -> None:
        """Fetch and share until cancelled. ``look_for``: looks for neighbours at once where something is missing."""
        while True:
            await self._step(trio.current_time())
            look_for(self.snapshots())
            awaited = any(shared.awaited for shared in self._shared.values())
            with trio.move_on_after(AWAITED_LOOK_SECONDS if awaited else IDLE_LOOK_SECONDS):
                await self._woken.wait()
            self._woken = trio.Event()

    async def _step(self, now: float) -> None:
        if self._shared:
            await self._engine.refresh()
        for shared in list(self._shared.values()):
            await self._look(shared, now)
        for torrent_hash in self._over(now):
            await self._drop(torrent_hash)

    def _over(self, now: float) -> list[TorrentHash]:
        """Return what is shared no longer: for its time, or because others came after it."""
        over: list[TorrentHash] = []
        kinds: dict[str, int] = {}
        for torrent_hash, shared in reversed(self._shared.items()):
            kinds[shared.terms.kind] = kinds.get(shared.terms.kind, 0) + 1
            taking = (
                shared.snapshot is not None and shared.snapshot.peers
            )  # with those that have all, it ends by itself
            old = now - shared.ended_at >= shared.terms.shared_seconds and not taking
            if not shared.awaited and (old or kinds[shared.terms.kind] > shared.terms.most):
                over.append(torrent_hash)
        return over

    async def _look(self, shared: SharedTorrent, now: float) -> None:
        snapshot = self._observe(shared, now)
        if shared.awaited and _is_overdue(shared, snapshot, now):
            await self._engine.refresh()  # what came while the server was told of others counts
            snapshot = self._observe(shared, now)
        if shared.awaited:
            if snapshot.phase == "complete":
                shared.is_here, shared.ended_at = True, now
                shared.ended.set()
            elif _is_overdue(shared, snapshot, now):
                log.warning("it does not come from server and neighbours together", what=shared.terms.kind)
                await self._drop(shared.made.torrent_hash)
                return
        counted = snapshot.phase != "checking" and snapshot.piece_count == shared.told.piece_count
        if counted and shared.terms not in self._unsaid:
            want = self._want(shared, snapshot, now)
            if want != shared.wanted:
                shared.wanted = want
                await self._send(want)

    def _observe(self, shared: SharedTorrent, now: float) -> TransferSnapshot:
        snapshot = shared.snapshot = self._engine.snapshot(shared.made.torrent_hash)
        progress = bool(snapshot.have & ~shared.had)
        shared.had |= snapshot.have
        if progress:
            shared.progress_at = now
        if shared.terms.together and not shared.refused and (progress or not self._can_fetch()):
            for each in self._shared.values():
                if each.terms is shared.terms and not each.refused:
                    each.progress_at = now
        shared.activity = shared.activity.observe((snapshot.have & ~shared.origin_pieces).bit_count(), now)
        return snapshot

    def _want(self, shared: SharedTorrent, snapshot: TransferSnapshot, now: float) -> Want:
        missing = snapshot.phase == "downloading"
        stalled = shared.activity.stalled(now, shared.terms.stall_seconds)
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
        await self.cache.remove(shared.made.name)
        if shared.wanted is not None:
            await self._send(giving_up(torrent_hash))


def _is_overdue(shared: SharedTorrent, snapshot: TransferSnapshot, now: float) -> bool:
    nowhere = shared.refused and not snapshot.lan_have & ~snapshot.have
    return nowhere or snapshot.phase == "error" or now - shared.progress_at >= shared.terms.patience_seconds
