"""What the endpoints of a site report about others' traffic, joined into one view of the line. Pure.

A report may be wrong or forged: each value has a cap, and a PC that lies can slow down only its own site.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from bandwidth.core.bulk import BulkDetector
from bandwidth.core.units import BytesPerSecond
from seed_server.line.card_reports import CardReports, CardUse

MAX_REPORTERS = 2_000  # PCs of one site that are listened to
FRESH_SECONDS = 1.0  # an older report on harm or flows says nothing about now …
FRESH_INTERVALS = 2.5  # … unless the PC's own interval is long: then so many of its intervals
FLOWS_SECONDS = 0.2  # longest interval whose flows count: over longer ones, a call's steps look like a transfer's start
WATCHING_SECONDS = 120.0  # a PC that is silent for twice the longest interval no longer watches
RATE_SECONDS = 5.0
MOST_OF_LINE = 4.0  # times the line's rate: more cannot have passed over it
SHORTEST_REPORT_SECONDS, LONGEST_REPORT_SECONDS = 0.05, 1.0
REPORTS_PER_SECOND_MOST = 400.0  # of one site: a twentieth of a processor
NO_DELAYS: Mapping[Hashable, float] = MappingProxyType({})


def report_seconds(reporters: int, sample_seconds: float) -> float:
    """Return the seconds between two reports of each of ``reporters`` while the site is active."""
    return min(
        LONGEST_REPORT_SECONDS, max(SHORTEST_REPORT_SECONDS, sample_seconds, reporters / REPORTS_PER_SECOND_MOST)
    )


class BusinessView(NamedTuple):
    """Others' traffic since the last sample."""

    business_bytes: int | None
    """None: nobody can see it."""
    bulk: bool
    harm_seconds: float | None
    full_cards: frozenset[Hashable] = frozenset()
    """The endpoints whose cards are full of our own swapping (`CardReports`)."""
    card_rate: BytesPerSecond | None = None
    """What a PC's card carries; None: no PC tells."""
    delays: Mapping[Hashable, float] = NO_DELAYS
    """Smoothed − least round trip of each PC's most harmed business connection, where it has measured one."""


@dataclass
class _Reporter:
    at: float
    waiting_bytes: float = 0.0
    spread_until: float = 0.0
    flows: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    harm_seconds: float | None = None
    interval_seconds: float = 0.0

    def is_fresh(self, now: float) -> bool:
        """Whether what it says of harm and flows still describes now."""
        return now - self.at < max(FRESH_SECONDS, FRESH_INTERVALS * self.interval_seconds)


class BusinessReports:
    """Keeps each endpoint's newest report; ``now`` is any clock in seconds."""

    def __init__(self, max_reporters: int = MAX_REPORTERS) -> None:
        self._max_reporters = max_reporters
        self._reporters: dict[Hashable, _Reporter] = {}
        self._bulk: BulkDetector[tuple[Hashable, int]] = BulkDetector()
        self._taken_at: float | None = None
        self.cards = CardReports()
        self.rate: float | None = None
        """Others' bytes per second over some seconds; None: nobody can see it."""

    def reported(
        self,
        endpoint: Hashable,
        *,
        interval_seconds: float,
        business_bytes: int,
        flows: tuple[tuple[int, int], ...],
        harm_seconds: float | None,
        now: float,
        card: CardUse | None = None,
    ) -> None:
        """Record a report. At a site with more than `MAX_REPORTERS` PCs, only the first ones count."""
        reporter = self._reporters.get(endpoint)
        if reporter is None:
            if len(self._reporters) >= self._max_reporters:
                return
            reporter = self._reporters[endpoint] = _Reporter(now)
            # its connections may be old: only what they carry from now on counts
            reporter.offsets = dict(flows)
        reporter.at = now
        if card is not None:
            self.cards.reported(endpoint, card, interval_seconds=interval_seconds, now=now)
        reporter.waiting_bytes += business_bytes
        # the bytes are spread over the time until the next report, so that reports make no peaks
        reporter.interval_seconds = min(interval_seconds, LONGEST_REPORT_SECONDS)
        reporter.spread_until = now + reporter.interval_seconds
        reporter.harm_seconds = harm_seconds
        known = reporter.offsets
        # a flow that is new in the list has carried no more than all business in this interval
        reporter.offsets = {key: known.get(key, max(0, size - business_bytes)) for key, size in flows}
        reporter.flows = {key: max(0, size - reporter.offsets[key]) for key, size in flows}

    def left(self, endpoint: Hashable) -> None:
        """Forget an endpoint that has disconnected."""
        self._reporters.pop(endpoint, None)
        self.cards.left(endpoint)

    def sample(self, now: float, *, rtt_seconds: float, capacity: BytesPerSecond | None) -> BusinessView:
        """Return what has happened since the last call."""
        since, self._taken_at = self._taken_at, now
        elapsed = 0.0 if since is None else max(0.0, now - since)
        watching = False
        carried = 0.0
        delays: dict[Hashable, float] = {}
        flows: dict[tuple[Hashable, int], int] = {}
        for endpoint, reporter in self._reporters.items():
            if not 0 <= now - reporter.at < WATCHING_SECONDS:
                continue
            watching = True
            left_seconds = reporter.spread_until - (now - elapsed)
            part = 1.0 if left_seconds <= elapsed else elapsed / left_seconds
            new = reporter.waiting_bytes * part
            reporter.waiting_bytes -= new
            carried += new
            if reporter.is_fresh(now):
                if reporter.harm_seconds is not None:
                    delays[endpoint] = reporter.harm_seconds
                if reporter.interval_seconds <= FLOWS_SECONDS:
                    flows |= {(endpoint, key): size for key, size in reporter.flows.items()}
        bulk = self._bulk.observe(flows, now, rtt_seconds=rtt_seconds, capacity=capacity)
        if not watching:
            self.rate = None
            return BusinessView(None, False, None)
        if capacity is not None:
            carried = min(carried, MOST_OF_LINE * capacity * elapsed)
        if elapsed:
            before = self.rate or 0.0
            self.rate = before + min(1.0, elapsed / RATE_SECONDS) * (carried / elapsed - before)
        harm = max(delays.values(), default=None)
        return BusinessView(int(carried), bulk, harm, self.cards.full(now), self.cards.usual_rate, delays)
