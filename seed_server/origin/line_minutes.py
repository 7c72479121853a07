"""What each site's line did in ten minutes: how much we sent, by which limit, and how others fared. Pure.

Moments are by the wall clock. What a server has not seen is missing, and is no zero.
"""

from dataclasses import dataclass, field

from seed_server.line.site_seen import LineSeen, typical_wait
from seed_server.origin.line_hours import MAX_WATCHED_SITES
from seed_server.store.minute_rows import SLOT_SECONDS, LineSlot, WatchedSlot, cause_in, slot_of
from seed_server.store.rows import SiteLimitRow

LONGEST_STEP_SECONDS = 10.0  # from one word on a site's limit to the next: they come each second while it holds


@dataclass(slots=True)
class _Now:
    """What holds at a site since it was said last."""

    at: float
    rate: int
    cause: str


@dataclass(slots=True)
class _SiteSlot:
    sent: int = 0
    allowed: float = 0.0
    causes: dict[str, float] = field(default_factory=dict)
    business: int = 0
    business_seconds: float = 0.0
    harm_seconds: float = 0.0
    waits: dict[int, int] = field(default_factory=dict)


class LineMinutes:
    """Watches all sites; `take` gives what was seen when ten minutes are over."""

    def __init__(self, now: float) -> None:
        self._slot = slot_of(now)
        self._watched_from = now
        self._sites: dict[str, _SiteSlot] = {}
        self._holds: dict[str, _Now] = {}

    def sent(self, site: str, count: int) -> None:
        """Count bytes of payload."""
        if (one := self._site(site)) is not None:
            one.sent += count

    def limit(self, row: SiteLimitRow, seen: LineSeen) -> None:
        """Take in how fast a site is sent to, and what was seen there since the last such word."""
        if (one := self._site(row.site)) is None:
            return
        if (held := self._holds.pop(row.site, None)) is not None:
            seconds = row.at - held.at
            if 0.0 < seconds <= LONGEST_STEP_SECONDS:
                one.allowed += held.rate * seconds
                one.causes[held.cause] = one.causes.get(held.cause, 0.0) + seconds
        if row.active:
            self._holds[row.site] = _Now(row.at, row.rate, cause_in(row.reason))
        one.business += seen.business
        one.business_seconds += seen.business_seconds
        one.harm_seconds += seen.harm_seconds
        for step, count in seen.waits.items():
            one.waits[step] = one.waits.get(step, 0) + count

    def take(self, now: float, *, ends: bool = False) -> tuple[list[LineSlot], WatchedSlot | None]:
        """Return what was seen in the ten minutes that are over; nothing while they last, but for ``ends``: so far."""
        if slot_of(now) == self._slot and not ends:
            return [], None
        slot, begun = self._slot, self._watched_from
        until = min(max(now, begun), (slot + 1) * float(SLOT_SECONDS))
        rows = [row for name, one in self._sites.items() if (row := _row(name, slot, one)).is_anything]
        self._sites = {}
        self._slot = slot_of(now)
        # after a sleep, or a clock that was set, the time between was not watched
        goes_on = 0.0 <= now - until < LONGEST_STEP_SECONDS
        self._watched_from = until if goes_on else now
        return rows, WatchedSlot(slot, 1, until - begun) if until > begun else None

    def _site(self, name: str) -> _SiteSlot | None:
        if (one := self._sites.get(name)) is None:
            if len(self._sites) >= MAX_WATCHED_SITES:
                return None
            one = self._sites[name] = _SiteSlot()
        return one


def _row(site: str, slot: int, one: _SiteSlot) -> LineSlot:
    cause = max(one.causes, key=lambda each: (one.causes[each], each), default="")
    return LineSlot(
        site=site,
        slot=slot,
        active=sum(one.causes.values()),
        sent=one.sent,
        allowed=one.allowed,
        cause=cause,
        cause_seconds=one.causes.get(cause, 0.0),
        business=one.business,
        business_seconds=one.business_seconds,
        harm_seconds=one.harm_seconds,
        queue=typical_wait(one.waits),
    )
