"""`seed_server.automation.webhook_addresses`: nothing but the Internet, and what is allowed."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.automation.webhook_addresses import may_lead_to
from seed_server.settings.addresses import networks_of

REFUSED = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::",
)  # fmt: skip
INTERNET = ("1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700:4700::1111", "::ffff:1.1.1.1",
            "64:ff9b::101:101")  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_no_webhook_leads_into_the_company_or_this_machine(address: str) -> None:
    assert not may_lead_to(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", INTERNET)
def test_but_to_the_internet(address: str) -> None:
    assert may_lead_to(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.20.0.9", "10.20.0.0/16"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("fd00::7", "fd00::/8"),
     ("::ffff:10.20.0.9", "10.20.0.0/16"), ("168.63.129.16", "168.63.129.16/32")],
)  # fmt: skip
def test_and_where_it_is_allowed(address: str, network: str) -> None:
    allowed = networks_of([network], source="test")
    assert may_lead_to(ipaddress.ip_address(address), allowed)
    assert not may_lead_to(ipaddress.ip_address("10.21.0.1"), allowed)
    assert not may_lead_to(ipaddress.ip_address("192.168.0.1"), allowed)


@given(st.ip_addresses(v=4))
def test_an_address_within_ipv6_is_what_it_leads_to(address: ipaddress.IPv4Address) -> None:
    for text in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
        assert may_lead_to(ipaddress.ip_address(text), ()) is may_lead_to(address, ())


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_led_to(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_loopback or address.is_link_local:
        mapped = getattr(address, "ipv4_mapped", None)
        assert mapped is not None or not may_lead_to(address, ())
