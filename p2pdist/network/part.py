"""The network part: libtorrent, discovery, the connection to the seed server and HTTPS, in a process without rights.

The daemon starts it (`network.process`) and tells it what to do; it ends when the daemon does. libtorrent's session is
never destroyed: to destroy it while strangers are amid a TLS handshake corrupts memory (libtorrent 2.1.1), and the end
of the process frees everything anyway.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import trio

from p2pdist.network import rights
from p2pdist.network.messages import (
    MAX_MESSAGE_BYTES,
    MAX_WORDS_CHARS,
    AreYouAlive,
    Done,
    EndProcess,
    NotStarted,
    Start,
    Started,
    ToPart,
    decode_to_part,
)
from p2pdist.network.services import Services
from p2pdist.pc import process_memory, system
from p2pdist.shared.channel import Channel, ChannelEndedError
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.logs import configure_log
from p2pdist.shared.packet_size import use_safe_packets
from p2pdist.transfer.torrent_engine.session import open_torrent_engine

LAST_WRITES_SECONDS = 2.0  # for the last writes
LAST_STEPS_SECONDS = 10.0  # for them and the goodbyes; the daemon does not wait as long
LAST_WORDS_SECONDS = 2.0
LOADED_LATE = (
    *("encodings.ascii", "encodings.idna", "encodings.latin_1", "certifi", "h11", "anyio"),
    *("httpcore", "httpcore._async.http11", "httpcore._backends.auto", "httpcore._backends.trio"),
)
DAEMON_GONE, CRASHED = 1, 70  # exit status; the second is EX_SOFTWARE of sysexits.h

log = lazy_log()


def main() -> NoReturn:
    """Run the process: load everything, give up all rights, then speak with the network."""
    parser = argparse.ArgumentParser(description="The daemon's network part: only the daemon starts it.")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--log-level", default="info")
    arguments = parser.parse_args()
    directory: Path = arguments.directory.absolute()
    configure_log(arguments.log_level, SystemClock())
    for ended_by_the_daemon in (signal.SIGINT, signal.SIGTERM):  # these reach all processes of a service or terminal
        signal.signal(ended_by_the_daemon, signal.SIG_IGN)
    process_memory.keep_small()
    system.give_way()
    reads, writes = _channel_descriptors()
    # before the rights are gone: the directory's parents are for the daemon alone, so it is reached as the current one
    os.chdir(directory)
    _load_all()
    if arguments.uid is not None:
        rights.give_up(arguments.uid, arguments.gid)
    rights.harden()
    trio.run(_run, reads, writes, directory)
    end_process(CRASHED)


def _load_all() -> None:
    """Load what libraries load only when it is first used: without rights, the program's files may be out of reach."""
    for name in LOADED_LATE:
        with contextlib.suppress(ImportError):  # another release of a library has its modules elsewhere
            importlib.import_module(name)


def end_process(status: int) -> NoReturn:
    """End the process at once, without destroying anything."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


def _channel_descriptors() -> tuple[int, int]:
    """Return the two ends of the channel, which are standard input and output; prints go to standard error now."""
    reads, writes = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return reads, writes


def _own_directory() -> Path:
    """Return a path to the current directory that needs no right to look into its parents."""
    here = Path("/proc/self/cwd")
    return here if here.exists() else Path.cwd()


async def _run(reads: int, writes: int, directory: Path) -> None:
    use_safe_packets()
    channel = Channel[ToPart](
        trio.lowlevel.FdStream(reads), trio.lowlevel.FdStream(writes), decode_to_part, max_bytes=MAX_MESSAGE_BYTES
    )
    try:
        async with trio.open_nursery() as nursery:
            part = Part(channel, nursery, directory)
            try:
                await channel.run(part.handle)
            except ChannelEndedError as error:
                if not part.stopping:
                    with contextlib.suppress(OSError):  # it is the daemon that reads the log
                        log.warning("the daemon is gone", reason=str(error))
                    end_process(DAEMON_GONE)
            await trio.sleep(LAST_STEPS_SECONDS)  # the part ends the process before
    except BaseException:
        log.exception("the network part has failed")
    finally:  # whatever happens, also to the log: the daemon, which reads it, may be gone
        end_process(CRASHED)


class Part:
    """From the daemon's `Start` to its `EndProcess`."""

    def __init__(self, channel: Channel[ToPart], nursery: trio.Nursery, directory: Path) -> None:
        self._channel = channel
        self._directory = directory
        self._nursery = nursery
        self._services: Services | None = None
        self._stopping = trio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the daemon has said that this process shall end."""
        return self._stopping.is_set()

    async def handle(self, message: ToPart) -> None:
        """Act on one message of the daemon."""
        if isinstance(message, Start):
            self._nursery.start_soon(self._live, message)
        elif isinstance(message, EndProcess):
            self._stopping.set()
        elif isinstance(message, AreYouAlive):
            self._channel.tell(Done(message.call))
        elif self._services is not None:
            self._services.carry_out(message)

    async def _live(self, start: Start) -> None:
        """Open the listener, and work until the end. Never returns."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                own = _own_directory()
                engine = await stack.enter_async_context(
                    open_torrent_engine(
                        directory=own,
                        shown_as=self._directory,
                        listen_address=start.listen_address,
                        listen_port=start.listen_port,
                        identity=start.identity.swarm(),
                    )
                )
            except UserError as error:
                self._channel.tell(NotStarted(error.kind, error.message[:MAX_WORDS_CHARS]))
                await self._channel.finish(LAST_WORDS_SECONDS)
                end_process(0)
            try:
                async with trio.open_nursery() as nursery:
                    self._services = Services(self._channel, start, engine, own, nursery, SystemClock())
                    nursery.start_soon(self._services.run)
                    self._channel.tell(Started(engine.listen_port))
                    await self._stopping.wait()
                    nursery.cancel_scope.cancel()
                await engine.flush(LAST_WRITES_SECONDS)
                end_process(0)
            except BaseException:
                log.exception("the network part has failed")
                raise
            finally:
                end_process(CRASHED)  # here, where the session is still referred to: it must not be destroyed
