"""Turns raw samples into the few numbers that decide: queue delays, our rate, others' load, losses, what did not
arrive. Pure.
"""

from collections import deque
from dataclasses import dataclass

from bandwidth.core.base_delay import BaseDelay
from bandwidth.core.business import BusinessLoad
from bandwidth.core.rolling import RollingMax, RollingRate
from bandwidth.core.signals import Sample
from bandwidth.core.units import BytesPerSecond

RATE_WINDOW_SECONDS = 0.5  # over which our own rate is measured
LATE_SHOWS_ROUND_TRIPS, LATE_SHOWS_SECONDS = 2, 0.05  # together: for so long a held-up process shows in round trips
RECENT_SECONDS = 0.15  # three samples: short enough to follow a rate that doubles
SATURATED_ROUND_TRIPS = 0.25  # on a long way it stands longer, and bunched acknowledgements say too much
SATURATED_SECONDS = 0.09  # two samples: a queue that we cut at once does not stand for longer …
SATURATED_SEGMENTS = 64  # … and as many segments, so that one more or less is under 2 %
FILTER_PINGS = 3  # the least of three: one late ping may be a busy process
SATELLITE_SECONDS = 0.3  # a round trip as long as this: what we do shows late
LONGEST_GAP_SECONDS = 2.0  # a longer silence says nothing of the rates in it
PINGS_MISSING = 2  # two in a row, not one, mean something
SEGMENT_BYTES = 1_448  # of payload, on Ethernet: of every segment, where the kernel does not say
ACK_DELAY_SEGMENTS = 2  # delayed acknowledgements raise a data socket's round trip by as much (RFC 1122 4.2.3.2)
FRESH_SEGMENTS = 16  # a smoothed round trip (RFC 6298: weight 1/8) has forgotten 7/8 of the past after as many
LOSS_MEMORY_SEGMENTS = 8_000  # the line's own losses are learned over this many segments that met no queue …
LOSS_USUAL_MOST = 0.05  # … and more than this is congestion, however long it lasts
CROWDED_SECONDS = 0.002  # a loss with no more of a queue around it is the line's own: what overflows must first fill
SHORTFALL_SECONDS = 0.25  # over which what arrived is compared with what was sent
SHORTFALL_SEGMENTS = 16  # fewer than these say nothing
CLUMPS_SECONDS = SHORTFALL_SECONDS / 4  # a round trip as long, and what windows let through comes in too few clumps
LONGEST_RTT_SECONDS = 2.0  # for which a shortfall is looked for


@dataclass(slots=True)
class View:
    """The line as it looks now. Rates in bytes per second."""

    queue_seconds: float | None
    """Queueing delay that everybody meets, from pings; without pings, from our data. None: no sensor."""
    data_queue_seconds: float
    """Queueing delay that our data meet, everybody's and ours; 0 where it is not measured freshly."""
    own_queue_seconds: float
    """The part of it beyond what pings meet: under fair queueing, a queue of ours alone."""
    rtt_seconds: float
    """Round trip to plan with."""
    delivered: float
    recent: float
    """All that the line carried in the last `RECENT_SECONDS`, ours and others' that are seen, …"""
    own_recent: float
    """… and ours alone."""
    carried: float
    """The same as ``recent`` over the shortest time that says how much a full line carries."""
    shortfall: float
    """Part of what was sent a round trip ago that has not arrived, 0 to 1."""
    lost: int
    """Our segments lost in the window, …"""
    lost_crowded: int
    """… and those among them that were lost around a queue, as where a buffer overflows."""
    losses_usual: float
    """So many segments the line itself usually loses in the window."""
    segments: float
    """Our segments that arrived in the window."""
    pings_missing: bool
    application_limited: bool
    limited: bool
    """Lately the application or the kernel's congestion window may have limited us, not the rate: it says nothing that
    less arrived than was allowed."""
    window_rate: float | None
    """What our sockets' congestion windows let through; None: not known."""
    bulk_business: bool
    business_harm_seconds: float


