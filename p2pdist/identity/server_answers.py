"""Read what the seed server answers to an enrolment or a renewal: strictly, for it may be hostile.

Every refusal is a `UserError` that says whose fault it is.
"""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from p2pdist.identity import store as identity_store
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire.codec import DecodeError, Extensible
from p2pdist.shared.wire.enrolment import MAX_ENROLMENT_BODY_BYTES, Certificates, Problem, decode_body, encode_body
from p2pdist.trust.http_answers import Http

MAX_PROBLEM_CHARS = 400  # a server's words on our terminal: two sentences

T = TypeVar("T", bound=Extensible)


async def ask(http: Http, url: str, request: Extensible, kind: type[T], server: str) -> T:
    """POST ``request`` and return the answer, of type ``kind``. Raises `UserError`, with the server's own words."""
    answer = await http.post(url, encode_body(request), max_bytes=MAX_ENROLMENT_BODY_BYTES)
    if answer.status == 200:
        with wrong_answers(server):
            return decode_body(answer.body, kind)
    try:
        problem = decode_body(answer.body, Problem).error
    except DecodeError as error:
        raise wrong_answer(server, f"HTTP {answer.status}") from error
    text = printable(problem[:MAX_PROBLEM_CHARS])
    refused = 400 <= answer.status < 500
    raise UserError(
        f"The seed server at {server} {'refused' if refused else 'failed'}: {text}",
        FaultKind.REFUSED if refused else FaultKind.FAILED,
    )


def checked_validity(certificates: Certificates, key: str, now: float) -> tuple[float, float]:
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
    leaf = parse_certificate(leaf_pem.encode())
    leaf.verify_directly_issued_by(parse_certificate(ca_pem.encode()))
    der = leaf.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if endpoint_id_of_public_key(der) != endpoint_id:
        raise DecodeError("a certificate is for another key")
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if alternative.get_values_for_type(x509.DNSName) != [name]:
        raise DecodeError("a certificate is for another name")


@contextlib.contextmanager
def wrong_answers(server: str) -> Iterator[None]:
    """Turn each `ValueError` of the block into a `UserError`: the server's answer is not usable."""
    try:
        yield
    except ValueError as error:
        raise wrong_answer(server, str(error)[:MAX_PROBLEM_CHARS]) from error


def wrong_answer(server: str, detail: str) -> UserError:
    """Return the error that what runs at ``server`` is no seed server."""
    return UserError(
        f"What runs at {server} does not answer like a seed server ({printable(detail)}). "
        "Check the address and the web port.",
        FaultKind.REFUSED,
    )
