"""Looks at all of a site's sockets and pings → one sample of its line. Pure.

Bytes on the line are what the controller counts in: TCP payload and its headers.
The kernel counts and paces payload alone; on small packets that is a tenth less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from bandwidth.core.signals import Sample
from bandwidth.units import BytesPerSecond
from seed_server.core.business_reports import BusinessView
from seed_server.core.socket_look import SocketLook

Key: TypeAlias = Any
"""Whatever the edge knows a link or an endpoint by; hashable."""

HEADER_BYTES = 52  # IPv4, TCP, time stamps; IPv6 has 20 more, which the controller's headroom covers
SEGMENT_BYTES = 1_448  # where the kernel does not say
FRESH_SEGMENTS = 16  # after so many acknowledged segments a smoothed round trip is of now (RFC 6298: weight 1/8)
ACK_DELAY_SEGMENTS = 2  # a smoothed round trip may be too long by their spacing (RFC 1122 section 4.2.3.2)
GUARD_SECONDS = 0.002  # the kernel's own grain
RECEIVER_LIMITED_SHARE = 0.5  # of the interval
WRITTEN_SHARE = 0.9  # of what we may write: less, and it is we who have nothing, or no time
RATE_SECONDS = 0.5  # over which a link's own rate is averaged
KNOWN_PINGS_SHARE = 0.5  # of the pings of the endpoint that is known best: after fewer, its least may be chance
MAX_ENDPOINTS_KNOWN = 4_096


@dataclass(frozen=True, slots=True)
class LinkView:
    """One data connection, as the edge sees it."""

    endpoint: Key
    look: SocketLook | None
    """None where the kernel does not tell."""
    written_bytes: int
    """Handed to the kernel so far."""
    piece_delay_seconds: float | None
    """From a piece's last byte to the news that it is stored; the newest, or None."""
    rate: BytesPerSecond | None
    """Its share since the last look, payload; None: not decided."""
    metered: bool
    """Written at its share by ourselves: the kernel then always finds little to send."""
    sending: bool = True
    """False for a moment after its last piece: what is under way still arrives."""


class LinkRate(NamedTuple):
    """What one link carries."""

    rate: float
    """Payload, bytes per second."""
    limited: bool
    """It had less to send, or could be sent less, than its share."""


@dataclass
class _Link:
    acked_bytes: int
    retransmits: int
    written_bytes: int
    receiver_limited_seconds: float
    needless: int
    unproven: int = 0
    """Retransmits of the last interval: until now they may turn out needless."""
    rate: float = 0.0


@dataclass
class _Endpoint:
    least_ping_seconds: float
    pings: int = 1


