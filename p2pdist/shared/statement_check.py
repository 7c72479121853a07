"""Check a statement that a PC has signed (`p2pdist posture`): who made it, when, and for which question.

A statement is a compact JWS (RFC 7515) with ES256, whose header carries the control certificate of the PC (``x5c``).
That certificate proves nothing by itself, as anybody can make one: it counts because the control CA has signed it.
"""

import base64
import binascii
import datetime as dt
import enum
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from p2pdist.shared.identifiers import endpoint_id_of_public_key

MAX_STATEMENT_CHARS = 4 << 20  # 2,000 patches of under 1 kB each, in base64
CLOCK_AHEAD_SECONDS = 300.0  # how far a PC's clock may be ahead; its certificate allows as much
MAX_DETAIL_CHARS = 200  # of what a library or the statement says, in an error for people
STATEMENT_PARTS = 3  # header, statement, signature
COORDINATE_BYTES = 32  # of P-256: a signature is r and s, each of this length


class StatementFault(enum.StrEnum):
    """Why a statement is not believed: the closed list."""

    MALFORMED = "it is no statement of a PC"
    UNTRUSTED = "its certificate was not issued to a PC by this control CA, or not for that time"
    FORGED = "its signature is wrong"
    ANOTHER_PC = "it speaks of another PC than its certificate"
    STALE = "it is too old, or from the future"
    WRONG_NONCE = "it does not carry the nonce that was asked for"
    WRONG_AUDIENCE = "it is for somebody else"


class StatementError(ValueError):
    """A statement is not believed."""

    def __init__(self, fault: StatementFault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault


class Statement(msgspec.Struct, frozen=True):
    """What a PC has stated, as far as everybody needs it; the statement has more keys."""

    format: Literal[1]
    endpoint_id: str
    hostname: str
    at: int
    """When it was made, by the PC's clock: seconds since 1970."""
    compliant: bool
    problem: str
    nonce: str = ""
    audience: str = ""


class Signed(Protocol):
    """What every signed statement has."""

    @property
    def endpoint_id(self) -> str:
        """Who says it."""
        ...

    @property
    def at(self) -> int:
        """When it was made, by the PC's clock: seconds since 1970."""
        ...


SignedT = TypeVar("SignedT", bound=Signed)


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: Literal["ES256"]
    typ: Literal["JWT"]
    kid: str
    x5c: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]


def check_statement(
    jws: str, control_ca: str, now: float, *, longest_seconds: float, nonce: str = "", audience: str = ""
) -> Statement:
    """Return what ``jws`` states, once all of it has been checked. Raises `StatementError`.

    ``control_ca`` is the control CA's certificate (PEM), ``now`` in seconds since 1970, ``longest_seconds`` the age up
    to which it is believed. ``nonce`` and ``audience`` must be those that were asked for; an empty ``nonce`` accepts a
    statement that was made for another question, within its age.
    """
    statement = signed_content(jws, control_ca, Statement)
    if not -CLOCK_AHEAD_SECONDS <= now - statement.at <= longest_seconds:
        raise StatementError(StatementFault.STALE, f"{now - statement.at:.0f} s old")
    if nonce and statement.nonce != nonce:
        raise StatementError(StatementFault.WRONG_NONCE)
    if statement.audience != audience:
        raise StatementError(StatementFault.WRONG_AUDIENCE, statement.audience[:MAX_DETAIL_CHARS])
    return statement


def signed_content(jws: str, control_ca: str | None, kind: type[SignedT]) -> SignedT:
    """Return what a PC of this control CA has signed, whenever that was. Raises `StatementError`.

    None for a CA: the caller knows by itself that the PC, whose id is that of its key, was enrolled.
    """
    if len(jws) > MAX_STATEMENT_CHARS:
        raise StatementError(StatementFault.MALFORMED, f"over {MAX_STATEMENT_CHARS} characters")
    parts = jws.strip().split(".")
    if len(parts) != STATEMENT_PARTS:
        raise StatementError(StatementFault.MALFORMED, "it has not three parts with dots between them")
    head, body, signature = parts
    try:
        header = msgspec.json.decode(_unpacked(head), type=_Header)
        statement = msgspec.json.decode(_unpacked(body), type=kind)
        certificate = x509.load_der_x509_certificate(base64.b64decode(header.x5c[0], validate=True))
        key, raw = certificate.public_key(), _unpacked(signature)
    except msgspec.MsgspecError as error:
        raise StatementError(StatementFault.MALFORMED, str(error)[:MAX_DETAIL_CHARS]) from error
    except (ValueError, UnsupportedAlgorithm) as error:  # what Python says of that is not for people
        raise StatementError(StatementFault.MALFORMED, "a part of it cannot be read") from error
    if control_ca is not None:
        _check_issued(certificate, control_ca, statement.at)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StatementError(StatementFault.FORGED, "no key for ES256")
    _check_signature(key, raw, f"{head}.{body}".encode())
    public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if not statement.endpoint_id == header.kid == endpoint_id_of_public_key(public):
        raise StatementError(StatementFault.ANOTHER_PC)
    return statement


def _check_issued(certificate: x509.Certificate, control_ca: str, at: int) -> None:
    """Raise `StatementError` unless the CA has issued it to a PC (``clientAuth``), and it was valid then."""
    try:
        moment = dt.datetime.fromtimestamp(at, dt.UTC)
        authority = x509.load_pem_x509_certificate(control_ca.encode())
        verifier = PolicyBuilder().store(Store([authority])).time(moment).build_client_verifier()
        verifier.verify(certificate, [])
    except (VerificationError, ValueError, OverflowError, OSError) as error:
        raise StatementError(StatementFault.UNTRUSTED, str(error)[:MAX_DETAIL_CHARS]) from error


def _check_signature(key: ec.EllipticCurvePublicKey, raw: bytes, signed: bytes) -> None:
    if len(raw) != 2 * COORDINATE_BYTES:
        raise StatementError(StatementFault.FORGED, f"{len(raw)} bytes")
    numbers = int.from_bytes(raw[:COORDINATE_BYTES]), int.from_bytes(raw[COORDINATE_BYTES:])
    try:
        key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise StatementError(StatementFault.FORGED) from error


def _unpacked(text: str) -> bytes:
    """Return the bytes of base64url without padding. Raises `ValueError` for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
