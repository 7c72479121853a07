import socket
import struct

import pytest

from bench.lab.packet_count import Connection, ConnectionCounts, since

SERVER, PC = "10.77.0.1", "10.77.1.11"


def packet(source: str, source_port: int, target: str, target_port: int, length: int, protocol: int = 6) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    header = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, protocol, 0) + addresses
    return header + struct.pack("!HH", source_port, target_port) + bytes(16)


def test_whole_packets_count_by_connection_and_direction():
    counts = ConnectionCounts(SERVER)
    counts.note(packet(PC, 40_000, SERVER, 443, 60))
    counts.note(packet(SERVER, 443, PC, 40_000, 1_500))
    counts.note(packet(SERVER, 443, PC, 40_000, 900))
    counts.note(packet(PC, 40_001, SERVER, 443, 52))
    assert counts.connections() == [
        Connection(PC, 40_000, 443, down_bytes=2_400, up_bytes=60, down_packets=2, up_packets=1),
        Connection(PC, 40_001, 443, down_bytes=0, up_bytes=52, down_packets=0, up_packets=1),
    ]


@pytest.mark.parametrize(
    "other",
    [
        packet(PC, 5, SERVER, 6, 100, protocol=17),
        packet(PC, 5, "10.77.1.12", 6, 100),
        b"\x60" + bytes(60),  # IPv6
        packet(PC, 5, SERVER, 6, 100)[:22],
        b"",
    ],
)
def test_what_is_no_tcp_with_the_server_does_not_count(other):
    counts = ConnectionCounts(SERVER)
    counts.note(other)
    assert counts.connections() == []


def test_since_is_what_came_between_two_looks():
    before = [Connection(PC, 1, 443, down_bytes=10, up_bytes=20, down_packets=1, up_packets=2)]
    after = [
        Connection(PC, 1, 443, down_bytes=15, up_bytes=20, down_packets=3, up_packets=2),
        Connection(PC, 2, 443, down_bytes=7, up_bytes=0, down_packets=1, up_packets=0),
    ]
    assert since(before, after) == [
        Connection(PC, 1, 443, down_bytes=5, up_bytes=0, down_packets=2, up_packets=0),
        Connection(PC, 2, 443, down_bytes=7, up_bytes=0, down_packets=1, up_packets=0),
    ]
