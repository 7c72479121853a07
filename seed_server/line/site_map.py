"""``sites.toml``: which site an endpoint belongs to, and what may be sent there. Pure.

The address that the server sees decides: an endpoint may say of itself what it likes.
A site's ``networks`` are where its endpoints are, and are seen where nothing translates
their addresses. Its ``nat`` is where they are seen through address translation, perhaps
together with those of other sites: among these sites the endpoint's own addresses choose,
the one on its way to the server first.
An address that no entry holds makes an automatic site of its /24 or /64.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from bandwidth.core.units import LARGEST_LINE_MBIT, line_share
from p2pdist.shared.identifiers import InvalidIdentifierError, SiteName, parse_site_name
from p2pdist.shared.toml_config import parse_toml_file
from p2pdist.shared.wire.codec import Record
from seed_server.line.network_index import NetworkIndex, network_of
from seed_server.line.site_rate import Line
from seed_server.settings.addresses import IpAddress, IpNetwork
from seed_server.settings.server_toml import MAX_FETCHERS

MAX_SITES = 10_000  # branches of the largest companies
MAX_NETWORKS_PER_SITE = 1_000
MAX_NAT_PER_SITE = 100  # the outer addresses of a site's routers: mostly one, seldom a pool
MAX_CONTACT_CHARS = 200  # a name, an address, a telephone number
AUTOMATIC_PREFIX = "auto-"
AUTOMATIC_IPV4_BITS = 24
AUTOMATIC_IPV6_BITS = 64  # one link, RFC 4291 section 2.5.1


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
    """What its neighbours are told: the seen address, or behind address translation its own in the site's networks."""
    claimed: Site | None
    """Where its own addresses lie, if none of them lies in ``site``. It is not followed; an operator should know."""


@dataclass(frozen=True)
class MappedSite:
    """A site, where its endpoints are, and where they are seen."""

    site: Site
    networks: Sequence[IpNetwork]
    nat: Sequence[IpNetwork] = ()
    contact: str = ""
    """Whom to ask about its PCs; empty: nobody is named."""


class SiteEntry(Record, frozen=True):
    """One ``[[site]]`` of the file."""

    name: str
    networks: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NETWORKS_PER_SITE)]
    nat: Annotated[list[str], msgspec.Meta(max_length=MAX_NAT_PER_SITE)] = msgspec.field(default_factory=list)
    line_mbit: Annotated[float, msgspec.Meta(gt=0.0, le=LARGEST_LINE_MBIT)] | None = None
    share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] | None = None
    fetchers: Annotated[int, msgspec.Meta(ge=1, le=MAX_FETCHERS)] | None = None
    contact: Annotated[str, msgspec.Meta(max_length=MAX_CONTACT_CHARS)] = ""


class SitesFile(Record, frozen=True):
    """The whole file."""

    site: Annotated[list[SiteEntry], msgspec.Meta(max_length=MAX_SITES)] = msgspec.field(default_factory=list)


class SiteMap:
    """The checked site map; made by `parse_site_map`."""

    def __init__(self, entries: Sequence[MappedSite]) -> None:
        self.sites = [entry.site for entry in entries]
        self.contacts = {entry.site.name: entry.contact for entry in entries if entry.contact}
        self._networks, self._nat = _indexes(entries)

    def seen(self, address: str) -> Site | None:
        """Return the site of an address that the server sees; of several behind that address, the first.

        None when no entry holds it; see `automatic_site_of`. Raises `ValueError` for what is no IP address.
        """
        orders = self._possible(_address(address))
        return self.sites[orders[0]] if orders else None

    def place(self, own_addresses: Iterable[str], seen_address: str) -> Placement:
        """Return where an endpoint is. Raises `ValueError` for what is no IP address.

        ``own_addresses`` are those that it claims, the best one first.
        """
        seen = _address(seen_address)
        own = [(address, self._owner(address)) for address in map(_address, own_addresses) if _is_usable(address, seen)]
        claims = [order for _, order in own if order is not None]
        possible = self._possible(seen)
        # the best own address chooses: a later one may be of another network that this PC is in as well
        chosen = next((order for order in claims if order in possible), possible[0] if possible else None)
        claimed = None if chosen in claims or not claims else self.sites[claims[0]]
        if chosen is None:
            return Placement(_automatic_site(seen), str(seen), claimed)
        lan = seen
        if self._owner(seen) is None:  # it is a router's
            lan = next((address for address, order in own if order == chosen), seen)
        return Placement(self.sites[chosen], str(lan), claimed)

    def _owner(self, address: IpAddress) -> int | None:
        """Return the site whose networks hold ``address``: the first in the map."""
        return next(iter(self._networks.holding(address)), None)

    def _possible(self, seen: IpAddress) -> list[int]:
        """Return the sites whose endpoints the server sees at ``seen``, in the map's order."""
        owner = self._owner(seen)
        return self._nat.holding(seen) if owner is None else [owner]


def automatic_site_of(address: str) -> Site:
    """Return the site of an address that no entry holds. Raises `ValueError` for what is no IP address."""
    return _automatic_site(_address(address))


