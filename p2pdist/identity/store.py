"""Load and store this endpoint's identity: its key, its certificates, its server. Blocking.

The directory ``home/identity`` is readable by its owner alone and holds two files.
``key.pem`` is written once and never sent anywhere. ``identity.json`` holds
everything else, so that a crash never leaves one certificate new and the other old.
An endpoint is enrolled exactly when ``identity.json`` exists.
"""

import contextlib
import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import read_capped
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key, parse_endpoint_id
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.named_memory import named_memory
from p2pdist.shared.ownership import distrust
from p2pdist.shared.private_directory import make_private
from p2pdist.shared.wire.codec import DecodeError, KeptState
from p2pdist.shared.wire.enrolment import Pem, Tags
from p2pdist.trust.files import storage_errors
from p2pdist.trust.tls_contexts import trusting_context

MAX_IDENTITY_BYTES = 1 << 20  # four certificates and a TUF root with several keys, base64
MAX_KEY_BYTES = 8 << 10
_TEMPORARY_PREFIX = "chain-"

log = lazy_log()


@dataclass(frozen=True)
class Identity:
    """An enrolled endpoint. Certificates and key are PEM text; times are seconds since 1970, UTC."""

    home: Path
    endpoint_id: EndpointId
    server_address: str
    web_port: int
    origin_port: int
    server_name: str
    control_certificate: str
    swarm_certificate: str
    control_ca: str
    swarm_ca: str
    key: str
    tuf_root: bytes
    not_before: float
    """The time from which both certificates are valid."""
    not_after: float
    """The time until which both certificates are valid."""
    tags: tuple[str, ...] = ()
    """The tags of the token that the endpoint was enrolled with."""


class _Stored(KeptState, frozen=True):
    format: Literal[1]
    endpoint_id: Annotated[str, msgspec.Meta(max_length=64)]
    server_address: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    web_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    origin_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    server_name: Annotated[str, msgspec.Meta(max_length=64)]
    control_certificate: Pem
    swarm_certificate: Pem
    control_ca: Pem
    swarm_ca: Pem
    tuf_root: bytes
    tags: Tags = ()


def is_enrolled(home: Path) -> bool:
    """Return whether ``home`` holds an identity, whole or damaged."""
    return _identity_path(home).exists()


def load_identity(home: Path) -> Identity:
    """Return the identity in ``home``, and close its key to others.

    Raises `UserError`: `FaultKind.NOT_SET_UP` when the PC is not enrolled or its
    identity is damaged, `FaultKind.STORAGE` when it cannot be read,
    `FaultKind.REFUSED` for a key that somebody else could have written.
    """
    with storage_errors(home):
        if _identity_path(home).exists():
            with contextlib.suppress(FileNotFoundError):
                _close_key(_key_path(home))
        identity = read_identity(home)
        for leftover in _directory(home).glob(f"{_TEMPORARY_PREFIX}*"):  # by a process that was killed
            leftover.unlink(missing_ok=True)
        return identity


def read_identity(home: Path) -> Identity:
    """Return the identity in ``home``, and change nothing there. Raises as `load_identity`, but never `REFUSED`."""
    with storage_errors(home):
        try:
            stored = msgspec.json.decode(
                read_capped(_identity_path(home), MAX_IDENTITY_BYTES), type=_Stored, strict=True
            )
            return _identity(home, stored, read_capped(_key_path(home), MAX_KEY_BYTES).decode())
        except FileNotFoundError as error:
            raise UserError(
                f"This PC is not enrolled in {home}. Run 'p2pdist enrol' with a token from 'seed-server token'.",
                FaultKind.NOT_SET_UP,
            ) from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise UserError(
                f"The identity in {home} is damaged. Enrol this PC again with 'p2pdist enrol --force' and a new token.",
                FaultKind.NOT_SET_UP,
            ) from error


def save_identity(identity: Identity) -> None:
    """Store ``identity`` atomically, for `load_identity` to return. Raises `UserError` (`FaultKind.STORAGE`)."""
    names = [name for name in _Stored.__struct_fields__ if name != "format"]
    stored = _Stored(format=1, **{name: getattr(identity, name) for name in names})
    with storage_errors(identity.home):
        _make_private_directory(identity.home)
        if _read_key(_key_path(identity.home)) != identity.key:
            durable_files.write_file(_key_path(identity.home), identity.key.encode(), mode=0o600)
        durable_files.write_file(_identity_path(identity.home), msgspec.json.encode(stored), mode=0o600)
        _next_key_path(identity.home).unlink(missing_ok=True)


def load_or_create_key(home: Path) -> str:
    """Return the endpoint's private key (PEM). Make and store a new one when there is none or it is damaged.

    A failed enrolment may leave a key; the next one uses it. A key alone does not make a PC enrolled.
    """
    with storage_errors(home):
        _make_private_directory(home)
        return _stored_or_new(_key_path(home))


def load_or_create_next_key(home: Path) -> str:
    """Return a key (PEM) for another identity than the present one; `save_identity` puts it into its place.

    It is stored, so that an enrolment whose reply is lost can be repeated with the same key.
    """
    with storage_errors(home):
        _make_private_directory(home)
        return _stored_or_new(_next_key_path(home))


