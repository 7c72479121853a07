"""Which endpoints fetch one torrent for the site, and when it is another one's turn; `now` only grows. Pure.

A line is best used by few fetchers at a time, so they take turns. What an endpoint says of itself decides only who is
first among those that have not had a turn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.times import LedgerTimes

TURN_SHARE = 0.125  # of the file: one bad turn costs no more than an eighth of the time that the file takes
TURN_LEAST_PIECES = 8
OWED_SECONDS = 3.0  # senders that wait ask once a second: whoever leaves a free slot for longer does not want it


@dataclass(frozen=True)
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


class FetcherTurns:
    """The fetcher slots of one torrent at one site."""

    def __init__(
        self,
        piece_count: int,
        ready: Mapping[EndpointId, FetcherRank],
        comes_last: Callable[[EndpointId, float], bool],
        *,
        fetchers: int,
        times: LedgerTimes,
        on_freed: Callable[[], None],
    ) -> None:
        """``comes_last`` says whether others fetch before an endpoint.

        ``on_freed`` is called when a slot has become free: who waits should ask.
        """
        self._most_pieces = max(TURN_LEAST_PIECES, int(TURN_SHARE * piece_count))
        self._ready = ready
        self._comes_last = comes_last
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
        if endpoint not in self._turns:
            return self._take(endpoint, now, could_fetch)
        if not (self._idle(endpoint, now) or self._over(endpoint, now) or self._comes_last(endpoint, now)):
            return True  # without a look at the others: there may be a thousand
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
        free = self.fetchers - len(self._turns)
        if free < 1:
            return False
        own = self._order(endpoint, now)
        for other in self._ready:
            if self._waits(other, now) and self._order(other, now) < own and could_fetch(other):
                self._owed_at.setdefault(other, now)
                free -= 1
                if free < 1:
                    return False
        self._turns[endpoint] = _Turn(now, now)
        return True

    def _ousts(self, other: EndpointId, holder: EndpointId, now: float) -> bool:
        """Whether ``other`` waits, and may have the slot of ``holder`` now."""
        if not self._waits(other, now):
            return False
        if self._idle(holder, now):
            return True
        last, other_last = self._comes_last(holder, now), self._comes_last(other, now)
        return (last and not other_last) or (last == other_last and self._over(holder, now))

    def _over(self, holder: EndpointId, now: float) -> bool:
        turn = self._turns[holder]
        seconds = now - turn.began_at
        enough = turn.granted >= self._most_pieces or seconds >= self._times.turn_seconds
        return enough and seconds >= self.least_seconds

    def _idle(self, holder: EndpointId, now: float) -> bool:
        return now - self._turns[holder].moved_at >= self._times.idle_turn_seconds

    def _waits(self, other: EndpointId, now: float) -> bool:
        return other not in self._turns and now - self._owed_at.get(other, now) < OWED_SECONDS

    def _order(self, endpoint: EndpointId, now: float) -> tuple[bool, int, tuple[bool, bool, int, EndpointId]]:
        return (
            self._comes_last(endpoint, now),
            self._ended.get(endpoint, 0),
            self._ready[endpoint].order,
        )
