"""``sites.toml``: which site an endpoint belongs to, and what may be sent there. Pure.

A site is the first entry that holds one of the endpoint's own addresses, else
the first that holds the address that the server sees (address translation),
else an automatic one: the seen address's /24 or /64.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

from bandwidth.core.units import LARGEST_LINE_MBIT, line_share
from p2pdist.shared.identifiers import InvalidIdentifierError, SiteName, parse_site_name
from p2pdist.shared.toml_config import parse_toml_file
from p2pdist.shared.wire.codec import Record
from seed_server.line.site_rate import Line
from seed_server.settings import MAX_FETCHERS

MAX_SITES = 10_000  # branches of the largest companies
MAX_NETWORKS_PER_SITE = 1_000
AUTOMATIC_PREFIX = "auto-"
AUTOMATIC_IPV4_BITS = 24
AUTOMATIC_IPV6_BITS = 64  # one link, RFC 4291 section 2.5.1

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Site:
    """A place whose endpoints share one line to the server."""

    name: SiteName
    line: Line
    """What is known of the line."""
    fetchers: int | None
    """Endpoints that may fetch one patch at the same time; None: the server's setting."""


@dataclass(frozen=True)
class Placement:
    """Where an endpoint is."""

    site: Site
    lan_address: str
    """The address under which its neighbours are most likely to reach it."""


class SiteEntry(Record, frozen=True):
    """One ``[[site]]`` of the file."""

    name: str
    networks: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NETWORKS_PER_SITE)]
    line_mbit: Annotated[float, msgspec.Meta(gt=0.0, le=LARGEST_LINE_MBIT)] | None = None
    share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] | None = None
    fetchers: Annotated[int, msgspec.Meta(ge=1, le=MAX_FETCHERS)] | None = None


class SitesFile(Record, frozen=True):
    """The whole file."""

    site: Annotated[list[SiteEntry], msgspec.Meta(max_length=MAX_SITES)] = msgspec.field(default_factory=list)


class SiteMap:
    """The checked site map; made by `parse_site_map`."""

    def __init__(self, sites: Sequence[tuple[Site, Sequence[IpNetwork]]]) -> None:
        self.sites = [site for site, _ in sites]
        self._index: dict[IpNetwork, int] = {}
        for order, (_, networks) in enumerate(sites):
            for network in networks:
                self._index.setdefault(network, order)
        self._lengths = {version: _lengths(self._index, version) for version in (4, 6)}

    def site_of(self, own_addresses: Iterable[str], seen_address: str) -> Site:
        """Return the site of an endpoint with these addresses. Raises `ValueError` for what is no IP address."""
        return self.place(own_addresses, seen_address).site

    def place(self, own_addresses: Iterable[str], seen_address: str) -> Placement:
        """Return the site of an endpoint and its address there. Raises `ValueError` for what is no IP address."""
        seen = _address(seen_address)
        usable = [a for a in map(_address, own_addresses) if seen.is_loopback or not (a.is_loopback or a.is_link_local)]
        matches = [(order, a) for a in usable if (order := self._order(a)) is not None]
        if matches:
            order, address = min(matches, key=lambda match: match[0])
            return Placement(self.sites[order], str(address))
        # behind address translation the seen address is the router's: neighbours need the endpoint's own
        lan = seen if seen in usable or not usable else usable[0]
        seen_order = self._order(seen)
        return Placement(self.sites[seen_order] if seen_order is not None else automatic_site(seen), str(lan))

    def _order(self, address: IpAddress) -> int | None:
        found = (self._index.get(_network(address, bits)) for bits in self._lengths[address.version])
        return min((order for order in found if order is not None), default=None)


def automatic_site(address: IpAddress) -> Site:
    """Return the site of an address that no entry holds."""
    bits = AUTOMATIC_IPV4_BITS if address.version == 4 else AUTOMATIC_IPV6_BITS
    return Site(SiteName(f"{AUTOMATIC_PREFIX}{_network(address, bits)}"), line=Line(), fetchers=None)