class Sensors:
    """Makes a view of each sample and keeps the short windows; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.base = BaseDelay()
        self.data_base = BaseDelay()
        self.business = BusinessLoad()
        self._pings: deque[float] = deque(maxlen=FILTER_PINGS)
        self._missing = 0
        self._delivered = RollingRate(RATE_WINDOW_SECONDS)
        self._lost = RollingRate(RATE_WINDOW_SECONDS)
        self._lost_crowded = RollingRate(RATE_WINDOW_SECONDS)
        self._crowd = RollingMax()
        self._recent = RollingRate(RECENT_SECONDS)
        self._own_recent = RollingRate(RECENT_SECONDS)
        self._limited_at = self._late_at = float("-inf")
        self._newest = RollingRate(SATURATED_SECONDS)
        self._shortfall = _Shortfalls()
        self._seen_at: float | None = None
        self._asked_at = float("inf")
        """When we began to wait for the first answer, after the beginning or a gap."""
        self._loss_share = self._loss_memory = 0.0
        self._outage = False
        """Neither pings nor data came, and no ping has come since."""

    def observe(self, sample: Sample, now: float, *, quiet: bool, silent: bool, allowed: BytesPerSecond) -> View:
        """Record a sample and return the view.

        ``quiet``: our own rate is low and no business is seen. ``silent``: we have yielded to somebody.
        ``allowed``: the allowance since the last sample.
        """
        elapsed = 0.0 if self._seen_at is None else now - self._seen_at
        if self._seen_at is None:
            self._asked_at = now
        self._seen_at = now
        if not 0.0 <= elapsed <= LONGEST_GAP_SECONDS:
            # a clock step, or a machine that slept
            self._forget(now)
            elapsed = 0.0
        if sample.rtt_seconds is None:
            # the first ones are still on their way
            self._missing += now - self._asked_at > (self.base.seconds or 0.0) + 2 * elapsed
        else:
            self._missing = 0
            self._outage = False
            self._pings.append(sample.rtt_seconds)
            self.base.observe(sample.rtt_seconds, now, quiet=quiet)
            if not silent or sample.bulk_business:
                self.base.busy()
            else:
                before = self.base.seconds or 0.0
                if self.base.silent(min(self._pings), now):
                    self.data_base.rise_by((self.base.seconds or 0.0) - before, now)
        rtt = self._pings[-1] if self._pings else (self.base.seconds or sample.data_rtt_seconds or 0.1)
        usual = min(LOSS_USUAL_MOST, self._loss_share)  # as it was before: the losses of now must not count as usual
        self._add(sample, now, elapsed, rtt)
        self._note_shortfall(sample, now, elapsed, allowed, rtt)
        if self._missing >= PINGS_MISSING and not sample.delivered_bytes:
            self._shortfall.clear()  # an outage is no competitor
        delivered = self._delivered.rate
        self._outage |= bool(self._missing >= PINGS_MISSING and self.base.seconds and not delivered)
        if sample.data_rtt_seconds is not None:
            self.data_base.observe(sample.data_rtt_seconds, now, quiet=quiet)
        queue, data_queue, own_queue = self._queues(sample, delivered, rtt, now)
        self._note_losses(sample, max(queue or 0.0, data_queue), now, elapsed, rtt)
        return View(
            queue,
            data_queue,
            own_queue,
            rtt,
            delivered,
            self._recent.rate,
            self._own_recent.rate,
            self._newest.rate if self._newest.amount >= SATURATED_SEGMENTS * SEGMENT_BYTES else self._recent.rate,
            # without an answer just now, it may be the beginning of an outage
            self._shortfall.share(rtt, max(rtt, sample.data_rtt_seconds or 0.0) + elapsed, now)
            if not self._missing
            else 0.0,
            int(self._lost.amount),
            int(self._lost_crowded.amount),
            usual * self._delivered.amount / SEGMENT_BYTES,
            self._delivered.amount / SEGMENT_BYTES,
            self._missing >= PINGS_MISSING,
            sample.application_limited,
            0 <= now - self._limited_at < RATE_WINDOW_SECONDS + rtt,
            sample.window_rate,
            sample.bulk_business,
            sample.business_harm_seconds or 0.0,
        )

    def pause_ended(self, least_rtt_seconds: float, now: float) -> None:
        """Record the least round trip of a planned pause: the base rises when two of them agree."""
        before = self.base.seconds or 0.0
        if self.base.pause_ended(least_rtt_seconds, now):
            self.data_base.rise_by((self.base.seconds or 0.0) - before, now)

    def drained(self) -> None:
        """Note that a queue of our own has gone: what was lost in it was no competitor's doing."""
        self._lost_crowded.clear()
        self._crowd.clear()

    def _forget(self, now: float) -> None:
        self._asked_at = now
        self._missing = 0
        self._pings.clear()
        self._delivered.clear()
        self._lost.clear()
        self._lost_crowded.clear()
        self._crowd.clear()
        self._recent.clear()
        self._own_recent.clear()
        self._newest.clear()
        self._shortfall.clear()
        self.business.forget(now)

    def _add(self, sample: Sample, now: float, elapsed: float, rtt: float) -> None:
        self._delivered.expire(now)
        self._lost.expire(now)
        self._lost_crowded.expire(now)
        self._recent.expire(now)
        self._own_recent.expire(now)
        self._newest.span_seconds = max(SATURATED_SECONDS, SATURATED_ROUND_TRIPS * (self.base.seconds or 0.0))
        self._newest.expire(now)
        self.business.observe(sample.business_bytes, elapsed, now, rtt)
        if elapsed <= 0.0:
            return
        delivered = sample.delivered_bytes
        self._delivered.add(now, elapsed, delivered)
        self._recent.add(now, elapsed, delivered + (sample.business_bytes or 0))
        self._own_recent.add(now, elapsed, delivered)
        self._newest.add(now, elapsed, delivered + (sample.business_bytes or 0))

    def _note_losses(self, sample: Sample, queue: float, now: float, elapsed: float, rtt: float) -> None:
        self._crowd.add(now, queue)
        # a loss is noticed a round trip later, and the pings' filter may show its queue later still
        self._crowd.expire(now - rtt - RECENT_SECONDS)
        if elapsed <= 0.0:
            return
        lost = 0 if self._outage else sample.retransmits  # what an outage swallowed is neither the line's nor a rival's
        crowded = self._crowd.largest >= CROWDED_SECONDS
        self._lost.add(now, elapsed, lost)
        self._lost_crowded.add(now, elapsed, lost if crowded else 0)
        segments = sample.delivered_bytes / SEGMENT_BYTES
        if segments > 0.0 and not crowded and not self._outage:
            self._loss_memory = min(LOSS_MEMORY_SEGMENTS, self._loss_memory + segments)
            self._loss_share += segments / self._loss_memory * (min(1.0, lost / segments) - self._loss_share)

    def _note_shortfall(self, sample: Sample, now: float, elapsed: float, allowed: BytesPerSecond, rtt: float) -> None:
        small_window = sample.window_rate is not None and sample.window_rate < allowed
        limited = sample.application_limited or small_window
        if limited:
            self._limited_at = now
        if sample.late:
            self._late_at = now
        if elapsed > 0.0:
            if sample.sent_bytes is None:
                self._shortfall.add(now, elapsed, sample.delivered_bytes, allowed, limited=limited)
            else:
                clumps = small_window and (self.base.seconds or rtt) >= CLUMPS_SECONDS
                self._shortfall.add_sent(now, elapsed, sample.delivered_bytes, sample.sent_bytes, limited=clumps)

    def _queues(self, sample: Sample, delivered: float, rtt: float, now: float) -> tuple[float | None, float, float]:
        pings = most = None
        base = self.base.seconds
        if self._pings and self._missing < PINGS_MISSING and base is not None:
            pings, most = (max(0.0, each - base) for each in (min(self._pings), max(self._pings)))
        data: float | None = None
        data_base = self.data_base.seconds
        if sample.data_rtt_seconds is not None and data_base is not None:
            # a smoothed round trip lags: after a pause it still includes the spacing at the pause's slow rate
            slowest = min(delivered, self._own_recent.rate)
            spacing = sample.data_sockets * ACK_DELAY_SEGMENTS * SEGMENT_BYTES / max(slowest, SEGMENT_BYTES)
            data = max(0.0, sample.data_rtt_seconds - sample.data_late_seconds - data_base - spacing)
        if pings is None and self._outage and not sample.data_rtt_settled:
            return None, 0.0, 0.0  # its end: what was sent again and again has waited for that
        if pings is None:
            return data, data or 0.0, 0.0
        fresh = delivered * RATE_WINDOW_SECONDS >= FRESH_SEGMENTS * SEGMENT_BYTES
        if data is None or not fresh or not sample.data_rtt_settled:
            return pings, 0.0, 0.0
        if 0 <= now - self._late_at < LATE_SHOWS_ROUND_TRIPS * rtt + LATE_SHOWS_SECONDS:
            return pings, data, 0.0
        # a queue that pings meet as well is everybody's, also while their filter has not shown it yet
        return pings, data, max(0.0, data - (most or 0.0))


