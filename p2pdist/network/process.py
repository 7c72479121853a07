"""Start the network part, watch it, and start it again when it ends: the daemon's side.

Whatever happens to that process, the daemon goes on: what it is asked meanwhile fails in words or waits, and each of
the daemon's connections tells a new process all that it needs (`NetworkPart.at_each_start`).
"""

import math
import os
import random
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from p2pdist.network.child_process import end, environment_from
from p2pdist.network.messages import (
    MAX_MESSAGE_BYTES,
    AreYouAlive,
    Done,
    Failed,
    FromPart,
    HttpBroke,
    HttpDone,
    LanBytes,
    NotStarted,
    PartMessage,
    Start,
    Started,
    decode_from_part,
)
from p2pdist.network.part_log import pass_on
from p2pdist.network.rights import PartUser
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.channel import Calls, Channel, ChannelEndedError
from p2pdist.shared.errors import FaultKind, UserError, first_error
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.own_programs import own_program
from p2pdist.shared.signal_names import signal_name

START_SECONDS = 60.0  # it loads libraries first, on a PC that has just started
STOP_SECONDS = 4.0  # its last writes and goodbyes; less than the daemon's own time for stopping
PING_SECONDS = 10.0
UNANSWERED_SECONDS = 60.0  # a network part that answers no ping for this long hangs; a busy PC answers within seconds
PORT_WAIT_SECONDS = 5.0  # the network part of a daemon that was killed lets go of the port when it notices that
PORT_RETRY_SECONDS = 0.3
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 1.0, 60.0
STEADY_SECONDS = 60.0  # one that has lived this long starts again at once
LAST_LINES_SECONDS = 1.0  # what it wrote to its log before its end; a child of its own may keep that open

log = lazy_log()


@dataclass(frozen=True)
class Launch:
    """How the process is started."""

    user: PartUser
    directory: Path
    """Where it keeps the payloads that are swapped: all that it can write to."""
    log_level: str
    command: tuple[str, ...] = tuple(own_program("p2pdist.network"))
    """What to run."""
    stop_seconds: float = STOP_SECONDS


