"""The two certificate authorities: control (may talk to the server) and swarm (may exchange pieces on the LAN).

Both are ECDSA P-256, sign leaves directly (path length 0) and follow RFC 5280
closely enough for OpenSSL's strict checks. Blocking; files are read once, when
the authority is opened.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.wire.enrolment import MAX_PEM_CHARS, Certificates
from seed_server.signing.key_files import check_private, write_key_file

CA_LIFETIME_SECONDS = 10 * 365 * DAY_SECONDS  # tokens and endpoints pin it; replacing it is a project of its own
ENDPOINT_LIFETIME_SECONDS = 24 * 3_600  # for so long a stolen endpoint key is of use on the LAN
UNSURE_LIFETIME_SECONDS = 3_600  # while it is not known yet who was denied: PCs renew at half of it
SERVER_LIFETIME_SECONDS = 90 * DAY_SECONDS  # the running server issues its own anew long before
CLOCK_SKEW_SECONDS = 300  # endpoints' clocks may be this far behind

_CONTROL, _SWARM = "control-ca", "swarm-ca"
AUTHORITY_FILES = tuple(f"{name}.{kind}.pem" for name in (_CONTROL, _SWARM) for kind in ("key", "crt"))


class CertificateRequestError(ValueError):
    """A certificate request is not acceptable. The text says why, for the person at the endpoint."""


@dataclass(frozen=True)
class ServerCertificate:
    """The server's TLS identity for both ports, PEM."""

    key_pem: bytes
    certificate_pem: bytes
    expires_at: float
    """Seconds since 1970, UTC."""


class CertificateAuthority:
    """Issues certificates for endpoints and for the server itself."""

    def __init__(self, control: "_Authority", swarm: "_Authority") -> None:
        self._control = control
        self._swarm = swarm

    @classmethod
    def create(cls, directory: Path, server_name: str, now: float) -> "CertificateAuthority":
        """Create both authorities in ``directory``. Raises `UserError` (STORAGE)."""
        authorities = []
        for file_name, kind in ((_CONTROL, "control"), (_SWARM, "swarm")):
            authority = _Authority.create(f"{server_name[:40]} {kind} CA", now)
            key_path, certificate_path = _paths(directory, file_name)
            write_key_file(key_path, _private_pem(authority.key))
            try:
                certificate = authority.certificate.public_bytes(Encoding.PEM)
                durable_files.write_file(certificate_path, certificate, mode=0o644)
            except OSError as error:
                raise UserError(
                    f"Cannot write {certificate_path}: {error.strerror}. Check the disk's space and permissions.",
                    FaultKind.STORAGE,
                ) from error
            authorities.append(authority)
        return cls(*authorities)

    @classmethod
    def open(cls, directory: Path) -> "CertificateAuthority":
        """Load both authorities. Raises `UserError` (STORAGE) that names the missing or damaged file."""
        return cls(_load(directory, _CONTROL), _load(directory, _SWARM))

    @property
    def control_ca_pem(self) -> str:
        """The control CA's certificate."""
        return self._control.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def swarm_ca_pem(self) -> str:
        """The swarm CA's certificate."""
        return self._swarm.certificate.public_bytes(Encoding.PEM).decode()

    def expires_at(self) -> float:
        """Return when the first of both authorities ends, in seconds since 1970."""
        return min(one.certificate.not_valid_after_utc.timestamp() for one in (self._control, self._swarm))

    def control_ca_pin(self) -> bytes:
        """Return the SHA-256 of the control CA's certificate (DER), as tokens carry it."""
        return self._control.certificate.fingerprint(hashes.SHA256())

    def issue_endpoint_certificates(
        self, csr_pem: str, now: float, *, lifetime_seconds: int = ENDPOINT_LIFETIME_SECONDS
    ) -> tuple[EndpointId, Certificates]:
        """Return the id of the request's key and fresh certificates for it.

        Takes nothing but the public key from the request: the server sets
        subject and extensions. Raises `CertificateRequestError`.
        """
        public_key = _key_of_request(csr_pem)
        endpoint_id = _endpoint_id(public_key)
        control = self._control.issue(
            public_key,
            common_name=endpoint_id,
            names=[x509.DNSName(endpoint_id)],
            usages=[ExtendedKeyUsageOID.CLIENT_AUTH],
            now=now,
            lifetime_seconds=lifetime_seconds,
        )
        swarm = self._swarm.issue(
            public_key,
            # no endpoint id here: neighbours need not learn it, and libtorrent looks for "*" alone
            common_name="p2pdist endpoint",
            names=[x509.DNSName("*")],
            usages=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
            now=now,
            lifetime_seconds=lifetime_seconds,
        )
        return endpoint_id, Certificates(
            control_certificate=control.public_bytes(Encoding.PEM).decode(),
            swarm_certificate=swarm.public_bytes(Encoding.PEM).decode(),
            control_ca=self.control_ca_pem,
            swarm_ca=self.swarm_ca_pem,
        )

    def issue_server_certificate(self, addresses: Sequence[str], now: float) -> ServerCertificate:
        """Return a new key and a certificate of the control CA for the server under host names or IP ``addresses``."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._control.issue(
            key.public_key(),
            common_name="p2pdist seed server",
            names=[_general_name(address) for address in addresses],
            usages=[ExtendedKeyUsageOID.SERVER_AUTH],
            now=now,
            lifetime_seconds=SERVER_LIFETIME_SECONDS,
        )
        return ServerCertificate(
            key_pem=_private_pem(key),
            certificate_pem=certificate.public_bytes(Encoding.PEM),
            expires_at=certificate.not_valid_after_utc.timestamp(),
        )


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, common_name: str, now: float) -> "_Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name)
        builder = (
            _builder(name, name, key.public_key(), now, CA_LIFETIME_SECONDS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(key_cert_sign=True), critical=True)
        )
        return cls(key, builder.sign(key, hashes.SHA256()))

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        *,
        common_name: str,
        names: list[x509.GeneralName],
        usages: list[ObjectIdentifier],
        now: float,
        lifetime_seconds: float,
    ) -> x509.Certificate:
        authority_key_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        )
        builder = (
            _builder(_name(common_name), self.certificate.subject, public_key, now, lifetime_seconds)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(key_cert_sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(authority_key_id, critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def endpoint_of_request(csr_pem: str) -> EndpointId:
    """Return the id of a request's key, whose possession the request proves. Raises `CertificateRequestError`."""
    return _endpoint_id(_key_of_request(csr_pem))


