"""What the network part does for the daemon: each message is carried out, and what happens is passed on."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from p2pdist.neighbours.discovery import Discovery, open_discovery
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.network.messages import (
    MAX_EVENTS_PER_MESSAGE,
    MAX_ON_THE_WAY,
    MAX_WORDS_CHARS,
    Abandon,
    AddTorrent,
    Announce,
    CheckTorrent,
    ConnectPeer,
    CountLan,
    DiscoveryState,
    Done,
    Failed,
    FromDiscovery,
    FromEngine,
    FromOrigin,
    HttpBroke,
    HttpDone,
    HttpRequest,
    Introduce,
    LanBytes,
    LimitLan,
    PartMessage,
    Reconnect,
    Refresh,
    RemoveTorrent,
    SetMoving,
    Snapshot,
    Start,
    Taken,
    ToOrigin,
    ToPart,
    UseIdentity,
    UseServer,
)
from p2pdist.network.piece_storing import PIECE_WORKERS, PieceStoring
from p2pdist.origin.client import OriginClient, open_origin_client
from p2pdist.origin.connection import OriginEvent
from p2pdist.origin.opening import OriginAddress
from p2pdist.pc import process_memory
from p2pdist.shared.channel import Channel
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import ControlHello, News
from p2pdist.transfer.torrent_engine import EngineError, EngineEvent, TransferSnapshot
from p2pdist.transfer.torrent_engine.engine import TorrentEngine
from p2pdist.transfer.torrent_engine.handshake_guard import guard_handshakes
from p2pdist.trust.http_answers import MAX_HTTP_DETAIL_CHARS, HttpError
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.tls_contexts import client_context

PROBLEM_SECONDS = 2.0  # how often discovery is asked whether it works


class Services:
    """All that works once the LAN listener is open."""

    def __init__(
        self,
        channel: Channel[ToPart],
        start: Start,
        engine: TorrentEngine,
        directory: Path,
        nursery: trio.Nursery,
        clock: Clock,
    ) -> None:
        """``directory`` is where the payloads are."""
        self._channel = channel
        self._start = start
        self._identity = start.identity
        self._server_address, self._origin_port = start.server_address, start.origin_port
        self._engine = engine
        self._nursery = nursery
        self._clock = clock
        self._http = self._new_http()
        self._hello: ControlHello | None = None
        self._origin: OriginClient | None = None
        self._discovery: Discovery | None = None
        self._announced: Announcement | None = None
        self._requests: dict[int, trio.CancelScope] = {}
        self._sent: dict[TorrentHash, TransferSnapshot] = {}
        self._adding: dict[TorrentHash, trio.Event] = {}
        """Set when it has ended: a torrent that is removed meanwhile is removed afterwards."""
        self._origin_room, self._piece_room, self._discovery_room = (
            trio.Semaphore(MAX_ON_THE_WAY, max_value=MAX_ON_THE_WAY) for _ in range(3)
        )
        self._storing = PieceStoring(engine, directory, channel.tell)
        self._rooms = {"origin": self._origin_room, "pieces": self._piece_room, "discovery": self._discovery_room}
        self._at_once: dict[type[PartMessage], Callable[[Any], None]] = {
            Introduce: self._introduce,
            ToOrigin: self._to_origin,
            Announce: self._announce,
            UseIdentity: self._use_identity,
            UseServer: self._use_server,
            Reconnect: self._reconnect,
            AddTorrent: self._begin_adding,
            ConnectPeer: lambda m: engine.connect_peer(TorrentHash(m.torrent_hash), m.address, m.port),
            SetMoving: self._set_moving,
            Taken: lambda m: self._rooms[m.window].release(),
            Abandon: self._abandon,
        }
        self._in_tasks: dict[type[PartMessage], Callable[[Any], Awaitable[None]]] = {
            RemoveTorrent: self._remove,
            CheckTorrent: self._check,
            LimitLan: lambda m: engine.limit_lan(upload=m.upload, download=m.download, serve=m.serve),
            Refresh: self._refresh,
            CountLan: self._count,
            HttpRequest: self._request,
        }

    async def run(self) -> None:
        """Pass on what the engine reports, and guard its listener, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on_engine)
            nursery.start_soon(guard_handshakes, self._engine, process_memory.give_back)

    def carry_out(self, message: PartMessage) -> None:
        """Carry out one message of the daemon: at once, or in a task of its own."""
        if (at_once := self._at_once.get(type(message))) is not None:
            at_once(message)
        elif (task := self._in_tasks.get(type(message))) is not None:
            self._nursery.start_soon(task, message)

    # --- torrents -------------------------------------------------------------------------

    def _begin_adding(self, message: AddTorrent) -> None:
        ended = self._adding[TorrentHash(message.torrent_hash)] = trio.Event()
        self._nursery.start_soon(self._add, message, ended)

    async def _add(self, message: AddTorrent, ended: trio.Event) -> None:
        torrent_hash = TorrentHash(message.torrent_hash)
        add = partial(
            self._engine.add,
            message.torrent,
            expected_hash=torrent_hash,
            assume_complete=message.assume_complete,
        )
        try:
            await self._call(message.call, torrent_hash, add)
        finally:
            ended.set()
            if self._adding.get(torrent_hash) is ended:
                del self._adding[torrent_hash]

    async def _remove(self, message: RemoveTorrent) -> None:
        torrent_hash = TorrentHash(message.torrent_hash)
        while (adding := self._adding.get(torrent_hash)) is not None:
            await adding.wait()
        self._sent.pop(torrent_hash, None)
        await self._engine.remove(torrent_hash, delete_files=message.delete_files)
        self._channel.tell(Done(message.call))

    async def _check(self, message: CheckTorrent) -> None:
        torrent_hash = TorrentHash(message.torrent_hash)
        await self._call(message.call, torrent_hash, partial(self._engine.recheck, torrent_hash))

    async def _call(self, call: int, torrent_hash: TorrentHash, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` and answer; what has become of the torrent is sent first."""
        try:
            await work()
            self._send_snapshot(torrent_hash)
        except EngineError as error:
            self._channel.tell(Failed(call, error.kind, error.message[:MAX_WORDS_CHARS]))
        else:
            self._channel.tell(Done(call))

    async def _refresh(self, message: Refresh) -> None:
        await self._engine.refresh()
        for torrent_hash in self._engine.changed():
            self._send_snapshot(torrent_hash)
        self._channel.tell(Done(message.call))

    def _send_snapshot(self, torrent_hash: TorrentHash) -> None:
        snapshot = self._engine.snapshot(torrent_hash)
        if self._sent.get(torrent_hash) != snapshot:  # bitfields are packed only of what has changed
            self._sent[torrent_hash] = snapshot
            self._channel.tell(Snapshot.of(snapshot))

    async def _count(self, message: CountLan) -> None:
        received, sent = await self._engine.lan_bytes()
        self._channel.tell(LanBytes(message.call, received, sent))

    def _set_moving(self, message: SetMoving) -> None:
        self._engine.set_moving(message.moving)
        if not message.moving:
            self._nursery.start_soon(trio.to_thread.run_sync, process_memory.give_back)

    async def _pass_on_engine(self) -> None:
        async for event in self._engine.events:
            events: list[EngineEvent] = [event]
            while len(events) < MAX_EVENTS_PER_MESSAGE:
                try:
                    events.append(self._engine.events.receive_nowait())
                except trio.WouldBlock:
                    break
            await self._channel.send(FromEngine(tuple(events)))

    # --- the seed server --------------------------------------------------------------------

    def _introduce(self, message: Introduce) -> None:
        first, self._hello = self._hello is None, message.hello
        if first:
            self._nursery.start_soon(self._keep_connected)

    def _use_identity(self, message: UseIdentity) -> None:
        self._identity = message.identity
        self._engine.set_identity(message.identity.swarm())
        old, self._http = self._http, self._new_http()
        self._nursery.start_soon(old.aclose)

    def _use_server(self, message: UseServer) -> None:
        self._server_address, self._origin_port = message.server_address, message.origin_port
        if message.at_once and self._origin is not None:
            self._origin.try_elsewhere()

    def _reconnect(self, _message: Reconnect) -> None:
        if self._origin is not None:
            self._origin.reconnect()

    def _to_origin(self, message: ToOrigin) -> None:
        if self._origin is not None:  # tasks begin in any order: the messages have theirs before
            self._nursery.start_soon(self._origin.put(message.message))

    def _address(self) -> OriginAddress:
        return OriginAddress(
            host=self._server_address,
            port=self._origin_port,
            tls=client_context(self._identity.control_ca, self._identity.control_certificate, self._identity.key),
            local_address=self._start.local_address,
        )

    def _said(self) -> ControlHello:
        assert self._hello is not None
        return self._hello

    async def _keep_connected(self) -> None:
        async with open_origin_client(self._address, self._said, self._clock) as origin, trio.open_nursery() as nursery:
            self._origin = origin
            nursery.start_soon(self._pass_on_origin, origin)
            for _ in range(PIECE_WORKERS):
                nursery.start_soon(self._storing.work, origin.pieces.receive, self._piece_room)

    async def _pass_on_origin(self, origin: OriginClient) -> None:
        event: OriginEvent | News
        async for event in origin.events:
            await self._origin_room.acquire()
            self._channel.tell(FromOrigin(event, origin.connected, origin.status[:MAX_WORDS_CHARS]))

    # --- HTTPS --------------------------------------------------------------------------------

    def _new_http(self) -> HttpsClient:
        identity = self._identity
        context = client_context(identity.control_ca, identity.control_certificate, identity.key)
        return HttpsClient(context, local_address=self._start.local_address)

    async def _request(self, message: HttpRequest) -> None:
        http = self._http
        with trio.CancelScope() as scope:
            self._requests[message.call] = scope
            try:
                if message.body is None:
                    answer = await http.get(message.url, max_bytes=message.max_bytes)
                else:
                    answer = await http.post(message.url, message.body, max_bytes=message.max_bytes)
                self._channel.tell(HttpDone(message.call, answer.status, answer.body))
            except HttpError as error:
                detail = error.detail[:MAX_HTTP_DETAIL_CHARS]
                self._channel.tell(HttpBroke(message.call, error.failure, error.server[:MAX_TEXT_CHARS], detail))
            finally:
                del self._requests[message.call]

    def _abandon(self, message: Abandon) -> None:
        if (scope := self._requests.get(message.call)) is not None:
            scope.cancel()

    # --- neighbours -----------------------------------------------------------------------------

    def _announce(self, message: Announce) -> None:
        first, self._announced = self._announced is None, message.announcement
        if self._discovery is not None:
            self._nursery.start_soon(self._discovery.announce, message.announcement)
        elif first:
            self._nursery.start_soon(self._discover, message.announcement)

    async def _discover(self, first: Announcement) -> None:
        async with open_discovery(first, interface=self._start.local_address) as discovery:
            self._discovery = discovery
            if self._announced is not None and self._announced != first:  # another came meanwhile
                await discovery.announce(self._announced)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._report_problem, discovery)
                async for event in discovery.events:
                    await self._discovery_room.acquire()
                    self._channel.tell(FromDiscovery(event))

    async def _report_problem(self, discovery: Discovery) -> None:
        reported = ""
        while True:
            if discovery.problem != reported:
                reported = discovery.problem
                self._channel.tell(DiscoveryState(reported[:MAX_WORDS_CHARS]))
            await trio.sleep(PROBLEM_SECONDS)
