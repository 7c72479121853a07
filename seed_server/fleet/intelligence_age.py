"""When what is known of weaknesses is old, and how that is said. Pure."""

import datetime as dt
from collections.abc import Mapping

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.intelligence_records import IntelligenceKind, IntelligenceSource

INTELLIGENCE_STALE_SECONDS = 7.0 * DAY_SECONDS  # both files have something new nearly every day
_OLD: Mapping[IntelligenceKind, str] = {
    "kev": "What is known of exploited weaknesses (KEV) is of {day}, {days} days ago.",
    "epss": "What is known of likely exploitation (EPSS) is of {day}, {days} days ago.",
}


def is_stale(source: IntelligenceSource, now: float) -> bool:
    """Whether a file is so old that what is new is not in it."""
    return now - source.dated_at > INTELLIGENCE_STALE_SECONDS


def age_sentence(source: IntelligenceSource, now: float) -> str:
    """Return how old a file is."""
    return _OLD[source.kind].format(day=day(source.dated_at), days=int((now - source.dated_at) / DAY_SECONDS))


def day(seconds: float) -> str:
    """Return the day of a moment, in seconds since 1970: ``2026-12-01``, in UTC."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"
