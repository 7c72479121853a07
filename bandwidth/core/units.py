"""Rates with their units in the type. Pure."""

import math
from typing import NewType

BytesPerSecond = NewType("BytesPerSecond", int)

MBIT = 125_000  # bytes per second of one Mbit/s (10^6 bit/s)
LARGEST_LINE = BytesPerSecond(125_000_000_000)  # 1 Tbit/s: above, a typing error and not a line
LARGEST_LINE_MBIT = LARGEST_LINE / MBIT


def line_share(line_mbit: float, share: float) -> BytesPerSecond:
    """Return ``share`` (0 < share ≤ 1) of a line of ``line_mbit`` Mbit/s (10^6 bit) as a whole rate.

    Never 0 for a positive line: nothing reads a rate of 0 as "stopped", and some
    kernels read it as "unlimited". Raises `ValueError` for a line or share outside its range.
    """
    if not 0 < line_mbit < math.inf:
        raise ValueError(f"line rate {line_mbit} Mbit/s is not a positive number")
    if not 0 < share <= 1:
        raise ValueError(f"share {share} is not above 0 and at most 1")
    return BytesPerSecond(max(1, int(line_mbit * MBIT * share)))


PACKET_SECONDS = 0.004
LARGEST_PACKET_BYTES, SMALLEST_PACKET_BYTES = 1_500, 576
SAFE_PACKET_BYTES = 1_200  # get through wherever QUIC does (RFC 9000 section 14), also where full ones vanish


def packet_bytes(line: BytesPerSecond | None) -> int:
    """Return the IP packet size to send with on a line of ``line`` bytes per second (None: unknown).

    A telephone packet waits for the packet that is on the wire: 6 ms behind a full
    one at 2 Mbit/s. So packets take at most `PACKET_SECONDS`, as link fragmentation
    for slow lines has it (RFC 2686 section 1), but are no smaller than the 576 bytes
    that every IPv4 host accepts (RFC 1122 section 3.3.2).
    """
    if line is None:
        return LARGEST_PACKET_BYTES
    return min(LARGEST_PACKET_BYTES, max(SMALLEST_PACKET_BYTES, int(line * PACKET_SECONDS)))
