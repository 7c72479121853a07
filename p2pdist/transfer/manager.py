"""All transfers of this endpoint: from the catalogue through the swarm to proven files.

Carries out the state table of `transfer.states` with the torrent engine and the payload files. `Transfers.step` is
called about once a second and whenever the engine reports something; it never waits for the network.
"""

from collections.abc import Awaitable, Callable

import structlog
import trio
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from p2pdist.shared.wire.messages import FromEndpoint, PieceRejected, PieceStored, Want
from p2pdist.transfer import files
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.cached_files import Writer
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.kept_bytes import KeptBytes
from p2pdist.transfer.places import Places, refs_of, with_first
from p2pdist.transfer.records import TransferMemory
from p2pdist.transfer.states import (
    MAX_FAILED_PROOFS,
    TRANSITIONS,
    LanActivity,
    TransferEvent,
    TransferRecord,
    seconds_taken,
)
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome, TransferSnapshot
from p2pdist.transfer.transfer import Transfer, counted, new_record, step_seconds, with_proof_of
from p2pdist.trust.catalogue import Catalogue, CataloguePatch, Held

SHORTEST_STEP_SECONDS = 0.1
MAX_TRANSFERS_AT_A_TIME = 4  # as urgent ones whose bytes flow; the others wait in the order of `Transfer.turn`