def _automatic_site(address: IpAddress) -> Site:
    bits = AUTOMATIC_IPV4_BITS if address.version == 4 else AUTOMATIC_IPV6_BITS
    return Site(SiteName(f"{AUTOMATIC_PREFIX}{network_of(address, bits)}"), line=Line(), fetchers=None)


def parse_site_map(text: str, *, source: str) -> SiteMap:
    """Return the map that ``text`` (TOML) describes; empty text is an empty map.

    ``source`` is the file's name for messages. Raises `TomlFileError` (BAD_INPUT).
    """
    file = parse_toml_file(text, SitesFile, source=source)
    entries: list[MappedSite] = []
    owners: dict[IpNetwork, str] = {}
    names: set[str] = set()
    for index, entry in enumerate(file.value.site):
        try:
            site = _site(entry)
            if site.name in names:
                raise _WrongEntryError(f"site {site.name!r} is there twice; give all its networks in one entry.")
            names.add(site.name)
            networks = [_parse_network(text, site.name, "networks", at) for at, text in enumerate(entry.networks)]
            for number, network in enumerate(networks):
                _check_reachable(network, number, site.name, owners)
            nat = [_parse_network(text, site.name, "nat", at) for at, text in enumerate(entry.nat)]
            _check_distinct(nat, site.name)
        except _WrongEntryError as error:
            raise file.error(str(error), "site", index, *error.path) from error
        owners |= dict.fromkeys(networks, site.name)
        entries.append(MappedSite(site, networks, nat, entry.contact.strip()))
    overlaps = _overlaps(entries)
    for index, mapped in enumerate(entries):
        for number, translated in enumerate(mapped.nat):
            if (shared := overlaps.get(translated)) is not None:
                problem = (
                    f"nat {translated} of site {mapped.site.name!r} and network {shared} of site {owners[shared]!r} "
                    "overlap: an endpoint that is seen there is in the second site. Remove one of the two."
                )
                raise file.error(problem, "site", index, "nat", number)
    return SiteMap(entries)


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
    if not entry.contact.isprintable():
        raise _WrongEntryError(f"contact of site {name!r} has control characters; remove them.", "contact")
    if name.startswith(AUTOMATIC_PREFIX):
        problem = f"site {name!r}: names with {AUTOMATIC_PREFIX!r} are for automatic sites; choose another."
        raise _WrongEntryError(problem, "name")
    if entry.share is not None and entry.line_mbit is None:
        raise _WrongEntryError(f"site {name!r} has a share but no line_mbit to take it of; add line_mbit.", "share")
    if entry.line_mbit is None:
        return Site(name, Line(), entry.fetchers)
    ceiling = None if entry.share is None else line_share(entry.line_mbit, entry.share)
    return Site(name, Line(line_share(entry.line_mbit, 1.0), ceiling), entry.fetchers)


def _parse_network(text: str, site: str, key: str, number: int) -> IpNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        problem = f'site {site!r}: {text[:80]!r} is not a network; write it like "10.1.0.0/16" or "2001:db8::/48".'
        raise _WrongEntryError(problem, key, number) from None
    problem = f"site {site!r}: {text!r} is an address in {str(meant)!r}; write that, if it is meant."
    raise _WrongEntryError(problem, key, number)


def _check_distinct(nat: Sequence[IpNetwork], site: str) -> None:
    """Refuse what one list names twice: probably, another address was meant."""
    for number, network in enumerate(nat):
        for other in nat[:number]:
            if other.version == network.version and other.overlaps(network):
                raise _WrongEntryError(f"nat of site {site!r} has {other} and {network}; remove one.", "nat", number)


def _overlaps(entries: Sequence[MappedSite]) -> dict[IpNetwork, IpNetwork]:
    """Return each ``nat`` that lies in a network of some site, or holds one; with that network."""
    networks, nat = _indexes(entries)
    outer = {wider: network for entry in entries for network in entry.networks for wider in nat.around(network)}
    inner = {network: around[0] for entry in entries for network in entry.nat if (around := networks.around(network))}
    return outer | inner


def _indexes(entries: Sequence[MappedSite]) -> tuple[NetworkIndex, NetworkIndex]:
    networks, nat = NetworkIndex(), NetworkIndex()
    for order, entry in enumerate(entries):
        for network in entry.networks:
            networks.add(network, order)
        for network in entry.nat:
            nat.add(network, order)
    return networks, nat


def _check_reachable(network: IpNetwork, number: int, site: str, owners: dict[IpNetwork, str]) -> None:
    """Refuse a network that an earlier site takes whole."""
    for bits in range(network.prefixlen, -1, -1):
        wider = network_of(network.network_address, bits)
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


def _is_usable(own: IpAddress, seen: IpAddress) -> bool:
    """Whether an own address tells of a place; loopback does only where the server itself is."""
    if own.is_loopback:
        return seen.is_loopback
    return not (own.is_link_local or own.is_multicast or own.is_unspecified)
