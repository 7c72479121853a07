"""Work out what others use of this PC's network, from the raw counters of two samples. Pure.

A network card counts all bytes, a socket its own; business traffic is what remains without ours.
Counters are wrong now and then: a card is reset, a 32-bit counter wraps, a dock is pulled out, the PC
sleeps. A difference that cannot be explained counts as zero: business traffic that is missed once is
seen in the next sample, but traffic that never was would stop us for nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond

MAX_FLOWS = 16  # in a report; the transfers that matter on an office PC are few
MAX_INTERFACES = 64  # containers and VPNs add some; thousands are a router, not an office PC
MAX_SOCKETS = 4_096  # in one sample; a busy PC has some hundreds of connections
LONGEST_GATHERED_SECONDS = 1.0  # a longer gap between two samples keeps their reports from being joined
LINE_SECONDS = 5.0  # after the last whole piece from the server, the next one may still be under way
URGENT_FLOW_BYTES = 14_000  # of one connection between two samples: ten segments, the initial window of a transfer
LONGEST_INTERVAL_SECONDS = 10.0  # a longer gap is a clock step or a PC that slept: its mean says nothing
MOST_BYTES_PER_SECOND = 12_500_000_000  # 100 Gbit/s: a difference beyond it is a broken counter
OWN_OVERHEAD = 1.06  # frames, IP, TCP and TLS around our payload, where the system does not tell
TCP_FRAME_BYTES = 14 + 32  # Ethernet, and TCP with timestamps; IP comes on top
IPV4_BYTES, IPV6_BYTES = 20, 40
ACTIVITY_KEPT = 0.5  # of a flow's activity at each sample: the list shall hold flows that receive now, not once did

_WRAP = 1 << 32


@dataclass(frozen=True)
class BusinessUsage:
    """What other programs on this PC use of the site's line in one interval: the report to the seed server."""

    interval_seconds: float
    business_bytes: int
    """Bytes that others received, as the wire carries them, without those that came from the LAN."""
    flows: tuple[tuple[int, int], ...]
    """(flow id, bytes received since it was first listed) of others' connections, the most active first."""
    harm_seconds: float | None
    """Smoothed − least round trip of the most harmed business connection; None when none had a fresh round trip."""
    from_neighbours_bytes: int = 0
    """Our own bytes from neighbours, as the wire carries them."""
    to_neighbours_bytes: int = 0
    """Our own bytes to them, and acknowledgements to the server."""
    card_rate: BytesPerSecond | None = None
    """What the card carries each way; None: not known."""


@dataclass(frozen=True, slots=True)
class NicCounters:
    """What a network card has counted since it came up."""

    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class SocketReading:
    """One TCP connection of this PC, as the system counts it. Loopback connections are left out."""

    flow_id: int
    ours: bool
    on_link: bool
    """Whether the other end is on this LAN, so that its bytes do not cross the site's line."""
    received_bytes: int
    sent_bytes: int
    acked_bytes: int
    segments_in: int
    segments_out: int
    rtt_seconds: float | None
    least_rtt_seconds: float | None
    ipv6: bool = False
    data_segments_in: int = 0
    early_segments_in: int = 0
    """Of ``data_segments_in``, those that wait for one before them: not yet among ``received_bytes``."""
    segment_bytes: int = 0

    @property
    def wire_received_bytes(self) -> int:
        """Received bytes as the card counts them, with headers."""
        return self.received_bytes + self.segments_in * self._header_bytes

    @property
    def wire_sent_bytes(self) -> int:
        """Sent bytes as the card counts them, with headers."""
        return self.sent_bytes + self.segments_out * self._header_bytes

    @property
    def _header_bytes(self) -> int:
        return TCP_FRAME_BYTES + (IPV6_BYTES if self.ipv6 else IPV4_BYTES)


@dataclass(frozen=True, slots=True)
class RawCounters:
    """All counters at one time. ``sockets`` is None where the system does not tell: our own counts then stand in.

    ``at_seconds`` is any clock. ``own_received_bytes`` and ``own_sent_bytes`` are all our payload so far, of the WAN
    and the LAN leg; ``own_line_bytes`` is the part of it that was received over the site's line.
    """

    at_seconds: float
    interfaces: Mapping[str, NicCounters]
    sockets: tuple[SocketReading, ...] | None
    own_received_bytes: int = 0
    own_sent_bytes: int = 0
    own_line_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LinkLook:
    """The traffic on this PC's network between two samples; bytes as the wire carries them."""

    interval_seconds: float
    own_received_bytes: int
    own_sent_bytes: int
    own_line_bytes: int
    """The part of ``own_received_bytes`` that came over the site's line."""
    business_received_bytes: int
    business_sent_bytes: int
    report: BusinessUsage

    @property
    def business_bytes_per_second(self) -> float:
        """The mean rate of others' bytes, both ways together."""
        return (self.business_received_bytes + self.business_sent_bytes) / self.interval_seconds


