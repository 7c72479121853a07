"""Sends an endpoint the pieces that the ledger leases to it, one after the other, on its data connection.

There is no request for a piece: when one has been written, the ledger is asked
for the next. Sending a piece is what grants its lease.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog
import trio

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import MAX_DATA_FRAME_BYTES, Piece, encode_message
from seed_server.origin.connection import RefusedError
from seed_server.origin.data_link import DataLink
from seed_server.origin.records import OriginRecords
from seed_server.origin.site import LiveSite, Session
from seed_server.origin.site_ledger import LeasedPiece
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.database import ServedPayload
from seed_server.store.piece_source import PieceSource, TemporaryReadError

STALL_GRACE_SECONDS = 5.0  # the lease of a connection that takes nothing expires first, and demotes the endpoint
IDLE_SECONDS = 1.0  # pauses of the ledger end without an event; endpoints repeat their Want as often
MAX_FRAMES_IN_MEMORY = 512  # of at most 4 MiB, usually 256 KiB to 1 MiB: bounds memory whatever the number of sites

log = structlog.get_logger()

OnDamaged = Callable[[TorrentHash, str], Awaitable[None]]


class PieceSender:
    """Sends pieces on data connections; all connections share one."""

    def __init__(
        self,
        source: PieceSource,
        patches: Mapping[TorrentHash, ServedPayload],
        records: OriginRecords,
        *,
        on_damaged: OnDamaged,
        lease_seconds: float,
        shortage_seconds: float,
    ) -> None:
        self._source = source
        self._patches = patches
        self._records = records
        self._on_damaged = on_damaged
        self._shortage_seconds = shortage_seconds
        self._stall_seconds = lease_seconds + STALL_GRACE_SECONDS
        self._frames = trio.CapacityLimiter(MAX_FRAMES_IN_MEMORY)

    async def run(self, live: LiveSite, session: Session, link: DataLink) -> None:
        """Send until cancelled. Raises `LostConnectionError`, `RefusedError`."""
        while True:
            async with self._frames:
                leased = live.ledger.next_piece(session.endpoint, trio.current_time())
                if leased is not None:
                    live.started_sending(link, trio.current_time())
                    await self._send(live, session, link, leased)
                    continue
            live.stopped_sending(link, trio.current_time())
            await link.sleep(IDLE_SECONDS)

    async def _send(self, live: LiveSite, session: Session, link: DataLink, leased: LeasedPiece) -> None:
        patch = self._patches.get(leased.torrent)
        if patch is None:
            live.ledger.remove_torrent(leased.torrent)
            return
        try:
            data = await self._source.read(patch, leased.piece)
        except DamagedPayloadError as error:
            live.ledger.unsent(session.endpoint, leased)
            await self._on_damaged(leased.torrent, str(error))
            return
        except TemporaryReadError as error:
            live.ledger.unsent(session.endpoint, leased)
            log.warning("a piece cannot be read now", patch=patch.patch_id, reason=str(error))
            await trio.sleep(self._shortage_seconds)
            return
        link.writing = leased
        await self._write(live, session, link, leased, data)
        link.writing = None

    async def _write(self, live: LiveSite, session: Session, link: DataLink, leased: LeasedPiece, data: bytes) -> None:
        message = Piece(torrent=leased.torrent, piece=leased.piece, data=data)
        frame = memoryview(encode_frame(encode_message(message), max_bytes=MAX_DATA_FRAME_BYTES))
        written, counted = 0, 0
        while written < len(frame):
            part = frame[written : written + await link.may_write()]
            written += len(part)
            with trio.move_on_after(self._stall_seconds) as scope:
                await link.connection.send_part(part, last=written == len(frame))
            if scope.cancelled_caught:
                raise RefusedError("the data connection takes no data")
            link.written_bytes += len(part)
            live.ledger.progressed(session.endpoint, leased, trio.current_time())
            payload = min(written, len(data))
            self._records.sent(live.site.name, leased.torrent, payload - counted)
            counted = payload
        link.piece_written(leased)
