"""Which endpoints fetch one torrent for the site, and when it is another one's turn; `now` only grows. Pure.

A line is best used by few fetchers at a time, so they take turns. What an endpoint says of itself decides only who is
first among those that have not had a turn.
"""

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.times import LedgerTimes

TURN_SHARE = 0.125  # of the file: one bad turn costs no more than an eighth of the time that the file takes
TURN_LEAST_PIECES = 8
OUSTED_LOOK_SECONDS = 0.5  # between two looks for one to whom a holder gives its slot: there may be a thousand
OWED_SECONDS = 3.0  # senders that wait ask once a second: whoever leaves a free slot for longer does not want it


class Precedence(enum.IntEnum):
    """Who fetches before whom, whatever their turns."""

    FIRST = 0
    LATER = 1
    """It helps the site less than others would, or costs the line more."""
    ALONE = 2
    """It gives its neighbours nothing: what it fetches crosses the line for it alone."""
    LAST = 3
    """It has a fault, or has not answered for what it was sent, or its LAN brings it nothing."""


STANDING_BACK = (Precedence.LATER, Precedence.ALONE)
"""Those that have no slot at all beside one who goes before them, however many slots there are."""


@dataclass(frozen=True, slots=True)
class FetcherRank:
    """What decides who fetches first: wired, on mains, longest uptime, lowest id, in this order. Only a hint."""

    endpoint: EndpointId
    wired: bool
    on_mains: bool
    uptime_seconds: int

    @property
    def order(self) -> tuple[bool, bool, int, EndpointId]:
        """Sorts the best fetcher first."""
        return (not self.wired, not self.on_mains, -self.uptime_seconds, self.endpoint)


@dataclass(slots=True)
class _Turn:
    began_at: float
    moved_at: float
    granted: int = 0
    looked_at: float = -math.inf