class SiteSampler:
    """Keeps what the next sample is compared with; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._links: dict[Key, _Link] = {}
        self._endpoints: dict[Key, _Endpoint] = {}
        self._taken_at: float | None = None
        self._least_data_rtt = float("inf")
        self._data_rtt: float | None = None
        self.link_rates: dict[Key, LinkRate] = {}
        """Of the links of the last sample."""
        self.line_share = SEGMENT_BYTES / (SEGMENT_BYTES + HEADER_BYTES)
        """Payload in what goes over the line."""

    @property
    def rtt_seconds(self) -> float:
        """The round trip to plan with."""
        return self._data_rtt or 0.1 if self.known_rtt_seconds is None else self.known_rtt_seconds

    @property
    def known_rtt_seconds(self) -> float | None:
        """The least round trip of a ping; None before the first one."""
        return min((endpoint.least_ping_seconds for endpoint in self._endpoints.values()), default=None)

    def take(
        self,
        links: Mapping[Key, LinkView],
        pings: Mapping[Key, float],
        business: BusinessView,
        now: float,
    ) -> Sample:
        """Return the sample since the last call; ``pings`` has the endpoints whose echo came in this interval."""
        elapsed = 0.0 if self._taken_at is None else max(0.0, now - self._taken_at)
        self._taken_at = now
        delivered = retransmits = 0
        fresh: list[tuple[float, int]] = []  # (queueing delay, bytes)
        guard: float | None = None
        window = 0.0
        window_known = bool(links)
        for key, view in links.items():
            new, again = self._advance(key, view, elapsed)
            delivered += new
            retransmits += again
            look = view.look
            if not view.sending:
                continue
            if look is None or look.least_rtt_seconds is None:
                window_known = False
                continue
            self._least_data_rtt = min(self._least_data_rtt, look.least_rtt_seconds)
            queue = max(0.0, look.rtt_seconds - look.least_rtt_seconds)
            window += self._let_through(view, look)
            if self.link_rates[key].limited:
                continue  # a round trip to a PC that does not read is that PC's
            if new:
                fresh.append((queue, new))
            if elapsed and new >= FRESH_SEGMENTS * look.segment_bytes:
                spacing = ACK_DELAY_SEGMENTS * look.segment_bytes * elapsed / new
                bound = queue + spacing + GUARD_SECONDS
                guard = bound if guard is None else min(guard, bound)
        for gone in self._links.keys() - links.keys():
            del self._links[gone]
        self.link_rates = {key: rate for key, rate in self.link_rates.items() if key in links}
        self._remember_share(links)
        return Sample(
            rtt_seconds=self._ping(pings, guard),
            data_rtt_seconds=self._data(links, fresh),
            delivered_bytes=int(delivered / self.line_share),
            retransmits=retransmits,
            application_limited=all(self.link_rates[key].limited for key, view in links.items() if view.sending),
            window_rate=BytesPerSecond(int(min(window, 1e15))) if window_known else None,
            business_bytes=business.business_bytes,
            bulk_business=business.bulk,
            business_harm_seconds=business.harm_seconds,
        )

    def _advance(self, key: Key, view: LinkView, elapsed: float) -> tuple[int, int]:
        """Return a link's newly delivered bytes and retransmits, and note its rate."""
        look = view.look
        now_at = _Link(
            acked_bytes=look.acked_bytes if look else view.written_bytes,
            retransmits=look.retransmits if look else 0,
            written_bytes=view.written_bytes,
            receiver_limited_seconds=look.receiver_limited_seconds if look else 0.0,
            needless=look.needless_retransmits if look else 0,
        )
        before = self._links.get(key)
        self._links[key] = now_at
        if before is None:
            self.link_rates[key] = LinkRate(0.0, limited=False)
            return 0, 0
        new = max(0, now_at.acked_bytes - before.acked_bytes)
        weight = min(1.0, elapsed / RATE_SECONDS)
        now_at.rate = before.rate + weight * ((new / elapsed if elapsed else before.rate) - before.rate)
        self.link_rates[key] = LinkRate(now_at.rate, elapsed > 0 and self._is_limited(view, before, now_at, elapsed))
        # a pause in what we write makes TCP send its last segment again (RFC 8985 section 7): that is no loss
        needless = max(0, now_at.needless - before.needless)
        lost = max(0, before.unproven - needless)
        again = max(0, now_at.retransmits - before.retransmits)
        now_at.unproven = max(0, again - max(0, needless - before.unproven))
        return new, lost

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
        return look is not None and look.application_limited and look.unsent_bytes < look.segment_bytes

    def _let_through(self, view: LinkView, look: SocketLook) -> float:
        """Return the rate on the line that the kernel lets this socket have."""
        assert look.least_rtt_seconds is not None
        window = look.window_segments * look.segment_bytes / max(look.least_rtt_seconds, 1e-6)
        return (window if view.metered else min(window, look.pacing_rate)) / self.line_share

    def _ping(self, pings: Mapping[Key, float], guard: float | None) -> float | None:
        for endpoint, seconds in pings.items():
            known = self._endpoints.get(endpoint)
            if known is None:
                if len(self._endpoints) >= MAX_ENDPOINTS_KNOWN:
                    self._endpoints.pop(next(iter(self._endpoints)))
                self._endpoints[endpoint] = _Endpoint(seconds)
            else:
                known.pings += 1
                known.least_ping_seconds = min(known.least_ping_seconds, seconds)
        if not pings:
            return None
        most = max(self._endpoints[endpoint].pings for endpoint in pings)
        # the line's queue delays everybody; what delays one PC alone is that PC's
        queue = min(
            seconds - self._endpoints[endpoint].least_ping_seconds
            for endpoint, seconds in pings.items()
            if self._endpoints[endpoint].pings >= KNOWN_PINGS_SHARE * most
        )
        if guard is not None:
            # our data wait in the same queue as the pings: a ping that is later than they are met a busy process
            queue = min(queue, guard)
        return self.rtt_seconds + queue

    def _data(self, links: Mapping[Key, LinkView], fresh: list[tuple[float, int]]) -> float | None:
        if fresh:
            total = sum(size for _, size in fresh)
            self._data_rtt = self._least_data_rtt + sum(queue * size for queue, size in fresh) / total
        else:
            delays = [view.piece_delay_seconds for view in links.values() if view.look is None]
            known = [delay for delay in delays if delay is not None]
            if known:
                self._data_rtt = min(known)
        return self._data_rtt if links else None

    def _remember_share(self, links: Mapping[Key, LinkView]) -> None:
        segments = [view.look.segment_bytes for view in links.values() if view.look and view.look.segment_bytes]
        if segments:
            segment = min(segments)
            self.line_share = segment / (segment + HEADER_BYTES)

    def started(self, key: Key, view: LinkView) -> None:
        """Count what a link carries from now on."""
        self._links.pop(key, None)
        self._advance(key, view, 0.0)
