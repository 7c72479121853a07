"""Raw samples into the few numbers that decide: queue delays, our rate, others' load, losses, what did not arrive."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from bandwidth.core.base_delay import BaseDelay
from bandwidth.core.business import BusinessLoad
from bandwidth.core.signals import Sample
from bandwidth.units import BytesPerSecond

RATE_WINDOW_SECONDS = 0.5  # over which our own rate is measured
RECENT_SECONDS = 0.15  # three samples: a rate that doubles meanwhile is not much older
SHORTFALL_SECONDS = 0.25  # over which what arrived is held against what was sent
SHORTFALL_SEGMENTS = 16  # fewer than these say nothing
FILTER_PINGS = 3  # the least of three: one late ping may be a busy process
LONGEST_GAP_SECONDS = 2.0  # a longer silence says nothing of the rates in it
PINGS_MISSING = 2  # two in a row, not one, mean something
SEGMENT_BYTES = 1_448  # of payload, on Ethernet
ACK_DELAY_SEGMENTS = 2  # delayed acknowledgements raise a data socket's round trip by as much (RFC 1122 4.2.3.2)
FRESH_SEGMENTS = 16  # a smoothed round trip (RFC 6298: weight 1/8) has forgotten 7/8 of the past after as many
LOSS_MEMORY_SEGMENTS = 8_000  # the line's own losses are learned over this many of our segments …
LOSS_USUAL_MOST = 0.02  # … and more than this is congestion, however long it lasts
HISTORY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class View:
    """The line as it looks now. Rates in bytes per second."""

    queue_seconds: float | None
    """Queueing delay that everybody meets, from pings; without pings, what our data meet. None: no sensor."""
    own_queue_seconds: float
    """Queueing delay of our data beyond what pings meet: under fair queueing, a queue of ours alone."""
    rtt_seconds: float
    """Round trip to plan with."""
    delivered: float
    recent: float
    """All that the line carried in the last `RECENT_SECONDS`, ours and others' that are seen."""
    shortfall: float
    """Part of what was sent a round trip ago that has not arrived, 0 to 1."""
    lost: int
    """Our segments lost in the window."""
    losses_usual: float
    """As many may be lost in the window by the line itself."""
    pings_missing: bool
    application_limited: bool
    bulk_business: bool
    business_harm_seconds: float


class _Look(NamedTuple):
    at: float
    seconds: float
    delivered: int
    retransmits: int
    business: int
    allowed: float
    limited: bool


class Sensors:
    """Keeps the short windows; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.base = BaseDelay()
        self.data_base = BaseDelay()
        self.business = BusinessLoad()
        self._pings: deque[float] = deque(maxlen=FILTER_PINGS)
        self._missing = 0
        self._window: deque[_Look] = deque()
        self._seen_at: float | None = None
        self._loss_share = 0.0

    def take(self, sample: Sample, now: float, *, quiet: bool, allowed: BytesPerSecond) -> View:
        """Take a sample and return the view.

        ``quiet``: our own rate is low and no business is seen. ``allowed``: what held since the last sample.
        """
        elapsed = 0.0 if self._seen_at is None else now - self._seen_at
        self._seen_at = now
        if not 0.0 <= elapsed <= LONGEST_GAP_SECONDS:
            # a clock step, or a machine that slept
            self._window.clear()
            self._pings.clear()
            self.business.forget()
            elapsed = 0.0
        if sample.rtt_seconds is None:
            self._missing += 1
        else:
            self._missing = 0
            self._pings.append(sample.rtt_seconds)
            self.base.observe(sample.rtt_seconds, now, quiet=quiet)
        rtt = self._pings[-1] if self._pings else (self.base.seconds or sample.data_rtt_seconds or 0.1)
        if elapsed > 0.0:
            self._add(sample, now, elapsed, allowed)
            self.business.take(sample.business_bytes, elapsed, now, rtt)
        delivered = self._rate(now, RATE_WINDOW_SECONDS)
        if sample.data_rtt_seconds is not None:
            self.data_base.observe(sample.data_rtt_seconds, now, quiet=quiet)
        queue, own_queue = self._queues(sample, delivered)
        in_window = [look for look in self._window if now - look.at < RATE_WINDOW_SECONDS]
        segments = sum(look.delivered for look in in_window) / SEGMENT_BYTES
        return View(
            queue_seconds=queue,
            own_queue_seconds=own_queue,
            rtt_seconds=rtt,
            delivered=delivered,
            recent=self._rate(now, RECENT_SECONDS, others=True),
            shortfall=self._shortfall(now, rtt),
            lost=sum(look.retransmits for look in in_window),
            losses_usual=min(LOSS_USUAL_MOST, self._loss_share) * segments,
            pings_missing=self._missing >= PINGS_MISSING,
            application_limited=sample.application_limited,
            bulk_business=sample.bulk_business,
            business_harm_seconds=sample.business_harm_seconds or 0.0,
        )

    def _add(self, sample: Sample, now: float, elapsed: float, allowed: BytesPerSecond) -> None:
        self._window.append(
            _Look(
                now,
                elapsed,
                sample.delivered_bytes,
                sample.retransmits,
                sample.business_bytes or 0,
                allowed * elapsed,
                sample.application_limited or (sample.window_rate is not None and sample.window_rate < allowed),
            )
        )
        while now - self._window[0].at >= HISTORY_SECONDS:
            self._window.popleft()
        segments = sample.delivered_bytes / SEGMENT_BYTES
        weight = min(1.0, segments / LOSS_MEMORY_SEGMENTS)
        if segments:
            self._loss_share += weight * (min(1.0, sample.retransmits / segments) - self._loss_share)

    def _queues(self, sample: Sample, delivered: float) -> tuple[float | None, float]:
        pings: float | None = None
        if self._pings and self._missing < PINGS_MISSING and self.base.seconds is not None:
            pings = max(0.0, min(self._pings) - self.base.seconds)
        data: float | None = None
        if sample.data_rtt_seconds is not None and self.data_base.seconds is not None:
            spacing = ACK_DELAY_SEGMENTS * SEGMENT_BYTES / max(delivered, SEGMENT_BYTES)
            data = max(0.0, sample.data_rtt_seconds - self.data_base.seconds - spacing)
        if pings is None:
            return data, 0.0
        fresh = delivered * RATE_WINDOW_SECONDS >= FRESH_SEGMENTS * SEGMENT_BYTES
        return pings, max(0.0, data - pings) if data is not None and fresh else 0.0

    def _shortfall(self, now: float, rtt: float) -> float:
        """Hold what arrived in the last moments against what was allowed a round trip before."""
        arrived = sent = arrived_seconds = sent_seconds = 0.0
        for look in self._window:
            if now - look.at < SHORTFALL_SECONDS:
                arrived += look.delivered
                arrived_seconds += look.seconds
            if rtt <= now - look.at < rtt + SHORTFALL_SECONDS:
                if look.limited:
                    return 0.0
                sent += look.allowed
                sent_seconds += look.seconds
        if sent < SHORTFALL_SEGMENTS * SEGMENT_BYTES or not self._window or now - self._window[0].at < rtt:
            return 0.0
        return max(0.0, 1.0 - (arrived / arrived_seconds) / (sent / sent_seconds))

    def _rate(self, now: float, span: float, *, others: bool = False) -> float:
        looks = [look for look in self._window if now - look.at < span]
        seconds = sum(look.seconds for look in looks)
        size = sum(look.delivered + (look.business if others else 0) for look in looks)
        return size / seconds if seconds > 0 else 0.0
