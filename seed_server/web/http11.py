"""HTTP/1.1 on one connection, for an ASGI application. The only h11 import.

No other protocol can be reached from here: HTTP/2's preface is no request of HTTP/1.1, and an ``Upgrade`` is ignored,
as RFC 9110 section 7.8 allows. One request at a time; each wait has a deadline.
"""

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

import h11
import trio

from p2pdist.shared.clock import Clock
from seed_server.web.client import CLIENT_EXTENSION, Client

MAX_HEAD_BYTES = 16 << 10  # of a request: line and headers
HEAD_SECONDS = 10.0  # for a whole head once it is due: a hostile client sends it byte by byte
IDLE_SECONDS = (
    8.0  # between requests: longer than clients keep theirs, which is 5 s, so that neither ends under the other
)
PART_TAKEN_SECONDS = 20.0  # for a client to take one part of an answer: at most 64 KiB
LINGER_SECONDS = 1.0  # closing with unread bytes resets the connection, and the answer may be lost with it
MAX_LINGER_BYTES = 256 << 10
RECEIVE_BYTES = 16 << 10

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An application by the ASGI standard: scope, receive, send."""


class Standing(Protocol):
    """What the port grants the connection."""

    async def turn(self) -> None:
        """Wait until the connection's next request may be worked on."""

    def idle(self) -> AbstractContextManager[None]:
        """While the block of code runs, the client asks for nothing: the connection may be ended for another one."""


class _GoneError(Exception):
    """The client is gone, or breaks the protocol."""


@dataclass(frozen=True)
class HttpTimes:
    """How long a client may take; a server uses the defaults."""

    head_seconds: float = HEAD_SECONDS
    idle_seconds: float = IDLE_SECONDS
    send_seconds: float = PART_TAKEN_SECONDS


