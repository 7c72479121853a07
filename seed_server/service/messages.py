"""Every message between the server's processes, with the cap of every field. Pure.

All are of one release. What they say is checked all the same: one that has gone wrong must not make others go wrong.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.enrolment import Pem
from p2pdist.shared.wire.fields import ByteCount, EndpointIdText, Text
from seed_server.settings.server_toml import ServerSettings

MAX_LINK_MESSAGE_BYTES = 64 << 10  # three PEM texts
MAX_BEGIN_BYTES = 64 << 10  # a path and all settings, as in `server.toml`
MAX_LISTENING = 16  # sockets of a port: one for each address family
MAX_PART_FAULT_CHARS = 4_000  # words for the operator
MAX_SEEN_ADDRESS_CHARS = 64  # the longest IPv6 text, with the name of a link

PartName: TypeAlias = Literal["web", "origin", "api"]
Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
SeenAddress = Annotated[str, msgspec.Meta(min_length=2, max_length=MAX_SEEN_ADDRESS_CHARS)]


# --- between a part and its parent ------------------------------------------------------

CONNECTION, STOP, ANSWER = b"c", b"s", b"a"
"""What the parent tells a part after `Begin`, a byte each: here is a connection to the other part; end in order; say
`PartAnswers`."""


class Begin(Record, frozen=True):
    """The first message to a part. The settings are the parent's: they are the same for both, whenever one starts."""

    home: Annotated[str, msgspec.Meta(max_length=MAX_BEGIN_BYTES)]
    settings: ServerSettings
    listening: Annotated[tuple[int, ...], msgspec.Meta(max_length=MAX_LISTENING)]
    """The descriptors of its port's sockets, which it has inherited."""


class PartMessageToParent(Record, frozen=True, tag_field="t", tag=True):
    """Base of what a part tells its parent."""


class PartServes(PartMessageToParent, frozen=True):
    """Its port answers."""


class PartFails(PartMessageToParent, frozen=True):
    """It ends, and says why."""

    kind: FaultKind
    text: Annotated[str, msgspec.Meta(max_length=MAX_PART_FAULT_CHARS)]


class PartAnswers(PartMessageToParent, frozen=True):
    """It was asked to say this, and does not hang."""


ToParent: TypeAlias = PartServes | PartFails | PartAnswers


# --- between the two parts --------------------------------------------------------------


class LinkMessage(Record, frozen=True, tag_field="t", tag=True):
    """Base of what the parts tell each other."""


class UseCertificate(LinkMessage, frozen=True):
    """web → origin, first and whenever it is renewed: what to show to endpoints, and by whom theirs are signed. PEM."""

    control_ca: Pem
    certificate: Pem
    key: Pem
    expires_at: Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]


class WantTurn(LinkMessage, frozen=True):
    """web → origin: a part of an answer is to go to ``address``. Answered by `Turn` when it may."""

    call: Number
    address: SeenAddress
    endpoint: EndpointIdText
    rank: Number
    begun: Number | None
    """The place of the answer in the order, from the `Turn` of its part before; None: this is its first."""
    count: Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]
    """Bytes that are there to be sent."""


class NoTurn(LinkMessage, frozen=True):
    """web → origin: nobody waits for this turn any longer."""

    call: Number


class Turn(LinkMessage, frozen=True):
    """origin → web: so many bytes may go now, and count as sent."""

    call: Number
    begun: Number
    count: Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]


class SmallAnswer(LinkMessage, frozen=True):
    """web → origin: so many bytes went to ``address`` without waiting."""

    address: SeenAddress
    count: ByteCount


class Handshake(LinkMessage, frozen=True):
    """web → origin: something was said to whoever connects from ``address``."""

    address: SeenAddress


class KnownAddress(LinkMessage, frozen=True):
    """Both ways: an enrolled endpoint has shown its certificate from ``address``."""

    address: SeenAddress


class BudgetSpent(LinkMessage, frozen=True):
    """Both ways: an endpoint has fetched so much."""

    endpoint: EndpointIdText
    count: ByteCount


class TrustHeard(LinkMessage, frozen=True):
    """origin → web: how many PCs have told which signed versions they trust, since the start."""

    told: Number
    newer: Number
    """Of them, those that trust newer ones than this server has."""


class HandedInFiles(LinkMessage, frozen=True):
    """origin → web: PCs have handed in signed files that are newer: adopt them."""


class UnknownPc(LinkMessage, frozen=True):
    """origin → web: a PC that is not enrolled has shown a good certificate, of after the backup."""

    endpoint: EndpointIdText
    hostname: Text
    address: SeenAddress
    issued_at: Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]
    """When the certificate was issued, in seconds since 1970."""


FromWebPart: TypeAlias = UseCertificate | WantTurn | NoTurn | SmallAnswer | Handshake | KnownAddress | BudgetSpent
FromOriginPart: TypeAlias = Turn | KnownAddress | BudgetSpent | TrustHeard | HandedInFiles | UnknownPc


def decode_from_web_part(body: bytes) -> FromWebPart:
    """Return a message of the web part. Raises `DecodeError`."""
    return codec.decode(body, FromWebPart, max_bytes=MAX_LINK_MESSAGE_BYTES)


def decode_from_origin_part(body: bytes) -> FromOriginPart:
    """Return a message of the origin part. Raises `DecodeError`."""
    return codec.decode(body, FromOriginPart, max_bytes=MAX_LINK_MESSAGE_BYTES)


def decode_to_parent(body: bytes) -> ToParent:
    """Return a message of a part to its parent. Raises `DecodeError`."""
    return codec.decode(body, ToParent, max_bytes=MAX_LINK_MESSAGE_BYTES)


def decode_begin(body: bytes) -> Begin:
    """Return the parent's first message. Raises `DecodeError`."""
    return codec.decode(body, Begin, max_bytes=MAX_BEGIN_BYTES)
