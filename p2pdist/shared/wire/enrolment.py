"""The enrolment token, and the JSON bodies of the web port's enrolment calls. Pure."""

import base64
import binascii
import hashlib
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Extensible, Record
from p2pdist.shared.wire.fields import Port

TOKEN_PREFIX = "p2pd-"  # noqa: S105 - a marker, not a secret
MAX_TOKEN_CHARS = 1_000
SECRET_BYTES = 16
MAX_TOKEN_PLACES = 7  # besides its own: all that a server may have
MAX_HOST_CHARS = 253  # the longest name in the DNS
MAX_HOSTNAME_CHARS = 255  # the longest that a system calls itself
MAX_SERVER_NAME_CHARS = 64
MAX_PEM_CHARS = 16_384
MAX_TAGS = 20  # of one PC: its kind, its branch, its ring
MAX_ENROLMENT_BODY_BYTES = 64 << 10  # two certificates, two CAs and a TUF root with several keys
_CHECKSUM_BYTES = 4

TAG_PATTERN = r"^[a-z0-9._-]{1,40}\Z"

Pem = Annotated[str, msgspec.Meta(max_length=MAX_PEM_CHARS)]
Tag = Annotated[str, msgspec.Meta(pattern=TAG_PATTERN, max_length=40)]
Tags = Annotated[tuple[Tag, ...], msgspec.Meta(max_length=MAX_TAGS)]
"""The operator's names for the PCs of one token, such as kiosk or branch-7; sorted, each once."""


Pin = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class TokenPlace(Extensible, frozen=True):
    """Another place where the server may be found."""

    address: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_HOST_CHARS)]
    web_port: Port


class Token(Extensible, frozen=True, kw_only=True):
    """The token from `seed-server token`: the server's address, two pins to recognise it by, and a secret."""

    format: Literal[2] = 2
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_HOST_CHARS)]
    web_port: Port
    ca_pin: Pin
    """SHA-256 of the control CA certificate (DER)."""
    root_pin: Pin
    """SHA-256 of version 1 of the TUF root: the server's own keys cannot replace that one."""
    secret: Annotated[bytes, msgspec.Meta(min_length=SECRET_BYTES, max_length=SECRET_BYTES)]
    others: Annotated[tuple[TokenPlace, ...], msgspec.Meta(max_length=MAX_TOKEN_PLACES)] = ()
    """Where else the server may be, while it moves. Release 0.2.0 refuses a token with it."""

    def places(self) -> "list[Token]":
        """Return a token for each place, in the order of the attempts."""
        others = [replace(self, address=one.address, web_port=one.web_port, others=()) for one in self.others]
        return [replace(self, others=()), *others]


class EnrolRequest(Extensible, frozen=True):
    """``POST /v1/enrol``: spends one use of a token."""

    secret: Annotated[str, msgspec.Meta(min_length=2 * SECRET_BYTES, max_length=2 * SECRET_BYTES)]
    """The token's secret, hexadecimal."""
    csr: Pem
    """PKCS #10 request; its signature proves possession, its subject is ignored."""
    hostname: Annotated[str, msgspec.Meta(max_length=MAX_HOSTNAME_CHARS)]


class Certificates(Extensible, frozen=True):
    """Short-lived certificates for one key: the answer to ``POST /v1/renew``, and a part of `EnrolReply`."""

    control_certificate: Pem
    """Client certificate for the origin port, SAN = endpoint id."""
    swarm_certificate: Pem
    """Certificate for the LAN swarm, SAN = ``*``."""
    control_ca: Pem
    swarm_ca: Pem


class EnrolReply(Extensible, frozen=True):
    """Answer to ``POST /v1/enrol``."""

    endpoint_id: str
    server_name: str
    origin_port: Port
    certificates: Certificates
    tuf_root: str
    """The TUF root metadata to start from, as JSON text."""
    tags: Tags = ()


class RenewRequest(Extensible, frozen=True):
    """``POST /v1/renew``: asks for new certificates for an enrolled key; the CSR's signature proves possession."""

    csr: Pem


class Problem(Extensible, frozen=True):
    """Body of every 4xx and 5xx answer."""

    error: str
    """One or two sentences for a person."""


def encode_token(token: Token) -> str:
    """Return the one string that an operator copies to a PC."""
    body = codec.encode(token)
    checksum = hashlib.sha256(body).digest()[:_CHECKSUM_BYTES]
    return TOKEN_PREFIX + base64.urlsafe_b64encode(checksum + body).decode().rstrip("=")


def decode_token(text: str) -> Token:
    """Return the token that ``text`` encodes. Raises `UserError` (`FaultKind.BAD_INPUT`)."""
    text = text.strip()
    problem = UserError(
        "This is not a whole enrolment token. Copy the complete line that 'seed-server token' printed.",
        FaultKind.BAD_INPUT,
    )
    if not text.startswith(TOKEN_PREFIX) or len(text) > MAX_TOKEN_CHARS:
        raise problem
    encoded = text.removeprefix(TOKEN_PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        checksum, body = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
    except (binascii.Error, ValueError) as error:
        raise problem from error
    if hashlib.sha256(body).digest()[:_CHECKSUM_BYTES] != checksum:
        raise problem
    try:
        token: Token = codec.decode(body, Token, max_bytes=MAX_TOKEN_CHARS)
    except DecodeError as error:
        raise UserError(
            "This enrolment token is of another version: older ones do not say which trust root to expect. "
            "Make a new one with 'seed-server token', with p2pdist and seed-server of the same version.",
            FaultKind.BAD_INPUT,
        ) from error
    return token


T = TypeVar("T")


def encode_body(value: Record) -> bytes:
    """Return ``value`` as a JSON body."""
    return msgspec.json.encode(value)


def decode_body(body: bytes, kind: type[T]) -> T:
    """Return the ``kind`` that a JSON body encodes. Raises `DecodeError`."""
    if len(body) > MAX_ENROLMENT_BODY_BYTES:
        raise DecodeError(f"{len(body)} bytes are over the cap of {MAX_ENROLMENT_BODY_BYTES}")
    try:
        return msgspec.json.decode(body, type=kind, strict=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DecodeError(str(error)) from error
