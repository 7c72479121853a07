"""The torrent engine's vocabulary for the daemon: identity, snapshots, events, reasons in words. Pure."""

import errno
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.fields import MAX_PIECES, ByteCount
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

Phase: TypeAlias = Literal["checking", "downloading", "complete", "error"]

PieceOutcome: TypeAlias = Literal["stored", "had_already", "rejected", "not_stored", "undecoded"]
"""What became of a piece from the origin. `not_stored`: the fault is on this PC; `undecoded`: it was coded, and the
bytes that it needs are not here, or it was damaged."""

WASTED: frozenset[PieceOutcome] = frozenset({"had_already", "rejected", "undecoded"})
"""Those of a piece that has crossed the line in vain."""


@dataclass(frozen=True)
class SwarmIdentity:
    """The endpoint's certificate in the swarm (SAN ``*``), its key, and the swarm's CA. All PEM."""

    ca_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


class EngineError(UserError):
    """The torrent engine could not do what was asked; the text says why."""

    def __init__(self, message: str, kind: FaultKind = FaultKind.FAILED) -> None:
        super().__init__(message, kind)


MAX_ADDRESS_CHARS = 64  # the longest IPv6 text has 45, and a zone

AddressText = Annotated[str, msgspec.Meta(max_length=MAX_ADDRESS_CHARS)]
AnyPort = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
HashText = Annotated[TorrentHash, msgspec.Meta(max_length=64)]


class PeerSnapshot(Record, frozen=True):
    """One connected neighbour of a torrent. Counts are payload bytes of this connection."""

    address: AddressText
    port: AnyPort
    bytes_down: ByteCount
    bytes_up: ByteCount
    opened_here: bool = True
    """Whether this endpoint has opened the connection, and not the neighbour."""
    lacks: bool = False
    """Whether the neighbour lacks pieces."""


@dataclass(frozen=True)
class TransferSnapshot:
    """One torrent as of the last `TorrentEngine.refresh`. Counts are payload bytes since it was added."""

    torrent_hash: TorrentHash
    phase: Phase
    piece_count: int
    have: PieceSet
    """Verified pieces; empty in phase ``error``: after a failed write only the next check knows what is on disk."""
    lan_have: PieceSet
    """Pieces that connected neighbours hold; empty once this endpoint is complete."""
    bytes_from_peers: int
    """All received bytes, `bytes_wasted` included."""
    bytes_to_peers: int
    bytes_wasted: int
    """Bytes that were received twice or failed their hash."""
    progress: float
    """Share of the file's bytes that is on disk, or in phase ``checking`` has been checked; 0 to 1."""
    peers: tuple[PeerSnapshot, ...]
    fault: TransferFault | None
    """Why it has stopped, when ``phase`` is ``error``; else None."""


class TorrentCompleted(Record, frozen=True, tag=True):
    """All pieces are on disk, downloaded or found by a check."""

    torrent_hash: HashText


class TorrentFailed(Record, frozen=True, tag=True):
    """The torrent has stopped; `TorrentEngine.resume` starts it again."""

    torrent_hash: HashText
    fault: TransferFault


class TorrentDamaged(Record, frozen=True, tag=True):
    """A torrent that was complete has lost bytes on disk: it is checked again, and then fetches what is missing."""

    torrent_hash: HashText


class PieceHashFailed(Record, frozen=True, tag=True):
    """A piece that came at least in part from neighbours failed its hash; it is fetched again."""

    torrent_hash: HashText
    piece: Annotated[PieceIndex, msgspec.Meta(ge=0, lt=MAX_PIECES)]


class PeerConnected(Record, frozen=True, tag=True):
    """A neighbour has passed mutual TLS and shares this torrent; the last fields as in `PeerSnapshot`."""

    torrent_hash: HashText
    address: AddressText
    port: AnyPort
    opened_here: bool = True
    lacks: bool = False


class PeerGone(Record, frozen=True, tag=True):
    """An established connection has ended."""

    torrent_hash: HashText
    address: AddressText
    port: AnyPort
    reason: PeerReason


class PeerRefused(Record, frozen=True, tag=True):
    """A connection could not be established, in either direction.

    ``torrent_hash`` is None for an incoming connection that failed in the TLS
    handshake; ``port`` is then the remote port.
    """

    torrent_hash: HashText | None
    address: AddressText
    port: AnyPort
    reason: PeerReason


TorrentEvent: TypeAlias = TorrentCompleted | TorrentFailed | TorrentDamaged
PeerEvent: TypeAlias = PeerConnected | PeerGone | PeerRefused | PieceHashFailed
EngineEvent: TypeAlias = TorrentEvent | PeerEvent


