"""`seed_server.ports.address_block`: what counts as one caller."""

import pytest

from seed_server.ports.address_block import address_block


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "no address"),
    ],
)
def test_a_link_is_one_caller(address: str, block: str) -> None:
    assert address_block(address) == block


def test_neighbouring_links_are_two() -> None:
    assert address_block("2001:db8:1:2::1") != address_block("2001:db8:1:3::1")
