"""PCs that are enrolled all at once: certificates from the server's own authority, rows in its state. Blocking."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome

LAN_PORTS = range(20_000, 60_000)


class Pc(msgspec.Struct, frozen=True):
    """One enrolled PC."""

    number: int
    endpoint: str
    address: str
    """Where the server sees it; all PCs of a site share it, as behind a router."""
    lan_port: int
    chain_pem: bytes = b""
    """Its certificate and its key; empty where it plays frames alone."""


def site_addresses(network: str, sites: int) -> list[str]:
    """Return an address of loopback for each site; ``network`` is the first of as many /24 as that takes: "127.0.48".

    Raises `ValueError` where the last byte but one would overflow.
    """
    first, third = network.rsplit(".", 1)
    found = [f"{first}.{int(third) + k // 250}.{1 + k % 250}" for k in range(sites)]
    if int(third) + (sites - 1) // 250 > 255:
        raise ValueError(f"{sites} sites do not fit above {network}")
    return found


def site_map(addresses: list[str]) -> str:
    """Return the text of a ``sites.toml``: a site for each address."""
    return "".join(
        f'[[site]]\nname = "branch-{k:04}"\nnetworks = ["{address}/32"]\n' for k, address in enumerate(addresses)
    )


def enrol_all(home: ServerHome, addresses: list[str], count: int, *, certificates: int) -> list[Pc]:
    """Enrol ``count`` PCs at the sites in turn, and give the first ``certificates`` of them what TLS needs.

    Certificates count: each takes a millisecond. PCs without one have an id of the right form, and no key.
    """
    authority, now = CertificateAuthority.open(home.ca), time.time()
    pcs = list(_made(authority, addresses, count, certificates, now))
    with Context(home).database() as database, database.batch():
        for pc in pcs:
            database.add_endpoint(pc.endpoint, f"pc-{pc.number:05}", now)
    return pcs


def _made(
    authority: CertificateAuthority, addresses: list[str], count: int, certificates: int, now: float
) -> Iterator[Pc]:
    for number in range(count):
        site, place = number % len(addresses), number // len(addresses)
        endpoint, chain = _issued(authority, now) if number < certificates else (made_up_id(number), b"")
        yield Pc(number, endpoint, addresses[site], LAN_PORTS[place % len(LAN_PORTS)], chain)


def made_up_id(number: int) -> str:
    """Return an endpoint id that no key has."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    digits = [letters[(number >> shift) & 31] for shift in range(0, 40, 5)]
    return "".join(digits) + "q" * 18


def _issued(authority: CertificateAuthority, now: float) -> tuple[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    endpoint, issued = authority.issue_endpoint_certificates(csr.public_bytes(Encoding.PEM).decode(), now)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return endpoint, issued.control_certificate.encode() + b"\n" + key_pem


def control_ca_pem(home: ServerHome) -> str:
    """Return the authority that a PC trusts."""
    return CertificateAuthority.open(home.ca).control_ca_pem


def written(path: Path, value: object) -> Path:
    """Write a value for another process of ours, and return where."""
    path.write_bytes(msgspec.msgpack.encode(value))
    path.chmod(0o600)
    return path