@dataclass(frozen=True)
class EngineFailure:
    """An error code of libtorrent: category name, number, message, and the operation that failed with it."""

    category: str
    value: int
    message: str
    operation: str = ""


_BY_ERRNO = {
    errno.ECONNREFUSED: PeerReason.CONNECTION_REFUSED,
    errno.ETIMEDOUT: PeerReason.TIMED_OUT,
    errno.ENETUNREACH: PeerReason.UNREACHABLE,
    errno.EHOSTUNREACH: PeerReason.UNREACHABLE,
    errno.EADDRNOTAVAIL: PeerReason.UNREACHABLE,
    errno.EINVAL: PeerReason.UNREACHABLE,
    errno.ECONNRESET: PeerReason.CONNECTION_LOST,
    errno.EPIPE: PeerReason.CONNECTION_LOST,
}
# numbers of libtorrent's own error category (error_code.hpp), stable since 1.2
_BY_LIBTORRENT_CODE = {
    36: PeerReason.TIMED_OUT,
    37: PeerReason.BOTH_COMPLETE,
    38: PeerReason.BOTH_COMPLETE,  # it only uploads, and we need nothing
    39: PeerReason.NOT_SHARED,  # unknown info-hash
    40: PeerReason.NOT_SHARED,  # torrent paused
    47: PeerReason.ITSELF,
    49: PeerReason.TIMED_OUT,
    50: PeerReason.TIMED_OUT,
    51: PeerReason.TIMED_OUT,
    52: PeerReason.TIMED_OUT,
    79: PeerReason.DUPLICATE,
    80: PeerReason.NOT_SHARED,  # torrent removed
    90: PeerReason.OVER_CONNECTION_CAP,
    91: PeerReason.SENT_BAD_DATA,
    93: PeerReason.SENT_BAD_DATA,
    94: PeerReason.STILL_CHECKING,
    97: PeerReason.OVER_CONNECTION_CAP,
    112: PeerReason.CERTIFICATE_REFUSED,
}


_OPENSSL_REASON_MASK = (1 << 23) - 1  # the bits above name the library within OpenSSL
_OPENSSL_VERIFY_FAILED = 134
_OPENSSL_CALLBACK_FAILED = 234
_OPENSSL_ALERT = 1_000  # plus the number of the alert that the other side sent
_ALERT_UNRECOGNIZED_NAME = 112
# RFC 8446, section 6.2: handshake failure, the certificate's faults, access denied, internal error (a wrong name)
_ALERTS_ON_CERTIFICATE = frozenset({40, 42, 43, 44, 45, 46, 48, 49, 80, 116})


def peer_reason(failure: EngineFailure) -> PeerReason:
    """Return why a connection ended, or could not be established, given libtorrent's error code."""
    if failure.category == "libtorrent":
        return _BY_LIBTORRENT_CODE.get(failure.value, PeerReason.OTHER)
    if failure.category == "asio.ssl":
        return _tls_reason(failure.value & _OPENSSL_REASON_MASK)
    if failure.category == "system" and failure.value in _BY_ERRNO:
        return _BY_ERRNO[failure.value]
    if failure.operation == "ssl_handshake":
        return PeerReason.TLS_FAILED
    return PeerReason.CONNECTION_LOST


def _tls_reason(openssl_reason: int) -> PeerReason:
    if openssl_reason == _OPENSSL_VERIFY_FAILED:
        return PeerReason.CERTIFICATE_REFUSED
    if openssl_reason in (_OPENSSL_CALLBACK_FAILED, _OPENSSL_ALERT + _ALERT_UNRECOGNIZED_NAME):
        return PeerReason.NOT_SHARED  # the name in the handshake is the torrent's hash
    if openssl_reason - _OPENSSL_ALERT in _ALERTS_ON_CERTIFICATE:
        return PeerReason.REFUSED_OUR_CERTIFICATE
    return PeerReason.TLS_FAILED


def disk_fault(failure: EngineFailure, path: str) -> TransferFault:
    """Return what a failed file operation means."""
    kind = TransferFaultKind.DISK_FULL
    if failure.value == errno.ENOSPC:
        return TransferFault(
            kind, f"The disk is full: {path} cannot grow. Free some space; what is there already is kept."
        )
    if failure.value == errno.EDQUOT:
        return TransferFault(kind, f"The disk quota is used up: {path} cannot grow. Raise it or free some space.")
    return TransferFault(
        TransferFaultKind.DISK,
        f"This PC's disk failed at {path}: {failure.message}. Check the disk and the file's permissions.",
    )
