"""Stores the pieces that the server sends, coded ones after decoding, and says what became of each."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from p2pdist.network.decoding import decoded
from p2pdist.network.messages import MAX_WORDS_CHARS, PieceArrived
from p2pdist.shared.coded_pieces import CodedPieceError
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome
from p2pdist.transfer.torrent_engine.engine import TorrentEngine

PIECE_WORKERS = 4  # pieces being hashed and stored at the same time
DECODED_AT_A_TIME = 1  # a piece of 4 MiB and its prefix take 25 MB meanwhile, and a hundredth of a second

log = lazy_log()


class PieceStoring:
    """Each of `PIECE_WORKERS` runs `work`."""

    def __init__(self, engine: TorrentEngine, directory: Path, tell: Callable[[PieceArrived], None]) -> None:
        """``directory`` is where the payloads are."""
        self._engine = engine
        self._directory = directory
        self._tell = tell
        self._decoding = trio.CapacityLimiter(DECODED_AT_A_TIME)

    async def work(self, receive: Callable[[], Awaitable[Piece | CodedPiece]], ready: trio.Semaphore) -> None:
        """Store what comes, one after the other, until cancelled. ``ready`` has room for one more `PieceArrived`."""
        while True:
            piece = await receive()
            await ready.acquire()
            self._tell(await self.arrived(piece))

    async def arrived(self, piece: Piece | CodedPiece) -> PieceArrived:
        """Store ``piece``, and return what became of it."""
        if isinstance(piece, CodedPiece):
            return await self._coded(piece)
        outcome = await self._stored(piece.torrent, piece.piece, piece.data)
        return PieceArrived(piece.torrent, piece.piece, len(piece.data), outcome)

    async def _coded(self, piece: CodedPiece) -> PieceArrived:
        arrived = partial(PieceArrived, piece.torrent, piece.piece, len(piece.data), base=piece.base)
        try:
            length_bytes = self._engine.lacks(TorrentHash(piece.torrent), PieceIndex(piece.piece))
        except EngineError as error:
            log.warning("a piece from the origin could not be stored", piece=piece.piece, reason=error.message)
            return arrived("not_stored")
        if length_bytes is None:  # from a neighbour; its base may be gone by now
            return arrived("had_already")
        decode = partial(decoded, self._directory, piece, length_bytes)
        try:
            data = await trio.to_thread.run_sync(decode, limiter=self._decoding)
        except CodedPieceError as error:
            return arrived("undecoded", problem=str(error)[:MAX_WORDS_CHARS])
        outcome = await self._stored(piece.torrent, piece.piece, data)
        if outcome == "rejected" and piece.base:
            return arrived("undecoded", problem="what comes of it fails its hash check")
        return arrived(outcome, built_bytes=max(0, length_bytes - len(piece.data)) if outcome == "stored" else 0)

    async def _stored(self, torrent: str, piece: int, data: bytes) -> PieceOutcome:
        try:
            return await self._engine.add_piece(TorrentHash(torrent), PieceIndex(piece), data)
        except EngineError as error:
            log.warning("a piece from the origin could not be stored", piece=piece, reason=error.message)
            return "not_stored"
