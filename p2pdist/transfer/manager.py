"""All transfers of this endpoint: from the catalogue through the swarm to proven files.

Carries out the state table of `transfer.states` with the torrent engine and the payload files. `Transfers.step` is
called about once a second and whenever the engine reports something; it never waits for the network.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet

import trio
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.messages import FromEndpoint, PatchState
from p2pdist.transfer import files
from p2pdist.transfer.bases import FormerPayloads
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.cached_files import Writer
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.fault_log import FaultLog
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.kept_bytes import KeptBytes
from p2pdist.transfer.made_torrents import MadeTorrents
from p2pdist.transfer.names import NameChange, with_proof_after
from p2pdist.transfer.parcels import ParcelFetches
from p2pdist.transfer.places import Places, refs_of, with_first
from p2pdist.transfer.proving import Proving
from p2pdist.transfer.records import MOVED_SAVE_SECONDS, TransferMemory
from p2pdist.transfer.room import Room
from p2pdist.transfer.states import LanActivity, TransferEvent, TransferRecord, verdict
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome, TransferSnapshot
from p2pdist.transfer.transfer import Transfer, new_record, step_seconds, with_proof_of
from p2pdist.transfer.turns import next_to_start
from p2pdist.transfer.unshared import Unshared
from p2pdist.transfer.wants import Wants
from p2pdist.trust.catalogue import Catalogue, CataloguePatch, Held

SHORTEST_STEP_SECONDS = 0.1

log = lazy_log()


class Transfers:
    """The endpoint's transfers; all methods run in the daemon's one trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        engine: Engine,
        nursery: trio.Nursery,
        send: Callable[[FromEndpoint], Awaitable[None]],
        clock: Clock,
        *,
        can_fetch: Callable[[], bool],
        writer: Writer | None = None,
        proven: Callable[[], None] = lambda: None,
    ) -> None:
        """``writer``: the user who fills the files in the cache, where it is not the daemon's own.

        ``proven`` is called when a file is proven, or is not: `step` has something to tell.
        """
        self._home = home
        self._engine = engine
        self._send = send
        self._clock = clock
        self._cache = Cache(home.cache, writer)
        self._places = Places(home.patches, self._cache)
        self._kept_bytes = KeptBytes(home.kept, home.cache, nursery, writer)
        self.removed: set[PatchRef] = set()
        """The patches that are rolled out no more since the start, and were here; of some, `bases` has the bytes."""
        self._transfers: dict[TorrentHash, Transfer] = {}
        self.memory = TransferMemory(home)
        self._fault_log = FaultLog()
        self._dirty = False
        self._more_to_start = False
        self._wants = Wants(can_fetch)
        self._lock = trio.Lock()
        self.room = Room(home, self._transfers, engine, self._cache, self._places, self._wants, self._lock, self._save)
        self.bases = FormerPayloads(self._cache, self.memory, self._transfers, self._lock, self.names_changed)
        """Former payloads, while newer ones of the same patches are on their way."""
        self._proving = Proving(engine, self._cache, self._places, nursery, self._lock, clock, proven)
        self.made = MadeTorrents(engine, self._cache, send, can_fetch=can_fetch)
        """What else is swapped with the neighbours, of this and of other parts of the daemon."""
        here = self._kept_bytes, self._places
        self.parcels = ParcelFetches(self.made, send, *here, self._proving, nursery, self._lock)
        self._unshared = Unshared(engine)

    async def load(self) -> None:
        """Read what an earlier run remembered. Call once, first."""
        await self.memory.load()
        await self.bases.load()

    # --- the catalogue -------------------------------------------------------------

    async def reconcile(self, catalogue: Catalogue) -> None:
        """Start transfers for what is new in the catalogue, and drop those that are no longer in it."""
        wanted = catalogue.wanted()
        async with self._lock:
            lacking = self.bases.lacking(wanted)
            told = self.bases.foreseen(lacking, trio.current_time())
        if told is not None:
            await self._send(told)
        async with self._lock:
            # still rolled out: that its manifest cannot be read now is no reason to delete its bytes
            kept = {refused.entry.ref for refused in catalogue.refused}
            offered = {patch.entry.ref for patch in catalogue.patches}
            offered.update(catalogue.replaced)
            offered |= {skipped.entry.ref for skipped in catalogue.skipped}
            for torrent_hash in [known for known in self._transfers if known not in wanted]:
                if kept.isdisjoint(refs_of(self._transfers[torrent_hash].record)):
                    await self._drop(self._transfers.pop(torrent_hash), offered, lacking)
            for torrent_hash in [known for known in self.memory.records if known not in wanted]:
                record = self.memory.records[torrent_hash]
                if kept.isdisjoint(refs_of(record)):  # withdrawn while the daemon was not running
                    await self._remove(record, lacking)
            for torrent_hash, patches in wanted.items():
                self.removed.difference_update(patch.ref for patch in patches)
                transfer = self._transfers.get(torrent_hash)
                if transfer is None:
                    transfer = self._transfers[torrent_hash] = await self._new_transfer(torrent_hash, patches)
                    log.info("patch is known", patch=transfer.ref.patch_id, version=transfer.ref.version)
                else:
                    await self._follow(transfer, patches)
                if transfer.origin_error or transfer.state == "fetching":
                    # the server may have repaired it, or have withdrawn it for a moment: ask again
                    transfer.wanted = None
            self._dirty = True
            self.room.known_all = catalogue.confirmed and not catalogue.refused
        await self.step()

    async def _new_transfer(self, torrent_hash: TorrentHash, patches: tuple[CataloguePatch, ...]) -> Transfer:
        known = await self.bases.give_back(torrent_hash, patches[0].payload.sha256)
        patches = with_first(patches, None if known is None else known.ref)
        record = new_record(patches, self._clock.now())
        if known is not None:
            known = with_proof_after(known, *await self._places.take_back(set(known.places) - set(record.places)))
            if known.ref == record.ref:
                record = replace(known, places=record.places)
            else:  # the same bytes under another name
                record = replace(with_proof_of(record, known), verified_ctime_ns=known.verified_ctime_ns)
        activity = LanActivity(0, trio.current_time())
        state: PatchState = "verified" if record.spared else "waiting"
        return Transfer(patches, record, state, activity, fault_log=self._fault_log)

    async def _follow(self, transfer: Transfer, patches: tuple[CataloguePatch, ...]) -> None:
        """Let the bytes belong to ``patches`` from now on: they may have got other names, more of them or fewer."""
        transfer.patches = with_first(patches, transfer.ref)
        record, before = new_record(transfer.patches, self._clock.now()), transfer.record
        if record.places == before.places:
            return
        await self._places.take_back(set(before.places) - set(record.places))
        same = record.ref == before.ref
        transfer.record = replace(before, places=record.places) if same else with_proof_of(record, before)
        if transfer.is_here:
            transfer.move(TransferEvent.RENAMED)
            await self._proving.publish(transfer)

    async def _drop(self, transfer: Transfer, offered: AbstractSet[PatchRef], lacking: AbstractSet[str]) -> None:
        if transfer.wanted is not None and not offered.isdisjoint(refs_of(transfer.record)):
            self._wants.give_up(transfer.torrent_hash)  # what is withdrawn the server drops by itself
        transfer.proving.cancel()
        transfer.part = None
        if transfer.in_engine:
            stays = self.bases.wants(transfer.record, lacking)
            await self._engine.remove(transfer.torrent_hash, delete_files=not stays)
        await self._remove(transfer.record, lacking)

    async def _remove(self, record: TransferRecord, lacking: AbstractSet[str]) -> None:
        """Remove all files of what is rolled out no more, but for one of which something in ``lacking`` is built."""
        stays = self.bases.wants(record, lacking)
        changes = await self._places.take_back(record.places)
        await files.remove_withdrawn(self._home, record, cached=not stays)
        if stays:
            self.bases.retain(with_proof_after(record, *changes))
        else:
            self.bases.forget(TorrentHash(record.torrent_hash))
        if not record.base:
            self.removed.update(refs_of(record))
            log.info("patch is withdrawn", patch=record.patch_id, version=record.version)

    # --- one step ------------------------------------------------------------------

    async def step(self) -> None:
        """Look at every transfer once and do what its state asks for; of most, that is nothing once they are proven."""
        async with self._lock:
            now = trio.current_time()
            await self._engine.refresh()
            under_way = [each for torrent, each in self._transfers.items() if self._has_news(torrent, each, now)]
            for transfer in under_way:
                if transfer.state == "failed" and now >= transfer.retry_at:
                    transfer.move(TransferEvent.RETRIED)
            await self.bases.step(under_way, now)
            await self.parcels.step(under_way, now)
            starting, self._more_to_start = next_to_start(under_way, now)
            async with trio.open_nursery() as nursery:
                for transfer in starting:
                    nursery.start_soon(self._start, transfer, now)
            for transfer in under_way:
                if transfer.snapshot is not None:
                    self._follow_engine(transfer, transfer.snapshot, now)
            await self._unshared.share_some(self._transfers.values(), now, busy=self.busy)
            told = self.bases.news(now)  # before what it lacks: the server then knows by what pieces may be coded
            wants = [*([] if told is None else [told]), *self._wants.take(under_way, now)]
            if self._dirty or self.memory.due(now, moved=self._moved):
                await self._save()
        for want in wants:  # without the lock: a server that reads slowly holds up nothing else
            await self._send(want)

    @property
    def step_seconds(self) -> float:
        """How long to wait before the next `step` when nothing happens."""
        if self._more_to_start:
            return 0.0
        longest = MOVED_SAVE_SECONDS if self._moved or self.parcels.waits else math.inf
        longest = min(longest, self._unshared.pause_seconds)
        return min(longest, step_seconds(self._transfers.values(), trio.current_time()))

    @property
    def _moved(self) -> bool:
        """Whether a state has changed since the records were written."""
        return any(transfer.moved for transfer in self._transfers.values())

    def _has_news(self, torrent: TorrentHash, transfer: Transfer, now: float) -> bool:
        """Take over what the engine says; return whether there may be anything to do for ``transfer``."""
        if transfer.in_engine:
            snapshot = self._engine.snapshot(torrent)
            if snapshot is not transfer.snapshot:
                transfer.observe(snapshot, now)
                return True
        return transfer.state != "verified" or (transfer.wanted is None and transfer.in_engine)

    async def _start(self, transfer: Transfer, now: float) -> None:
        record = transfer.record
        length_bytes = transfer.payload.length_bytes
        proven = await self._cache.is_proven(record, length_bytes)
        if not proven:
            if not self.room.admit(transfer, now) or self._kept_bytes.looking(transfer):
                return
            # when it was verified counts on, unless bytes of it turn out to be missing
            transfer.record = replace(record, verified_mtime_ns=None)
            # what is not proven is not published; and only a file without another name can be repaired
            await self._places.take_back(record.places)
            fault = await self._cache.make_ready(transfer.sha256, length_bytes)
            if fault is not None:
                transfer.fail(fault, now)
                if fault.kind is TransferFaultKind.DISK_FULL:
                    transfer.retry_soon(now)
                    if not await self.bases.let_go():
                        self.room.found_full(fault.text, now)
                return
            self.room.found_room(now)
        try:
            if transfer.in_engine:
                await self._engine.resume(transfer.torrent_hash)
            else:
                torrent = transfer.patch.torrent
                await self._engine.add(torrent, expected_hash=transfer.torrent_hash, assume_complete=proven)
        except EngineError as error:
            transfer.fail(TransferFault(TransferFaultKind.ENGINE, error.message), now)
            return
        if not transfer.in_engine:
            transfer.added(self._engine.snapshot(transfer.torrent_hash), now)
        transfer.fault = None
        # the previous snapshot may report the old failure
        transfer.observe(self._engine.snapshot(transfer.torrent_hash), now)
        transfer.activity = LanActivity(transfer.lan_pieces, now)
        transfer.move(TransferEvent.ADDED)
        if proven:
            transfer.move(TransferEvent.COMPLETED)
            await self._proving.publish(transfer)

    def _follow_engine(self, transfer: Transfer, snapshot: TransferSnapshot, now: float) -> None:
        if snapshot.fault is not None and transfer.state in ("checking", "fetching"):
            transfer.fail(snapshot.fault, now)
        elif snapshot.phase == "complete" and transfer.state in ("checking", "fetching"):
            transfer.move(TransferEvent.COMPLETED)
            self._proving.begin(transfer)
        elif snapshot.phase == "downloading" and transfer.state == "checking":
            transfer.move(TransferEvent.CHECKED)
            transfer.record = replace(transfer.record, verified_at=None)
            # the time that the check took is no stall of the LAN
            transfer.activity = LanActivity(transfer.lan_pieces, now)

    async def damaged(self, torrent_hash: TorrentHash) -> None:
        """Act on damaged bytes on disk: withdraw the verified file, and check and fetch again."""
        async with self._lock:
            transfer = self._transfers.get(torrent_hash)
            if transfer is None or transfer.state not in ("verified", "verifying", "fetching"):
                return
            transfer.proving.cancel()
            log.warning("bytes on disk are damaged, fetching them again", patch=transfer.record.patch_id)
            transfer.record = replace(transfer.record, verified_at=None, verified_mtime_ns=None, spared=False)
            await self._places.take_back(transfer.record.places)
            await self._cache.let_write(transfer.sha256)
            transfer.move(TransferEvent.DAMAGED)
            if not transfer.in_engine:
                transfer.fetch_alone()
            self._dirty = True  # a start must not believe the proof

    async def remove_unclaimed(self) -> bool:
        """As `Room.remove_unclaimed`."""
        return await self.room.remove_unclaimed(self.memory.records, lambda: self.bases.linked, self.names_changed)

    def names_changed(self, change: NameChange) -> None:
        """Let the proof of a file hold that another part of this daemon gave a name, or took one from."""
        for transfer in self._transfers.values():
            record = with_proof_after(transfer.record, change)
            if record is not transfer.record:
                transfer.record, transfer.moved = record, True
        self.bases.names_changed(change)

    # --- the origin ----------------------------------------------------------------

    async def piece_arrived(
        self,
        torrent: TorrentHash,
        piece: PieceIndex,
        size: int,
        outcome: PieceOutcome,
        *,
        built: int = 0,
        base: str = "",
        problem: str = "",
    ) -> None:
        """Count a piece of which ``size`` bytes came from the origin, and tell the origin whether it was good.

        It has ``built`` bytes more: it was coded, by the payload ``base`` (empty: by none). ``problem``: why it could
        not be decoded, in words.
        """
        if outcome == "undecoded":
            self.bases.failed(base, problem)
        transfer = self._transfers.get(torrent)
        if transfer is None or not transfer.in_engine:
            return  # withdrawn while it was on its way; the server drops the torrent too
        transfer.origin_error = ""
        transfer.origin_piece_at = trio.current_time()
        transfer.count(size, outcome, built, self.bases.version_of(base))
        if outcome == "stored":
            transfer.origin_pieces |= 1 << piece
        if (answer := verdict(torrent, piece, outcome, base)) is not None:
            await self._send(answer)

    def origin_unavailable(self, torrent: str, reason: str) -> None:
        """Remember why the origin cannot serve a torrent; the LAN may still bring it."""
        transfer = self._transfers.get(TorrentHash(torrent))
        if transfer is not None:
            transfer.origin_error = reason

    def forget_wants(self, *, takes_holdings: bool, takes_bases: bool = False) -> None:
        """As `Wants.forget`. ``takes_bases``: it is told what pieces may be coded by."""
        self.bases.welcomed(takes=takes_bases)
        self._wants.forget(self._transfers.values(), takes_holdings=takes_holdings)

    # --- questions of other parts -----------------------------------------------------------

    def active_torrents(self) -> list[TransferSnapshot]:
        """Return the torrents that the engine works on, the most urgent first, for connecting peers."""
        transfers = sorted(self._transfers.values(), key=lambda transfer: transfer.turn)
        return [transfer.snapshot for transfer in transfers if transfer.snapshot is not None]

    def snapshots(self) -> Iterator[TransferSnapshot]:
        """Return the same in no order, which costs less."""
        return (transfer.snapshot for transfer in self._transfers.values() if transfer.snapshot is not None)

    def held(self) -> frozenset[Held]:
        """Return the patches and torrents of which bytes are, or may be, on this PC."""
        records = (*self.memory.records.values(), *(transfer.record for transfer in self._transfers.values()))
        return frozenset((ref, record.torrent_hash) for record in records for ref in refs_of(record))

    @property
    def busy(self) -> bool:
        """Whether anything moves, or is being checked or proven."""
        now = trio.current_time()
        return any(transfer.busy(now) for transfer in self._transfers.values())

    def everything(self) -> list[Transfer]:
        """Return every transfer; callers only read them."""
        return list(self._transfers.values())

    # --- files ---------------------------------------------------------------------

    async def save(self) -> None:
        """Write the records now: the daemon stops."""
        async with self._lock:
            await self._save()

    async def _save(self) -> None:
        now, self._dirty = trio.current_time(), False
        for transfer in self._transfers.values():
            transfer.moved = False
        await self.memory.save((transfer.record for transfer in self._transfers.values()), now)
