"""What each site's line carried, and how many of its PCs were connected, hour by hour: plans learn from it. Pure.

Moments are by the wall clock, for hours of the week are. What a server has not seen is missing, and is no zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from seed_server.store.plan_rows import THIRD_SECONDS, WEEK_HOUR_SECONDS, WatchedHour

ARRIVES_AFTER_SECONDS = 4 * 3_600.0  # without a PC, before it has come anew: not after a lunch, and not after a restart
LONGEST_UNWATCHED_SECONDS = 60.0  # in which nobody asked: after more, the machine slept, or its clock was set
MAX_WATCHED_SITES = 20_000  # as many lines as are known (`known_lines`); further sites are not learned from


@dataclass(slots=True)
class _SiteHour:
    connected: int = 0
    since: float = 0.0
    """``pc_seconds`` is right up to then."""
    pc_seconds: float = 0.0
    arrivals: int = 0
    sending: float = 0.0
    sent: int = 0
    ever_sending: float | None = None
    """The site's seconds of sending, ever, as they were said last; None: not yet."""


class LineHours:
    """Watches all sites; `take` gives what was seen when an hour is over."""

    def __init__(self, now: float) -> None:
        self._begun = now
        self._watched_from = now
        self._sites: dict[str, _SiteHour] = {}
        self._places: dict[str, str] = {}
        """The site of each PC that is connected, by its id."""
        self._left: dict[str, float] = {}
        """When each PC left that has been here since the start, and is not now."""
        self._start = now
        self._third = int(now // THIRD_SECONDS)
        self._seen: set[str] = set()
        self._told: set[str] = set()

    def seen(self, endpoint: str, site: str, now: float, *, connected: bool) -> None:
        """Note where a PC is, or that it has gone."""
        before = self._places.get(endpoint)
        if before == (site if connected else None):
            return
        if before is not None:
            self._change(before, -1, now)
            del self._places[endpoint]
            self._left[endpoint] = now
        if connected and (one := self._site(site, now)) is not None:
            # of who was not here since the start it is not known for how long, until enough time has passed
            one.arrivals += now - self._left.pop(endpoint, self._start) >= ARRIVES_AFTER_SECONDS
            self._change(site, 1, now)
            self._places[endpoint] = site
            self._seen.add(endpoint)

    def sent(self, site: str, count: int, now: float) -> None:
        """Count bytes of payload."""
        if (one := self._site(site, now)) is not None:
            one.sent += count

    def sending(self, site: str, seconds: float, now: float) -> None:
        """Note for how many seconds a site was sent to, ever: what is new of that was in this hour."""
        if (one := self._site(site, now)) is None:
            return
        if one.ever_sending is not None:
            one.sending += max(0.0, seconds - one.ever_sending)
        one.ever_sending = seconds

    def take_thirds(self, now: float) -> dict[str, int]:
        """Return which PCs were seen in which third of a UTC day, as far as that has not been told yet."""
        third = int(now // THIRD_SECONDS)
        if third != self._third:
            self._third, self._told = third, set()
        new = (self._seen | self._places.keys()) - self._told
        self._seen = set()
        self._told |= new
        return dict.fromkeys(new, third)

    def take(self, now: float, *, ends: bool = False) -> list[WatchedHour]:
        """Return what was seen in the hour that is over; nothing while it lasts, but for ``ends``: so far."""
        begin = self._begun - self._begun % WEEK_HOUR_SECONDS
        if begin <= now < begin + WEEK_HOUR_SECONDS and not ends:
            return []
        until = min(max(now, self._watched_from), begin + WEEK_HOUR_SECONDS)
        goes_on = 0 <= now - until < LONGEST_UNWATCHED_SECONDS
        self._begun, before = until if goes_on else now, self._watched_from
        self._watched_from = self._begun
        return list(self._over(begin, until, until - before))

    def _over(self, begin: float, until: float, watched: float) -> Iterator[WatchedHour]:
        for name, one in self._sites.items():
            one.pc_seconds += one.connected * max(0.0, until - one.since)
            if watched > 0:
                yield WatchedHour(
                    name, begin, watched, one.pc_seconds, one.arrivals, min(one.sending, watched), one.sent
                )
            one.since, one.pc_seconds, one.arrivals, one.sending, one.sent = self._watched_from, 0.0, 0, 0.0, 0

    def _change(self, site: str, more: int, now: float) -> None:
        if (one := self._site(site, now)) is not None:
            one.pc_seconds += one.connected * max(0.0, now - one.since)
            one.since = max(one.since, now)
            one.connected += more

    def _site(self, name: str, now: float) -> _SiteHour | None:
        if (one := self._sites.get(name)) is None:
            if len(self._sites) >= MAX_WATCHED_SITES:
                return None
            one = self._sites[name] = _SiteHour(since=now)
        return one
