"""The rows that plans are made from, as the rest of the server knows them. Pure."""

from typing import NamedTuple

WEEK_HOUR_SECONDS = 3_600
HOURS_OF_A_WEEK = 168
THIRD_SECONDS = 8 * WEEK_HOUR_SECONDS  # of a UTC day: wherever a site is, its night begins or ends near one
THIRDS = 63  # three weeks, in a number that PostgreSQL keeps in eight bytes
_MONDAY = 4 * 86_400  # 1970-01-05 00:00 UTC


def hour_of_week(at: float) -> int:
    """Return the hour of the week in UTC, from Monday 00:00 on, at a moment in seconds since 1970."""
    return int((at - _MONDAY) // WEEK_HOUR_SECONDS) % HOURS_OF_A_WEEK


class WatchedHour(NamedTuple):
    """What a site's line carried for us, and who was connected there, in one hour or a part of it."""

    site: str
    at: float
    """When the hour began, in seconds since 1970."""
    watched: float
    """Seconds of it in which this server ran."""
    pc_seconds: float
    """Connected PCs × seconds."""
    arrivals: int
    """PCs that came after hours without them."""
    sending: float
    """Seconds in which we sent."""
    sent: int
    """Bytes of payload."""


class LineHour(NamedTuple):
    """What is known of an hour of the week at a site: sums over weeks, of which the older ones count less."""

    hour: int
    """From Monday 00:00 UTC on."""
    watched: float
    pc_seconds: float
    arrivals: float
    sending: float
    sent: float
    squares: float
    """Of each single hour: bytes² ÷ seconds of sending."""
    times: float
    """Hours in which we sent."""


class PcThirds(NamedTuple):
    """In which thirds of UTC days a PC was seen."""

    enrolled_at: float
    """Seconds since 1970."""
    thirds: int
    """A bit for each, the lowest for ``newest``."""
    newest: int
    """The number of a third since 1970; 0: it was never seen."""


class DoneWord(NamedTuple):
    """When a PC was first through with a patch."""

    site: str
    """Where it was then; empty: not known."""
    at: float
    """Seconds since 1970."""


class InstallWord(NamedTuple):
    """A step of an installation: it has begun, or it has come to its end."""

    endpoint: int
    patch: int
    at: int
    ended: bool