class _Shortfalls:
    """What did not arrive, whether an acknowledgement comes back soon or late.

    With one time alone, a rate that grows looks like a shortfall where acknowledgements are late, and a rate that falls
    where they are soon.
    """

    def __init__(self) -> None:
        self._soon, self._late = _Shortfall(), _Shortfall()

    def clear(self) -> None:
        """Forget everything."""
        self._soon.clear()
        self._late.clear()

    def add(self, now: float, elapsed: float, arrived: int, allowed: BytesPerSecond, *, limited: bool) -> None:
        """Add a sample in which we sent what was ``allowed``, unless something else ``limited`` us."""
        self._soon.add(now, elapsed, arrived, allowed, limited=limited)
        self._late.add(now, elapsed, arrived, allowed, limited=limited)

    def add_sent(self, now: float, elapsed: float, arrived: int, sent: int, *, limited: bool) -> None:
        """Add a sample of which it is known what was sent; ``limited``: by something that makes it say nothing."""
        self._soon.add_sent(now, elapsed, arrived, sent, limited=limited)
        self._late.add_sent(now, elapsed, arrived, sent, limited=limited)

    def share(self, soonest: float, latest: float, now: float) -> float:
        """Return the least missing part for acknowledgements after ``soonest`` or ``latest`` seconds, 0 to 1."""
        return min(self._soon.share(soonest, now), self._late.share(latest, now))


