"""Whether the address under which PCs call this server leads to this machine, as far as that can be told. Blocking."""

import errno
import ipaddress
import socket


def why_not_here(address: str, port: int) -> str:
    """Return why PCs that call ``address``, a name or an IP address, do not come here; empty where they may.

    They may wherever one of a name's addresses is this machine's own, or a loopback address, which is the place of a
    test, or a line in this machine's own hosts file that says nothing of other machines.
    """
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"this machine cannot look it up: {error.strerror or error}"
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if any(map(_may_be_own, addresses)):
        return ""
    return f"it leads to {', '.join(addresses)}, which this machine does not have"


def _may_be_own(address: str) -> bool:
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return True
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL  # whatever else is wrong tells nothing
    return True
