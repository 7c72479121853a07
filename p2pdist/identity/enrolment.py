"""Enrol with a token for certificates, and renew them.

The token carries the SHA-256 of the control CA's certificate. That certificate
is fetched from a server that is not trusted yet, must match this pin, and is
from then on the only one trusted. The token carries the SHA-256 of the TUF root, too
(see `trust_root`): what may run on this PC is not for the server to say. The private key never leaves this PC: a signed
request (PKCS #10) proves its possession. The identity is stored only after every
answer has been checked.
"""

import contextlib
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog
import trio
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from p2pdist.identity import store as identity_store
from p2pdist.identity import trust_root
from p2pdist.identity.store import Identity
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.enrolment import (
    MAX_ENROLMENT_BODY_BYTES,
    MAX_HOSTNAME_CHARS,
    MAX_SERVER_NAME_CHARS,
    Certificates,
    EnrolReply,
    EnrolRequest,
    Problem,
    RenewRequest,
    Token,
    decode_body,
    decode_token,
    encode_body,
)
from p2pdist.trust.https_client import HttpsClient, base_url, trusting_context, unverified_context

MAX_CA_BYTES = 16 << 10  # one certificate
MAX_PROBLEM_CHARS = 400  # a server's words on our terminal: two sentences

T = TypeVar("T", bound=Record)

log = structlog.get_logger()


async def enrol(
    home: Path,
    token_text: str,
    *,
    hostname: str,
    now: float,
    force: bool = False,
    new_root: bool = False,
    root_pin: bytes | None = None,
    local_address: str | None = None,
) -> Identity:
    """Spend one use of a token, store the identity in ``home`` and return it.

    ``now`` is seconds since 1970; ``local_address`` is the address to connect from.
    An enrolled home is refused unless ``force``; with it, the key and so the endpoint
    id stay, and so does the TUF root unless ``new_root``. ``root_pin`` is the SHA-256
    that the root must have, where this PC knows it otherwise than from the token.
    Raises `UserError`; the home is then as it was, except that it may hold a new key,
    which the next attempt uses.
    """
    token = decode_token(token_text)
    pin = trust_root.agreed_pin(token.root_pin, root_pin)
    if not force and await trio.to_thread.run_sync(identity_store.is_enrolled, home):
        raise UserError(
            f"This PC is already enrolled in {home}. To enrol it again, with the same key, add --force.",
            FaultKind.BAD_INPUT,
        )
    stored = None if new_root else await trio.to_thread.run_sync(_stored_root, home)
    server = f"{token.address}:{token.web_port}"
    url = base_url(token.address, token.web_port)
    async with HttpsClient(unverified_context(), local_address=local_address) as client:
        answer = await client.get(f"{url}/v1/ca", max_bytes=MAX_CA_BYTES)
    control_ca = _pinned_ca(answer.status, answer.body, token, server)
    key = await trio.to_thread.run_sync(identity_store.load_or_create_key, home)
    request = EnrolRequest(
        secret=token.secret.hex(), csr=identity_store.certificate_request(key), hostname=hostname[:MAX_HOSTNAME_CHARS]
    )
    async with HttpsClient(trusting_context(control_ca), local_address=local_address) as client:
        reply = await _call(client, f"{url}/v1/enrol", request, EnrolReply, server)
        root = reply.tuf_root.encode()
        trust_root.check_pinned(root, pin, server)
        if stored is not None:
            root = await trust_root.successor_or_same(client, url, stored, root, server)
    identity = replace(_identity(home, token, control_ca, key, reply, now), tuf_root=root)
    await trio.to_thread.run_sync(identity_store.save_identity, identity)
    log.info("enrolled", endpoint_id=identity.endpoint_id, server=server)
    return identity


async def renew(identity: Identity, now: float, *, local_address: str | None = None) -> Identity:
    """Fetch new certificates for the same key, store them and return the new identity.

    The CAs may have changed: their certificates come over a connection that the
    present control CA authenticates. Raises `UserError`; the stored identity is then
    as it was. `FaultKind.REFUSED` means that the server refused.
    """
    server = f"{identity.server_address}:{identity.web_port}"
    url = base_url(identity.server_address, identity.web_port)
    request = RenewRequest(csr=identity_store.certificate_request(identity.key))
    async with HttpsClient(trusting_context(identity.control_ca), local_address=local_address) as client:
        certificates = await _call(client, f"{url}/v1/renew", request, Certificates, server)
    with _wrong_answers(server):
        not_before, not_after = _checked(certificates, identity.key, now)
    renewed = replace(
        identity,
        control_certificate=certificates.control_certificate,
        swarm_certificate=certificates.swarm_certificate,
        control_ca=certificates.control_ca,
        swarm_ca=certificates.swarm_ca,
        not_before=not_before,
        not_after=not_after,
    )
    await trio.to_thread.run_sync(identity_store.save_identity, renewed)
    if (renewed.control_ca, renewed.swarm_ca) != (identity.control_ca, identity.swarm_ca):
        log.info("certificate authorities changed", server=server)
    return renewed


