"""One of the server's working processes: started by the parent with one socket to it, and ended by it.

Whatever ends the parent ends its parts at once. Signals of a terminal or a service manager reach all processes; the
parent alone acts on them, so that the parts end in order.
"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias, get_args

import structlog
import trio

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError, first_error
from p2pdist.shared.logs import configure_log
from p2pdist.shared.priority import go_first
from p2pdist.shared.server_extra import of_server_extra
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES, encode_frame
from seed_server.service.messages import (
    ANSWER,
    CONNECTION,
    MAX_BEGIN_BYTES,
    MAX_LINK_MESSAGE_BYTES,
    MAX_PART_FAULT_CHARS,
    STOP,
    Begin,
    PartAnswers,
    PartFails,
    PartMessageToParent,
    PartName,
    PartServes,
    decode_begin,
)
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings

CONNECTIONS_WAITING = 4  # while a part starts; of several, the newest is the one that lives
PARENT_GONE = 71  # exit status

log = structlog.get_logger()


@dataclass(frozen=True)
class PartSetting:
    """What a part is given."""

    home: ServerHome
    settings: ServerSettings
    listening: list[socket.socket]
    """Its port's sockets."""
    connections: trio.MemoryReceiveChannel[socket.socket]
    """To the other part, a new one whenever one of the two has been started."""
    serves: Callable[[], None]
    """To be called once the port answers."""


Serve: TypeAlias = Callable[[PartSetting], Awaitable[None]]


def main() -> NoReturn:
    """Run the part that the command line names, until the parent ends it."""
    parser = argparse.ArgumentParser(description="A part of the seed server: only 'seed-server serve' starts it.")
    parser.add_argument("part", choices=get_args(PartName))
    name: PartName = parser.parse_args().part
    if name == "origin":
        go_first()  # its controllers may not wait for whoever looks, nor for the other part
    for ended_by_the_parent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ended_by_the_parent, signal.SIG_IGN)
    parent = _socket_to_parent()
    begin = _read_begin(parent)
    configure_log(begin.settings.log_level, SystemClock())
    structlog.contextvars.bind_contextvars(part=name)
    sys.exit(trio.run(_run, parent, begin, name))


def _socket_to_parent() -> socket.socket:
    """Return the socket to the parent, which is standard input; nothing is to be read there from now on."""
    parent = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return parent


def _read_begin(parent: socket.socket) -> Begin:
    """Read the first message, and not a byte more: a descriptor may come with the next one."""
    length = int.from_bytes(_read_exactly(parent, FRAME_HEADER_BYTES), "big")
    return decode_begin(_read_exactly(parent, min(length, MAX_BEGIN_BYTES)))


def _read_exactly(parent: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := parent.recv(count - len(data))):
            os._exit(PARENT_GONE)
        data += more
    return data


async def _run(parent: socket.socket, begin: Begin, name: PartName) -> int:
    parent.setblocking(False)
    put, connections = trio.open_memory_channel[socket.socket](CONNECTIONS_WAITING)
    setting = PartSetting(
        home=ServerHome(Path(begin.home)),
        settings=begin.settings,
        listening=[socket.socket(fileno=number) for number in begin.listening],
        connections=connections,
        serves=lambda: _tell(parent, PartServes()),
    )
    status = 0
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, parent, put, connections, nursery.cancel_scope)
            await _serve_of(name)(setting)
    except* UserError as group:
        fault = first_error(group)
        _tell(parent, PartFails(fault.kind, fault.message[:MAX_PART_FAULT_CHARS]))
    except* Exception:
        log.exception("this part of the server has failed")
        status = os.EX_SOFTWARE
    return status


def _serve_of(name: PartName) -> Serve:
    """Load what this part alone needs: neither has the other's keys and libraries in its memory."""
    with of_server_extra():
        if name == "origin":
            from seed_server.service.origin_part import serve_origin_port

            return serve_origin_port
        if name == "api":
            from seed_server.service.api_part import serve_api

            return serve_api
        from seed_server.service.web_part import serve_web_port

        return serve_web_port


def _tell(parent: socket.socket, message: PartMessageToParent) -> None:
    try:
        parent.sendall(encode_frame(codec.encode(message), max_bytes=MAX_LINK_MESSAGE_BYTES))
    except OSError:
        os._exit(PARENT_GONE)


async def _obey(
    parent: socket.socket,
    put: trio.MemorySendChannel[socket.socket],
    connections: trio.MemoryReceiveChannel[socket.socket],
    scope: trio.CancelScope,
) -> None:
    """Carry out what the parent says, until it says that this part shall end. Its own end ends this process."""
    while True:
        await trio.lowlevel.wait_readable(parent)
        try:
            said, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
        except BlockingIOError:
            continue
        except OSError:
            said = b""
            descriptors = []
        if not said:
            os._exit(PARENT_GONE)
        if said == STOP:
            scope.cancel()
            return
        if said == ANSWER:
            _tell(parent, PartAnswers())
        if said == CONNECTION and descriptors:
            os.set_inheritable(descriptors[0], False)
            _put_newest(socket.socket(fileno=descriptors[0]), put, connections)


def _put_newest(
    connection: socket.socket,
    put: trio.MemorySendChannel[socket.socket],
    connections: trio.MemoryReceiveChannel[socket.socket],
) -> None:
    try:
        put.send_nowait(connection)
    except trio.WouldBlock:
        connections.receive_nowait().close()
        put.send_nowait(connection)
