"""Turns what is known of all of a site's sockets and pings into one sample of its line. Pure.

The controller counts bytes on the line: TCP payload and its headers. The kernel
counts and paces payload alone; with small packets that is a tenth less.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bandwidth.core.sensors import SEGMENT_BYTES
from bandwidth.core.signals import Sample
from bandwidth.core.units import BytesPerSecond
from seed_server.line.business_reports import BusinessView
from seed_server.line.round_trips import DataRoundTrips, flowing_segments
from seed_server.line.site_pings import NOBODY_LATE, Key, SitePings
from seed_server.line.socket_look import SocketLook

TCP_HEADER_BYTES = 52  # IPv4, TCP, time stamps; IPv6 has 20 more, which the controller's headroom covers
RECEIVER_LIMITED_SHARE = 0.5  # of the interval
WRITTEN_SHARE = 0.9  # of what we may write: below it, we have nothing to write, or no time
TAKEN_SHARE = 0.9  # of our rate: a kernel that paces slower does not apply our rate yet
LATE_SECONDS = 0.01  # our own lateness: less is normal scheduling …
VERY_LATE_SECONDS = 0.025  # … and when we are this late, sockets may have run dry
NEAR_RTT_SECONDS = 0.005  # within a campus; a line between places takes longer …
NEAR_LEAST_RATE = BytesPerSecond(6_000_000)  # … and about half of Fast Ethernet, where no PC tells of its card, …
NEAR_CARD_PART = 1 / 8  # … or this part of a card: one fetcher's card is full of its copies for seven neighbours
CARD_SECONDS = 0.01  # at a near site: queueing in the PCs' own network cards
CARDS_SECONDS = 0.5  # where these are full: in so long, one of them is empty for a moment
SHORT_PART = 0.85  # of its share: a link that carries less is held up …
FULL_PART = 0.95  # … but not by the line, if another link carries this part of its share
HELD_PART = 0.5  # of its share: a link to a full card that carries less leaves no doubt that the line is not the limit
OVERCOMMITMENT_MOST = 1.25  # were all cards free at once, as much would be sent for some samples: 25 ms of queue
OVERCOMMITMENT_SECONDS = 1.0  # in which it follows what is missing; what is too much ends at once
USED_SHARE = 0.9  # of what all may send: when the PCs take less, they are the limit
RATE_SECONDS = 0.5  # over which a link's own rate is averaged …
RECENT_SECONDS = 0.2  # … and, where its PC's card is full, the rate that is compared with its share


@dataclass(frozen=True, slots=True)
class LinkView:
    """The state of one data connection."""

    endpoint: Key
    look: SocketLook | None
    """None where the kernel does not tell."""
    written_bytes: int
    """Handed to the kernel so far."""
    piece_delay_seconds: float | None
    """From a piece's last byte to the news that it is stored; the newest, or None."""
    rate: BytesPerSecond | None
    """Its share since the last sample, payload; None: not decided."""
    metered: bool
    """We meter what we write to its share, so the kernel always has little to send."""
    sending: bool = True
    """False for a moment after its last piece: what is under way still arrives."""
    loss_blind: bool = False
    """Losses do not shrink its congestion window."""
    read_late_seconds: float = 0.0
    """As its PC says, it reads what has arrived so late, on average: acknowledgements wait for that."""
    vanishing: bool = False
    """No full packet has ever arrived on it, and TCP has begun to wait in vain."""


def is_near(rate: BytesPerSecond, rtt_seconds: float | None, card_rate: BytesPerSecond | None) -> bool:
    """Return whether the cards of a site's PCs may be the bottleneck, where ``rate`` goes over its line.

    ``rtt_seconds``: the line's, ``card_rate``: what a PC's card carries; None: not known.
    """
    least = NEAR_LEAST_RATE if card_rate is None else min(NEAR_LEAST_RATE, NEAR_CARD_PART * card_rate)
    return rtt_seconds is not None and rtt_seconds < NEAR_RTT_SECONDS and rate >= least


class LinkRate(NamedTuple):
    """What one link carries."""

    rate: float
    """Payload, bytes per second."""
    limited: bool
    """It had less to send than its share, or its PC could take only less."""


@dataclass
class _Link:
    arrived_bytes: int
    sent_bytes: int | None
    retransmits: int
    written_bytes: int
    receiver_limited_seconds: float
    needless: int
    unproven: int = 0
    """Retransmits of the last interval, which may still turn out needless."""
    rate: float = 0.0
    recent: float = 0.0
    share: float = 0.0
    """What it might have carried over the same time as ``rate``."""
    allowed: int = 0
    seconds: float = 0.0
    """Since it began to send."""
    flowing: float = 0.0
    """Segments that arrived since it hardly sent."""


