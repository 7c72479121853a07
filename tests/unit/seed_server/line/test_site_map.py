"""`seed_server.line.site_map`."""

import json
import re

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.line.site_map import MAX_CONTACT_CHARS, MAX_NAT_PER_SITE, SiteMap, parse_site_map

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

[[site]]
name = "oslo"
networks = ["10.7.0.0/16"]
nat = ["198.51.100.64/30", "2001:db8:ff::1"]

[[site]]
name = "bergen"
networks = ["10.8.0.0/16", "192.168.1.0/24"]
nat = ["198.51.100.65"]
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
            # the seen address decides, whatever the endpoint says
            (["10.1.2.3"], "203.0.113.7", "branch-b"),
            (["10.1.9.9", "10.1.2.3"], "10.1.9.9", "branch-b"),
            (["10.7.0.1"], "10.1.2.3", "branch-a"),
            (["192.168.9.5"], "203.0.113.7", "branch-b"),
            ([], "10.1.2.3", "branch-a"),
            # behind address translation: one site, or a claim among several, that of the best own address first
            (["10.7.3.3"], "198.51.100.64", "oslo"),
            ([], "2001:db8:ff::1", "oslo"),
            (["10.7.3.3"], "198.51.100.65", "oslo"),
            (["10.8.3.3"], "198.51.100.65", "bergen"),
            (["10.8.3.3", "10.7.3.3"], "198.51.100.65", "bergen"),
            (["172.17.0.1", "10.8.3.3"], "198.51.100.65", "bergen"),
            ([], "198.51.100.65", "oslo"),
            # not one that the operator has declared there
            (["10.8.3.3"], "198.51.100.64", "oslo"),
            (["10.1.2.3"], "198.51.100.65", "oslo"),
            # nobody's: automatic, also for who claims to be somewhere
            (["192.168.9.5"], "198.51.100.9", "auto-198.51.100.0/24"),
            (["10.1.2.3"], "198.51.100.9", "auto-198.51.100.0/24"),
            (["127.0.1.4"], "127.0.1.4", "auto-127.0.1.0/24"),
            ([], "2001:db8:0:1:2:3:4:5", "auto-2001:db8:0:1::/64"),
            ([], "::1", "auto-::/64"),
            # one address, two spellings
            ([], "::ffff:10.1.2.3", "branch-a"),
            (["::ffff:10.8.3.3"], "::ffff:198.51.100.65", "bergen"),
            ([], "fe80::1%eth0", "auto-fe80::/64"),
        ],
    )
    def test_rule(self, own: list[str], seen: str, site: str) -> None:
        assert site_map().place(own, seen).site.name == site

    def test_empty_map_is_all_automatic(self) -> None:
        assert site_map("").place(["10.1.2.3"], "10.1.2.3").site.name == "auto-10.1.2.0/24"

    def test_seen_alone(self) -> None:
        names = ["10.1.2.3", "203.0.113.7", "198.51.100.65", "::ffff:198.51.100.64"]
        sites = [site_map().seen(name) for name in names]
        assert [site and site.name for site in sites] == ["branch-a", "branch-b", "oslo", "oslo"]
        assert site_map().seen("198.51.100.9") is None
        with pytest.raises(ValueError, match="does not appear"):
            site_map().seen("pc17")

    def test_no_address(self) -> None:
        with pytest.raises(ValueError, match="does not appear"):
            site_map().place(["pc17"], "10.1.2.3")


class TestLanAddress:
    @pytest.mark.parametrize(
        ("own", "seen", "address"),
        [
            # seen as it is: nothing else is believed
            (["10.1.2.3"], "10.1.2.3", "10.1.2.3"),
            (["10.1.2.9", "10.1.2.3"], "10.1.2.3", "10.1.2.3"),
            (["10.1.2.9"], "10.1.2.3", "10.1.2.3"),
            (["192.168.9.5"], "203.0.113.7", "203.0.113.7"),
            (["192.168.9.5"], "198.51.100.9", "198.51.100.9"),
            (["127.0.1.4"], "127.0.1.4", "127.0.1.4"),
            # behind address translation: an own one, but only in the site's networks, the best one first
            (["172.17.0.1", "192.168.1.5", "10.8.3.3"], "198.51.100.65", "192.168.1.5"),
            (["10.7.3.3", "10.8.3.3"], "198.51.100.64", "10.7.3.3"),
            (["10.8.3.3"], "198.51.100.64", "198.51.100.64"),
            (["203.0.113.99"], "198.51.100.65", "198.51.100.65"),
            ([], "198.51.100.65", "198.51.100.65"),
        ],
    )
    def test_is_one_that_neighbours_can_reach(self, own: list[str], seen: str, address: str) -> None:
        assert site_map().place(own, seen).lan_address == address

    @pytest.mark.parametrize(
        "own", ["127.0.0.1", "::1", "224.0.0.251", "ff02::fb", "0.0.0.0", "169.254.3.4", "fe80::9"]
    )
    def test_never_one_that_means_no_pc(self, own: str) -> None:
        everything = entry(
            'networks = ["0.0.0.0/1", "128.0.0.0/3", "224.0.0.0/4", "::/4", "f000::/4"]\nnat = ["192.0.2.1"]'
        )
        placement = site_map(everything).place([own], "192.0.2.1")
        assert (placement.site.name, placement.lan_address, placement.claimed) == ("a", "192.0.2.1", None)

    def test_loopback_is_a_place_only_for_who_is_seen_there(self) -> None:
        assert site_map().place(["127.0.7.9"], "127.0.0.1").claimed == site_map().seen("127.0.7.1")
        assert site_map().place(["127.0.7.9"], "198.51.100.9").claimed is None