class NetworkPart:
    """The network part as the daemon sees it; `run` keeps the process alive."""

    def __init__(self, launch: Launch, start: Callable[[], Start]) -> None:
        """``start`` is asked for the first message at each start of the process."""
        self._launch = launch
        self._start = start
        self._calls = Calls[PartMessage]()
        self._channel: Channel[FromPart] | None = None
        self._hooks: list[Callable[[], Awaitable[None]]] = []
        self._end_hooks: list[Callable[[], None]] = []
        self._handlers: dict[type[PartMessage], Callable[[Any], None]] = {}
        self._ready: list[Started | NotStarted] = []
        self._ready_event = trio.Event()
        self._process: trio.Process | None = None
        self._reason, self._killed = "", False
        self._begun = False
        self.listen_port = 0
        """The LAN port; 0 until the process is up."""
        self.life = 0
        """Counts the processes so far."""
        self.problem = ""
        """Why the process is not running, in words; empty while it is."""

    @property
    def user(self) -> PartUser:
        """Who the process runs as."""
        return self._launch.user

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether messages reach the process."""
        return self._channel is not None

    def at_each_start(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Call ``hook`` at `begin`, and from then on whenever a process has started, before it is told anything."""
        self._hooks.append(hook)

    async def begin(self) -> None:
        """Tell the process, and each later one, all that it needs to work."""
        self._begun = True
        if self.running:
            await self._tell_all()

    async def _tell_all(self) -> None:
        for hook in self._hooks:
            await hook()

    def at_each_end(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` whenever a process has ended."""
        self._end_hooks.append(hook)

    def on(self, kind: type[PartMessage], handler: Callable[[Any], None]) -> None:
        """Call ``handler`` with each message of ``kind``. It must not wait; a `ValueError` ends the process."""
        self._handlers[kind] = handler

    def tell(self, message: PartMessage) -> None:
        """Send a message; it is dropped while no process runs: whatever matters is told to the next one."""
        channel = self._channel
        if channel is None:
            return
        try:
            channel.tell(message)
        except ChannelEndedError as error:
            self._kill(str(error))

    async def send(self, message: PartMessage) -> None:
        """Like `tell`, but wait while the queue is full."""
        if self._channel is not None:
            await self._channel.send(message)

    async def ask(
        self,
        question: Callable[[int], PartMessage],
        *,
        seconds: float,
        abandon: Callable[[int], PartMessage] | None = None,
    ) -> PartMessage:
        """Return the answer to a question. Raises `ChannelEndedError` (no process), `trio.TooSlowError`."""
        if self._channel is None:
            raise ChannelEndedError("it is not running")
        return await self._calls.ask(self.tell, question, seconds=seconds, abandon=abandon)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a process running until cancelled. Reports as started when the first one is up.

        Raises `UserError` when the first one does not start: the port is in use, the address is not this PC's.
        """
        backoff = Backoff(FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS)
        await self._first_start(task_status)
        while True:
            backoff = backoff.failed()
            delay = backoff.delay_seconds(random.random())  # noqa: S311 - jitter
            self.problem = f"{self.problem} It starts again within {math.ceil(delay)} s."
            await trio.sleep(delay)
            begun = trio.current_time()
            self._say(await self._live())
            if trio.current_time() - begun >= STEADY_SECONDS:
                backoff = backoff.succeeded()

    async def _first_start(self, task_status: trio.TaskStatus[None]) -> None:
        begun = trio.current_time()
        while True:
            ended = await self._live(task_status.started)
            if self.listen_port:  # it was up
                self._say(ended)
                return
            if ended.kind is not FaultKind.BUSY or trio.current_time() - begun > PORT_WAIT_SECONDS:
                raise ended
            await trio.sleep(PORT_RETRY_SECONDS)

    def _say(self, ended: UserError) -> None:
        self.problem = ended.message
        log.error("the network part has ended", reason=ended.message)

    # --- one process ------------------------------------------------------------------------

    async def _live(self, up: Callable[[], None] = lambda: None) -> UserError:
        """Run one process until it ends; return why it did. ``up`` is called when it is up."""
        logging = trio.CancelScope(shield=True)  # its last words count most
        async with trio.open_nursery() as nursery:
            try:
                return await self._live_logged(up, lambda stream: nursery.start_soon(_log, logging, stream))
            finally:
                logging.deadline = trio.current_time() + LAST_LINES_SECONDS

    async def _live_logged(
        self, up: Callable[[], None], start_log: Callable[[trio.abc.ReceiveStream], None]
    ) -> UserError:
        self.life += 1
        self._ready, self._ready_event = [], trio.Event()
        self._reason, self._killed = "", False
        try:
            process = self._process = await self._spawn()
        except OSError as error:
            text = f"The part of the daemon that speaks with the network cannot be started: {error.strerror}."
            return UserError(text, FaultKind.FAILED)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        channel = Channel[FromPart](process.stdout, process.stdin, decode_from_part, max_bytes=MAX_MESSAGE_BYTES)
        start_log(process.stderr)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._conduct, channel, up)
                await channel.run(self._handle)
        except* ChannelEndedError as group:
            self._reason = self._reason or str(first_error(group))
        except* trio.TooSlowError:
            self._reason = self._reason or "it does not answer"
        finally:
            self._channel = None
            self._calls.fail()
            for hook in self._end_hooks:
                hook()
            with trio.CancelScope(shield=True):
                self._killed = await end(process, self._launch.stop_seconds) or self._killed
            self._process = None
        return self._why(process.returncode)

    async def _conduct(self, channel: Channel[FromPart], up: Callable[[], None]) -> None:
        """Bring a new process up, then see that it stays alive."""
        await channel.send(self._start())
        with trio.fail_after(START_SECONDS):
            await self._ready_event.wait()
        if not isinstance(self._ready[0], Started):
            raise ChannelEndedError("it could not start")
        self.listen_port = self._ready[0].listen_port
        self._channel, self.problem = channel, ""
        if self._begun:
            await self._tell_all()
        up()
        while True:
            await trio.sleep(PING_SECONDS)
            await self.ask(AreYouAlive, seconds=UNANSWERED_SECONDS)

    async def _spawn(self) -> trio.Process:
        user = self._launch.user
        return await trio.lowlevel.open_process(
            [
                *self._launch.command,
                *(("--uid", str(user.uid), "--gid", str(user.gid)) if user.separate else ()),
                "--directory",
                str(self._launch.directory),
                "--log-level",
                self._launch.log_level,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_from(os.environ),
            start_new_session=True,  # a terminal of the daemon is not its own: it cannot type there
        )

    async def _handle(self, message: FromPart) -> None:
        if isinstance(message, Done | Failed | LanBytes | HttpDone | HttpBroke):
            self._calls.answered(message.call, message)
        elif isinstance(message, Started | NotStarted):
            if self._ready:
                raise ChannelEndedError("it said twice whether it has started")
            self._ready.append(message)
            self._ready_event.set()
        elif (handler := self._handlers.get(type(message))) is not None:
            try:
                handler(message)
            except ValueError as error:
                raise ChannelEndedError(f"it sent what it must not: {error}") from error

    def _kill(self, reason: str) -> None:
        self._reason, self._killed = reason, True
        if self._process is not None:
            self._process.kill()

    def _why(self, code: int | None) -> UserError:
        if self._ready and isinstance(self._ready[0], NotStarted):
            return UserError(self._ready[0].text, self._ready[0].kind)
        how = self._reason
        if code is not None and code < 0 and not self._killed:
            how = f"it was ended by {signal_name(-code)}"
        elif code is not None and code > 0:
            how = f"it ended with status {code}"
        return UserError(f"The part of the daemon that speaks with the network has stopped: {how}.", FaultKind.FAILED)


async def _log(scope: trio.CancelScope, stream: trio.abc.ReceiveStream) -> None:
    async with stream:
        with scope:
            await pass_on(stream)


@asynccontextmanager
async def open_network_part(launch: Launch, start: Callable[[], Start]) -> AsyncIterator[NetworkPart]:
    """Keep a network part running while the context is open. Raises `UserError` when the first process fails."""
    part = NetworkPart(launch, start)
    async with trio.open_nursery() as nursery:
        await nursery.start(part.run)
        try:
            yield part
        finally:
            nursery.cancel_scope.cancel()