class _Shortfall:
    """Compares what arrived in the last moments with what was sent a round trip before.

    What was sent waits until it is a round trip old; then it stays as long as arrivals do.
    """

    def __init__(self) -> None:
        self._arrived = RollingRate(SHORTFALL_SECONDS)
        self._waiting: deque[tuple[float, float, float, bool]] = deque()  # (at, seconds, bytes, limited)
        self._sent: deque[tuple[float, float, float, bool]] = deque()
        self._sent_bytes = self._sent_seconds = 0.0
        self._limited = 0
        self._since: float | None = None
        self._allowed_before = BytesPerSecond(0)

    def clear(self) -> None:
        self._arrived.clear()
        self._waiting.clear()
        self._sent.clear()
        self._sent_bytes = self._sent_seconds = 0.0
        self._limited = 0
        self._since = None

    def add(self, now: float, elapsed: float, arrived: int, allowed: BytesPerSecond, *, limited: bool) -> None:
        """Add a sample in which we sent what was ``allowed``, unless something else ``limited`` us."""
        # a kernel applies a raised rate at the next acknowledgement, so what was sent was sent at the lower one
        sent = min(allowed, self._allowed_before) * elapsed
        self._allowed_before = allowed
        self.add_sent(now, elapsed, arrived, sent, limited=limited)

    def add_sent(self, now: float, elapsed: float, arrived: int, sent: float, *, limited: bool) -> None:
        """Add a sample of which it is known what was sent; ``limited``: by something that makes it say nothing."""
        if self._since is None:
            self._since = now
        self._arrived.add(now, elapsed, arrived)
        self._waiting.append((now, elapsed, sent, limited))

    def share(self, rtt: float, now: float) -> float:
        """Return the missing part of what was sent, 0 to 1; 0 too where the rate did not limit us."""
        self._arrived.expire(now)
        rtt = min(rtt, LONGEST_RTT_SECONDS)
        while self._waiting and self._waiting[0][0] <= now - rtt:
            entry = self._waiting.popleft()
            self._sent.append(entry)
            self._sent_seconds += entry[1]
            self._sent_bytes += entry[2]
            self._limited += entry[3]
        while self._sent and self._sent[0][0] <= now - rtt - SHORTFALL_SECONDS:
            entry = self._sent.popleft()
            self._sent_seconds -= entry[1]
            self._sent_bytes -= entry[2]
            self._limited -= entry[3]
        if self._since is None or now - self._since < rtt + 2 * SHORTFALL_SECONDS:
            return 0.0  # the first sends do not fill a window yet, and may still be on their way
        if self._limited or self._sent_bytes < SHORTFALL_SEGMENTS * SEGMENT_BYTES:
            return 0.0
        return max(0.0, 1.0 - self._arrived.rate / (self._sent_bytes / self._sent_seconds))
