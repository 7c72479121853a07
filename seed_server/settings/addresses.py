"""What an address of the server may look like. Pure."""

import ipaddress
import re

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.enrolment import MAX_HOST_CHARS

_DNS_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


def is_ip_address(text: str) -> bool:
    """Whether ``text`` is an IPv4 or IPv6 address without a zone."""
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def is_host_name(text: str) -> bool:
    """Whether ``text`` is a name that DNS could have, with or without the last dot."""
    labels = text.removesuffix(".").split(".")
    # an all-digit last label is a mistyped IPv4 address, never a name (RFC 3696 section 2)
    return len(text) <= MAX_HOST_CHARS and not labels[-1].isdigit() and all(map(_DNS_LABEL.match, labels))


def check_reachable(address: str, *, source: str) -> None:
    """Raise `UserError` (BAD_INPUT) for what cannot be a server's address to endpoints; ``source`` begins it."""
    if not is_ip_address(address) and not is_host_name(address):
        raise UserError(
            f"{source}: {address[:80]!r} is neither an IP address nor a host name. "
            "Give the address that endpoints can reach, without port or https://.",
            FaultKind.BAD_INPUT,
        )
    if is_ip_address(address) and ipaddress.ip_address(address).is_unspecified:
        raise UserError(
            f"{source}: endpoints cannot reach {address}. Give the address of one interface, "
            "and set listen_address in server.toml to listen on all.",
            FaultKind.BAD_INPUT,
        )