def _endpoint_id(public_key: ec.EllipticCurvePublicKey) -> EndpointId:
    return endpoint_id_of_public_key(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _key_of_request(csr_pem: str) -> ec.EllipticCurvePublicKey:
    if len(csr_pem) > MAX_PEM_CHARS:
        raise CertificateRequestError(f"the certificate request is over {MAX_PEM_CHARS} characters")
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        public_key = request.public_key()
        proven = request.is_signature_valid
    except Exception as error:
        # cryptography raises a dozen types for hostile bytes, some of them no ValueError (`x509.InvalidVersion`)
        raise CertificateRequestError("the certificate request is not a readable PKCS #10 request") from error
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP256R1):
        raise CertificateRequestError("the certificate request's key is not an elliptic curve P-256 key")
    if not proven:
        raise CertificateRequestError("the certificate request is not signed by its own key")
    return public_key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: float,
    lifetime_seconds: float,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(now - CLOCK_SKEW_SECONDS))
        .not_valid_after(_moment(now + lifetime_seconds))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not key_cert_sign,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address.removesuffix("."))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _paths(directory: Path, file_name: str) -> tuple[Path, Path]:
    return directory / f"{file_name}.key.pem", directory / f"{file_name}.crt.pem"


def _load(directory: Path, file_name: str) -> _Authority:
    key_path, certificate_path = _paths(directory, file_name)
    try:
        check_private(key_path)
        key = load_pem_private_key(key_path.read_bytes(), None)
        certificate = parse_certificate(certificate_path.read_bytes())
    except OSError as error:
        raise UserError(
            f"Cannot read {error.filename}: {error.strerror}. Restore it from the backup of this server's home.",
            FaultKind.STORAGE,
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged(key_path, certificate_path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _damaged(key_path, certificate_path)
    return _Authority(key, certificate)


def _damaged(key_path: Path, certificate_path: Path) -> UserError:
    return UserError(
        f"{key_path} and {certificate_path.name} are damaged or do not belong together. Restore both from a backup.",
        FaultKind.STORAGE,
    )
