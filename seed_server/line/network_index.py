"""Finds, for an address, the networks that hold it and the entries that name these. Pure."""

import ipaddress

from seed_server.settings.addresses import IpAddress, IpNetwork


class NetworkIndex:
    """Networks, each named by one or several entries; an entry is its place in some list.

    A look-up costs as many steps as there are prefix lengths, however many networks there are.
    """

    def __init__(self) -> None:
        self._entries: dict[IpNetwork, set[int]] = {}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}

    def add(self, network: IpNetwork, entry: int) -> None:
        """Record that ``entry`` names ``network``."""
        self._entries.setdefault(network, set()).add(entry)
        lengths = self._lengths[network.version]
        if network.prefixlen not in lengths:
            lengths.append(network.prefixlen)
            lengths.sort(reverse=True)

    def holding(self, address: IpAddress) -> list[int]:
        """Return the entries that name a network with ``address`` in it, the first entry first."""
        host = network_of(address, address.max_prefixlen)
        return sorted({entry for network in self.around(host) for entry in self._entries[network]})

    def around(self, network: IpNetwork) -> list[IpNetwork]:
        """Return the known networks that hold all of ``network``, the smallest first."""
        lengths = (bits for bits in self._lengths[network.version] if bits <= network.prefixlen)
        outer = (network_of(network.network_address, bits) for bits in lengths)
        return [known for known in outer if known in self._entries]


def network_of(address: IpAddress, bits: int) -> IpNetwork:
    """Return the network of that prefix length that holds ``address``."""
    shift = address.max_prefixlen - bits
    prefix = int(address) >> shift << shift
    return ipaddress.IPv4Network((prefix, bits)) if address.version == 4 else ipaddress.IPv6Network((prefix, bits))
