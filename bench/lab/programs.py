"""The business: programs that run inside the lab's namespaces, one process each, and log what they got.

    python -m bench.lab.programs serve ADDRESS                  bulk, uploads and pages for all that follow
    python -m bench.lab.programs download|upload SERVER LOG     CUBIC, until it is stopped (onoff: with pauses)
    python -m bench.lab.programs web SERVER LOG                 pages, one after the other
    python -m bench.lab.programs voip-send TARGET               a call's packets
    python -m bench.lab.programs voip-receive ADDRESS LOG       their one-way delay

A log has one JSON array a line: [nanoseconds of the monotonic clock, ...]. Every program ends on SIGTERM.
"""

import argparse
import contextlib
import json
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from io import TextIOWrapper
from pathlib import Path

import trio

CONGESTION_CONTROL = b"cubic"  # the machine's default may differ
SERVICE_PORT = 5001
VOIP_PORT = 5004
NOT_SENT_BYTES = 128 << 10
CHUNK = bytes(64 << 10)
REPORT_SECONDS = 0.1
MAX_REQUEST_BYTES = 64

VOIP_PACKET_SECONDS = 0.02
VOIP_PACKET_BYTES = 172  # 160 of G.711 and 12 of RTP
_VOIP_HEADER = struct.Struct("!QI")
_TIMESTAMP = struct.Struct("qq")
_SO_TIMESTAMPNS = 35  # SOL_SOCKET; its control message has the same number

PAGE_DOCUMENT_BYTES = 50_000
PAGE_OBJECT_BYTES = 25_000
PAGE_CONNECTIONS = 6
PAGE_OBJECTS_EACH = 3  # on every connection, one after the other: 500 kB with the document
PAGE_PAUSE_SECONDS = 1.0  # between the end of one page and the start of the next, on average
ONOFF_SECONDS = 4.0  # of each transfer and each pause, on average


def monotonic_of_real_ns(real_ns: int) -> int:
    """Return the monotonic clock's time of a moment on the real-time clock that is near now."""
    return real_ns - time.clock_gettime_ns(time.CLOCK_REALTIME) + time.monotonic_ns()