class FetcherTurns:
    """The fetcher slots of one torrent at one site."""

    def __init__(
        self,
        piece_count: int,
        ready: Mapping[EndpointId, FetcherRank],
        precedence: Callable[[EndpointId, float], Precedence],
        *,
        fetchers: int,
        times: LedgerTimes,
        on_freed: Callable[[], None],
    ) -> None:
        """``on_freed`` is called when a slot has become free: who waits should ask."""
        self._most_pieces = max(TURN_LEAST_PIECES, int(TURN_SHARE * piece_count))
        self._ready = ready
        self._precedence = precedence
        self.fetchers = fetchers
        self.least_seconds = 0.0
        """A turn does not end sooner, however much was granted."""
        self._times = times
        self._on_freed = on_freed
        self._turns: dict[EndpointId, _Turn] = {}
        self._ended: dict[EndpointId, int] = {}
        """Who has had a turn, in the order in which these ended."""
        self._turns_ended = 0
        self._owed_at: dict[EndpointId, float] = {}
        """Since when an endpoint could have had a slot that others were refused."""

    @property
    def holders(self) -> frozenset[EndpointId]:
        """Endpoints that have a slot."""
        return frozenset(self._turns)

    def left(self, endpoint: EndpointId) -> None:
        """Free the slot of an endpoint that is gone; if it comes back, it is behind those that wait."""
        self.end(endpoint)
        self._owed_at.pop(endpoint, None)

    def end(self, endpoint: EndpointId) -> None:
        """End a turn, if ``endpoint`` has one: it goes behind those that wait."""
        if self._turns.pop(endpoint, None):
            self._turns_ended += 1
            self._ended[endpoint] = self._turns_ended
            self._on_freed()

    def moved(self, endpoint: EndpointId, now: float) -> None:
        """Note that a holder's transfer has advanced."""
        if turn := self._turns.get(endpoint):
            turn.moved_at = now

    def asked_in_vain(self, endpoint: EndpointId, now: float) -> None:
        """Note that ``endpoint`` has asked, and that there is nothing for it: it neither is idle nor declines."""
        self._owed_at.pop(endpoint, None)
        self.moved(endpoint, now)

    def granted(self, endpoint: EndpointId, now: float) -> None:
        """Count a piece that a holder has been given."""
        turn = self._turns[endpoint]
        turn.granted += 1
        turn.moved_at = now
        if turn.granted == self._most_pieces and self._over(endpoint, now):
            self._on_freed()  # the next one's window grows while the last piece of this turn is still being sent

    def hold(self, now: float) -> None:
        """Restart the time of every turn."""
        for turn in self._turns.values():
            turn.began_at = turn.moved_at = now

    def has(self, endpoint: EndpointId, now: float, could_fetch: Callable[[EndpointId], bool]) -> bool:
        """Return whether ``endpoint``, which could fetch, has a slot or gets one now.

        ``could_fetch`` tells whether another endpoint has something to fetch. A turn that has lasted long enough
        ends when somebody waits who is no worse than its holder.
        """
        self._owed_at.pop(endpoint, None)
        turn = self._turns.get(endpoint)
        if turn is None:
            return self._take(endpoint, now, could_fetch)
        precedence = self._precedence(endpoint, now)
        if precedence in STANDING_BACK and self._goes_behind_a_holder(precedence, now):
            self.end(endpoint)
            return False
        if not (self._idle(endpoint, now) or self._over(endpoint, now) or precedence is not Precedence.FIRST):
            return True  # without a look at the others
        if now - turn.looked_at < OUSTED_LOOK_SECONDS:
            return True
        turn.looked_at = now
        for other in self._ready:
            if self._ousts(other, endpoint, now) and could_fetch(other):
                self.end(endpoint)
                self._owed_at.setdefault(other, now)
                return False
        return True

    def _take(self, endpoint: EndpointId, now: float, could_fetch: Callable[[EndpointId], bool]) -> bool:
        for holder in list(self._turns):
            if self._ousts(endpoint, holder, now):
                if self._idle(holder, now):
                    self._owed_at[holder] = now - OWED_SECONDS  # it does not wait until it asks again
                self.end(holder)
        own = self._order(endpoint, now)
        free = self.fetchers - len(self._turns)
        if free < 1 or (own[0] in STANDING_BACK and self._goes_behind_a_holder(own[0], now)):
            return False
        for other in self._ready:
            if self._waits(other, now) and (order := self._order(other, now)) < own and could_fetch(other):
                self._owed_at.setdefault(other, now)
                free -= 1
                if free < 1 or (own[0] in STANDING_BACK and order[0] < own[0]):
                    return False
        self._turns[endpoint] = _Turn(now, now)
        return True

    def _ousts(self, other: EndpointId, holder: EndpointId, now: float) -> bool:
        """Whether ``other`` waits, and may have the slot of ``holder`` now."""
        if not self._waits(other, now):
            return False
        if self._idle(holder, now):
            return True
        precedence, others = self._precedence(holder, now), self._precedence(other, now)
        return others < precedence or (others is precedence and self._over(holder, now))

    def _goes_behind_a_holder(self, precedence: Precedence, now: float) -> bool:
        return any(self._precedence(holder, now) < precedence and not self._idle(holder, now) for holder in self._turns)

    def _over(self, holder: EndpointId, now: float) -> bool:
        turn = self._turns[holder]
        seconds = now - turn.began_at
        enough = turn.granted >= self._most_pieces or seconds >= self._times.turn_seconds
        return enough and seconds >= self.least_seconds

    def _idle(self, holder: EndpointId, now: float) -> bool:
        return now - self._turns[holder].moved_at >= self._times.idle_turn_seconds

    def _waits(self, other: EndpointId, now: float) -> bool:
        return other not in self._turns and now - self._owed_at.get(other, now) < OWED_SECONDS

    def _order(self, endpoint: EndpointId, now: float) -> tuple[Precedence, int, tuple[bool, bool, int, EndpointId]]:
        return (
            self._precedence(endpoint, now),
            self._ended.get(endpoint, 0),
            self._ready[endpoint].order,
        )
