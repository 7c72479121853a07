"""Drops what does not come from this link, before the program sees it: RFC 6762 section 11.

A packet with 255 hops left has met no router, for each router takes one (RFC 5082), and mDNS is sent with 255. On Linux
the kernel looks at that, by a filter program on the socket (classic BPF); elsewhere nothing is dropped.
"""

import ctypes
import socket
import struct
import sys

ALL_HOPS = 255
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it

# linux/filter.h: (operation, steps when true, steps when false, operand)
_LOAD_BYTE, _AND, _IF_EQUAL, _IF_AT_LEAST, _SKIP, _RETURN = 0x30, 0x54, 0x15, 0x35, 0x05, 0x06
_IP_HEADER = 0xFFF00000  # SKF_NET_OFF: offsets from here are into the IP header
_PROGRAM = (
    (_LOAD_BYTE, 0, 0, _IP_HEADER),
    (_AND, 0, 0, 0xF0),
    (_IF_EQUAL, 0, 2, 0x40),  # IPv4, else IPv6: a socket may have both
    (_LOAD_BYTE, 0, 0, _IP_HEADER + 8),  # time to live
    (_SKIP, 0, 0, 1),
    (_LOAD_BYTE, 0, 0, _IP_HEADER + 7),  # hop limit
    (_IF_AT_LEAST, 0, 1, ALL_HOPS),
    (_RETURN, 0, 0, 0xFFFFFFFF),  # take all of it
    (_RETURN, 0, 0, 0),  # take nothing
)


def send_with_all_hops(sock: socket.socket) -> None:
    """Let answers to one host leave ``sock`` as multicast does: else its own filter would drop them."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ALL_HOPS)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ALL_HOPS)


def receive_from_this_link_only(sock: socket.socket) -> None:
    """Drop what reaches the UDP socket ``sock`` through a router, on Linux. Raises `OSError`."""
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("HBBI", *step) for step in _PROGRAM)
    kept = ctypes.create_string_buffer(program, len(program))  # until the kernel has copied it
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), ctypes.addressof(kept)))