def _stored_or_new(path: Path) -> str:
    stored = _read_key(path)
    if stored is not None:
        with contextlib.suppress(ValueError):
            _private_key(stored)
            return stored
    key = new_key()
    durable_files.write_file(path, key.encode(), mode=0o600)
    return key


def new_key() -> str:
    """Return a new EC P-256 private key as PEM."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def endpoint_id_of_key(key: str) -> EndpointId:
    """Return the endpoint id of a private key (PEM). Raises `ValueError` when it is not an EC P-256 key."""
    return endpoint_id_of_public_key(_public_der(_private_key(key)))


def certificate_request(key: str) -> str:
    """Return a certificate request (PKCS #10, PEM) that proves possession of ``key`` without containing it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, endpoint_id_of_key(key))])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(_private_key(key), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def renewal_due(identity: Identity, now: float) -> bool:
    """Return whether the certificates have reached half of their life."""
    return now >= (identity.not_before + identity.not_after) / 2


def control_ssl_context(identity: Identity) -> ssl.SSLContext:
    """Return the client context for the origin port: TLS 1.3, our certificate, and trust in the control CA alone.

    The server's name is checked too: connect with ``server_hostname=identity.server_address``.
    Raises `UserError` (`FaultKind.STORAGE`).
    """
    context = trusting_context(identity.control_ca)
    # OpenSSL loads a chain only from a file; the key in the home may still be that of another identity
    shown = f"{identity.control_certificate}\n{identity.key}".encode()
    with (
        storage_errors(identity.home),
        named_memory(shown, directory=_directory(identity.home), prefix=_TEMPORARY_PREFIX) as name,
    ):
        try:
            context.load_cert_chain(name)
        except ssl.SSLError as error:  # an OSError, but not a fault of the disk
            raise UserError(
                f"The key and the certificate in {identity.home} do not belong together. Enrol this PC again with "
                "'p2pdist enrol --force' and a new token.",
                FaultKind.NOT_SET_UP,
            ) from error
    return context


def validity(control_certificate: str, swarm_certificate: str) -> tuple[float, float]:
    """Return the start and the end of the time in which both certificates (PEM) are valid.

    Raises `ValueError` for anything but certificates.
    """
    loaded = [parse_certificate(pem.encode()) for pem in (control_certificate, swarm_certificate)]
    return (
        max(certificate.not_valid_before_utc.timestamp() for certificate in loaded),
        min(certificate.not_valid_after_utc.timestamp() for certificate in loaded),
    )


def _identity(home: Path, stored: _Stored, key: str) -> Identity:
    endpoint_id = parse_endpoint_id(stored.endpoint_id)
    if endpoint_id_of_key(key) != endpoint_id:
        raise DecodeError("the key is another endpoint's")
    control = parse_certificate(stored.control_certificate.encode())
    if endpoint_id_of_public_key(_public_der(control)) != endpoint_id:
        raise DecodeError("the certificate is another endpoint's")
    not_before, not_after = validity(stored.control_certificate, stored.swarm_certificate)
    return Identity(
        home=home,
        endpoint_id=endpoint_id,
        server_address=stored.server_address,
        web_port=stored.web_port,
        origin_port=stored.origin_port,
        server_name=stored.server_name,
        control_certificate=stored.control_certificate,
        swarm_certificate=stored.swarm_certificate,
        control_ca=stored.control_ca,
        swarm_ca=stored.swarm_ca,
        key=key,
        tuf_root=stored.tuf_root,
        not_before=not_before,
        not_after=not_after,
        tags=stored.tags,
    )


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # encrypted, or of no kind that we make
        raise ValueError("the key needs a passphrase, or is of another kind") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not an EC P-256 key")  # noqa: TRY004 - a bad value from outside, not a programming error
    return key


def _public_der(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    return holder.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read_key(path: Path) -> str | None:
    try:
        _close_key(path)
        return read_capped(path, MAX_KEY_BYTES).decode()
    except (FileNotFoundError, ValueError):
        return None


def _close_key(path: Path) -> None:
    """Close the key's file to others. Raises `UserError` (REFUSED) for one that somebody else could have written."""
    status = path.lstat()
    problem = distrust(path, status)
    if problem is not None:
        raise UserError(
            f"The private key is not safe: {problem}. If somebody may have changed it, remove it instead, and enrol "
            "this PC again with 'p2pdist enrol --force' and a new token.",
            FaultKind.REFUSED,
        )
    if os.name != "nt" and stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o600)
        log.warning(
            "the private key could be read by others; it is closed to them now. Where that was possible, deny this "
            "endpoint and enrol it again",
            path=str(path),
        )


def _make_private_directory(home: Path) -> None:
    make_private(home)
    durable_files.make_directory(_directory(home), mode=0o700)
    _directory(home).chmod(0o700)


def _directory(home: Path) -> Path:
    return home / "identity"


def _identity_path(home: Path) -> Path:
    return _directory(home) / "identity.json"


def _key_path(home: Path) -> Path:
    return _directory(home) / "key.pem"


def _next_key_path(home: Path) -> Path:
    return _directory(home) / "next-key.pem"
