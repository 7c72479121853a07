"""A known neighbour: where it is announced, and its connections with this endpoint. Pure."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.identifiers import (
    EndpointId,
    InvalidIdentifierError,
    TorrentHash,
    parse_endpoint_id,
    parse_ip_address,
)
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.fields import LEAST_LAN_PORT, Address, Port
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

Source: TypeAlias = Literal["mdns", "server"]
ShortTag = Annotated[str, msgspec.Meta(max_length=64)]


class Announcement(Record, frozen=True):
    """What an endpoint tells its neighbours. Unproven until TLS."""

    endpoint_id: EndpointId
    address: Address
    port: Port
    swarm_tag: ShortTag
    """Short name of the swarm CA: an endpoint of another swarm is not tried."""
    site_tag: ShortTag
    """Short name of the site; empty while unknown."""


@dataclass
class PeerLink:
    """The connection with one neighbour for one torrent, or why there is none."""

    connected_to: str | None = None
    """Address of the open connection; the hints may name another one by now."""
    opened_here: bool = False
    """Whether this endpoint has opened that connection."""
    trying: bool = False
    reason: PeerReason = PeerReason.NOT_TRIED
    failures: int = 0
    tried_at: float | None = None
    next_attempt_at: float = 0.0
    changed_at: float = 0.0

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self.connected_to is not None

    def is_opening(self, now: float) -> bool:
        """Whether a connection is being opened."""
        return self.trying and now < self.next_attempt_at

    def set_reason(self, reason: PeerReason, now: float) -> None:
        """Note why there is no connection."""
        self.reason = reason
        self.changed_at = now


@dataclass
class KnownPeer:
    """A neighbour that somebody has announced."""

    endpoint_id: EndpointId
    order: bytes
    """Among the neighbours of this endpoint."""
    place: int
    hints: dict[Source, Announcement] = field(default_factory=dict)
    last_hint: Announcement | None = None
    gone_at: float | None = None
    turn: int = 0
    """Counts attempts: picks the next address where the sources name different ones."""
    links: dict[TorrentHash, PeerLink] = field(default_factory=dict)

    @property
    def connected(self) -> bool:
        """Whether there is a connection for any torrent."""
        return any(link.connected for link in self.links.values())

    @property
    def failures(self) -> int:
        """How often one of its connections has failed in a row."""
        return max((link.failures for link in self.links.values()), default=0)

    def addresses(self) -> list[tuple[str, int]]:
        """Distinct addresses and ports; the one from mDNS is first, for it was heard on this very network."""
        return list(dict.fromkeys((h.address, h.port) for s in ("mdns", "server") if (h := self.hints.get(s))))

    def is_linked(self, torrent_hash: TorrentHash, now: float) -> bool:
        """Whether a connection for this torrent is there, or being opened."""
        link = self.links.get(torrent_hash)
        return link is not None and (link.connected or link.is_opening(now))

    def current(self) -> tuple[str, int]:
        """Return the address and port to connect to next."""
        addresses = self.addresses()
        if addresses:
            return addresses[self.turn % len(addresses)]
        assert self.last_hint is not None
        return self.last_hint.address, self.last_hint.port


def checked(hint: Announcement) -> Announcement | None:
    """Return the hint in normal form, or None when it is malformed."""
    try:
        endpoint_id = parse_endpoint_id(hint.endpoint_id)
        address = parse_ip_address(hint.address)
    except InvalidIdentifierError:
        return None
    if not LEAST_LAN_PORT <= hint.port <= 65_535:
        return None
    return Announcement(endpoint_id, address, hint.port, hint.swarm_tag, hint.site_tag)