def cubic(sock: trio.socket.SocketType) -> None:
    """Make a socket, or those that a listening socket accepts, use CUBIC and keep little unsent data."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION_CONTROL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_BYTES)


async def serve(address: str) -> None:
    """Answer ``get N`` with N bytes (0: without end), and receive what follows ``put``; several on one connection."""
    listeners = await trio.open_tcp_listeners(SERVICE_PORT, host=address)
    for listener in listeners:
        cubic(listener.socket)
    await trio.serve_listeners(_answer, listeners)


async def _answer(stream: trio.SocketStream) -> None:
    try:
        cubic(stream.socket)
        while True:
            request = await _request(stream)
            if request[:1] == ["put"]:
                await stream.send_all(b"\n")
                while await stream.receive_some(len(CHUNK)):
                    pass
                return
            if len(request) != 2:
                return
            left = int(request[1])
            without_end = left == 0
            while left > 0 or without_end:
                await stream.send_all(CHUNK if without_end else CHUNK[: min(left, len(CHUNK))])
                left -= len(CHUNK)
    except (trio.BrokenResourceError, ConnectionError):
        return  # clients come and go
    finally:
        await trio.aclose_forcefully(stream)


async def _request(stream: trio.SocketStream) -> list[str]:
    line = b""
    while not line.endswith(b"\n"):
        more = await stream.receive_some(MAX_REQUEST_BYTES)
        line += more
        if not more or len(line) > MAX_REQUEST_BYTES:
            return []
    return line.decode("ascii", "replace").split()


class Meter:
    """Logs how many bytes came, ten times a second."""

    def __init__(self, log: TextIOWrapper) -> None:
        self._log = log
        self.total_bytes = 0

    async def run(self) -> None:
        """Write until cancelled; the first line, with 0 bytes, is written at once."""
        while True:
            write(self._log, time.monotonic_ns(), self.total_bytes)
            await trio.sleep(REPORT_SECONDS)


def write(log: TextIOWrapper, *values: float) -> None:
    """Write one line of a log, at once."""
    log.write(json.dumps(values) + "\n")
    log.flush()


async def connect(server: str) -> trio.SocketStream:
    """Connect to the business server with CUBIC."""
    stream = await trio.open_tcp_stream(server, SERVICE_PORT)
    cubic(stream.socket)
    return stream


async def _receive(server: str, meter: Meter) -> None:
    async with await connect(server) as stream:
        await stream.send_all(b"get 0\n")
        while more := await stream.receive_some(1 << 18):
            meter.total_bytes += len(more)
    raise SystemExit("the server ended the download")


async def _send(server: str, meter: Meter) -> None:
    # what the other side has received cannot be seen here; as little is unsent, what was handed over is close to it
    async with await connect(server) as stream:
        await stream.send_all(b"put\n")
        while True:
            await stream.send_all(CHUNK[: 16 << 10])
            meter.total_bytes += 16 << 10


async def bulk(work: Callable[[str, Meter], Awaitable[None]], server: str, log: TextIOWrapper) -> None:
    """Download or upload without end."""
    meter = Meter(log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meter.run)
        await work(server, meter)


async def onoff(server: str, log: TextIOWrapper) -> None:
    """Download with pauses, each time on a new connection; the times are the same in every run."""
    random_source = random.Random(1)
    meter = Meter(log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meter.run)
        while True:
            with trio.move_on_after(random_source.uniform(0.5, 1.5) * ONOFF_SECONDS):
                await _receive(server, meter)
            await trio.sleep(random_source.uniform(0.5, 1.5) * ONOFF_SECONDS)


async def web(server: str, log: TextIOWrapper) -> None:
    """Load pages and log when each began and how long it took, in ns; the pauses are the same in every run."""
    random_source = random.Random(2)
    while True:
        start = time.monotonic_ns()
        await load_page(server)
        write(log, start, time.monotonic_ns() - start)
        await trio.sleep(random_source.uniform(0.5, 1.5) * PAGE_PAUSE_SECONDS)


async def load_page(server: str) -> None:
    """Load a document, then its objects over several new connections, each with its own slow start."""
    await _fetch(server, [PAGE_DOCUMENT_BYTES])
    async with trio.open_nursery() as nursery:
        for _ in range(PAGE_CONNECTIONS):
            nursery.start_soon(_fetch, server, [PAGE_OBJECT_BYTES] * PAGE_OBJECTS_EACH)


async def _fetch(server: str, sizes: list[int]) -> None:
    async with await connect(server) as stream:
        for size in sizes:
            await stream.send_all(f"get {size}\n".encode())
            left = size
            while left > 0:
                more = await stream.receive_some(left)
                if not more:
                    raise SystemExit("the server ended a page")
                left -= len(more)


async def voip_send(target: str) -> None:
    """Send a packet every 20 ms, with the real-time clock's time and its number."""
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.connect((target, VOIP_PORT))
        start, number = trio.current_time(), 0
        while True:
            await trio.sleep_until(start + number * VOIP_PACKET_SECONDS)
            stamp = _VOIP_HEADER.pack(time.clock_gettime_ns(time.CLOCK_REALTIME), number)
            with contextlib.suppress(ConnectionRefusedError):  # nobody listens yet, or any more
                await sock.send(stamp.ljust(VOIP_PACKET_BYTES, b"\0"))
            number += 1


async def voip_receive(address: str, log: TextIOWrapper) -> None:
    """Log [sent at, number, one-way delay in ns] of every packet; the kernel says when it came."""
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind((address, VOIP_PORT))
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        while True:
            data, control, _, _ = await sock.recvmsg(2048, 128)
            sent_at, number = _VOIP_HEADER.unpack_from(data)
            for level, kind, value in control:
                if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                    seconds, nanoseconds = _TIMESTAMP.unpack(value)
                    arrived = seconds * 10**9 + nanoseconds
                    write(log, monotonic_of_real_ns(sent_at), number, arrived - sent_at)


async def until_terminated(work: Callable[[], Awaitable[None]]) -> None:
    """Run until SIGTERM."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(stop)
            await work()


def main(words: list[str]) -> None:
    """Run the program that ``words`` name."""
    parser = argparse.ArgumentParser(prog="bench.lab.programs")
    parser.add_argument("program")
    parser.add_argument("address")
    parser.add_argument("log", nargs="?", type=Path)
    given = parser.parse_args(words)
    with (given.log or Path("/dev/null")).open("w") as log:
        programs: dict[str, Callable[[], Awaitable[None]]] = {
            "serve": lambda: serve(given.address),
            "download": lambda: bulk(_receive, given.address, log),
            "upload": lambda: bulk(_send, given.address, log),
            "onoff": lambda: onoff(given.address, log),
            "web": lambda: web(given.address, log),
            "voip-send": lambda: voip_send(given.address),
            "voip-receive": lambda: voip_receive(given.address, log),
        }
        trio.run(until_terminated, programs[given.program])


if __name__ == "__main__":
    main(sys.argv[1:])