@dataclass(frozen=True, slots=True)
class _Listed:
    """A flow in the report. Its count starts when it is listed, so bytes from before do not look like new ones."""

    base_bytes: int
    activity: float


class LinkMeter:
    """Turns each sample of counters into the traffic since the previous one."""

    def __init__(self) -> None:
        self._last: RawCounters | None = None
        self._sockets: dict[int, SocketReading] = {}
        self._listed: dict[int, _Listed] = {}
        self._owed_received = self._owed_sent = 0
        self._early_bytes: dict[int, int] = {}
        """Of our connections: what has arrived, but waits for a segment that was lost."""
        self._line_at = -math.inf

    def observe(self, raw: RawCounters, card_rate: BytesPerSecond | None = None) -> LinkLook | None:
        """Return the traffic since the previous sample; None for the first one, and after a clock step or a sleep.

        ``card_rate`` is passed on in the report.
        """
        last, self._last = self._last, raw
        sockets_before = self._sockets
        self._sockets = {socket.flow_id: socket for socket in (raw.sockets or ())[:MAX_SOCKETS]}
        elapsed = 0.0 if last is None else raw.at_seconds - last.at_seconds
        if last is None or not 0.0 < elapsed <= LONGEST_INTERVAL_SECONDS:
            self._listed.clear()
            self._early_bytes.clear()
            self._owed_received = self._owed_sent = 0
            return None
        received, sent = _nic_difference(last.interfaces, raw.interfaces, elapsed)
        ours = [(sockets_before.get(one.flow_id), one) for one in self._sockets.values() if one.ours]
        others = [(sockets_before.get(one.flow_id), one) for one in self._sockets.values() if not one.ours]
        if raw.sockets is None or last.sockets is None:
            own_received = int(OWN_OVERHEAD * max(0, raw.own_received_bytes - last.own_received_bytes))
            own_sent = int(OWN_OVERHEAD * max(0, raw.own_sent_bytes - last.own_sent_bytes))
            own_line = int(OWN_OVERHEAD * max(0, raw.own_line_bytes - last.own_line_bytes))
        else:
            own_received, own_sent = 0, _wire_sent(ours)
            own_line = 0
            early_before, self._early_bytes = self._early_bytes, {}
            for was, now in ours:
                arrived = self._arrived(was, now, early_before.get(now.flow_id, 0))
                own_received += arrived
                own_line += 0 if now.on_link else arrived
        if raw.own_line_bytes > last.own_line_bytes:
            self._line_at = raw.at_seconds
        if not 0.0 <= raw.at_seconds - self._line_at < LINE_SECONDS:
            own_line = 0  # what is off-link is then from neighbours in other subnets of the site
        business_received, self._owed_received = _left_over(received, own_received, self._owed_received)
        business_sent, self._owed_sent = _left_over(sent, own_sent, self._owed_sent)
        from_lan = _wire_received(pair for pair in others if pair[1].on_link)
        return LinkLook(
            interval_seconds=elapsed,
            own_received_bytes=own_received,
            own_sent_bytes=own_sent,
            own_line_bytes=own_line,
            business_received_bytes=business_received,
            business_sent_bytes=business_sent,
            report=BusinessUsage(
                interval_seconds=elapsed,
                business_bytes=max(0, business_received - from_lan),
                flows=self._flows(others),
                harm_seconds=_harm(others),
                from_neighbours_bytes=max(0, own_received - own_line),
                to_neighbours_bytes=own_sent,
                card_rate=card_rate,
            ),
        )

    def _arrived(self, was: SocketReading | None, now: SocketReading, early_bytes: int) -> int:
        """Return what has arrived of a connection, as the card counts it, whatever is missing before it.

        Else each loss on the line would look like a burst of somebody else's bytes.
        """
        in_order = _wire_received([(was, now)])
        if was is None:
            return in_order
        payload = (now.data_segments_in - was.data_segments_in) * now.segment_bytes
        waits = max(0, early_bytes + payload - max(0, now.received_bytes - was.received_bytes))
        if now.early_segments_in <= was.early_segments_in:  # no more came early; and not all segments are full
            waits = min(waits, early_bytes)
        if waits:
            self._early_bytes[now.flow_id] = waits
        return max(0, in_order + waits - early_bytes)

    def _flows(self, others: list[tuple[SocketReading | None, SocketReading]]) -> tuple[tuple[int, int], ...]:
        listed: dict[int, _Listed] = {}
        for before, socket in others:
            base = 0 if before is None else before.received_bytes
            new = max(0, socket.received_bytes - base)
            old = self._listed.get(socket.flow_id, _Listed(base, 0.0))
            activity = ACTIVITY_KEPT * old.activity + new
            if activity >= 1.0 and not socket.on_link:
                listed[socket.flow_id] = _Listed(old.base_bytes, activity)
        most_active = sorted(listed.items(), key=lambda flow: -flow[1].activity)[:MAX_FLOWS]
        self._listed = dict(most_active)
        return tuple(
            (flow_id, max(0, self._sockets[flow_id].received_bytes - flow.base_bytes)) for flow_id, flow in most_active
        )


