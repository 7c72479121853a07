"""Lists that the Linux kernel gives over netlink (`man 7 netlink`, NLM_F_DUMP). No rights are needed.

A reader of our own, because the library for it costs 22 MB of memory (ADR 0010).
"""

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

ANSWER_SECONDS = 1.0  # the kernel needs microseconds per entry
READ_BYTES = 64 << 10  # the kernel fills at most 32 KiB at a time

_REQUEST_AND_DUMP = 0x301
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

T = TypeVar("T")
Read = Callable[[bytes], T | None]
"""Reads the body of one message; None: it is none of those that are sought."""


def dump(protocol: int, kind: int, body: bytes, read: Read[T], *, what: str, most: int, reads: int) -> list[T]:
    """Ask the kernel for a list; return its first entries, ``most`` or a few more. Blocking, for milliseconds.

    ``kind`` and ``body`` are of the question, ``what`` is the list's name for people. At most so many ``reads``.
    Raises `OSError` where the kernel does not tell.
    """
    found: list[T] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as asked:
        asked.settimeout(ANSWER_SECONDS)
        asked.sendto(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_AND_DUMP, 1, 0) + body, (0, 0))
        for _ in range(reads):
            if take(asked.recv(READ_BYTES), found, read, what=what) or len(found) >= most:
                break
    return found


def take(data: bytes, found: list[T], read: Read[T], *, what: str) -> bool:
    """Add the entries in ``data``, one read, to ``found``. Return whether it was the last.

    Raises the kernel's `OSError`, and one of its own for bytes that the kernel does not send.
    """
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _DONE:
            return True
        if kind == _ERROR or not _HEADER.size <= length <= len(data) - at:
            code = struct.unpack_from("=i", data, at + _HEADER.size)[0] if len(data) - at >= _HEADER.size + 4 else 0
            raise OSError(-code if kind == _ERROR and code < 0 else errno.EPROTO, f"the kernel does not list {what}")
        if (entry := read(data[at + _HEADER.size : at + length])) is not None:
            found.append(entry)
        at += -(-length // 4) * 4
    return at == 0  # nothing readable at all: not what the kernel sends


def attributes(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield kind and value of each attribute in ``body`` from ``at`` on; what is cut off ends them."""
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            return
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