log = structlog.get_logger()


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
    ) -> None:
        """``writer``: the user who fills the files in the cache, where it is not the daemon's own."""
        self._home = home
        self._engine = engine
        self._nursery = nursery
        self._send = send
        self._clock = clock
        self._can_fetch = can_fetch
        self._cache = Cache(home.cache, writer)
        self._places = Places(home.patches, self._cache)
        self._kept_bytes = KeptBytes(home.kept, home.cache, nursery, writer)
        self.removed: set[PatchRef] = set()
        """The patches whose bytes were removed since the start, because they are rolled out no more."""
        self._transfers: dict[TorrentHash, Transfer] = {}
        self.memory = TransferMemory(home)
        self._dirty = False
        self._lock = trio.Lock()

    async def load(self) -> None:
        """Read what an earlier run remembered. Call once, first."""
        await self.memory.load()

    # --- the catalogue -------------------------------------------------------------

    async def reconcile(self, catalogue: Catalogue) -> None:
        """Start transfers for what is new in the catalogue, and drop those that are no longer in it."""
        async with self._lock:
            wanted = catalogue.wanted()
            # still rolled out: that its manifest cannot be read now is no reason to delete its bytes
            kept = {refused.entry.ref for refused in catalogue.refused}
            for torrent_hash in [known for known in self._transfers if known not in wanted]:
                if kept.isdisjoint(refs_of(self._transfers[torrent_hash].record)):
                    await self._drop(self._transfers.pop(torrent_hash))
            for torrent_hash in [known for known in self.memory.records if known not in wanted]:
                record = self.memory.records[torrent_hash]
                if kept.isdisjoint(refs_of(record)):  # withdrawn while the daemon was not running
                    del self.memory.records[torrent_hash]
                    await self._remove(record)
            for torrent_hash, patches in wanted.items():
                self.removed.difference_update(patch.ref for patch in patches)
                transfer = self._transfers.get(torrent_hash)
                if transfer is None:
                    transfer = self._transfers[torrent_hash] = await self._new_transfer(torrent_hash, patches)
                    log.info("patch is known", patch=transfer.ref.patch_id, version=transfer.ref.version)
                else:
                    await self._follow(transfer, patches)
                if transfer.origin_error or transfer.state == "fetching":
                    transfer.wanted = (
                        None  # the server may have repaired it, or have withdrawn it for a moment: ask again
                    )
            self._dirty = True
        await self.step()

    async def _new_transfer(self, torrent_hash: TorrentHash, patches: tuple[CataloguePatch, ...]) -> Transfer:
        known = self.memory.records.get(torrent_hash)
        patches = with_first(patches, None if known is None else known.ref)
        record = new_record(patches, self._clock.now())
        if known is not None:
            await self._places.take_back(set(known.places) - set(record.places))
            if known.ref == record.ref:
                record = replace(known, places=record.places)
            else:  # the same bytes under another name
                record = replace(with_proof_of(record, known), verified_ctime_ns=known.verified_ctime_ns)
        return Transfer(patches, record, "waiting", LanActivity(0, trio.current_time()))

    async def _follow(self, transfer: Transfer, patches: tuple[CataloguePatch, ...]) -> None:
        """Let the bytes belong to ``patches`` from now on: they may have got other names, more of them or fewer."""
        transfer.patches = with_first(patches, transfer.ref)
        record, before = new_record(transfer.patches, self._clock.now()), transfer.record
        if record.places == before.places:
            return
        await self._places.take_back(set(before.places) - set(record.places))
        same = record.ref == before.ref
        transfer.record = replace(before, places=record.places) if same else with_proof_of(record, before)
        if transfer.state == "verified":
            self._move(transfer, TransferEvent.RENAMED)
            await self._publish(transfer)

    async def _drop(self, transfer: Transfer) -> None:
        transfer.proving.cancel()
        if transfer.in_engine:
            await self._engine.remove(transfer.torrent_hash, delete_files=True)
        await self._remove(transfer.record)
        self.memory.records.pop(transfer.torrent_hash, None)

    async def _remove(self, record: TransferRecord) -> None:
        """Remove all files of what is not rolled out any more."""
        await self._places.take_back(record.places)
        await files.remove_withdrawn(self._home, record)
        self.removed.update(refs_of(record))
        log.info("patch is withdrawn", patch=record.patch_id, version=record.version)

    # --- one step ------------------------------------------------------------------

    async def step(self) -> None:
        """Look at every transfer once and do what its state asks for."""
        async with self._lock:
            now = trio.current_time()
            await self._engine.refresh()
            for transfer in sorted(self._transfers.values(), key=lambda transfer: transfer.turn):
                self._read_counters(transfer, now)
                if transfer.state == "failed" and now >= transfer.retry_at:
                    self._move(transfer, TransferEvent.RETRIED)
                if transfer.state == "waiting":
                    await self._start(transfer, now)
                if transfer.snapshot is not None:
                    self._follow_engine(transfer, transfer.snapshot, now)
            wants = self._changed_wants(now)
            if self._dirty or self.memory.due(now):
                await self._save(now)
        for want in wants:  # without the lock: a server that reads slowly holds up nothing else
            await self._send(want)

    @property
    def step_seconds(self) -> float:
        """How long to wait before the next `step` when nothing happens."""
        return step_seconds(self._transfers.values(), trio.current_time())

    def _read_counters(self, transfer: Transfer, now: float) -> None:
        if not transfer.in_engine:
            return
        transfer.observe(self._engine.snapshot(transfer.torrent_hash), now)

    async def _start(self, transfer: Transfer, now: float) -> None:
        record = transfer.record
        # what is less urgent goes on, but does not keep this one waiting
        ahead = (other for other in self._transfers.values() if other.urgency <= transfer.urgency)
        if record.verified_at is None and sum(other.busy(now) for other in ahead) >= MAX_TRANSFERS_AT_A_TIME:
            return
        length_bytes = transfer.payload.length_bytes
        proven = await self._cache.is_proven(record, length_bytes)
        if not proven:
            if self._kept_bytes.looking(transfer):
                return
            transfer.record = replace(record, verified_at=None, verified_mtime_ns=None)
            # what is not proven is not published; and only a file without another name can be repaired
            await self._places.take_back(record.places)
            fault = await self._cache.make_ready(transfer.sha256, length_bytes)
            if fault is not None:
                self._fail(transfer, fault, now)
                if fault.kind is TransferFaultKind.DISK_FULL:
                    transfer.retry_soon(now)
                return
        try:
            if transfer.in_engine:
                await self._engine.resume(transfer.torrent_hash)
            else:
                torrent = transfer.patch.torrent
                await self._engine.add(torrent, expected_hash=transfer.torrent_hash, assume_complete=proven)
        except EngineError as error:
            self._fail(transfer, TransferFault(TransferFaultKind.ENGINE, error.message), now)
            return
        if not transfer.in_engine:
            transfer.in_engine = True
            transfer.engine_peer_bytes = transfer.engine_wasted_bytes = 0
        transfer.fault = None
        transfer.snapshot = self._engine.snapshot(transfer.torrent_hash)  # the previous one may report the old failure
        transfer.activity = LanActivity(transfer.lan_pieces, now)
        self._move(transfer, TransferEvent.ADDED)
        if proven:
            self._move(transfer, TransferEvent.COMPLETED)
            await self._publish(transfer)

    def _follow_engine(self, transfer: Transfer, snapshot: TransferSnapshot, now: float) -> None:
        if snapshot.fault is not None and transfer.state in ("checking", "fetching"):
            self._fail(transfer, snapshot.fault, now)
        elif snapshot.phase == "complete" and transfer.state in ("checking", "fetching"):
            self._move(transfer, TransferEvent.COMPLETED)
            transfer.proving = trio.CancelScope()
            self._nursery.start_soon(self._prove, transfer)
        elif snapshot.phase == "downloading" and transfer.state == "checking":
            self._move(transfer, TransferEvent.CHECKED)
            # the time that the check took is no stall of the LAN
            transfer.activity = LanActivity(transfer.lan_pieces, now)

    async def _prove(self, transfer: Transfer) -> None:
        """Hash the whole file and publish it. Runs beside the steps: these leave the transfer alone meanwhile.

        ``proving`` is cancelled only by a caller that holds the lock. So once we hold the lock and are not cancelled,
        nothing has dropped or changed the transfer meanwhile.
        """
        with transfer.proving:
            try:
                proof, problem = await self._cache.hash(transfer.sha256, transfer.payload.length_bytes), ""
            except OSError as error:
                proof, problem = None, f"The finished file cannot be read: {error.strerror}. Check the disk."
            async with self._lock:
                await trio.lowlevel.checkpoint_if_cancelled()
                now = trio.current_time()
                if proof is None:
                    self._fail(transfer, TransferFault(TransferFaultKind.DISK, problem), now)
                elif (proof.sha256, proof.length_bytes) == (transfer.sha256, transfer.payload.length_bytes):
                    transfer.record = replace(
                        transfer.record, verified_mtime_ns=proof.mtime_ns, verified_inode=proof.inode
                    )
                    await self._publish(transfer)
                else:
                    log.error("the whole file has a wrong hash", patch=transfer.record.patch_id, got=proof.sha256)
                    await self._disproven(transfer, now)

    async def _disproven(self, transfer: Transfer, now: float) -> None:
        transfer.failed_proofs += 1
        if transfer.failed_proofs >= MAX_FAILED_PROOFS:
            text = (
                f"The file was wrong {transfer.failed_proofs} times although each piece was right: either this PC's "
                "disk or memory is faulty, or the publisher's manifest. Check this PC first, then publish again."
            )
            self._fail(transfer, TransferFault(TransferFaultKind.WRONG_FILE, text), now)
            return
        await self._cache.let_write(transfer.sha256)
        # start the check before the move: else a step in between sees a complete torrent, and proves it again
        try:
            await self._engine.recheck(transfer.torrent_hash)
        except EngineError as error:
            self._fail(transfer, TransferFault(TransferFaultKind.ENGINE, error.message), now)
            return
        self._move(transfer, TransferEvent.DISPROVEN)

    async def _publish(self, transfer: Transfer) -> None:
        try:
            ctime_ns = await self._places.publish(transfer.record)
        except OSError as error:
            text = f"The verified file cannot be placed: {error.strerror}."
            self._fail(transfer, TransferFault(TransferFaultKind.DISK, text), trio.current_time())
            return
        record, wall_time = transfer.record, self._clock.now()
        transfer.record = replace(
            record,
            verified_at=record.verified_at or wall_time,
            verified_ctime_ns=ctime_ns,
        )
        transfer.retries = transfer.retries.succeeded()
        self._move(transfer, TransferEvent.PROVEN)
        log.info(
            "patch is verified",
            patch=record.patch_id,
            version=record.version,
            seconds=round(seconds_taken(transfer.record, wall_time), 1),
            from_origin=record.bytes_from_origin,
            from_peers=record.bytes_from_peers,
        )

    async def damaged(self, torrent_hash: TorrentHash) -> None:
        """Act on damaged bytes on disk: withdraw the verified file, and check and fetch again."""
        async with self._lock:
            transfer = self._transfers.get(torrent_hash)
            if transfer is None or transfer.state not in ("verified", "verifying", "fetching"):
                return
            transfer.proving.cancel()
            log.warning("bytes on disk are damaged, fetching them again", patch=transfer.record.patch_id)
            transfer.record = replace(transfer.record, verified_at=None, verified_mtime_ns=None)
            await self._places.take_back(transfer.record.places)
            await self._cache.let_write(transfer.sha256)
            self._move(transfer, TransferEvent.DAMAGED)

    def _move(self, transfer: Transfer, event: TransferEvent) -> None:
        transfer.state = TRANSITIONS.after(transfer.state, event)
        self._dirty = True

    def _fail(self, transfer: Transfer, fault: TransferFault, now: float) -> None:
        transfer.failed(fault, now)
        self._move(transfer, TransferEvent.FAILED)
        log.error("transfer failed", patch=transfer.record.patch_id, kind=fault.kind.name, reason=fault.text)

    # --- the origin ----------------------------------------------------------------

    async def piece_arrived(self, torrent: TorrentHash, piece: PieceIndex, size: int, outcome: PieceOutcome) -> None:
        """Count a piece of ``size`` bytes that came from the origin, and tell the origin whether it was good."""
        transfer = self._transfers.get(torrent)
        if transfer is None or not transfer.in_engine:
            return  # withdrawn while it was on its way; the server drops the torrent too
        transfer.origin_error = ""
        transfer.origin_piece_at = trio.current_time()
        wasted = size if outcome in ("had_already", "rejected") else 0
        transfer.record = replace(
            transfer.record,
            bytes_from_origin=counted(transfer.record.bytes_from_origin, size),
            bytes_wasted=counted(transfer.record.bytes_wasted, wasted),
        )
        if outcome == "stored":
            transfer.origin_pieces |= 1 << piece
        if outcome == "not_stored":
            return  # no verdict on the piece: the fault is on this PC. The next `Want` says that it cannot fetch
        answer = PieceRejected if outcome == "rejected" else PieceStored
        await self._send(answer(torrent=torrent, piece=piece))

    def origin_unavailable(self, torrent: str, reason: str) -> None:
        """Remember why the origin cannot serve a torrent; the LAN may still bring it."""
        transfer = self._transfers.get(TorrentHash(torrent))
        if transfer is not None:
            transfer.origin_error = reason

    def forget_wants(self) -> None:
        """Ask for everything again: the server is a new one, or the same after a restart."""
        for transfer in self._transfers.values():
            transfer.wanted = None
            transfer.origin_error = ""

    def _changed_wants(self, now: float) -> list[Want]:
        """Return the wants that differ from those that the server has."""
        news: list[Want] = []
        for transfer in self._transfers.values():
            if transfer.snapshot is None or not transfer.snapshot.piece_count or transfer.state == "checking":
                continue
            want = transfer.want(transfer.snapshot, now, can_fetch=self._can_fetch())
            if want != transfer.wanted:
                transfer.wanted = want
                news.append(want)
        return news

    # --- questions of other parts -----------------------------------------------------------

    def active_torrents(self) -> list[TransferSnapshot]:
        """Return the torrents that the engine works on, for connecting peers."""
        return [t.snapshot for t in self._transfers.values() if t.snapshot is not None]

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
            await self._save(trio.current_time())

    async def _save(self, now: float) -> None:
        self._dirty = False
        await self.memory.save((transfer.record for transfer in self._transfers.values()), now)
