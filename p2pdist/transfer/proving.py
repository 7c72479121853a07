"""Proves finished files: hashes each as a whole, and puts the right ones in their places."""

from collections.abc import Callable, Sequence

import trio
from msgspec.structs import replace

from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.places import Places
from p2pdist.transfer.states import MAX_FAILED_PROOFS, TransferEvent, seconds_taken
from p2pdist.transfer.torrent_engine import EngineError
from p2pdist.transfer.transfer import Transfer

log = lazy_log()


class Proving:
    """Runs beside the steps of `Transfers`, which leave a transfer alone while it is being proven."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        places: Places,
        nursery: trio.Nursery,
        lock: trio.Lock,
        clock: Clock,
        ended: Callable[[], None],
    ) -> None:
        """``lock`` is held by whoever changes transfers. ``ended`` is called when a file has been looked at."""
        self._engine = engine
        self._cache = cache
        self._places = places
        self._nursery = nursery
        self._lock = lock
        self._clock = clock
        self._ended = ended

    def begin(self, transfer: Transfer) -> None:
        """Prove the file of ``transfer`` in a task of its own, which ``Transfer.proving`` cancels."""
        transfer.proving = trio.CancelScope()
        self._nursery.start_soon(self._prove, transfer)

    async def _prove(self, transfer: Transfer) -> None:
        """Hash the whole file and publish it.

        ``proving`` is cancelled only by a caller that holds the lock. So once we hold the lock and are not cancelled,
        nothing has dropped the transfer meanwhile. Its names may have changed: what its record says now is published.
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
                    transfer.fail(TransferFault(TransferFaultKind.DISK, problem), now)
                elif (proof.sha256, proof.length_bytes) == (transfer.sha256, transfer.payload.length_bytes):
                    transfer.record = replace(
                        transfer.record, verified_mtime_ns=proof.mtime_ns, verified_inode=proof.inode
                    )
                    await self.publish(transfer)
                else:
                    log.error("the whole file has a wrong hash", patch=transfer.record.patch_id, got=proof.sha256)
                    await self._disproven(transfer, now)
        self._ended()

    async def _disproven(self, transfer: Transfer, now: float) -> None:
        transfer.failed_proofs += 1
        transfer.record = replace(transfer.record, verified_at=None)
        if transfer.failed_proofs >= MAX_FAILED_PROOFS:
            text = (
                f"The file was wrong {transfer.failed_proofs} times although each piece was right: either this PC's "
                "disk or memory is faulty, or the publisher's manifest. Check this PC first, then publish again."
            )
            transfer.fail(TransferFault(TransferFaultKind.WRONG_FILE, text), now)
            return
        await self._cache.let_write(transfer.sha256)
        # start the check before the move: else a step in between sees a complete torrent, and proves it again
        try:
            await self._engine.recheck(transfer.torrent_hash)
        except EngineError as error:
            transfer.fail(TransferFault(TransferFaultKind.ENGINE, error.message), now)
            return
        transfer.move(TransferEvent.DISPROVEN)

    async def publish(self, transfer: Transfer) -> None:
        """Put the proven file at its places. The caller holds the lock."""
        try:
            ctime_ns = await self._places.publish(transfer.record)
        except OSError as error:
            transfer.fail(_not_placed(error), trio.current_time())
            return
        self._published(transfer, ctime_ns)

    async def publish_all(self, transfers: Sequence[Transfer]) -> None:
        """As `publish`, of small files."""
        outcomes = await self._places.publish_all([transfer.record for transfer in transfers])
        for transfer, outcome in zip(transfers, outcomes, strict=True):
            if isinstance(outcome, OSError):
                transfer.fail(_not_placed(outcome), trio.current_time())
            else:
                self._published(transfer, outcome)

    def _published(self, transfer: Transfer, ctime_ns: int) -> None:
        record, wall_time = transfer.record, self._clock.now()
        transfer.record = replace(
            record,
            verified_at=record.verified_at or wall_time,
            verified_ctime_ns=ctime_ns,
        )
        transfer.retries = transfer.retries.succeeded()
        transfer.move(TransferEvent.PROVEN)
        log.info(
            "patch is verified",
            patch=record.patch_id,
            version=record.version,
            seconds=round(seconds_taken(transfer.record, wall_time), 1),
            from_origin=record.bytes_from_origin,
            from_peers=record.bytes_from_peers,
        )


def _not_placed(error: OSError) -> TransferFault:
    return TransferFault(TransferFaultKind.DISK, f"The verified file cannot be placed: {error.strerror}.")
