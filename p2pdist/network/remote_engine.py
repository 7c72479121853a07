"""The torrent engine, which runs in the network part. What a new process needs to know is kept here and told to it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import trio

from p2pdist.network.messages import (
    AddTorrent,
    CheckTorrent,
    ConnectPeer,
    CountLan,
    Failed,
    FromEngine,
    LanBytes,
    LimitLan,
    PartMessage,
    Refresh,
    RemoveTorrent,
    SetMoving,
    Snapshot,
)
from p2pdist.network.process import NetworkPart
from p2pdist.shared.channel import ChannelEndedError
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine import EngineError, EngineEvent, TransferSnapshot

ANSWER_SECONDS = 6.0  # the engine itself gives up on libtorrent after five
ADD_SECONDS = 60.0  # a large torrent file on a PC that has just started
REMOVING_SECONDS = 15.0  # open writes are finished first; the engine itself gives up after ten
MAX_WAITING_EVENTS = 1_024  # they only prompt a look at the snapshot, which is the truth: more are dropped

log = lazy_log()


@dataclass
class _Torrent:
    torrent: bytes
    snapshot: TransferSnapshot
    """As the daemon sees it: counts go on across processes."""
    counted: tuple[int, int, int] = (0, 0, 0)
    """The counts of before it was added last: bytes from peers, to peers, wasted."""

    def observe(self, new: TransferSnapshot) -> None:
        """Record what the present process says."""
        from_peers, to_peers, wasted = self.counted
        before = self.snapshot  # counts never sink, whatever the process says
        self.snapshot = replace(
            new,
            bytes_from_peers=_counted(before.bytes_from_peers, new.bytes_from_peers + from_peers),
            bytes_to_peers=_counted(before.bytes_to_peers, new.bytes_to_peers + to_peers),
            bytes_wasted=_counted(before.bytes_wasted, new.bytes_wasted + wasted),
        )

    def begin_anew(self) -> None:
        """Record that the torrent is added once more: it is checked first, unless it was complete."""
        before = self.snapshot
        self.counted = (before.bytes_from_peers, before.bytes_to_peers, before.bytes_wasted)
        complete = before.phase == "complete"
        self.snapshot = replace(
            before,
            phase="complete" if complete else "checking",
            have=before.have if complete else 0,
            lan_have=0,
            progress=1.0 if complete else 0.0,
            peers=(),
            fault=None,
        )


class RemoteEngine:
    """An `Engine`."""

    def __init__(self, part: NetworkPart) -> None:
        self._part = part
        self._torrents: dict[TorrentHash, _Torrent] = {}
        self._doomed: dict[TorrentHash, bytes] = {}
        """Removed torrents whose files are still to go."""
        self._restored = True
        """Whether the process knows all that the previous one knew."""
        self._limits: LimitLan | None = None
        self._moving = SetMoving(moving=False)
        self._lan = (0, 0)
        self._lan_before = (0, 0)
        self._send, self.events = trio.open_memory_channel[EngineEvent](MAX_WAITING_EVENTS)
        self.dropped_events = 0
        part.on(Snapshot, self._on_snapshot)
        part.on(FromEngine, self._on_events)
        part.at_each_start(self._restore)
        part.at_each_end(self._lost)

    @property
    def listen_port(self) -> int:
        """The TLS port that neighbours connect to."""
        return self._part.listen_port

    # --- torrents -------------------------------------------------------------------

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        """Add a torrent: first the bytes on disk are checked, unless ``assume_complete``. Raises `EngineError`.

        While no network part runs, the next one gets it.
        """
        if expected_hash in self._torrents:
            return
        self._torrents[expected_hash] = _Torrent(torrent, _unknown(expected_hash, complete=assume_complete))
        self._doomed.pop(expected_hash, None)
        try:
            await self._ask(lambda call: AddTorrent(call, torrent, expected_hash, assume_complete), ADD_SECONDS)
        except EngineError:
            self._torrents.pop(expected_hash, None)
            raise

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        """Remove a torrent and its connections, and with ``delete_files`` its file. An unknown torrent is no error.

        While no network part runs, or a new one is still being told of the torrents, the file goes afterwards.
        """
        torrent = self._torrents.pop(torrent_hash, None)
        if torrent is None:
            return
        if not delete_files:
            with contextlib.suppress(EngineError):
                await self._ask(lambda call: RemoveTorrent(call, torrent_hash, delete_files), REMOVING_SECONDS)
            return
        self._doomed[torrent_hash] = torrent.torrent
        if self._restored:
            with contextlib.suppress(ChannelEndedError):  # the next process is told by `_restore`
                await self._delete(torrent_hash)

    async def _delete(self, torrent_hash: TorrentHash) -> None:
        """Remove a torrent that the process knows, and its file. Raises `ChannelEndedError`."""
        with contextlib.suppress(trio.TooSlowError):
            await self._part.ask(lambda call: RemoveTorrent(call, torrent_hash, True), seconds=REMOVING_SECONDS)
        self._doomed.pop(torrent_hash, None)

    async def recheck(self, torrent_hash: TorrentHash) -> None:
        """Check all bytes on disk again, then fetch what is missing. Returns when the check has begun."""
        torrent = self._known(torrent_hash)
        torrent.snapshot = replace(torrent.snapshot, phase="checking", have=0, lan_have=0, progress=0.0, fault=None)
        await self._ask(lambda call: CheckTorrent(call, torrent_hash), ADD_SECONDS)

    async def resume(self, torrent_hash: TorrentHash) -> None:
        """Resume a torrent that failed: check what is on disk, then fetch. Returns when the check has begun."""
        torrent = self._known(torrent_hash)
        # nothing that libtorrent still believes of failed writes survives
        await self._ask(lambda call: RemoveTorrent(call, torrent_hash, False), REMOVING_SECONDS)
        torrent.begin_anew()
        await self._ask(_adding(torrent.torrent, torrent_hash, False), ADD_SECONDS)

    async def _ask(self, question: Callable[[int], PartMessage], seconds: float) -> None:
        try:
            answer = await self._part.ask(question, seconds=seconds)
        except ChannelEndedError:
            return  # the next process is told by `_restore`
        except trio.TooSlowError:
            raise EngineError(f"The torrent engine did not answer within {seconds:.0f} s. Try again.") from None
        if isinstance(answer, Failed):
            raise EngineError(answer.text, answer.kind)

    async def _restore(self) -> None:
        """Tell a new process all that the previous one knew."""
        if self._limits is not None:
            await self._part.send(self._limits)  # before any torrent: a blackout holds from the first byte on
        await self._part.send(self._moving)
        for torrent_hash, torrent in list(self._torrents.items()):
            if torrent_hash not in self._torrents:  # removed meanwhile
                continue
            complete = torrent.snapshot.phase == "complete"
            try:
                await self._ask(_adding(torrent.torrent, torrent_hash, complete), ADD_SECONDS)
            except EngineError as error:
                torrent.snapshot = replace(
                    torrent.snapshot, phase="error", have=0, fault=TransferFault(TransferFaultKind.ENGINE, str(error))
                )
        with contextlib.suppress(ChannelEndedError):
            while self._doomed:
                torrent_hash, doomed = next(iter(self._doomed.items()))
                with contextlib.suppress(EngineError):
                    await self._ask(_adding(doomed, torrent_hash, True), ADD_SECONDS)
                if torrent_hash in self._doomed:  # else it was added again meanwhile
                    await self._delete(torrent_hash)
            self._restored = True

    def _lost(self) -> None:
        """Record that a process has ended: its connections and counts are gone."""
        self._lan_before = self._lan
        self._restored = False
        for torrent in self._torrents.values():
            torrent.begin_anew()

    # --- neighbours -----------------------------------------------------------------

    def connect_peer(self, torrent_hash: TorrentHash, address: str, port: int) -> None:
        """Connect to a neighbour within about a second, unless it is connected. An event reports the outcome."""
        if torrent_hash in self._torrents:
            self._part.tell(ConnectPeer(torrent_hash, address, port))

    async def limit_lan(self, *, upload: int | None, download: int | None, serve: bool) -> None:
        """Limit the traffic with neighbours to these rates, in bytes per second; None: unlimited."""
        self._limits = LimitLan(upload, download, serve)
        await self._part.send(self._limits)

    def set_moving(self, moving: bool) -> None:
        """Say whether bytes move."""
        self._moving = SetMoving(moving)
        self._part.tell(self._moving)

    async def lan_bytes(self) -> tuple[int, int]:
        """Return the bytes received from and sent to neighbours so far, protocol overhead included."""
        with contextlib.suppress(ChannelEndedError, trio.TooSlowError):
            answer = await self._part.ask(CountLan, seconds=ANSWER_SECONDS)
            if isinstance(answer, LanBytes):
                received, sent = self._lan_before
                self._lan = _counted(0, received + answer.received), _counted(0, sent + answer.sent)
        return self._lan

    # --- looking --------------------------------------------------------------------

    async def refresh(self) -> None:
        """Bring every snapshot up to date. Gives up after `ANSWER_SECONDS` and leaves them as they are."""
        try:
            await self._part.ask(Refresh, seconds=ANSWER_SECONDS)
        except ChannelEndedError:
            return
        except trio.TooSlowError:
            log.warning("the network part does not answer", seconds=ANSWER_SECONDS)
            return

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        """Return a torrent's state as of the last `refresh`. Raises `EngineError` for an unknown one."""
        return self._known(torrent_hash).snapshot

    def _known(self, torrent_hash: TorrentHash) -> _Torrent:
        try:
            return self._torrents[torrent_hash]
        except KeyError:
            raise EngineError(f"There is no torrent {torrent_hash[:16]}… here.") from None

    # --- what the process reports -------------------------------------------------------

    def _on_snapshot(self, message: Snapshot) -> None:
        torrent = self._torrents.get(TorrentHash(message.torrent_hash))
        if torrent is not None:
            torrent.observe(message.unpacked())

    def _on_events(self, message: FromEngine) -> None:
        for event in message.events:
            try:
                self._send.send_nowait(event)
            except trio.WouldBlock:
                self.dropped_events += 1


def _counted(before: int, now: int) -> int:
    """Return a count that never sinks, and never outgrows what can be reported."""
    return min(max(before, now), MAX_BYTE_COUNT)


def _adding(torrent: bytes, torrent_hash: TorrentHash, complete: bool) -> Callable[[int], PartMessage]:
    return lambda call: AddTorrent(call, torrent, torrent_hash, complete)


def _unknown(torrent_hash: TorrentHash, *, complete: bool) -> TransferSnapshot:
    """Return the state of a torrent of which the engine has not said anything yet; it has no pieces."""
    return TransferSnapshot(
        torrent_hash=torrent_hash,
        phase="complete" if complete else "checking",
        piece_count=0,
        have=0,
        lan_have=0,
        bytes_from_peers=0,
        bytes_to_peers=0,
        bytes_wasted=0,
        progress=0.0,
        peers=(),
        fault=None,
    )
