"""`p2pdist.shared.server_address`: what may be an address of a server."""

import pytest

from p2pdist.shared.server_address import ServerAddress, address_problem, canonical, is_loopback


@pytest.mark.parametrize("host", ["patches.example.com", "patches", "192.0.2.1", "2001:db8::1", "127.0.0.9", "a" * 63])
def test_a_name_or_an_ip_address_is_one(host: str) -> None:
    assert address_problem(ServerAddress(host, 8443, 7690)) == ""


@pytest.mark.parametrize(
    "host",
    ["https://patches", "patches:8443", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "1.2.3", "a b",
     "fe80::1%eth0", "evil\x1b[2J", "pc\u202e", "-x", "", "a" * 64, "x." * 127 + "y"],
)  # fmt: skip
def test_anything_else_is_none(host: str) -> None:
    assert address_problem(ServerAddress(host, 8443, 7690))


def test_two_ports_are_two() -> None:
    assert "both 8443" in address_problem(ServerAddress("hq", 8443, 8443))


def test_an_ipv6_address_is_shown_and_asked_in_brackets() -> None:
    address = ServerAddress("2001:db8::1", 8443, 7690)
    assert address.url == "https://[2001:db8::1]:8443"
    assert str(address) == "[2001:db8::1], ports 8443 and 7690"


@pytest.mark.parametrize(("host", "so"), [("127.1.2.3", True), ("::1", True), ("LOCALHOST", True), ("hq", False)])
def test_what_leads_a_pc_to_itself(host: str, so: bool) -> None:
    assert is_loopback(host) is so


@pytest.mark.parametrize(
    ("written", "once"),
    [
        ("Patches.Example.COM.", "patches.example.com"),
        ("2001:DB8:0:0::0007", "2001:db8::7"),
        ("192.0.2.1", "192.0.2.1"),
        (".", "."),
    ],
)
def test_a_host_is_written_in_one_way(written: str, once: str) -> None:
    assert canonical(ServerAddress(written, 1, 2)) == ServerAddress(once, 1, 2)
