"""`seed-server serve`: the parent of the server's parts. It has the ports' sockets, and does nothing but keep them.

What one part does, also to its own process, does not touch the other one: the parent starts it again, on the same
sockets, so that whoever connects meanwhile waits.
"""

import contextlib
import os
import random
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial

import click
import structlog
import trio

from p2pdist.shared.backoff import Backoff
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.logs import configure_log
from p2pdist.shared.own_programs import own_program
from p2pdist.shared.private_directory import keep_private
from p2pdist.shared.service_manager import ServiceManager
from p2pdist.shared.signal_names import signal_name
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame
from seed_server.ports.listening import listen_sockets
from seed_server.service.messages import (
    ANSWER,
    CONNECTION,
    MAX_BEGIN_BYTES,
    MAX_LINK_MESSAGE_BYTES,
    STOP,
    Begin,
    PartAnswers,
    PartName,
    PartServes,
    decode_to_parent,
)
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ANY_ADDRESSES, ServerSettings, listen_addresses, load_settings
from seed_server.store.moved_mark import check_not_moved
from seed_server.store.serve_lock import serve_lock

LOCK_SECONDS = 1.0  # `status` holds the lock for a moment, to see whether a server runs
PORT_WAIT_SECONDS = 5.0  # the parts of a parent that was killed let go of the ports when they notice that
PORT_RETRY_SECONDS = 0.1
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0  # one that fails at once must not take a processor
STEADY_SECONDS = 60.0  # one that has lived this long starts again without much delay
PART_COMMAND = tuple(own_program("seed_server.service"))
HUNG_SECONDS = 120.0  # of a part that serves: a look for garbage in memory that was swapped out takes half of that
HEARTBEAT_SECONDS = 5.0
STOP_SECONDS = 20.0  # of a part: goodbyes to thousands of PCs, and the last records, on a slow disk

log = structlog.get_logger()


async def serve(home: ServerHome, *, part_command: Sequence[str] = PART_COMMAND) -> None:
    """Serve ``home`` until SIGTERM or SIGINT. ``part_command`` runs the part whose name comes after it.

    Prints one line on standard output once both ports answer. Raises
    `UserError`: not initialised, address in use, already serving, damaged files.
    """
    manager = ServiceManager.of(os.environ)
    settings = load_settings(home)
    configure_log(settings.log_level, SystemClock())
    keep_private(home.root)
    with serve_lock(home, timeout_seconds=LOCK_SECONDS).held(), contextlib.ExitStack() as open_sockets:
        check_not_moved(home)  # within the lock, which whoever leaves the home holds
        parts: list[ServerPart] = []
        for name, addresses, port in _ports(settings):
            sockets = [open_sockets.enter_context(sock) for sock in await _listening(addresses, port, f"{name} port")]
            begin = Begin(str(home.root), settings, tuple(sock.fileno() for sock in sockets))
            parts.append(ServerPart([*part_command, name], begin, linked=name != "api"))
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(manager.keep_told)
                nursery.start_soon(Supervisor(parts).run, partial(_say_serving, settings, manager))
                async for signal_number in signals:
                    log.info("stopping", signal=signal.Signals(signal_number).name)
                    manager.stopping()
                    nursery.cancel_scope.cancel()
                    break


def _ports(settings: ServerSettings) -> list[tuple[PartName, list[str], int]]:
    """Return each part with the addresses and the port that it listens on, in the order in which they are ended."""
    api: tuple[PartName, list[str], int] = ("api", [settings.api_address], settings.api_port)
    addresses = listen_addresses(settings)
    return [
        *([api] if settings.api_port else []),
        ("web", addresses, settings.web_port),
        ("origin", addresses, settings.origin_port),
    ]


async def _listening(addresses: list[str], port: int, purpose: str) -> list[socket.socket]:
    """Open a port; wait for what an earlier parent has left behind. Raises `UserError`, BUSY for a port in use."""
    until = trio.current_time() + PORT_WAIT_SECONDS
    while True:
        try:
            return listen_sockets(addresses, port, purpose=purpose)
        except UserError as error:
            if error.kind is not FaultKind.BUSY or trio.current_time() > until:
                raise
        await trio.sleep(PORT_RETRY_SECONDS)


def _say_serving(settings: ServerSettings, manager: ServiceManager) -> None:
    host = _bracketed(settings.address)
    text = f"serving {settings.name}: web https://{host}:{settings.web_port}, origin {host}:{settings.origin_port}"
    if settings.api_port:
        text += f", pages and API https://{_bracketed(_pages_host(settings))}:{settings.api_port}/"
    click.echo(text)
    manager.running(text)


def _pages_host(settings: ServerSettings) -> str:
    """Return the host that a browser is given: where the port is open to other machines, the server's own name."""
    return settings.address if settings.api_address in ANY_ADDRESSES else settings.api_address


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Supervisor:
    """Keeps the parts running, and connects the two that are linked when they run at the same time."""

    def __init__(self, parts: list["ServerPart"]) -> None:
        """``parts`` are ended in this order."""
        self._parts = parts
        self._all_have_served = False

    async def run(self, all_serve: Callable[[], None]) -> None:
        """Keep all running until cancelled, then end them; ``all_serve`` is called once, when all ports answer.

        Raises `UserError` when one does not start at first: nothing that a later try would change.
        """
        try:
            async with trio.open_nursery() as nursery:
                for part in self._parts:
                    nursery.start_soon(self._keep, part)
                for part in self._parts:
                    await part.has_served.wait()
                self._all_have_served = True
                all_serve()
        finally:
            with trio.CancelScope(shield=True):
                for part in self._parts:
                    await part.end(STOP_SECONDS)

    async def _keep(self, part: "ServerPart") -> None:
        backoff = Backoff(FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS)
        while True:
            begun = trio.current_time()
            ended = await self._live(part)
            if not self._all_have_served:
                raise ended
            if trio.current_time() - begun >= STEADY_SECONDS:
                backoff = backoff.succeeded()
            backoff = backoff.failed()
            delay = backoff.delay_seconds(random.random())  # noqa: S311 - jitter
            log.error("a part of the server has ended, and starts again", part=part.name, reason=ended.message)
            await trio.sleep(delay)

    async def _live(self, part: "ServerPart") -> UserError:
        """Run one process until it ends; return why it has."""
        try:
            await part.start()
        except UserError as error:
            return error
        if part.linked:
            self._connect()
        return await part.outcome()

    def _connect(self) -> None:
        """Give both a connection to each other, if both are there: each takes the newest one that it is given."""
        linked = [part for part in self._parts if part.linked]
        if all(part.is_there for part in linked):
            one, other = socket.socketpair()
            with one, other:
                for part, end in zip(linked, (one, other), strict=True):
                    part.give(end)


