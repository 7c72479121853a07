"""`p2pdist.shared.manifest.servers`: a list of addresses is taken as a whole, or not at all."""

import msgpack
import pytest

from p2pdist.shared.manifest.servers import (
    MAX_SERVERS,
    MAX_SERVERS_BYTES,
    ServerList,
    decode_servers,
    encode_servers,
)
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.codec import DecodeError

A, B = ServerAddress("192.0.2.1", 8443, 7690), ServerAddress("patches.example.com", 443, 7690)


def listed(*hosts: str, **fields: object) -> bytes:
    addresses = [{"host": host, "web_port": 8443, "origin_port": 7690} for host in hosts]
    encoded: bytes = msgpack.packb({"format": 1, "number": 1, "addresses": addresses, **fields})
    return encoded


def test_a_list_survives_the_way_in_its_order() -> None:
    servers = ServerList(format=1, number=7, addresses=(B, A))
    assert decode_servers(encode_servers(servers)) == servers


def test_the_longest_list_fits_and_a_longer_one_is_refused() -> None:
    longest = [f"{n}{'a' * 60}.{'b' * 63}.{'c' * 63}.{'d' * 62}" for n in range(MAX_SERVERS)]
    assert len(listed(*longest)) <= MAX_SERVERS_BYTES
    assert len(decode_servers(listed(*longest)).addresses) == MAX_SERVERS
    with pytest.raises(DecodeError):
        decode_servers(listed(*(f"pc-{n}" for n in range(MAX_SERVERS + 1))))
    with pytest.raises(DecodeError):
        decode_servers(listed())


def test_a_million_addresses_are_refused_by_their_length_alone() -> None:
    with pytest.raises(DecodeError, match="cap"):
        decode_servers(listed(*["10.0.0.1"] * 1_000_000))


@pytest.mark.parametrize(
    "host",
    ["224.0.0.251", "ff02::fb", "255.255.255.255", "0.0.0.0", "::", "evil\x1b[2J", "a\nb", "pc\u202e", "user@host",
     "host/path", "host:1", "[::1]", "", "x" * 254],
)  # fmt: skip
def test_one_that_is_no_address_of_a_machine_refuses_the_list(host: str) -> None:
    with pytest.raises(DecodeError):
        decode_servers(listed("192.0.2.1", host))


def test_one_that_is_there_twice_refuses_the_list() -> None:
    with pytest.raises(DecodeError, match="twice"):
        decode_servers(listed("192.0.2.1", "192.0.2.1"))


def test_what_a_newer_release_adds_is_ignored_and_another_format_is_not() -> None:
    assert decode_servers(listed("192.0.2.1", later=1)).addresses[0].host == "192.0.2.1"
    with pytest.raises(DecodeError):
        decode_servers(listed("192.0.2.1", format=2))
