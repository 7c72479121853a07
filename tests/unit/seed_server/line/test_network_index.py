"""`seed_server.line.network_index`."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from seed_server.line.network_index import NetworkIndex, network_of

prefixes = st.integers(0, 32)
addresses = st.ip_addresses(v=4)
networks = st.builds(network_of, addresses, prefixes)


@given(st.lists(networks, max_size=20), addresses, networks)
def test_finds_what_a_look_at_all_of_them_finds(
    known: list, address: ipaddress.IPv4Address, inner: ipaddress.IPv4Network
):
    index = NetworkIndex()
    for entry, network in enumerate(known):
        index.add(network, entry)
    assert index.holding(address) == [entry for entry, network in enumerate(known) if address in network]
    around = {network for network in known if inner.subnet_of(network)}
    assert index.around(inner) == sorted(around, key=lambda network: -network.prefixlen)


def test_families_are_apart() -> None:
    index = NetworkIndex()
    index.add(ipaddress.ip_network("::/0"), 0)
    index.add(ipaddress.ip_network("10.0.0.0/8"), 1)
    assert index.holding(ipaddress.ip_address("10.1.2.3")) == [1]
    assert index.holding(ipaddress.ip_address("2001:db8::1")) == [0]


def test_one_network_of_several_entries() -> None:
    index = NetworkIndex()
    for entry in (3, 1, 3):
        index.add(ipaddress.ip_network("198.51.100.7"), entry)
    assert index.holding(ipaddress.ip_address("198.51.100.7")) == [1, 3]
