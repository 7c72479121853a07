"""Raw samples into the few numbers that decide: queue delay, our rate, others' load, losses."""

import math
from collections import deque
from dataclasses import dataclass

from bandwidth.core.base_delay import BaseDelay
from bandwidth.core.signals import Sample

RATE_WINDOW_SECONDS = 0.5  # over which our own and others' rates are measured
RECENT_SECONDS = 0.15  # three samples: a rate that doubles meanwhile is not much older
FILTER_PINGS = 3  # the least of three: one late ping may be a busy process
LONGEST_GAP_SECONDS = 2.0  # a longer silence says nothing of the rates in it
PINGS_MISSING = 2  # two in a row, not one, mean something
SEGMENT_BYTES = 1_448  # of payload, on Ethernet
ACK_DELAY_SEGMENTS = 2  # delayed acknowledgements raise a data socket's round trip by as much (RFC 1122 4.2.3.2)


@dataclass(frozen=True, slots=True)
class View:
    """The line as it looks now. Rates in bytes per second."""

    queue_seconds: float | None
    """Queueing delay that our packets meet; None without any sensor."""
    rtt_seconds: float
    """Round trip to plan with."""
    delivered: float
    recent: float
    """All that the line carried in the last `RECENT_SECONDS`, ours and others' that are seen."""
    business: float | None
    """Mean of others' rate; None when it cannot be seen."""
    business_deviation: float
    business_recent: float
    """Others' rate in the last `RECENT_SECONDS`."""
    lost_share: float
    """Retransmitted part of our segments in the window."""
    pings_missing: bool
    application_limited: bool
    bulk_business: bool
    business_harm_seconds: float


class Sensors:
    """Keeps the short windows; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.base = BaseDelay()
        self.data_base = BaseDelay()
        self._pings: deque[float] = deque(maxlen=FILTER_PINGS)
        self._missing = 0
        self._window: deque[tuple[float, float, int, int, int | None]] = deque()
        self._seen_at: float | None = None

    def take(self, sample: Sample, now: float, *, quiet: bool) -> View:
        """Take a sample and return the view. ``quiet``: our own rate is low and no business is seen."""
        elapsed = 0.0 if self._seen_at is None else now - self._seen_at
        self._seen_at = now
        if not 0.0 <= elapsed <= LONGEST_GAP_SECONDS:
            # a clock step, or a machine that slept
            self._window.clear()
            self._pings.clear()
        elif elapsed > 0.0:
            self._window.append((now, elapsed, sample.delivered_bytes, sample.retransmits, sample.business_bytes))
        while self._window and now - self._window[0][0] >= RATE_WINDOW_SECONDS:
            self._window.popleft()
        if sample.rtt_seconds is None:
            self._missing += 1
        else:
            self._missing = 0
            self._pings.append(sample.rtt_seconds)
            self.base.observe(sample.rtt_seconds, now, quiet=quiet)
        delivered = self._rate(2)
        if sample.data_rtt_seconds is not None:
            self.data_base.observe(sample.data_rtt_seconds, now, quiet=quiet)
        business, deviation = self._business()
        segments = sum(entry[2] for entry in self._window) / SEGMENT_BYTES
        return View(
            queue_seconds=self._queue(sample, delivered),
            rtt_seconds=self._pings[-1] if self._pings else (self.base.seconds or sample.data_rtt_seconds or 0.1),
            delivered=delivered,
            recent=self._recent(now),
            business=business,
            business_deviation=deviation,
            business_recent=self._business_recent(now),
            lost_share=sum(entry[3] for entry in self._window) / max(segments, 1.0),
            pings_missing=self._missing >= PINGS_MISSING,
            application_limited=sample.application_limited,
            bulk_business=sample.bulk_business,
            business_harm_seconds=sample.business_harm_seconds or 0.0,
        )

    def _queue(self, sample: Sample, delivered: float) -> float | None:
        """Return the larger of what pings and our data meet: under fair queueing only the latter see our queue."""
        queues: list[float] = []
        if self._pings and self._missing < PINGS_MISSING and self.base.seconds is not None:
            queues.append(min(self._pings) - self.base.seconds)
        if sample.data_rtt_seconds is not None and self.data_base.seconds is not None:
            spacing = ACK_DELAY_SEGMENTS * SEGMENT_BYTES / max(delivered, SEGMENT_BYTES)
            queues.append(sample.data_rtt_seconds - self.data_base.seconds - spacing)
        return max(0.0, *queues) if queues else None

    def _recent(self, now: float) -> float:
        entries = [entry for entry in self._window if now - entry[0] < RECENT_SECONDS]
        seconds = sum(entry[1] for entry in entries)
        return sum(entry[2] + (entry[4] or 0) for entry in entries) / seconds if seconds > 0 else 0.0

    def _business_recent(self, now: float) -> float:
        entries = [entry for entry in self._window if now - entry[0] < RECENT_SECONDS and entry[4] is not None]
        seconds = sum(entry[1] for entry in entries)
        return sum(entry[4] or 0 for entry in entries) / seconds if seconds > 0 else 0.0

    def _rate(self, field: int) -> float:
        seconds = sum(entry[1] for entry in self._window)
        return sum(entry[field] or 0 for entry in self._window) / seconds if seconds > 0 else 0.0

    def _business(self) -> tuple[float | None, float]:
        rates = [entry[4] / entry[1] for entry in self._window if entry[4] is not None]
        if not rates:
            return None, 0.0
        mean = self._rate(4)
        return mean, math.sqrt(sum((rate - mean) ** 2 for rate in rates) / len(rates))
