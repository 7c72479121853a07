"""What a site's line did in ten minutes, and in the hours that these become, as the rest of the server knows it. Pure.

What a server has not watched is missing, and is no zero: `WatchedSlot` says what it has watched, and a site of which
there is no row then was sent nothing.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from bandwidth.core.states import Reason

SLOT_SECONDS = 600
HOUR_SLOTS = 6
SLOTS_KEPT_SECONDS = 8 * 86_400.0  # a week, to compare a day with the same one before, and a day more
HOURS_KEPT_SECONDS = 90 * 86_400.0  # as long as people ask what a line did in the last quarter
MAX_SLOT_BYTES = (1 << 62) - 1  # in eight bytes, and half of them: two are added up
NO_CAUSE = ""

# a row keeps the place in this list: append only
_CAUSES = (
    NO_CAUSE,
    Reason.LEARNING.value,
    Reason.RAMPING.value,
    Reason.AT_CAPACITY.value,
    Reason.APPLICATION_LIMITED.value,
    Reason.QUEUE.value,
    Reason.BUSINESS_LOAD.value,
    Reason.BUSINESS_BULK.value,
    Reason.PERSISTENT_QUEUE.value,
    Reason.LOSS.value,
    Reason.SHORTFALL.value,
    Reason.HARM.value,
    Reason.PAUSE.value,
    Reason.NO_SIGNALS.value,
    Reason.VANISHED.value,
    Reason.CEILING.value,
    Reason.FLOOR.value,
    Reason.BOOST.value,
    Reason.BLACKOUT.value,
    Reason.HARM_PAUSE.value,
)
_CODES = {cause: code for code, cause in enumerate(_CAUSES)}


def slot_of(at: float) -> int:
    """Return the number of the ten minutes since 1970 in which a moment is."""
    return int(at // SLOT_SECONDS)


def code_of(cause: str) -> int:
    """Return the number that a row keeps in the place of a cause; 0 for one that is not known."""
    return _CODES.get(cause, 0)


def cause_at(code: int) -> str:
    """Return the cause with a number; empty for one of a later release."""
    return _CAUSES[code] if 0 <= code < len(_CAUSES) else NO_CAUSE


def cause_in(reason: str) -> str:
    """Return the cause that a reason for people begins with, which may name a rule after it; empty: it is not known."""
    if reason in _CODES:
        return reason
    return next((cause for cause in _CAUSES[1:] if reason.startswith(f"{cause}: ")), NO_CAUSE)


class WatchedSlot(NamedTuple):
    """Ten minutes, or an hour of them, in which a server watched all lines."""

    slot: int
    """Its number since 1970, or that of an hour's first one."""
    slots: int
    """1, or `HOUR_SLOTS`."""
    watched: float
    """Seconds of it in which the server ran."""


class LineSlot(Struct, frozen=True):
    """What one site's line did in ten minutes, in a part of them, or in an hour."""

    site: str
    slot: int
    """The number of the ten minutes since 1970, or that of an hour's first one."""
    slots: int = 1
    """1, or `HOUR_SLOTS`."""
    active: float = 0.0
    """Seconds in which pieces were sent, or PCs waited for them in vain."""
    sent: int = 0
    """Bytes of payload that we sent."""
    allowed: float = 0.0
    """The limit, times the seconds for which it held while ``active``: bytes on the line."""
    cause: str = NO_CAUSE
    """What the limit came from for longest: the value of a `Reason`."""
    cause_seconds: float = 0.0
    """For how long it did."""
    business: int = 0
    """Bytes of others, as PCs there saw them."""
    business_seconds: float = 0.0
    """For how long PCs watched; 0: nobody saw what others had."""
    harm_seconds: float = 0.0
    """Seconds in which business suffered while we sent."""
    queue: float | None = None
    """Of the waits in the line's queue while we sent, the one that 95 of 100 are below; None: none was measured.

    Of an hour, the longest of its ten minutes'.
    """

    @property
    def is_anything(self) -> bool:
        """Whether it is worth a row."""
        return bool(self.active or self.sent or self.business_seconds or self.harm_seconds)


def joined(rows: Iterable[LineSlot], slot: int, slots: int) -> LineSlot:
    """Return what rows of one site, at least one, come to together, as the row of ``slots`` from ``slot`` on."""
    every = list(rows)
    causes: dict[str, float] = {}
    for row in every:
        causes[row.cause] = causes.get(row.cause, 0.0) + row.cause_seconds
    cause = max(causes, key=lambda one: (causes[one], one))
    return LineSlot(
        site=every[0].site,
        slot=slot,
        slots=slots,
        active=sum(row.active for row in every),
        sent=min(MAX_SLOT_BYTES, sum(row.sent for row in every)),
        allowed=sum(row.allowed for row in every),
        cause=cause,
        cause_seconds=causes[cause],
        business=min(MAX_SLOT_BYTES, sum(row.business for row in every)),
        business_seconds=sum(row.business_seconds for row in every),
        harm_seconds=sum(row.harm_seconds for row in every),
        queue=max((row.queue for row in every if row.queue is not None), default=None),
    )
