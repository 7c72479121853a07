"""The known neighbours, and when to connect to which of them. Pure.

Hints come from mDNS and from the server's site list. Anybody on the LAN can
send mDNS, so its hints are capped and prove nothing: mutual TLS decides. The
book merges hints by endpoint id, and keeps a link for each (neighbour, torrent).

Every endpoint that misses pieces connects. When two connect to each other in the
same moment, the engines drop one of the two connections, or both. The endpoint
with the lower id then waits half as long, so that it does not happen again.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from p2pdist.neighbours.few_pieces import in_order, place_of, spare_links
from p2pdist.neighbours.known_peer import Announcement, KnownPeer, PeerLink, Source, checked
from p2pdist.neighbours.retries import pause_seconds
from p2pdist.shared.identifiers import (
    EndpointId,
    TorrentHash,
)
from p2pdist.shared.wire.fields import FEW_PIECES, MAX_SITE_PEERS
from p2pdist.shared.wire.messages import Holders, SitePeers
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

MAX_MDNS_PEERS = 200  # a LAN segment is smaller
MAX_IDS_PER_ADDRESS = 4  # tests run several daemons on one PC; more than this is somebody making up names
MAX_LINKS_PER_TORRENT = 40  # more neighbours at once bring a LAN swarm no speed, only memory and handshakes
MAX_LINKS_OF_ALL = 128  # of all torrents, opened by this endpoint; the engine has room for as many from neighbours
# … and for these: whatever less urgent torrents have, the first ones open so many each, which is enough to spread
MAX_LINKS_TO_HOLDERS = 32  # … and so many more to those that have what is missing here, as the server says
FIRST_TORRENTS, LINKS_OF_FIRST = 8, 4
MAX_CONNECTS_PER_CALL = 60  # TLS handshakes that one call may start
ATTEMPT_SECONDS = 20.0  # connecting (5 s) and handshakes (10 s) are over by then, even if no event has said so
FASTEST_REATTEMPT_SECONDS = 1.0  # whatever is announced, a neighbour is not tried more often
GONE_SHOWN_SECONDS = 60.0  # how long `p2pdist peers` still lists a neighbour that has left


@dataclass(frozen=True)
class ConnectTo:
    """One connection to open now."""

    torrent_hash: TorrentHash
    address: str
    port: int


@dataclass(frozen=True)
class PeerEntry:
    """A line of `p2pdist peers`."""

    endpoint_id: EndpointId
    address: str
    port: int
    sources: tuple[Source, ...]
    status: Literal["connected", "not connected"]
    reason: PeerReason | None
    """Why it is not connected; None while it is."""


class PeerBook:
    """The neighbours of one endpoint. ``now`` is any clock in seconds that does not go back."""

    def __init__(self, own_id: EndpointId, *, swarm_tag: str, site_tag: str = "") -> None:
        self._own_id = own_id
        self._place = place_of(own_id)
        self._swarm_tag = swarm_tag
        self._site_tag = site_tag
        self._peers: dict[EndpointId, KnownPeer] = {}
        self._since: dict[TorrentHash, float] = {}
        """Since when neighbours are asked for a torrent."""
        self._holders: dict[TorrentHash, list[EndpointId]] = {}
        """Who has all of a torrent that is asked for, as the server says."""
        self._nothing_to_fetch = False
        self.dropped_hints = 0
        """Hints that were ignored: malformed, or over a cap."""

    def set_site(self, site_tag: str) -> None:
        """Record the site of this endpoint; empty when unknown."""
        self._site_tag = site_tag

    # --- hints ----------------------------------------------------------------------

    def observe(self, hint: Announcement, source: Source, now: float) -> None:
        """Record an announcement. Its neighbour is due at once, or `FASTEST_REATTEMPT_SECONDS` after the last try."""
        hint_checked = checked(hint)
        if hint_checked is None or not self._has_room(hint_checked, source):
            self.dropped_hints += 1
            return
        if hint_checked.endpoint_id == self._own_id:
            return
        peer = self._peers.get(hint_checked.endpoint_id)
        if peer is None:
            order = hashlib.sha256(f"{self._own_id}{hint_checked.endpoint_id}".encode()).digest()
            place = place_of(hint_checked.endpoint_id)
            peer = self._peers[hint_checked.endpoint_id] = KnownPeer(hint_checked.endpoint_id, order, place)
        peer.hints[source] = peer.last_hint = hint_checked
        peer.gone_at = None
        peer.turn = peer.addresses().index((hint_checked.address, hint_checked.port))
        for link in peer.links.values():
            link.failures = 0
            if not link.connected:
                link.trying = False
                link.next_attempt_at = now if link.tried_at is None else link.tried_at + FASTEST_REATTEMPT_SECONDS

    def lost(self, endpoint_id: str, source: Source, now: float) -> None:
        """Record that ``source`` no longer names this endpoint. Open connections stay."""
        peer = self._peers.get(EndpointId(endpoint_id))
        if peer is None or source not in peer.hints:
            return
        del peer.hints[source]
        peer.turn = 0
        if not peer.hints:
            peer.gone_at = now

    def change_server_list(self, change: SitePeers, now: float) -> None:
        """Change the server's list of neighbours; one that begins anew replaces all hints from the server."""
        joined = {peer.endpoint_id: peer for peer in change.joined}
        from_server = [known.endpoint_id for known in self._peers.values() if "server" in known.hints]
        for endpoint_id in from_server if change.anew else change.left:
            if endpoint_id not in joined:
                self.lost(endpoint_id, "server", now)
        for peer in joined.values():
            hint = Announcement(EndpointId(peer.endpoint_id), peer.address, peer.port, self._swarm_tag, self._site_tag)
            known_peer = self._peers.get(hint.endpoint_id)
            known_hint = known_peer.hints.get("server") if known_peer else None
            # after each connection to the server the list begins anew: only a new entry counts as an announcement
            if known_hint is None or (known_hint.address, known_hint.port) != (hint.address, hint.port):
                self.observe(hint, "server", now)

    def set_holders(self, message: Holders) -> None:
        """Record who has all of a torrent: they are asked before others, while it is missing here."""
        self._holders[TorrentHash(message.torrent)] = [EndpointId(endpoint) for endpoint in message.endpoints]

    def _has_room(self, hint: Announcement, source: Source) -> bool:
        known = self._peers.get(hint.endpoint_id)
        if source == "server":
            others_listed = sum("server" in peer.hints for peer in self._peers.values() if peer is not known)
            return others_listed < MAX_SITE_PEERS
        others = [peer for peer in self._peers.values() if "mdns" in peer.hints and peer is not known]
        if sum(peer.hints["mdns"].address == hint.address for peer in others) >= MAX_IDS_PER_ADDRESS:
            return False
        if len(others) < MAX_MDNS_PEERS:
            return True
        # a flood of made-up names must not keep a real neighbour out: the entry with most failures makes room
        useless = max(
            (peer for peer in others if "server" not in peer.hints and not peer.connected and peer.failures),
            key=lambda peer: peer.failures,
            default=None,
        )
        if useless is None:
            return False
        del self._peers[useless.endpoint_id]
        return True

    # --- connections ----------------------------------------------------------------

    def connections_wanted(self, torrents: Mapping[TorrentHash, int], now: float) -> list[ConnectTo]:
        """Return the connections to open now, at most `MAX_CONNECTS_PER_CALL`; they count as tried.

        ``torrents`` are all that the engine has, the most urgent first, each with how many pieces it has in all, or 0
        when none is missing here. A seed does not connect: it waits to be asked.
        """
        self._prune(torrents, now)
        links, opened = self._links(now)
        # an order of each PC's own: with the same order everywhere, a large site would fall into cliques
        peers = sorted((p for p in self._peers.values() if self._verdict(p) is None), key=lambda p: p.order)
        wanted: list[ConnectTo] = []
        missing = [(torrent_hash, pieces) for torrent_hash, pieces in torrents.items() if pieces]
        for turn, (torrent_hash, pieces) in enumerate(missing):
            most = MAX_LINKS_OF_ALL - opened - len(wanted)
            if turn < FIRST_TORRENTS:
                most = max(most, LINKS_OF_FIRST - links[torrent_hash])
            most = min(most, MAX_CONNECTS_PER_CALL - len(wanted))
            if pieces > FEW_PIECES:
                wanted += self._due(torrent_hash, peers, MAX_LINKS_PER_TORRENT - links[torrent_hash], most, now)
                continue
            most_to_holders = min(MAX_CONNECTS_PER_CALL, MAX_LINKS_OF_ALL + MAX_LINKS_TO_HOLDERS - opened) - len(wanted)
            asked = self._ask_holder(torrent_hash, peers, most_to_holders, now)
            spare = spare_links(now - self._since.setdefault(torrent_hash, now))
            room = min(pieces + spare, MAX_LINKS_PER_TORRENT) - links[torrent_hash] - len(asked)
            if min(room, most) > 0:
                few = in_order(torrent_hash, peers, self._place, after_own=spare > 0)
                asked += self._due(torrent_hash, few, room, most - len(asked), now)
            wanted += asked
        return wanted

    def _links(self, now: float) -> tuple["Counter[TorrentHash]", int]:
        """Return how many connections each torrent has, and how many of all of them this endpoint has opened.

        Those included that are being opened, and those with neighbours that are announced no more: a list that changes
        must not add up to ever more.
        """
        links = Counter[TorrentHash]()
        opened = 0
        for peer in self._peers.values():
            for torrent_hash, link in peer.links.items():
                opening = link.is_opening(now)
                links[torrent_hash] += link.connected or opening
                opened += link.opened_here or opening
        return links, opened

    def _ask_holder(self, torrent_hash: TorrentHash, peers: list[KnownPeer], most: int, now: float) -> list[ConnectTo]:
        """Return a connection to one that has all, unless there is one: whatever others are good for, here it is."""
        named = self._holders.get(torrent_hash, ())
        holders = [peer for endpoint_id in named for peer in peers if peer.endpoint_id == endpoint_id]
        if any(peer.is_linked(torrent_hash, now) for peer in holders):
            return []
        return self._due(torrent_hash, holders, 1, most, now)

    def _due(
        self, torrent_hash: TorrentHash, peers: list[KnownPeer], room: int, most: int, now: float
    ) -> list[ConnectTo]:
        wanted: list[ConnectTo] = []
        for peer in peers:
            link = peer.links.get(torrent_hash)
            if link is None:
                link = peer.links[torrent_hash] = PeerLink(changed_at=now)
            if link.connected or now < link.next_attempt_at or len(wanted) >= most:
                continue
            if link.trying:
                self._failed(peer, torrent_hash, PeerReason.TIMED_OUT, now)
                continue
            if room <= 0:
                link.set_reason(PeerReason.OVER_CONNECTION_CAP, now)
                continue
            room -= 1
            wanted.append(ConnectTo(torrent_hash, *peer.current()))
            link.trying = True
            link.tried_at = now
            link.next_attempt_at = now + ATTEMPT_SECONDS
        return wanted

    def connected(self, torrent_hash: TorrentHash, address: str, now: float) -> None:
        """Record that the engine has a connection to this address, whichever side opened it."""
        for peer in self._peers.values():
            if all(address != known for known, _ in peer.addresses()):
                continue
            link = peer.links.setdefault(torrent_hash, PeerLink())
            link.connected_to = address
            link.opened_here |= link.trying
            link.trying = False
            link.failures = 0
            link.changed_at = now

    def disconnected(self, torrent_hash: TorrentHash, address: str, reason: PeerReason, now: float) -> None:
        """Record that a connection has ended."""
        for peer in self._peers.values():
            link = peer.links.get(torrent_hash)
            if link is not None and link.connected_to == address:
                self._failed(peer, torrent_hash, reason, now)

    def refused(self, torrent_hash: TorrentHash, address: str, port: int, reason: PeerReason, now: float) -> None:
        """Record that an attempt to connect to this address and port failed."""
        for peer in self._peers.values():
            link = peer.links.get(torrent_hash)
            if (address, port) in peer.addresses() and link is not None and link.trying:
                self._failed(peer, torrent_hash, reason, now)

    def _failed(self, peer: KnownPeer, torrent_hash: TorrentHash, reason: PeerReason, now: float) -> None:
        link = peer.links.setdefault(torrent_hash, PeerLink())
        link.connected_to = None
        link.opened_here = link.trying = False
        link.failures += 1
        link.set_reason(reason, now)
        jitter = 0.0 if self._own_id < peer.endpoint_id else 1.0
        link.next_attempt_at = now + pause_seconds(reason, link.failures, jitter)
        peer.turn += 1

    def _verdict(self, peer: KnownPeer) -> PeerReason | None:
        """Return why this neighbour is not to be tried at all, or None."""
        if not peer.hints:
            return PeerReason.GONE
        if "server" in peer.hints:
            return None
        hint = peer.hints["mdns"]
        if hint.swarm_tag != self._swarm_tag:
            return PeerReason.OTHER_SWARM
        if hint.site_tag and self._site_tag and hint.site_tag != self._site_tag:
            return PeerReason.OTHER_SITE
        return None

    def _prune(self, torrents: Mapping[TorrentHash, int], now: float) -> None:
        self._nothing_to_fetch = not any(torrents.values())
        self._since = {known: since for known, since in self._since.items() if torrents.get(known)}
        self._holders = {known: holders for known, holders in self._holders.items() if torrents.get(known)}
        for peer in list(self._peers.values()):
            # once nothing is missing, it does not matter how the last connection ended
            over = [
                known
                for known, link in peer.links.items()
                if known not in torrents or not (torrents[known] or link.connected)
            ]
            for torrent_hash in over:
                del peer.links[torrent_hash]
            if peer.gone_at is not None and not peer.connected and now - peer.gone_at >= GONE_SHOWN_SECONDS:
                del self._peers[peer.endpoint_id]

    # --- what people see --------------------------------------------------------------

    def entries(self) -> list[PeerEntry]:
        """Return every known neighbour, by endpoint id."""
        return [self._entry(self._peers[endpoint_id]) for endpoint_id in sorted(self._peers)]

    def _entry(self, peer: KnownPeer) -> PeerEntry:
        address, port = peer.current()
        reason: PeerReason | None = None
        if not peer.connected:
            latest = max(peer.links.values(), key=lambda link: link.changed_at, default=None)
            untried = PeerReason.NOTHING_TO_FETCH if self._nothing_to_fetch else PeerReason.NOT_TRIED
            reason = self._verdict(peer) or (latest.reason if latest else untried)
        return PeerEntry(
            endpoint_id=peer.endpoint_id,
            address=address,
            port=port,
            sources=tuple(sorted(peer.hints)),
            status="connected" if peer.connected else "not connected",
            reason=reason,
        )