class SiteSampler:
    """Makes the samples; keeps what the next one is compared with. ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._links: dict[Key, _Link] = {}
        self._pings = SitePings()
        self._connected_rtt: float | None = None
        self._taken_at: float | None = None
        self._round_trips = DataRoundTrips()
        self._data_rtt: float | None = None
        self._full_cards: frozenset[Hashable] = frozenset()
        self._queues: deque[tuple[float, float]] = deque()
        self._card_rate: BytesPerSecond | None = None
        self.link_rates: dict[Key, LinkRate] = {}
        """Of the links of the last sample."""
        self.line_carries = BytesPerSecond(0)
        """The line's rate as far as it is known: its capacity, or the present allowance if that is more."""
        self.overcommitment = 1.0
        """How many times what all may send is shared out: where cards hold links up in turns, the others use it."""
        self.retransmits = 0
        """Of the last sample, whatever they tell."""
        self.line_share = SEGMENT_BYTES / (SEGMENT_BYTES + TCP_HEADER_BYTES)
        """Payload in what goes over the line."""

    @property
    def rtt_seconds(self) -> float:
        """The round trip to plan with."""
        return self._data_rtt or 0.1 if self.known_rtt_seconds is None else self.known_rtt_seconds

    @property
    def known_rtt_seconds(self) -> float | None:
        """The least round trip of a ping; None before the first one."""
        return self._pings.least_seconds

    @property
    def expected_rtt_seconds(self) -> float | None:
        """The same; before the first ping, that of a connection: good enough to choose who fetches. None: not known."""
        pinged = self._pings.least_seconds
        return self._connected_rtt if pinged is None else pinged

    def connected(self, rtt_seconds: float | None) -> None:
        """Note the least round trip of a new connection's first packets; None: the system does not tell."""
        known = [rtt for rtt in (rtt_seconds, self._connected_rtt) if rtt is not None]
        self._connected_rtt = min(known, default=None)

    @property
    def is_near(self) -> bool:
        """Whether the site is as near as its PCs are to each other.

        Then the bottleneck may be their own network cards, full of traffic between them: the delay and losses of one
        connection say nothing about the line; only a delay that the pings to all of them share does.
        """
        return is_near(self.line_carries, self.known_rtt_seconds, self._card_rate)

    def sample(
        self,
        links: Mapping[Key, LinkView],
        pings: Mapping[Key, float],
        business: BusinessView,
        now: float,
        late_seconds: float = 0.0,
        pings_late: Mapping[Key, float] = NOBODY_LATE,
    ) -> Sample:
        """Return the sample since the last call; ``pings`` has the endpoints whose echo came in this interval.

        ``pings_late``: so much of these round trips, as the PCs say, was their own lateness.
        ``late_seconds``: how much later than planned this is; echoes were read and sockets filled as late.
        """
        late_seconds = late_seconds if late_seconds >= LATE_SECONDS else 0.0
        elapsed = 0.0 if self._taken_at is None else max(0.0, now - self._taken_at)
        self._taken_at = now
        self._card_rate = business.card_rate
        near = self.is_near
        # elsewhere a PC's word takes nothing away from what the line shows
        self._full_cards = business.full_cards if near else frozenset()
        delivered = retransmits = 0
        sent: int | None = 0
        self._round_trips.begin()
        window = 0.0
        window_known = any(view.sending for view in links.values())
        new_bytes: dict[Key, int] = {}
        for key, view in links.items():
            new_bytes[key], left, again = self._advance(key, view, elapsed)
            delivered += new_bytes[key]
            sent = None if sent is None or left is None else sent + left
            retransmits += again
        very_late = late_seconds >= VERY_LATE_SECONDS
        if very_late:
            self.link_rates = {key: rate._replace(limited=True) for key, rate in self.link_rates.items()}
        self.retransmits = retransmits
        self._find_limited_by_their_pc(links)
        for key, view in links.items():
            look = view.look
            if not view.sending:
                continue
            if look is None or look.least_rtt_seconds is None:
                window_known = False
                continue
            through = self._let_through(view, look)
            # a queue in a full card makes the window last longer than the least round trip: what comes through tells
            window += min(through, self._links[key].recent) if self._full_cards else through
            link, late = self._links[key], view.read_late_seconds
            limited = self.link_rates[key].limited
            self._round_trips.note(
                look, new_bytes[key], elapsed,
                recent=link.recent, flowing=link.flowing, limited=limited, read_late=late,
            )  # fmt: skip
        for gone in self._links.keys() - links.keys():
            del self._links[gone]
        self.link_rates = {key: rate for key, rate in self.link_rates.items() if key in links}
        self._remember_share(links)
        self._commit(links, elapsed)
        return Sample(
            rtt_seconds=self._round_trip(pings, pings_late, late_seconds, now),
            data_rtt_seconds=None if near else self._data(links),
            data_rtt_settled=self._round_trips.settled,
            data_late_seconds=self._round_trips.late_seconds,
            delivered_bytes=int(delivered / self.line_share),
            data_sockets=self._round_trips.sockets,
            sent_bytes=None if sent is None or near else int(sent / self.line_share),
            retransmits=0 if near else retransmits,
            application_limited=very_late or self._used_share(links) < USED_SHARE,
            window_rate=BytesPerSecond(int(min(window / self.line_share, 1e15))) if window_known else None,
            business_bytes=business.business_bytes,
            bulk_business=business.bulk,
            business_harm_seconds=business.harm_seconds,
            late=very_late,
        )

    def _advance(self, key: Key, view: LinkView, elapsed: float) -> tuple[int, int | None, int]:
        """Return a link's newly delivered bytes, newly sent bytes and retransmits, and note its rate."""
        look = view.look
        now_at = _Link(
            arrived_bytes=look.arrived_bytes if look else view.written_bytes,
            sent_bytes=look.sent_bytes if look else None,
            retransmits=look.retransmits if look else 0,
            written_bytes=view.written_bytes,
            receiver_limited_seconds=look.receiver_limited_seconds if look else 0.0,
            needless=look.needless_retransmits if look else 0,
        )
        before = self._links.get(key)
        self._links[key] = now_at
        if before is None:
            self.link_rates[key] = LinkRate(0.0, limited=False)
            return 0, None if now_at.sent_bytes is None else 0, 0
        new = max(0, now_at.arrived_bytes - before.arrived_bytes)
        weight = min(1.0, elapsed / RATE_SECONDS)
        present = new / elapsed if elapsed else before.rate
        now_at.rate = before.rate + weight * (present - before.rate)
        now_at.recent = before.recent + min(1.0, elapsed / RECENT_SECONDS) * (present - before.recent)
        # acknowledgements come a round trip later, and the kernel applies a raised rate later still
        now_at.allowed = view.rate or 0
        now_at.share = before.share + weight * (min(now_at.allowed, before.allowed) - before.share)
        now_at.seconds = before.seconds + elapsed
        now_at.flowing = flowing_segments(before.flowing, look, new, now_at.recent) if look else 0.0
        limited = elapsed > 0 and self._is_limited(view, before, now_at, elapsed)
        self.link_rates[key] = LinkRate(now_at.rate, limited)
        # a pause in what we write makes TCP send its last segment again (RFC 8985 section 7): that is no loss
        needless = max(0, now_at.needless - before.needless)
        lost = max(0, before.unproven - needless)
        again = max(0, now_at.retransmits - before.retransmits)
        now_at.unproven = max(0, again - max(0, needless - before.unproven))
        if now_at.sent_bytes is None or before.sent_bytes is None:
            return new, None, lost
        return new, max(0, now_at.sent_bytes - before.sent_bytes), lost

    @staticmethod
    def _is_limited(view: LinkView, before: _Link, now_at: _Link, elapsed: float) -> bool:
        look = view.look
        if look is not None:
            waited = now_at.receiver_limited_seconds - before.receiver_limited_seconds
            if waited >= RECEIVER_LIMITED_SHARE * elapsed:
                return True
        if view.metered:
            held_back = look is not None and look.unsent_bytes > 2 * look.segment_bytes
            wrote = now_at.written_bytes - before.written_bytes + SEGMENT_BYTES
            return not held_back and wrote < WRITTEN_SHARE * (view.rate or 0) * elapsed
        # we keep the kernel supplied for NOT_SENT_SECONDS: if it has nothing, we are late or have nothing to send
        return look is not None and look.unsent_bytes < look.segment_bytes

    @staticmethod
    def _let_through(view: LinkView, look: SocketLook) -> float:
        """Return the payload rate that the kernel's window and pacing allow this socket."""
        window = look.window_rate
        assert window is not None
        # the kernel applies a raised rate from the next acknowledgement on
        is_slower = not view.metered and view.rate is not None and look.pacing_rate < TAKEN_SHARE * view.rate
        return min(window, look.pacing_rate) if is_slower else window

    def _round_trip(
        self, pings: Mapping[Key, float], pings_late: Mapping[Key, float], late_seconds: float, now: float
    ) -> float | None:
        queue = self._pings.queue(pings, pings_late)
        if queue is None:
            return None
        if (guard := self._round_trips.guard_seconds) is not None:
            # our data wait in the same queue as the pings: a ping that is later than the data met a busy process
            queue = min(queue, guard)
        queue -= late_seconds + (CARD_SECONDS if self.is_near else 0.0)
        return self.rtt_seconds + max(0.0, self._without_cards(queue, now) if self._full_cards else queue)

    def _without_cards(self, queue: float, now: float) -> float:
        """Return the least queue lately: those in full cards come and go, the line's stays."""
        self._queues.append((now, queue))
        while not 0 <= now - self._queues[0][0] < CARDS_SECONDS:
            self._queues.popleft()
        return min(queue for _, queue in self._queues)

    def _find_limited_by_their_pc(self, links: Mapping[Key, LinkView]) -> None:
        """Find the links that carry less than their share, but not because of the line.

        All links share the line: if another one carries all of its share, the line is not the limit.
        """
        oldest = 2 * RATE_SECONDS + self.rtt_seconds  # a link that has begun since then has not shown what it carries
        parts = {
            key: link.rate / link.share
            for key, link in self._links.items()
            if key in links
            and links[key].sending
            and link.seconds >= oldest
            and link.share
            and not self.link_rates[key].limited
        }
        for key, link in self._links.items():
            view = links.get(key)
            if view and view.sending and link.recent < SHORT_PART * link.allowed and view.endpoint in self._full_cards:
                self.link_rates[key] = self.link_rates[key]._replace(limited=True)
        if self.is_near or any(part >= FULL_PART for part in parts.values()):
            for key in (key for key, part in parts.items() if part < SHORT_PART):
                self.link_rates[key] = self.link_rates[key]._replace(limited=True)

    def _commit(self, links: Mapping[Key, LinkView], elapsed: float) -> None:
        """Share out more than may be sent while full cards take less, so that all of it is sent."""
        shared = sum(view.rate or 0 for view in links.values() if view.sending) / self.overcommitment
        carried = sum(self._links[key].recent for key, view in links.items() if view.sending)
        if not (self._full_cards and shared):
            self.overcommitment = 1.0
            return
        if carried > shared:
            wanted = self.overcommitment * shared / carried
        else:
            wanted = self.overcommitment + min(1.0, elapsed / OVERCOMMITMENT_SECONDS) * (1 - carried / shared)
        self.overcommitment = min(OVERCOMMITMENT_MOST, max(1.0, wanted))

    def _used_share(self, links: Mapping[Key, LinkView]) -> float:
        """Return the part of all shares that belongs to links that could use theirs."""
        shares = {key: view.rate or 0 for key, view in links.items() if view.sending}
        total = sum(shares.values())
        rates = self.link_rates
        if not total:
            return 0.0 if all(rates[key].limited for key in shares) else 1.0
        used = 0.0
        for key, share in shares.items():
            if not rates[key].limited:
                used += share
            elif links[key].endpoint in self._full_cards:
                # full cards alone are no reason to offer less: they may have room again at any moment
                carried = self._links[key].recent
                used += share if carried >= HELD_PART * share else carried
            else:
                used += min(share, rates[key].rate)
        return used / total

    def _data(self, links: Mapping[Key, LinkView]) -> float | None:
        if any(view.look for view in links.values()):
            self._data_rtt = self._round_trips.seconds
        else:
            delays = [view.piece_delay_seconds for view in links.values()]
            known = [delay for delay in delays if delay is not None]
            if known:
                self._data_rtt = min(known)
        return self._data_rtt if links else None

    def _remember_share(self, links: Mapping[Key, LinkView]) -> None:
        segments = [view.look.segment_bytes for view in links.values() if view.look and view.look.segment_bytes]
        if segments:
            segment = min(segments)
            self.line_share = segment / (segment + TCP_HEADER_BYTES)

    def started(self, key: Key, view: LinkView) -> None:
        """Count what a link carries from now on."""
        self._links.pop(key, None)
        self._advance(key, view, 0.0)
