"""Counts what each TCP connection carries over a line, headers included: a program on the line's head office end.

    python -m bench.lab.packet_count DEVICE

Each line on standard input is answered with one line of JSON: the connections seen since the start, see `Connection`.
"""

import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import trio

from bench.lab.namespaces import LabError
from bench.lab.topology import Host

ETH_P_ALL = 3
TCP = 6
READ_BYTES = 128  # the headers; the kernel tells how long the packet was
BUFFER_BYTES = 16 << 20
ANSWER_SECONDS = 10.0
_IP = struct.Struct("!BxH5xBxx4s4s")  # version and header length, total length, protocol, from, to
_PORTS = struct.Struct("!HH")


class Connection(msgspec.Struct):
    """One connection between a PC and the server, with its IP packets' bytes. In the order of their first packet."""

    pc: str
    pc_port: int
    server_port: int
    down_bytes: int = 0
    """Towards the PC."""
    up_bytes: int = 0
    down_packets: int = 0
    up_packets: int = 0


class ConnectionCounts:
    """What the connections of a line have carried; ``server`` is the address of the one end. Pure."""

    def __init__(self, server: str) -> None:
        self._server = socket.inet_aton(server)
        self._found: dict[tuple[bytes, int, int], Connection] = {}

    def note(self, packet: bytes) -> None:
        """Count an IPv4 packet, of which at least the headers are given. What is not TCP with the server counts not."""
        if len(packet) < _IP.size:
            return
        first, length, protocol, source, target = _IP.unpack_from(packet)
        header = 4 * (first & 15)
        if first >> 4 != 4 or protocol != TCP or len(packet) < header + _PORTS.size:
            return
        source_port, target_port = _PORTS.unpack_from(packet, header)
        down = source == self._server
        if not down and target != self._server:
            return
        pc, pc_port, server_port = (target, target_port, source_port) if down else (source, source_port, target_port)
        one = self._found.get((pc, pc_port, server_port))
        if one is None:
            one = self._found[pc, pc_port, server_port] = Connection(socket.inet_ntoa(pc), pc_port, server_port)
        if down:
            one.down_bytes += length
            one.down_packets += 1
        else:
            one.up_bytes += length
            one.up_packets += 1

    def connections(self) -> list[Connection]:
        """Return what was counted so far."""
        return list(self._found.values())


@dataclass
class PacketCount:
    """A running program; made by `open_packet_count`."""

    _process: trio.Process

    async def connections(self) -> list[Connection]:
        """Return what each connection has carried so far. Raises `LabError`."""
        process, answer = self._process, b""
        assert process.stdin is not None
        assert process.stdout is not None
        with trio.move_on_after(ANSWER_SECONDS):
            await process.stdin.send_all(b"\n")
            while not answer.endswith(b"\n"):
                more = await process.stdout.receive_some()
                if not more:
                    break
                answer += more
        if not answer.endswith(b"\n"):
            raise LabError("the program that counts packets does not answer")
        return msgspec.json.decode(answer, type=list[Connection])


@asynccontextmanager
async def open_packet_count(head: Host, device: str) -> AsyncIterator[PacketCount]:
    """Count the packets of ``device`` at ``head``, until the context closes."""
    command = head.command(sys.executable, "-m", "bench.lab.packet_count", device, head.address)
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        count = PacketCount(process)
        await count.connections()  # from here on it counts
        yield count
    finally:
        with trio.CancelScope(shield=True):
            process.kill()  # it has nothing to keep
            await process.wait()


def since(before: Iterable[Connection], after: Iterable[Connection]) -> list[Connection]:
    """Return what each connection has carried between two looks. Pure."""
    known = {(one.pc, one.pc_port, one.server_port): one for one in before}
    found = []
    for one in after:
        earlier = known.get((one.pc, one.pc_port, one.server_port))
        if earlier is None:
            found.append(one)
            continue
        carried = [name for name in Connection.__struct_fields__ if name.endswith(("_bytes", "_packets"))]
        changed = {name: getattr(one, name) - getattr(earlier, name) for name in carried}
        found.append(msgspec.structs.replace(one, **changed))
    return found


async def _read(packets: trio.socket.SocketType, counts: ConnectionCounts) -> None:
    while True:
        counts.note(await packets.recv(READ_BYTES))


async def count_and_answer(device: str, server: str) -> None:
    """Count, and answer until standard input ends."""
    counts = ConnectionCounts(server)
    with trio.socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as packets:
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        await packets.bind((device, ETH_P_ALL))  # packets that leave are shown to whoever wants all protocols, alone
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, packets, counts)
            async for _ in trio.wrap_file(sys.stdin):
                sys.stdout.buffer.write(msgspec.json.encode(counts.connections()) + b"\n")
                sys.stdout.buffer.flush()
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(count_and_answer, sys.argv[1], sys.argv[2])
