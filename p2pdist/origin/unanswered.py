"""Whether the other end of a TCP connection still acknowledges anything.

Linux tells; elsewhere nothing is noticed here, and a silent connection is given up only by the usual time limits.
"""

import socket
import struct
import sys

import trio

_RETRANSMITS = struct.Struct("=2xB")  # struct tcp_info of linux/tcp.h: tcpi_retransmits is its third byte


def timeouts_in_a_row(sock: trio.socket.SocketType) -> int:
    """Return how often the kernel has waited in vain for an acknowledgement, each time for twice as long.

    0 where the system does not tell, and of a closed socket.
    """
    if sys.platform != "linux":
        return 0
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RETRANSMITS.size)
    except OSError:
        return 0
    return int(_RETRANSMITS.unpack(data)[0]) if len(data) == _RETRANSMITS.size else 0
