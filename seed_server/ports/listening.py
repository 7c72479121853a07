"""Listening sockets, with errors that name address, port and purpose."""

import errno
import socket
import sys

from p2pdist.shared.errors import FaultKind, UserError

BACKLOG = 512  # a site that comes back from a power cut connects within a second


def listen_sockets(addresses: list[str], port: int, *, purpose: str) -> list[socket.socket]:
    """Return one bound, listening, non-blocking TCP socket for each IP address.

    Where several addresses are given, those whose family this machine lacks are
    left out, as long as one remains. Raises `UserError`: BUSY for an address in
    use, BAD_INPUT for one that is not this machine's or a port we may not take.
    """
    sockets: list[socket.socket] = []
    missing_family: OSError | None = None
    try:
        for address in addresses:
            try:
                sockets.append(_listen(address, port))
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) or len(addresses) == 1:
                    raise _explained(error, address, port, purpose) from error
                missing_family = error
        if not sockets and missing_family is not None:
            raise _explained(missing_family, addresses[0], port, purpose)
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _explained(error: OSError, address: str, port: int, purpose: str) -> UserError:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"Another program already listens on {place}, which the {purpose} needs. "
            "Stop it, or choose another port in server.toml.",
            FaultKind.BUSY,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return UserError(
            f"{address} is not an address of this machine, so the {purpose} cannot listen there. If PCs have enrolled "
            "with it, give it back to this machine: they call no other. Where a router translates it, set "
            "listen_address in server.toml to one that this machine has.",
            FaultKind.BAD_INPUT,
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return UserError(
            f"This user may not listen on {place} for the {purpose}. Choose a port above 1023 in server.toml.",
            FaultKind.BAD_INPUT,
        )
    return UserError(f"Cannot listen on {place} for the {purpose}: {error.strerror}.", FaultKind.FAILED)
