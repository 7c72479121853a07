"""`p2pdist.pc.own_addresses`: the choice, with made up cards and routes. Real cards: `tests/field/test_networks.py`."""

import pytest

from p2pdist.pc.own_addresses import FAR_ADDRESSES, address_towards, addresses_to_tell
from p2pdist.shared.wire.fields import MAX_ADDRESSES

CARDS = {
    "lo": ["127.0.0.1", "::1"],
    "docker0": ["172.17.0.1", "fe80::1"],
    "eth0": ["10.9.0.5", "2001:db8:9::5", "fe80::2", "169.254.1.1"],
    "tun0": ["10.8.0.3"],
}
SERVER = ("server.example", 7690)


def told(
    routes: dict[str, str], *, former: str | None = None, hardware: tuple[str, ...] = ("eth0",)
) -> tuple[str, ...]:
    return addresses_to_tell(CARDS, hardware, SERVER, former, lambda host, _: routes.get(host))


@pytest.mark.parametrize(
    ("used", "addresses"),
    [
        ("10.9.0.5", ("10.9.0.5", "2001:db8:9::5")),
        ("2001:db8:9::5", ("2001:db8:9::5", "10.9.0.5")),
        ("10.8.0.3", ("10.8.0.3",)),
        ("127.0.0.1", ("127.0.0.1",)),  # the server is on this very PC
        ("10.9.0.99", ("10.9.0.99",)),  # it came after the cards were read
    ],
)
def test_the_card_that_leads_to_the_server_is_told(used: str, addresses: tuple[str, ...]) -> None:
    assert told({SERVER[0]: used}, former="172.17.0.1") == addresses


@pytest.mark.parametrize(
    ("routes", "former", "hardware", "used"),
    [
        ({FAR_ADDRESSES[0]: "10.9.0.5"}, "10.8.0.3", ("eth0",), "10.8.0.3"),
        ({FAR_ADDRESSES[0]: "10.9.0.5"}, "10.8.0.4", (), "10.9.0.5"),  # the former one is no longer here
        ({FAR_ADDRESSES[1]: "2001:db8:9::5"}, None, (), "2001:db8:9::5"),
        ({}, None, ("eth0",), "10.9.0.5"),
        ({}, None, (), None),
        ({}, "127.0.0.1", (), None),
    ],
)
def test_a_server_that_cannot_be_looked_up(
    routes: dict[str, str], former: str | None, hardware: tuple[str, ...], used: str | None
) -> None:
    assert told(routes, former=former, hardware=hardware)[:1] == (() if used is None else (used,))


def test_no_more_are_told_than_the_server_takes() -> None:
    many = {"eth0": [f"10.9.0.{n}" for n in range(1, MAX_ADDRESSES + 9)]}
    addresses = addresses_to_tell(many, (), SERVER, None, lambda *_: "10.9.0.9")
    assert (len(addresses), addresses[0], len(set(addresses))) == (MAX_ADDRESSES, "10.9.0.9", MAX_ADDRESSES)


def test_the_way_to_this_very_pc() -> None:
    assert address_towards("127.0.32.1", 7690) == "127.0.0.1"
    assert address_towards("not a name", 7690) is None
