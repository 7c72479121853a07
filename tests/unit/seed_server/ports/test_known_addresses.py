"""`seed_server.ports.known_addresses`: by link, and bounded."""

from seed_server.ports.known_addresses import KnownAddresses


def test_an_endpoint_that_changes_its_address_on_its_link_is_known() -> None:
    known = KnownAddresses(["2001:db8::1"])
    assert "2001:db8::abcd" in known
    assert "2001:db8:0:1::1" not in known


def test_the_longest_unseen_are_forgotten_first() -> None:
    known = KnownAddresses(max_known=2)
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.3"):
        known.note(address)
    assert [address in known for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3")] == [True, False, True]


def test_new_addresses_are_told_once() -> None:
    told: list[str] = []
    known = KnownAddresses(["10.0.0.1"])
    known.on_new = told.append
    for address in ("10.0.0.1", "2001:db8::1", "2001:db8::2", "10.0.0.2"):
        known.note(address)
    assert told == ["2001:db8::1", "10.0.0.2"]