def parse_site_map(text: str, *, source: str) -> SiteMap:
    """Return the map that ``text`` (TOML) describes; empty text is an empty map.

    ``source`` is the file's name for messages. Raises `TomlFileError` (BAD_INPUT).
    """
    file = parse_toml_file(text, SitesFile, source=source)
    sites: list[tuple[Site, list[IpNetwork]]] = []
    owners: dict[IpNetwork, str] = {}
    names: set[str] = set()
    for index, entry in enumerate(file.value.site):
        try:
            site = _site(entry)
            if site.name in names:
                raise _WrongEntryError(f"site {site.name!r} is there twice; give all its networks in one entry.")
            names.add(site.name)
            networks = [_parse_network(text, number, site.name) for number, text in enumerate(entry.networks)]
            for number, network in enumerate(networks):
                _check_reachable(network, number, site.name, owners)
        except _WrongEntryError as error:
            raise file.error(str(error), "site", index, *error.path) from error
        owners |= dict.fromkeys(networks, site.name)
        sites.append((site, networks))
    return SiteMap(sites)


class _WrongEntryError(ValueError):
    """An entry that its type lets pass; ``path`` is that of the wrong value in it."""

    def __init__(self, problem: str, *path: str | int) -> None:
        super().__init__(problem)
        self.path = path


def _site(entry: SiteEntry) -> Site:
    try:
        name = parse_site_name(entry.name)
    except InvalidIdentifierError as error:
        raise _WrongEntryError(str(error), "name") from error
    if name.startswith(AUTOMATIC_PREFIX):
        problem = f"site {name!r}: names with {AUTOMATIC_PREFIX!r} are for automatic sites; choose another."
        raise _WrongEntryError(problem, "name")
    if entry.share is not None and entry.line_mbit is None:
        raise _WrongEntryError(f"site {name!r} has a share but no line_mbit to take it of; add line_mbit.", "share")
    if entry.line_mbit is None:
        return Site(name, Line(), entry.fetchers)
    ceiling = None if entry.share is None else line_share(entry.line_mbit, entry.share)
    return Site(name, Line(line_share(entry.line_mbit, 1.0), ceiling), entry.fetchers)


def _parse_network(text: str, number: int, site: str) -> IpNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        problem = f'site {site!r}: {text[:80]!r} is not a network; write it like "10.1.0.0/16" or "2001:db8::/48".'
        raise _WrongEntryError(problem, "networks", number) from None
    problem = f"site {site!r}: {text!r} is an address in {str(meant)!r}; write that, if it is meant."
    raise _WrongEntryError(problem, "networks", number)


def _check_reachable(network: IpNetwork, number: int, site: str, owners: dict[IpNetwork, str]) -> None:
    """Refuse a network that an earlier site takes whole."""
    for bits in range(network.prefixlen, -1, -1):
        wider = _network(network.network_address, bits)
        owner = owners.get(wider)
        if owner is None or owner == site:
            continue
        if wider == network:
            problem = f"sites {owner!r} and {site!r} both have {network}; remove it from one of them."
        else:
            problem = (
                f"{network} of site {site!r} lies in {wider} of site {owner!r}, which comes first and takes it all. "
                f"Put site {site!r} before site {owner!r}."
            )
        raise _WrongEntryError(problem, "networks", number)


def _address(text: str) -> IpAddress:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _network(address: IpAddress, bits: int) -> IpNetwork:
    shift = address.max_prefixlen - bits
    prefix = int(address) >> shift << shift
    return ipaddress.IPv4Network((prefix, bits)) if address.version == 4 else ipaddress.IPv6Network((prefix, bits))


def _lengths(networks: Iterable[IpNetwork], version: int) -> list[int]:
    return sorted({network.prefixlen for network in networks if network.version == version})