class TestClaimed:
    @pytest.mark.parametrize(
        ("own", "seen", "claimed"),
        [
            (["10.7.0.1"], "10.1.2.3", "oslo"),
            (["10.8.0.1", "10.7.0.1"], "10.1.2.3", "bergen"),
            (["10.8.3.3"], "198.51.100.64", "bergen"),
            (["10.1.2.3"], "198.51.100.9", "branch-a"),
            # a tunnel into another site, or an address of nobody's, is nothing to look at
            (["10.7.0.1", "10.1.2.3"], "10.1.2.3", None),
            (["10.8.3.3", "10.1.2.3"], "198.51.100.65", None),
            (["192.168.9.5"], "10.1.2.3", None),
            ([], "10.1.2.3", None),
        ],
    )
    def test_is_where_it_says_it_is_and_is_not(self, own: list[str], seen: str, claimed: str | None) -> None:
        site = site_map().place(own, seen).claimed
        assert (site and site.name) == claimed


class TestRates:
    def test_share_of_the_line_in_bytes_per_second(self) -> None:
        lines = [(site.line.capacity, site.line.ceiling) for site in site_map().sites]
        assert lines == [(2_500_000, 2_250_000), (1_000_000, None), *[(None, None)] * 3]

    def test_fetchers(self) -> None:
        assert [site.fetchers for site in site_map().sites] == [2, None, None, None, None]

    def test_automatic_site_has_no_cap(self) -> None:
        assert site_map().place([], "198.51.100.9").site.line.capacity is None


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
            (entry(f'{NETS}\nnat = ["branch"]'), "not a network"),
            (entry(f'{NETS}\nnat = ["198.51.100.7/24"]'), r"'198\.51\.100\.0/24'"),
            (entry(f'{NETS}\nnats = ["198.51.100.7"]'), "did you mean 'nat'"),
            (entry(f'{NETS}\nnat = "198.51.100.7"'), "is no list; write it in brackets"),
            (entry(f'{NETS}\nnat = ["198.51.100.7", "198.51.100.7"]'), "remove one"),
            (entry(f'{NETS}\nnat = ["198.51.100.0/24", "198.51.100.7"]'), "remove one"),
            (entry(f'{NETS}\nnat = ["10.1.2.3"]'), "nat 10.1.2.3/32 of site 'a' and network 10.1.0.0/16 of site 'a'"),
            (entry(f'{NETS}\nnat = ["10.0.0.0/8"]'), "nat 10.0.0.0/8 of site 'a' and network 10.1.0.0/16"),
            (entry('networks = ["10.2.0.0/16"]\nnat = ["10.1.2.3"]', name="b") + entry(NETS), "of site 'a' overlap"),
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
        with pytest.raises(UserError, match=r"sites\.toml, line 8, column 1: 10\.1\.2\.0/24 of site 'b' lies in"):
            site_map(text.replace("x = 1\n", ""))
        with pytest.raises(UserError, match=r"sites\.toml, line 4, column 1: unknown key 'x'; known keys are"):
            site_map(text)

    def test_names_the_line_of_the_wrong_nat(self) -> None:
        text = entry('networks = ["10.2.0.0/16"]\nnat = [\n"198.51.100.7",\n"10.1.2.3"\n]', name="b") + entry(NETS)
        with pytest.raises(UserError, match=r"sites\.toml, line 6, column 1: nat 10\.1\.2\.3/32"):
            site_map(text)

    def test_caps_hold_at_the_limit_and_one_over(self) -> None:
        addresses = [f"198.51.100.{host}" for host in range(MAX_NAT_PER_SITE + 1)]
        full = site_map(entry(f"{NETS}\nnat = {json.dumps(addresses[:-1])}"))
        assert full.place([], addresses[-2]).site.name == "a"
        with pytest.raises(UserError, match=f"may have at most {MAX_NAT_PER_SITE} values"):
            site_map(entry(f"{NETS}\nnat = {json.dumps(addresses)}"))

    def test_sites_may_share_an_address_and_a_wider_network_of_addresses(self) -> None:
        shared = site_map(
            entry(f'{NETS}\nnat = ["198.51.100.7"]')
            + entry('networks = ["10.2.0.0/16"]\nnat = ["198.51.100.0/24", "2001:db8::/32"]', name="b")
        )
        assert [shared.place(["10.2.0.1"], f"198.51.100.{host}").site.name for host in (7, 8)] == ["b", "b"]
        assert [shared.place(["10.1.0.1"], f"198.51.100.{host}").site.name for host in (7, 8)] == ["a", "b"]

    def test_wider_network_may_follow(self) -> None:
        both = site_map(entry('networks = ["10.1.2.0/24"]') + entry(NETS, name="b"))
        assert both.place([], "10.1.2.3").site.name == "a"
        assert both.place([], "10.1.3.3").site.name == "b"

    def test_a_site_may_name_a_network_within_its_own(self) -> None:
        assert site_map(entry('networks = ["10.1.0.0/16", "10.1.2.0/24"]')).place([], "10.1.2.3").site.name == "a"


def test_a_site_has_a_contact_of_some_length() -> None:
    def of(contact: str) -> SiteMap:
        text = f'[[site]]\nname = "leeds"\nnetworks = ["10.4.0.0/16"]\ncontact = {json.dumps(contact)}\n'
        return parse_site_map(text, source="sites.toml")

    assert of("x" * MAX_CONTACT_CHARS).contacts == {"leeds": "x" * MAX_CONTACT_CHARS}
    assert of("").contacts == {}
    with pytest.raises(UserError, match="contact"):
        of("x" * (MAX_CONTACT_CHARS + 1))
    with pytest.raises(UserError, match="contact of site 'leeds' has control characters"):
        of("Holt\t+44")