def _stored_root(home: Path) -> bytes | None:
    """Return the root that this PC trusts, or None when it is not enrolled or its identity is damaged."""
    try:
        return identity_store.load_identity(home).tuf_root
    except UserError as error:
        if error.kind == FaultKind.NOT_SET_UP:
            return None
        raise


def _pinned_ca(status: int, body: bytes, token: Token, server: str) -> str:
    if status != 200:
        raise _wrong_answer(server, f"HTTP {status} for its authority")
    try:
        certificate = x509.load_pem_x509_certificate(body)
    except ValueError as error:
        raise _wrong_answer(server, "no certificate of its authority") from error
    der = certificate.public_bytes(serialization.Encoding.DER)
    if hashlib.sha256(der).digest() != token.ca_pin:
        raise UserError(
            f"The server at {server} is not the one that this token is for: its authority does not match the token. "
            "Check the address, and get a new token from 'seed-server token' on the right server.",
            FaultKind.REFUSED,
        )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()  # of a body with several, only the pinned one


async def _call(client: HttpsClient, url: str, request: Record, kind: type[T], server: str) -> T:
    answer = await client.post(url, encode_body(request), max_bytes=MAX_ENROLMENT_BODY_BYTES)
    if answer.status == 200:
        with _wrong_answers(server):
            return decode_body(answer.body, kind)
    try:
        problem = decode_body(answer.body, Problem).error
    except DecodeError as error:
        raise _wrong_answer(server, f"HTTP {answer.status}") from error
    text = "".join(ch if ch.isprintable() else "?" for ch in problem[:MAX_PROBLEM_CHARS])
    refused = 400 <= answer.status < 500
    raise UserError(
        f"The seed server at {server} {'refused' if refused else 'failed'}: {text}",
        FaultKind.REFUSED if refused else FaultKind.FAILED,
    )


def _identity(home: Path, token: Token, control_ca: str, key: str, reply: EnrolReply, now: float) -> Identity:
    server = f"{token.address}:{token.web_port}"
    with _wrong_answers(server):
        if _der(reply.certificates.control_ca) != _der(control_ca):
            raise DecodeError("its authority is not the pinned one")
        not_before, not_after = _checked(reply.certificates, key, now)
        endpoint_id = identity_store.endpoint_id_of_key(key)
        if reply.endpoint_id != endpoint_id:
            raise DecodeError("the endpoint id is not that of this PC's key")
        if not reply.server_name.isprintable() or not 1 <= len(reply.server_name) <= MAX_SERVER_NAME_CHARS:
            raise DecodeError("its name is not printable")
    return Identity(
        home=home,
        endpoint_id=endpoint_id,
        server_address=token.address,
        web_port=token.web_port,
        origin_port=reply.origin_port,
        server_name=reply.server_name,
        control_certificate=reply.certificates.control_certificate,
        swarm_certificate=reply.certificates.swarm_certificate,
        control_ca=control_ca,
        swarm_ca=reply.certificates.swarm_ca,
        key=key,
        tuf_root=reply.tuf_root.encode(),
        not_before=not_before,
        not_after=not_after,
        tags=reply.tags,
    )


def _checked(certificates: Certificates, key: str, now: float) -> tuple[float, float]:
    """Return the validity of certificates that fit our key and their CAs. Raises `DecodeError`, `UserError`."""
    endpoint_id = identity_store.endpoint_id_of_key(key)
    try:
        _check_leaf(certificates.control_certificate, certificates.control_ca, endpoint_id, name=endpoint_id)
        _check_leaf(certificates.swarm_certificate, certificates.swarm_ca, endpoint_id, name="*")
        not_before, not_after = identity_store.validity(
            certificates.control_certificate, certificates.swarm_certificate
        )
    except DecodeError:
        raise
    except Exception as error:
        # cryptography raises a dozen exception types for certificates that are malformed or do not fit their issuer
        raise DecodeError(f"the certificates are not usable: {type(error).__name__}") from error
    if not not_before <= now < not_after:
        raise UserError(
            f"By this PC's clock the new certificate is {'not yet valid' if now < not_before else 'already expired'}. "
            "Check the clock of this PC, then that of the seed server, and try again.",
            FaultKind.REFUSED,
        )
    return not_before, not_after


def _check_leaf(leaf_pem: str, ca_pem: str, endpoint_id: EndpointId, *, name: str) -> None:
    leaf = x509.load_pem_x509_certificate(leaf_pem.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem.encode()))
    der = leaf.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if endpoint_id_of_public_key(der) != endpoint_id:
        raise DecodeError("a certificate is for another key")
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if alternative.get_values_for_type(x509.DNSName) != [name]:
        raise DecodeError("a certificate is for another name")


def _der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


@contextlib.contextmanager
def _wrong_answers(server: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise _wrong_answer(server, str(error)[:MAX_PROBLEM_CHARS]) from error


def _wrong_answer(server: str, detail: str) -> UserError:
    printable = "".join(ch if ch.isprintable() else "?" for ch in detail)
    return UserError(
        f"What runs at {server} does not answer like a seed server ({printable}). Check the address and the web port.",
        FaultKind.REFUSED,
    )
