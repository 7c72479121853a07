"""Looks at the server's own ports, from this machine, and at the way to its identity provider. Nothing is sent."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.server_address import ServerAddress, is_ip_address
from seed_server.doctor.facts import ListedAddress, ProviderFacts, ServedPort
from seed_server.settings.server_toml import ServerSettings, listen_addresses

ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to reach who listens so
PROVIDER_PROXIES = ("https_proxy", "all_proxy")
HTTPS_PORT, PROXY_PORT = 443, 8080


@dataclass(frozen=True, slots=True)
class LookSeconds:
    """How long each look may take."""

    connect: float = 3.0
    """To a port of this machine."""
    handshake: float = 10.0
    """As long as the server itself gives to one."""
    provider: float = 7.0
    """The kernel repeats a SYN after 1 s, then after 2 more, then after 4."""
    disk: float = 20.0
    """For files and database, in which a large fleet is counted."""


async def look_at_port(settings: ServerSettings, port: int, authority_pem: str, seconds: LookSeconds) -> ServedPort:
    """Connect to a port where the server listens, and look at the certificate that is shown there."""
    addresses = [ALL_INTERFACES.get(address, address) for address in listen_addresses(settings)]
    found = [await _look(address, port, settings.address, authority_pem, seconds) for address in addresses]
    ranks = ("ours", "foreign", "silent", "refused")
    # a machine without IPv6 refuses there, and that is no fault
    return min(found, key=lambda one: ranks.index(one.state))


async def look_at_api(settings: ServerSettings, authority_pem: str, own: bytes, seconds: LookSeconds) -> ServedPort:
    """Connect to the API's port; ``own``: the certificate that it is to show, DER, empty: one of the authority's."""
    address = ALL_INTERFACES.get(settings.api_address, settings.api_address)
    return await _look(address, settings.api_port, settings.address, authority_pem, seconds, own=own)


async def look_at_listed(
    addresses: Sequence[ServerAddress], authority_pem: str, seconds: LookSeconds
) -> list[ListedAddress]:
    """Connect to both ports of each address, all side by side, as a PC would that was told it."""
    found: dict[tuple[ServerAddress, int], ServedPort] = {}

    async def look(address: ServerAddress, port: int) -> None:
        found[address, port] = await _look(address.host, port, address.host, authority_pem, seconds)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            for port in (address.web_port, address.origin_port):
                nursery.start_soon(look, address, port)
    return [ListedAddress(str(one), (found[one, one.web_port], found[one, one.origin_port])) for one in addresses]


async def _look(
    address: str, port: int, name: str, authority_pem: str, seconds: LookSeconds, *, own: bytes = b""
) -> ServedPort:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        with trio.fail_after(seconds.connect):
            tcp = await trio.open_tcp_stream(address, port)
    except trio.TooSlowError:
        return ServedPort(place, "silent")
    except OSError:
        return ServedPort(place, "refused")
    async with tcp:
        stream = trio.SSLStream(tcp, _any_certificate(), server_hostname=name)
        try:
            with trio.fail_after(seconds.handshake):
                await stream.do_handshake()
        except trio.TooSlowError:
            return ServedPort(place, "silent")
        except (trio.BrokenResourceError, ssl.SSLError):
            return ServedPort(place, "foreign")
        der = stream.getpeercert(binary_form=True)
    return shown(place, der, name, authority_pem, own=own)


def _any_certificate() -> ssl.SSLContext:
    """Return a context that takes any: what is shown is looked at here, also where it has expired."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown(place: str, der: bytes | None, name: str, authority_pem: str, *, own: bytes = b"") -> ServedPort:
    """Return what a certificate says, DER, that was shown at ``place``.

    It is of this server where its authority has signed it, or where it is ``own``.
    """
    try:
        certificate = x509.load_der_x509_certificate(der or b"")
        if not own or der != own:
            certificate.verify_directly_issued_by(parse_certificate(authority_pem.encode()))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return ServedPort(place, "foreign")
    kind = x509.IPAddress if is_ip_address(name) else x509.DNSName
    listed = {str(one) for one in names.get_values_for_type(kind)}
    return ServedPort(
        place,
        "ours",
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        name.removesuffix(".") in listed,
    )


async def look_at_provider(
    settings: ServerSettings, environment: Mapping[str, str], seconds: LookSeconds
) -> ProviderFacts | None:
    """Connect to the identity provider, or to the proxy that leads there, and say nothing; None: none is named."""
    if settings.oidc is None:
        return None
    issuer = urlsplit(settings.oidc.issuer)
    host = issuer.hostname or ""
    proxy = _proxy(environment, host)
    place = urlsplit(proxy if "//" in proxy else f"//{proxy}") if proxy else issuer
    port = place.port or (PROXY_PORT if proxy else HTTPS_PORT)
    try:
        with trio.fail_after(seconds.provider):
            stream = await trio.open_tcp_stream(place.hostname or "", port)
        await trio.aclose_forcefully(stream)
    except (OSError, trio.TooSlowError, ValueError):
        return ProviderFacts(f"{place.hostname}:{port}", bool(proxy), False)
    return ProviderFacts(f"{place.hostname}:{port}", bool(proxy), True)


def _proxy(environment: Mapping[str, str], host: str) -> str:
    values = {name.lower(): value for name, value in environment.items() if value}
    excepted = [one.strip().lstrip(".") for one in values.get("no_proxy", "").split(",") if one.strip()]
    if any(one in {"*", host} or host.endswith(f".{one}") for one in excepted):
        return ""
    return next((values[name] for name in PROVIDER_PROXIES if name in values), "")