class Http11:
    """Serves the requests of one connection, one after the other."""

    def __init__(
        self,
        stream: "trio.SSLStream[trio.SocketStream]",
        client: Client,
        app: AsgiApp,
        clock: Clock,
        *,
        standing: Standing,
        times: HttpTimes,
    ) -> None:
        self._stream = stream
        self._client = client
        self._app = app
        self._clock = clock
        self._standing = standing
        self._times = times
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def serve(self) -> None:
        """Answer requests until the client is gone, breaks the protocol, or waits too long."""
        first = True
        with trio.CancelScope() as scope:
            while (request := await self._next_request(first=first)) is not None:
                first = False
                exchange = _Exchange(self, scope)
                if (status := _refusal(request)) is not None:
                    await exchange.refuse(status)
                    return
                await self._standing.turn()
                await self._answer(request, exchange)
                if not await self._start_next():
                    return

    async def _answer(self, request: h11.Request, exchange: "_Exchange") -> None:
        try:
            await self._app(_scope(request, self._client), exchange.receive, exchange.send)
        except Exception:  # noqa: BLE001 - the application has answered and logged its own errors
            if not exchange.begun:
                await exchange.refuse(500)
        exchange.answered.set()

    async def _next_request(self, *, first: bool) -> h11.Request | None:
        """Return the next request's head; None when none comes in time."""
        with trio.move_on_after(self._times.head_seconds if first else self._times.idle_seconds) as scope:
            try:
                if not first and self._http.trailing_data == (b"", False):
                    with self._standing.idle():
                        await self._receive_some()
                    scope.deadline = trio.current_time() + self._times.head_seconds
                event = await self.next_event()
            except h11.RemoteProtocolError as error:
                await self.send_error(error.error_status_hint)
                return None
            except _GoneError:
                return None
            return event if isinstance(event, h11.Request) else None
        return None

    async def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what the client has sent next. Raises `_GoneError`, and h11's error for what is no HTTP."""
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self.send_event(h11.InformationalResponse(status_code=100, headers=[]))
            await self._receive_some()

    async def _receive_some(self) -> None:
        try:
            self._http.receive_data(bytes(await self._stream.receive_some(RECEIVE_BYTES)))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _GoneError from error

    async def send_event(self, event: h11.Event) -> None:
        """Send a part of an answer. Raises `_GoneError`, also when it is not taken in time."""
        data = self._http.send(event)
        if not data:
            return
        with trio.move_on_after(self._times.send_seconds) as scope:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise _GoneError from error
        if scope.cancelled_caught:
            raise _GoneError

    async def send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin an answer. Raises as `send_event`."""
        own = [(b"date", formatdate(self._clock.now(), usegmt=True).encode())]
        if not self._is_read():
            own.append((b"connection", b"close"))
        await self.send_event(h11.Response(status_code=status, headers=[*headers, *own]))

    def _is_read(self) -> bool:
        """Return whether nothing of the request is still to come: then the connection can serve another one."""
        with contextlib.suppress(h11.RemoteProtocolError):
            if self._http.their_state is h11.SEND_BODY:
                self._http.next_event()  # of a request without a body, the end
        return self._http.their_state not in {h11.SEND_BODY, h11.ERROR}

    async def send_error(self, status: int) -> None:
        """Answer with ``status`` and no body, if an answer can still be given; the connection ends with it."""
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        try:
            await self.send_head(status, [(b"content-length", b"0")])
            await self.send_event(h11.EndOfMessage())
            await self._linger()
        except _GoneError:
            return

    async def _start_next(self) -> bool:
        """Get ready for the next request, and return whether there may be one."""
        if self._is_read() and self._http.our_state is self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        await self._linger()
        return False

    async def _linger(self) -> None:
        """Read what the client is still sending, so that it gets the answer."""
        read, tcp = 0, self._stream.transport_stream
        with trio.move_on_after(LINGER_SECONDS):
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._stream.unwrap()  # says that nothing follows; fails when the client sends instead of closing
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while read < MAX_LINGER_BYTES and (data := await tcp.receive_some(RECEIVE_BYTES)):
                    read += len(data)


class _Exchange:
    """One request and its answer: what an application receives and sends, by the ASGI standard."""

    def __init__(self, connection: Http11, ending: trio.CancelScope) -> None:
        self._connection = connection
        self._ending = ending
        self._asked = False
        """The whole request has been received."""
        self._head: Any = None
        self.begun = False
        """The answer's head has been sent."""
        self.answered = trio.Event()

    async def receive(self) -> Any:
        """Return the next part of the request's body; after the last one, wait for the answer's end."""
        if self._asked:
            await self.answered.wait()
            return {"type": "http.disconnect"}
        try:
            event = await self._connection.next_event()
        except (_GoneError, h11.RemoteProtocolError):
            self._asked = True
            self.answered.set()
            return {"type": "http.disconnect"}
        self._asked = not isinstance(event, h11.Data)
        return {
            "type": "http.request",
            "body": bytes(event.data) if isinstance(event, h11.Data) else b"",
            "more_body": not self._asked,
        }

    async def send(self, message: Any) -> None:
        """Send a part of the answer. Where the client is gone, the whole connection is cancelled."""
        try:
            if message["type"] == "http.response.start":
                self._head = message
                return
            if not self.begun:
                self.begun = True
                await self._connection.send_head(self._head["status"], self._head["headers"])
            if body := message.get("body", b""):
                await self._connection.send_event(h11.Data(data=body))
            if not message.get("more_body", False):
                await self._connection.send_event(h11.EndOfMessage())
                self.answered.set()
        except _GoneError:
            # no error for the application: that a stranger is gone is nothing to log
            self._ending.cancel()
            await trio.lowlevel.checkpoint()

    async def refuse(self, status: int) -> None:
        """Answer without asking the application."""
        self.begun = True
        await self._connection.send_error(status)


def _refusal(request: h11.Request) -> int | None:
    """Return the status for what is no request to this port, None for what is."""
    if request.http_version not in {b"1.0", b"1.1"}:
        return 505
    return None if request.target.startswith(b"/") else 400


def _scope(request: h11.Request, client: Client) -> Any:
    path, _, query = bytes(request.target).partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "https",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(bytes(name), bytes(value)) for name, value in request.headers],
        "client": (client.address, client.port),
        "server": None,
        "extensions": {CLIENT_EXTENSION: client},
    }
