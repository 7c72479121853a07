"""How many endpoints of a site fetch at the same time, and how far ahead. Pure.

Measured: where the line is the limit, one fetcher keeps WAN bytes at the file's
size and loses nothing. Where server and neighbours are equally near (100 Mbit/s
each, 8 endpoints), the swarm took 4.7 times as long as the file at line rate with
one fetcher, about as long with two, and 1.7 to 1.9 times with eight that share the pieces.
"""

import math

from bandwidth.core.units import BytesPerSecond
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.line.site_rate import SiteRate
from seed_server.line.site_sample import is_near

NEAR_FETCHERS = 8
FAST_RATE = BytesPerSecond(25_000_000)  # 200 Mbit/s: more than one PC's disk and hash check surely take
FAST_FETCHERS = 2
SLOW_FETCHERS = 1
LONG_RTT_SECONDS = 0.2  # by satellite, or over an ocean: one connection's window needs seconds to grow …
LONG_LEAST_BYTES = 64_000  # … unless less than this is on its way: then one window is soon large enough …
LONG_FETCHERS = 4  # … and four begin where one is after two round trips; a new turn then costs a quarter of it

TURN_ROUND_TRIPS = (
    30.0  # a window that doubles in each is full after seven on a long fast line: a quarter of the turn …
)
TURN_LEAST_MOST_SECONDS = 20.0  # … but one bad turn costs no more than this

UNCONFIRMED_SECONDS = 1.0  # of the rate may be sent and not confirmed: a round trip, the hash check, a slow disk
UNCONFIRMED_LEAST_BYTES, UNCONFIRMED_MOST_BYTES = 2 << 20, 64 << 20  # the most: as much may be in a PC's memory


def is_long(rtt_seconds: float | None) -> bool:
    """Whether the round trip (None: not known) is one in which much could be sent."""
    return rtt_seconds is not None and rtt_seconds >= LONG_RTT_SECONDS


def fetchers_for(
    rate: BytesPerSecond,
    rtt_seconds: float | None,
    card_rate: BytesPerSecond | None = None,
    *,
    line_rate: BytesPerSecond | None,
) -> int:
    """Return how many endpoints shall fetch where ``rate`` goes over a line of ``rtt_seconds`` (None: not known).

    ``card_rate``: what the PCs' network cards carry, where they tell; ``line_rate``: what the line does, or None.
    """
    if is_near(rate, rtt_seconds, card_rate):
        return NEAR_FETCHERS
    under_way = math.inf if line_rate is None else line_rate * (rtt_seconds or 0.0)
    if is_long(rtt_seconds) and under_way >= LONG_LEAST_BYTES:
        return LONG_FETCHERS
    return FAST_FETCHERS if rate >= FAST_RATE else SLOW_FETCHERS


def unconfirmed_bytes_for(rate: BytesPerSecond) -> int:
    """Return how much one endpoint may have been sent and not confirmed, at ``rate`` for the whole site."""
    return min(UNCONFIRMED_MOST_BYTES, max(UNCONFIRMED_LEAST_BYTES, int(UNCONFIRMED_SECONDS * rate)))


def turn_least_seconds_for(rtt_seconds: float | None) -> float:
    """Return how long a fetcher keeps its turn at least: a new one's window must first grow (None: not known)."""
    return min(TURN_LEAST_MOST_SECONDS, TURN_ROUND_TRIPS * (rtt_seconds or 0.0))


def fit_ledger(ledger: SiteLedger, rate: SiteRate, now: float, *, fixed: int) -> None:
    """Let as many endpoints of a site fetch, ``fixed`` unless that is 0, and as far ahead, as suit its line."""
    line = rate.capacity(now)
    # what the line carries rather than what it may be sent now: a yield is no reason to change fetchers
    usual = max(rate.decision.allowance, line or 0)
    usual = BytesPerSecond(usual if rate.ceiling is None else min(usual, rate.ceiling))
    rtt, cards = rate.sampler.expected_rtt_seconds, rate.reports.cards.usual_rate
    ledger.resize(
        fetchers=fixed or fetchers_for(usual, rtt, cards, line_rate=None if line is None else usual),
        unconfirmed_bytes=unconfirmed_bytes_for(usual),
        turn_least_seconds=turn_least_seconds_for(rtt),
    )
