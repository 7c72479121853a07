"""`seed_server.line.site_map`."""

import re

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.line.site_map import SiteMap, parse_site_map

MAP = """
[[site]]
name = "branch-a"
networks = ["10.1.2.0/24", "2001:db8:a::/48"]
line_mbit = 20.0
share = 0.9
fetchers = 2

[[site]]
name = "branch-b"
networks = ["10.1.0.0/16", "203.0.113.7/32"]
line_mbit = 8

[[site]]
name = "lab"
networks = ["127.0.7.0/24"]
"""


def site_map(text: str = MAP) -> SiteMap:
    return parse_site_map(text, source="sites.toml")


class TestSiteOf:
    @pytest.mark.parametrize(
        ("own", "seen", "site"),
        [
            (["10.1.2.3"], "10.1.2.3", "branch-a"),
            (["10.1.3.3"], "10.1.3.3", "branch-b"),
            (["2001:db8:a:1::5"], "2001:db8:a:1::5", "branch-a"),
            # the own address decides, also behind address translation
            (["10.1.2.3"], "203.0.113.7", "branch-a"),
            # the first entry of the map, not the first of the addresses
            (["10.1.9.9", "10.1.2.3"], "10.1.9.9", "branch-a"),
            # no own address is mapped: the seen one
            (["192.168.1.5"], "203.0.113.7", "branch-b"),
            ([], "10.1.2.3", "branch-a"),
            # nobody's: automatic
            (["192.168.1.5"], "198.51.100.9", "auto-198.51.100.0/24"),
            (["127.0.1.4"], "127.0.1.4", "auto-127.0.1.0/24"),
            ([], "2001:db8:0:1:2:3:4:5", "auto-2001:db8:0:1::/64"),
            ([], "::1", "auto-::/64"),
            # one address, two spellings
            ([], "::ffff:10.1.2.3", "branch-a"),
            ([], "fe80::1%eth0", "auto-fe80::/64"),
            # every PC has 127.0.0.1: it says nothing, unless the server is on the same machine
            (["127.0.7.1"], "198.51.100.9", "auto-198.51.100.0/24"),
            (["127.0.7.1"], "127.0.0.1", "lab"),
            (["169.254.3.4", "fe80::9"], "198.51.100.9", "auto-198.51.100.0/24"),
        ],
    )
    def test_rule(self, own: list[str], seen: str, site: str) -> None:
        assert site_map().site_of(own, seen).name == site

    def test_empty_map_is_all_automatic(self) -> None:
        assert site_map("").site_of(["10.1.2.3"], "10.1.2.3").name == "auto-10.1.2.0/24"

    def test_no_address(self) -> None:
        with pytest.raises(ValueError, match="does not appear"):
            site_map().site_of(["pc17"], "10.1.2.3")


class TestLanAddress:
    @pytest.mark.parametrize(
        ("own", "seen", "address"),
        [
            (["10.1.2.3"], "10.1.2.3", "10.1.2.3"),
            (["10.200.0.1", "10.1.2.3"], "10.200.0.1", "10.1.2.3"),
            (["192.168.1.5"], "203.0.113.7", "192.168.1.5"),
            (["192.168.1.5", "198.51.100.9"], "198.51.100.9", "198.51.100.9"),
            (["127.0.0.1"], "198.51.100.9", "198.51.100.9"),
            (["127.0.1.4"], "127.0.1.4", "127.0.1.4"),
        ],
    )
    def test_is_one_that_neighbours_can_reach(self, own: list[str], seen: str, address: str) -> None:
        assert site_map().place(own, seen).lan_address == address


class TestRates:
    def test_share_of_the_line_in_bytes_per_second(self) -> None:
        lines = [(site.line.capacity, site.line.ceiling) for site in site_map().sites]
        assert lines == [(2_500_000, 2_250_000), (1_000_000, None), (None, None)]

    def test_fetchers(self) -> None:
        assert [site.fetchers for site in site_map().sites] == [2, None, None]

    def test_automatic_site_has_no_cap(self) -> None:
        assert site_map().site_of([], "198.51.100.9").line.capacity is None


def entry(rest: str, name: str = "a") -> str:
    return f'[[site]]\nname = "{name}"\n{rest}\n'


NETS = 'networks = ["10.1.0.0/16"]'


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (entry('networks = ["10.1.0.0/33"]'), "not a network"),
            (entry('networks = ["branch"]'), "not a network"),
            (entry('networks = ["10.1.2.3/16"]'), r"'10\.1\.0\.0/16'"),
            (entry("networks = []"), "networks"),
            (entry(""), "networks"),
            (entry(f"{NETS}\nline_mbits = 20.0"), "did you mean 'line_mbit'"),
            (entry(f"{NETS}\nline_mbit = 0.0"), "line_mbit"),
            (entry(f"{NETS}\nline_mbit = nan"), "line_mbit"),
            (entry(f"{NETS}\nline_mbit = 1e12"), "line_mbit"),
            (entry(f"{NETS}\nline_mbit = 20.0\nshare = 1.1"), "share"),
            (entry(f"{NETS}\nshare = 0.5"), "no line_mbit"),
            (entry(f"{NETS}\nfetchers = 0"), "fetchers"),
            (entry(NETS, name="a b"), "site name"),
            (entry(NETS, name="auto-10.1.0.0/16"), "automatic"),
            (entry(NETS) + entry('networks = ["10.2.0.0/16"]'), "twice"),
            (entry(NETS) + entry(NETS, name="b"), "both have"),
            (entry(NETS) + entry('networks = ["10.1.2.0/24"]', name="b"), "before site 'a'"),
            ("[[site]\n", "not valid TOML"),
        ],
    )
    def test_names_the_file_and_the_cause(self, text: str, words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            site_map(text)
        assert caught.value.kind == FaultKind.BAD_INPUT
        assert re.match(r"sites\.toml, line \d+", caught.value.message)

    def test_names_the_line_of_the_wrong_value(self) -> None:
        text = entry(NETS) + 'x = 1\n[[site]]\nname = "b"\nnetworks = [\n"10.2.0.0/16",\n"10.1.2.0/24",\n]\n'
        with pytest.raises(UserError, match=r"sites\.toml, line 8: 10\.1\.2\.0/24 of site 'b' lies in"):
            site_map(text.replace("x = 1\n", ""))
        with pytest.raises(UserError, match=r"sites\.toml, line 4: unknown key 'x'; known keys are"):
            site_map(text)

    def test_wider_network_may_follow(self) -> None:
        both = site_map(entry('networks = ["10.1.2.0/24"]') + entry(NETS, name="b"))
        assert both.site_of([], "10.1.2.3").name == "a"
        assert both.site_of([], "10.1.3.3").name == "b"

    def test_a_site_may_name_a_network_within_its_own(self) -> None:
        assert site_map(entry('networks = ["10.1.0.0/16", "10.1.2.0/24"]')).site_of([], "10.1.2.3").name == "a"
