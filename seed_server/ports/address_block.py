"""Which addresses count as one caller: an IPv4 address, or a /64 of IPv6, which is one link. Pure."""

import ipaddress

IPV6_BLOCK_BITS = 64  # any host chooses among 2^64 addresses of its link (RFC 4291 section 2.5.1)


def address_block(address: str) -> str:
    """Return the block that ``address`` is counted under; text that is no IP address is a block of its own."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> IPV6_BLOCK_BITS << IPV6_BLOCK_BITS, IPV6_BLOCK_BITS)))
