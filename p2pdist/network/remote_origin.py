"""The connection to the seed server, which the network part keeps up."""

from collections.abc import Callable

from p2pdist.identity.servers import AddressTurns
from p2pdist.network.messages import FromOrigin, Introduce, PieceArrived, Reconnect, ToOrigin, UseServer
from p2pdist.network.process import NetworkPart
from p2pdist.network.server_news import ServerNews
from p2pdist.network.window import Windowed
from p2pdist.origin.connection import Disconnected, OriginEvent
from p2pdist.shared.wire.messages import ControlHello, FromEndpoint, News, RepositoryChanged

NOT_RUNNING = "the network part of the daemon is not running"


class RemoteOrigin:
    """An `ServerConnection`."""

    def __init__(
        self, part: NetworkPart, hello: Callable[[], ControlHello], turns: AddressTurns, *, replaced: Callable[[], None]
    ) -> None:
        """``hello`` is asked whenever a connection may be made: addresses and the LAN port change.

        ``turns`` says where, and is told what came of it. ``replaced`` is called before, when another connection with
        this PC's identity has taken the place of ours.
        """
        self._part = part
        self._hello = hello
        self._turns = turns
        self._tried = turns.current
        """Where the network part looks for the server."""
        self._replaced = replaced
        self.events = Windowed[OriginEvent](part, "origin")
        self.pieces = Windowed[PieceArrived](part, "pieces")
        """What has become of each piece from the server."""
        self.news = ServerNews(self.send, lambda: self.connected)
        self.connected = False
        self.status = "not connected yet"
        self.piece_bytes = 0
        part.on(FromOrigin, self._event)
        part.on(PieceArrived, self._piece)
        part.at_each_start(self._started)
        part.at_each_end(self._ended)

    async def send(self, message: FromEndpoint) -> None:
        """Send a control message; while there is no connection it is dropped."""
        if self.connected:
            await self._part.send(ToOrigin(message))

    def reconnect(self) -> None:
        """Drop the connection, if any, and connect again at once: for a new certificate or address."""
        self._look_there()
        self._part.tell(Introduce(self._hello()))
        self._part.tell(Reconnect())

    def _look_there(self, *, at_once: bool = False) -> None:
        """Tell the network part where to look from its next attempt on, if that has changed."""
        if self._tried != self._turns.current:
            self._tried = self._turns.current
            self._part.tell(UseServer(self._tried.host, self._tried.origin_port, at_once))

    async def _started(self) -> None:
        self._tried = self._turns.current  # as the new process was told at its start
        await self._part.send(Introduce(self._hello()))

    def _ended(self) -> None:
        was_connected, self.connected, self.status = self.connected, False, NOT_RUNNING
        self.news.disconnected()
        if was_connected:
            self.events.put_own(Disconnected(NOT_RUNNING))

    def _event(self, message: FromOrigin) -> None:
        was_connected, self.connected, self.status = self.connected, message.connected, message.status
        if self.connected:
            self._turns.worked(self._tried)
            self.news.connected()
        if isinstance(message.event, News):
            self.news.heard(message.event)
            if message.event.root:
                self.events.put(RepositoryChanged(timestamp_version=message.event.timestamp_version))
            else:
                self.events.taken()
            return
        if isinstance(message.event, Disconnected):
            self.news.disconnected()
            if message.event.cause == "replaced":
                self._replaced()
            if not was_connected:
                self._turns.failed(self._tried, message.event.reason)
            self._part.tell(Introduce(self._hello()))  # for the next attempt
            # the server itself asks a copy of another PC to wait, wherever it calls
            self._look_there(at_once=self._turns.more_now() and message.event.cause != "shared_identity")
        self.events.put(message.event)

    def _piece(self, message: PieceArrived) -> None:
        self.piece_bytes += message.size_bytes
        self.pieces.put(message)
