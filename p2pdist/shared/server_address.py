"""An address of the seed server as PCs reach it: a host and two ports. Pure."""

import ipaddress
import re
from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Document
from p2pdist.shared.wire.enrolment import MAX_HOST_CHARS
from p2pdist.shared.wire.fields import Port

_DNS_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


class ServerAddress(Document, frozen=True, order=True):
    """Where the server's two ports are. It says nothing of who answers there: certificates do."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_HOST_CHARS)]
    """A name or an IP address."""
    web_port: Port
    origin_port: Port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}, ports {self.web_port} and {self.origin_port}"

    @property
    def url(self) -> str:
        """``https://HOST:WEB_PORT``."""
        return f"https://[{self.host}]:{self.web_port}" if ":" in self.host else f"https://{self.host}:{self.web_port}"


def canonical(address: ServerAddress) -> ServerAddress:
    """Return ``address`` with its host as it is written once: in small letters, an IP address as short as can be."""
    host = address.host
    written = str(ipaddress.ip_address(host)) if is_ip_address(host) else host.removesuffix(".").lower()
    return msgspec.structs.replace(address, host=written or host)


def address_problem(address: ServerAddress) -> str:
    """Return why no PC can reach a server there, as a clause; empty: one may."""
    host = address.host
    if address.web_port == address.origin_port:
        return f"web port and origin port are both {address.web_port}"
    if is_ip_address(host):
        ip = ipaddress.ip_address(host)
        if ip.is_unspecified or ip.is_multicast or str(ip) == "255.255.255.255":
            return f"{host} is no address of one machine"
        return ""
    return "" if is_host_name(host) else f"{host[:80]!r} is neither an IP address nor a host name"


def is_loopback(host: str) -> bool:
    """Whether ``host`` leads a PC to itself."""
    if is_ip_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host.removesuffix(".").lower() == "localhost" or host.removesuffix(".").lower().endswith(".localhost")


def is_ip_address(text: str) -> bool:
    """Whether ``text`` is an IPv4 or IPv6 address without a zone."""
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def is_host_name(text: str) -> bool:
    """Whether ``text`` is a host name as the DNS has it."""
    labels = text.removesuffix(".").split(".")
    # an all-digit last label is a mistyped IPv4 address, never a name (RFC 3696 section 2)
    return len(text) <= MAX_HOST_CHARS and not labels[-1].isdigit() and all(map(_DNS_LABEL.match, labels))