class ServerPart:
    """One of the processes, as its parent sees it."""

    def __init__(
        self,
        command: Sequence[str],
        begin: Begin,
        *,
        silent_seconds: float = HUNG_SECONDS,
        ask_seconds: float = HEARTBEAT_SECONDS,
        linked: bool = True,
    ) -> None:
        """One that serves, is asked each ``ask_seconds``, and is silent for ``silent_seconds``, is killed.

        ``linked``: it is given connections to the other one that is.
        """
        self.name, self.linked = command[-1], linked
        self._silent_seconds = silent_seconds
        self._ask_seconds = ask_seconds
        self._serving = trio.Event()
        self._answered = False
        self._command = command
        self._begin = begin
        self._process: trio.Process | None = None
        self._stream: trio.SocketStream | None = None
        self._socket: socket.socket | None = None
        self._fault: UserError | None = None
        self.has_served = trio.Event()
        """Set when its port answers for the first time."""

    @property
    def is_there(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start a process for it. Raises `UserError` (FAILED) where the system has none left."""
        ours, theirs = socket.socketpair()
        self._socket, self._fault, self._serving = ours, None, trio.Event()
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        with theirs:
            self._process = await self._spawn(theirs)
        with contextlib.suppress(trio.BrokenResourceError):  # it has ended already, and `outcome` says so
            await self._stream.send_all(encode_frame(codec.encode(self._begin), max_bytes=MAX_BEGIN_BYTES))

    async def _spawn(self, parent: socket.socket) -> trio.Process:
        try:
            return await trio.lowlevel.open_process(
                self._command, stdin=parent.fileno(), pass_fds=self._begin.listening
            )
        except OSError as error:
            text = f"The {self.name} part of the server cannot be started: {error.strerror}."
            raise UserError(text, FaultKind.FAILED) from error

    def give(self, connection: socket.socket) -> None:
        """Hand over a connection to the other part; one that has just ended needs none."""
        assert self._socket is not None
        with contextlib.suppress(OSError):
            socket.send_fds(self._socket, [CONNECTION], [connection.fileno()])

    async def outcome(self) -> UserError:
        """Wait until the process has ended; return why it has."""
        assert self._process is not None
        assert self._stream is not None
        assert self._socket is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, self._socket)
            await self._hear(self._stream)
            nursery.cancel_scope.cancel()
        code = await self._process.wait()
        await self._stream.aclose()  # not before: to the process, that would be the end of its parent
        how = f"was ended by {signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return self._fault or UserError(f"The {self.name} part of the server {how}.", FaultKind.FAILED)

    async def _watch(self, asked: socket.socket) -> None:
        """Kill the process when it hangs. Before it serves it may migrate a database, however long that takes.

        Silence is counted in questions, not by the clock: it counts for nothing while this process itself is late,
        as after a machine was suspended.
        """
        await self._serving.wait()
        silent = 0
        while silent < round(self._silent_seconds / self._ask_seconds):
            self._answered, began = False, trio.current_time()
            with contextlib.suppress(OSError):  # its buffer is full, or it has just ended
                asked.send(ANSWER)
            await trio.sleep(self._ask_seconds)
            late = trio.current_time() - began >= 2 * self._ask_seconds
            silent = 0 if self._answered or late else silent + 1
        text = f"The {self.name} part of the server did not answer for {self._silent_seconds:.0f} s, and was killed."
        self._kill(text)

    async def _hear(self, stream: trio.SocketStream) -> None:
        decoder = FrameDecoder(max_bytes=MAX_LINK_MESSAGE_BYTES)
        try:
            async for data in stream:
                for body in decoder.feed(bytes(data)):
                    message = decode_to_parent(body)
                    if isinstance(message, PartServes):
                        self._serves()
                    elif isinstance(message, PartAnswers):
                        self._answered = True
                    else:
                        self._fault = UserError(message.text, message.kind)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except (DecodeError, FrameError) as error:
            text = f"The {self.name} part of the server says what it must not ({error}), and was killed."
            self._kill(text)

    def _kill(self, text: str) -> None:
        assert self._process is not None
        self._fault = UserError(text, FaultKind.FAILED)
        self._process.kill()

    def _serves(self) -> None:
        self._serving.set()
        if self.has_served.is_set():
            log.info("a part of the server serves again", part=self.name)
        self.has_served.set()

    async def end(self, seconds: float) -> None:
        """End the process in order, and by force after ``seconds``."""
        process = self._process
        if process is None or process.returncode is not None or self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.send(STOP)
        with trio.move_on_after(seconds):
            await process.wait()
        if process.returncode is None:
            log.warning("a part of the server does not end: it is killed", part=self.name)
            process.kill()
            await process.wait()
        self._socket.close()