class ReportGatherer:
    """Joins the reports of several samples, to send as often as the server wants, and more often during a transfer.

    A large site asks its PCs to report seldom. A PC where one connection carries much reports at each sample anyway.
    """

    def __init__(self) -> None:
        self._waiting: BusinessUsage | None = None
        self._flows: dict[int, int] = {}

    def gather(self, report: BusinessUsage, wanted_seconds: float | None) -> BusinessUsage | None:
        """Return the report to send now, or None. The server wants one each ``wanted_seconds``; None: it wants none."""
        before, self._flows = self._flows, dict(report.flows)
        if wanted_seconds is None or report.interval_seconds > max(wanted_seconds, LONGEST_GATHERED_SECONDS):
            self._waiting = None  # what was gathered before a gap is out of date
        if wanted_seconds is None:
            return None
        gathered = report if self._waiting is None else _joined(self._waiting, report)
        self._waiting = gathered
        most = max((size - before.get(flow, size) for flow, size in report.flows), default=0)
        due = gathered.interval_seconds + report.interval_seconds / 2 >= wanted_seconds  # the next one would be later
        if not due and most < URGENT_FLOW_BYTES:
            return None
        self._waiting = None
        return gathered


def _joined(earlier: BusinessUsage, later: BusinessUsage) -> BusinessUsage:
    harms = [report.harm_seconds for report in (earlier, later) if report.harm_seconds is not None]
    return BusinessUsage(
        interval_seconds=earlier.interval_seconds + later.interval_seconds,
        business_bytes=earlier.business_bytes + later.business_bytes,
        flows=later.flows,
        harm_seconds=max(harms, default=None),
        from_neighbours_bytes=earlier.from_neighbours_bytes + later.from_neighbours_bytes,
        to_neighbours_bytes=earlier.to_neighbours_bytes + later.to_neighbours_bytes,
        card_rate=later.card_rate,
    )


def _nic_difference(
    before: Mapping[str, NicCounters], after: Mapping[str, NicCounters], elapsed: float
) -> tuple[int, int]:
    """Return the bytes received and sent. A card that is new counts from the next sample on."""
    received = sent = 0
    for name in list(after)[:MAX_INTERFACES]:
        if name in before:
            received += _difference(before[name].received_bytes, after[name].received_bytes, elapsed)
            sent += _difference(before[name].sent_bytes, after[name].sent_bytes, elapsed)
    return received, sent


def _difference(before: int, after: int, elapsed: float) -> int:
    most = MOST_BYTES_PER_SECOND * elapsed
    if after < before < _WRAP:  # a 32-bit counter that wrapped, or one that was reset
        after += _WRAP
        most = min(most, _WRAP / 2)
    return after - before if 0 <= after - before <= most else 0


def _wire_received(pairs: Iterable[tuple[SocketReading | None, SocketReading]]) -> int:
    return sum(max(0, now.wire_received_bytes - (was.wire_received_bytes if was else 0)) for was, now in pairs)


def _wire_sent(pairs: Iterable[tuple[SocketReading | None, SocketReading]]) -> int:
    return sum(max(0, now.wire_sent_bytes - (was.wire_sent_bytes if was else 0)) for was, now in pairs)


def _left_over(total: int, own: int, owed: int) -> tuple[int, int]:
    """Return others' bytes, and how many of ours the card has not counted yet: it is read just before the sockets."""
    left = total - own - owed
    return max(0, left), min(own, max(0, -left))


def _harm(others: Iterable[tuple[SocketReading | None, SocketReading]]) -> float | None:
    """Return the greatest harm. A round trip counts only where something was acknowledged since the last sample."""
    harms = [
        max(0.0, now.rtt_seconds - now.least_rtt_seconds)
        for was, now in others
        if was is not None
        and now.acked_bytes > was.acked_bytes
        and now.rtt_seconds is not None
        and now.least_rtt_seconds is not None
        and not now.on_link
    ]
    return max(harms, default=None)
