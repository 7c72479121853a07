"""Enrol with a token for certificates.

The token carries the SHA-256 of the control CA's certificate. That certificate
is fetched from a server that is not trusted yet, must match this pin, and is
from then on the only one trusted. The token carries the SHA-256 of the TUF root
too (see `trust_root`): what may run on this PC is not for the server to say. The
private key never leaves this PC: a signed request (PKCS #10) proves its
possession. The identity is stored only after every answer has been checked.
"""

import hashlib
import ssl
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import trio
from cryptography.hazmat.primitives import serialization

from p2pdist.identity import store as identity_store
from p2pdist.identity import trust_root
from p2pdist.identity.server_answers import ask, checked_validity, wrong_answer, wrong_answers
from p2pdist.identity.server_change import own_address, store_address
from p2pdist.identity.store import Identity
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.enrolment import (
    MAX_HOSTNAME_CHARS,
    MAX_SERVER_NAME_CHARS,
    EnrolReply,
    EnrolRequest,
    Token,
    decode_token,
)
from p2pdist.trust.http_answers import HttpError, base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.tls_contexts import trusting_context, unverified_context

MAX_CA_BYTES = 16 << 10  # one certificate
ASK_AGAIN = "Then run the same command again: for this PC the token is still good, even if its reply was lost."

Anew: TypeAlias = Literal["key", "root"]
"""What an enrolled PC does not keep: with another key, it has another identity."""

log = lazy_log()


async def enrol(
    home: Path,
    token_text: str,
    *,
    hostname: str,
    now: float,
    force: bool = False,
    anew: AbstractSet[Anew] = frozenset(),
    root_pin: bytes | None = None,
    local_address: str | None = None,
) -> Identity:
    """Spend one use of a token, store the identity in ``home`` and return it.

    ``now`` is seconds since 1970; ``local_address`` is the address to connect from.
    An enrolled home is refused unless ``force``; with it, the key and so the endpoint
    id stay, and so does the TUF root, unless they are to come ``anew``. ``root_pin`` is the SHA-256
    that the root must have, where this PC knows it otherwise than from the token.
    Raises `UserError`; the home is then as it was, except that it may hold a new key,
    which the next attempt uses.
    """
    token = decode_token(token_text)
    pin = trust_root.agreed_pin(token.root_pin, root_pin)
    if not force and await trio.to_thread.run_sync(identity_store.is_enrolled, home):
        raise UserError(
            f"This PC is already enrolled in {home}. To enrol it again, with the same key, add --force; if its disk is "
            "a copy of another PC's, add --force --new-key.",
            FaultKind.BAD_INPUT,
        )
    stored = None if "root" in anew else await trio.to_thread.run_sync(_stored_root, home)
    token, control_ca = await _found(token, local_address)
    server = f"{token.address}:{token.web_port}"
    url = base_url(token.address, token.web_port)
    make = identity_store.load_or_create_next_key if "key" in anew else identity_store.load_or_create_key
    key = await trio.to_thread.run_sync(make, home)
    request = EnrolRequest(
        secret=token.secret.hex(), csr=identity_store.certificate_request(key), hostname=hostname[:MAX_HOSTNAME_CHARS]
    )
    async with HttpsClient(trusting_context(control_ca), local_address=local_address) as client:
        reply = await _asked(client, f"{url}/v1/enrol", request, server)
    identity = _identity(home, token, control_ca, key, reply, now)
    trust_root.check_pinned(identity.tuf_root, pin, server)
    if stored is not None:
        identity = replace(identity, tuf_root=await _kept_root(identity, stored, url, local_address))
    await trio.to_thread.run_sync(store_address, identity, own_address(identity))
    log.info("enrolled", endpoint_id=identity.endpoint_id, server=server)
    return identity


async def _found(token: Token, local_address: str | None) -> tuple[Token, str]:
    """Return the token with the address at which its server answers, and the authority. Raises as `enrol`.

    Where none answers, the error is that of the first: the others are for a server that moves.
    """
    problem: UserError | None = None
    for place in token.places():
        try:
            async with HttpsClient(unverified_context(), local_address=local_address) as client:
                answer = await client.get(f"{base_url(place.address, place.web_port)}/v1/ca", max_bytes=MAX_CA_BYTES)
            return place, _pinned_ca(answer.status, answer.body, place, f"{place.address}:{place.web_port}")
        except UserError as error:
            problem = problem or error
    assert problem is not None
    raise problem


async def _asked(client: HttpsClient, url: str, request: EnrolRequest, server: str) -> EnrolReply:
    """Return the server's reply. Raises as `ask`; where the reply may have been lost, the error says what to do."""
    try:
        return await ask(client, url, request, EnrolReply, server)
    except HttpError as error:
        if error.failure not in ("no_answer", "too_slow", "large_packets_lost"):
            raise
        raise UserError(f"{error.message} {ASK_AGAIN}", error.kind) from error


async def _kept_root(identity: Identity, stored: bytes, url: str, local_address: str | None) -> bytes:
    context = await trio.to_thread.run_sync(identity_store.control_ssl_context, identity)
    async with HttpsClient(context, local_address=local_address) as client:  # metadata is for members alone
        server = f"{identity.server_address}:{identity.web_port}"
        return await trust_root.successor_or_same(client, url, stored, identity.tuf_root, server)


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
        raise wrong_answer(server, f"HTTP {status} for its authority")
    try:
        certificate = parse_certificate(body)
    except ValueError as error:
        raise wrong_answer(server, "no certificate of its authority") from error
    der = certificate.public_bytes(serialization.Encoding.DER)
    if hashlib.sha256(der).digest() != token.ca_pin:
        raise UserError(
            f"The server at {server} is not the one that this token is for: its authority does not match the token. "
            "Check the address, and get a new token from 'seed-server token' on the right server.",
            FaultKind.REFUSED,
        )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()  # of a body with several, only the pinned one


def _identity(home: Path, token: Token, control_ca: str, key: str, reply: EnrolReply, now: float) -> Identity:
    server = f"{token.address}:{token.web_port}"
    with wrong_answers(server):
        if _der(reply.certificates.control_ca) != _der(control_ca):
            raise DecodeError("its authority is not the pinned one")
        not_before, not_after = checked_validity(reply.certificates, key, now)
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


def _der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)
