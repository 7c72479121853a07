"""Where webhooks may lead: no address within the company's networks or of this machine, unless it is allowed. Pure.

Whoever sets up a webhook has the server send requests. Without this bound, those would reach what only the server
reaches: services of this machine, of the company's networks, and of the cloud that it runs in.
"""

import ipaddress
from collections.abc import Sequence

from seed_server.settings.addresses import IpAddress, IpNetwork

_CLOUDS = (ipaddress.IPv4Network("168.63.129.16"), ipaddress.IPv4Network("192.0.0.0/24"))
"""What clouds serve to their own machines at addresses that count as public; others are link-local or private."""
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: an IPv4 address is its end


def may_lead_to(address: IpAddress, allowed: Sequence[IpNetwork]) -> bool:
    """Whether a webhook may lead to an address: one of the Internet, or in a network that is ``allowed``.

    Of an address that stands for another, such as an IPv4 one in IPv6, that other one decides.
    """
    inner = _inner(address)
    if any(one in network for one in (address, inner) for network in allowed if network.version == one.version):
        return True
    return inner.is_global and not inner.is_multicast and not any(inner in network for network in _CLOUDS)


def _inner(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 one leads to; any other as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TRANSLATED or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
