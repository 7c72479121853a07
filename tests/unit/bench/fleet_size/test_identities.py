import pytest

from bench.fleet_size.identities import made_up_id, site_addresses, site_map
from p2pdist.shared.identifiers import parse_endpoint_id
from seed_server.line.site_map import parse_site_map


def test_each_site_has_an_address_that_its_pcs_are_seen_at() -> None:
    addresses = site_addresses("127.0.48", 500)
    sites = parse_site_map(site_map(addresses), source="sites.toml")
    assert len({sites.place([], address).site.name for address in addresses}) == 500
    assert (addresses[0], addresses[-1]) == ("127.0.48.1", "127.0.49.250")
    with pytest.raises(ValueError, match="do not fit"):
        site_addresses("127.0.255", 251)


def test_made_up_ids_are_ids_and_differ() -> None:
    ids = {made_up_id(number) for number in range(25_000)}
    assert len(ids) == 25_000
    assert parse_endpoint_id(made_up_id(24_999))
