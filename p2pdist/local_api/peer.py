"""Who is at the other end of a local socket: what the kernel noted when it connected. Linux alone says it."""

import errno
import socket
import struct
import sys
from dataclasses import dataclass

import trio

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
_SO_PEERGROUPS = 59  # Linux since 4.13, where Python has no name for it
_GROUP = struct.Struct("I")
_MAX_GROUPS_BYTES = 1_024  # the most that Python asks the kernel for


@dataclass(frozen=True, slots=True)
class LocalPeer:
    """A process on this PC, as it was when it connected: what it has become since changes nothing."""

    pid: int
    """0: not to be seen from here (in another container)."""
    uid: int
    groups: frozenset[int] | None
    """Its own group and all others; None: in more than can be read."""


def peer_of(connection: trio.socket.SocketType) -> LocalPeer:
    """Return who connected, or on the other side, who listens. Raises `OSError`, also where there is no Linux."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "this system does not say who connects")
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        others = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS_BYTES)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        return LocalPeer(pid, uid, None)
    return LocalPeer(pid, uid, frozenset({gid, *(group for (group,) in _GROUP.iter_unpack(others))}))
