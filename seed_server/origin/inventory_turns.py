"""Which PCs are asked for their inventory, and when: one of each site at a time, some of all sites. Pure.

After a rebuild of the server all PCs have everything to tell. Each is asked in its turn, and then again only after a
time. Who tells what cannot be recorded is asked for all, later and later.
"""

import enum
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.inventory import EMPTY_DIGEST, InventoryDigest
from p2pdist.shared.wire.inventory import InventoryPart
from seed_server.origin.message_budgets import Budget, Purse

MOST_TURNS = 100  # each is under way for some seconds, on whatever line
# turns a second: each costs some 9 ms of a processor, of which 0.3 is for all that goes on
TURN_PACE = Budget(24.0, MOST_TURNS)
MOST_TURN_BYTES = 32 << 20  # of all that are under way together: a desktop's packages have 40 kB
SILENT_TURN_SECONDS = 120.0  # a part waits for its turn on the site's line, both ways
LONGEST_TURN_SECONDS = 600.0  # its site's other PCs wait; all that there may be, at half of the least rate of messages
FIRST_BACKOFF_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 86_400.0
PACE_JITTER = 0.25  # of the pace: PCs that were asked together are not asked together again
MAX_BEGINNINGS = 3  # of one turn: a PC that is restarted begins again
TOLD_A_DAY = Budget((4 << 20) / 86_400, 4 << 20)  # bytes of one PC: 100 tellings of all packages of a desktop in a day
ITEM_BYTES = 16  # that a changed item counts for: it is a row of the database, however well it is compressed
MAX_HISTORIES = 100_000  # PCs that have told something; the oldest are forgotten, and may tell again at once


class Step(enum.Enum):
    """What follows a part."""

    IGNORE = enum.auto()
    """Nobody waits for it: after a time-out, or a reconnection."""
    NEXT = enum.auto()
    """The next part is to be asked for."""
    COMPLETE = enum.auto()
    """All parts are there: they are to be recorded."""
    REFUSE = enum.auto()
    """The PC does not tell as it should, or tells too much: its turn is over."""


@dataclass(slots=True)
class InventoryTurn:
    """One PC that is being asked."""

    endpoint: EndpointId
    site: str
    base: InventoryDigest
    """Of what is known of it; `EMPTY_DIGEST`: nothing, or nothing that can be believed."""
    begun_at: float
    heard_at: float
    digest: InventoryDigest = EMPTY_DIGEST
    total: int = 0
    data: bytearray = field(default_factory=bytearray)
    beginnings: int = 0
    complete: bool = False


@dataclass(slots=True)
class _Said:
    """What a PC says it is and has, where that is not what is recorded."""

    site: str
    digest: InventoryDigest
    base: InventoryDigest | None = None
    """What is recorded; None: it is to be looked up."""
    scheduled: bool = False


@dataclass(slots=True)
class _History:
    """What a PC has told since the start."""

    purse: Purse
    next_at: float = 0.0
    """It is not asked before."""
    backoff_seconds: float = 0.0
    anew: bool = False
    """It is asked for all: what it told did not fit what is recorded, or was more than a PC can have."""


class InventoryTurns:
    """Whose turn it is; ``now`` is any clock in seconds."""

    def __init__(self, pace_seconds: float, jitter: Callable[[], float]) -> None:
        """Ask a PC for changes once in ``pace_seconds``, and up to `PACE_JITTER` of that later.

        ``jitter`` draws from 0 to 1.
        """
        self._pace_seconds = pace_seconds
        self._jitter = jitter
        self._said: dict[EndpointId, _Said] = {}
        self._unknown: dict[EndpointId, None] = {}
        """Of those, whose record is to be looked up; in their order."""
        self._later: list[tuple[float, int, EndpointId]] = []
        self._number = itertools.count()
        self._ready: dict[str, deque[EndpointId]] = {}
        """By site, those whose time has come."""
        self._sites: deque[str] = deque()
        """The sites of `_ready` where nobody is asked now."""
        self._turns: dict[EndpointId, InventoryTurn] = {}
        self._busy: set[str] = set()
        self._bytes = 0
        self._begun = Purse(TURN_PACE, 0.0)
        self._histories: dict[EndpointId, _History] = {}

    # --- what PCs say ---------------------------------------------------------------------

    def said(self, endpoint: EndpointId, site: str, digest: InventoryDigest) -> None:
        """Note what a PC that has just connected, or has changed, says of itself."""
        known = self._said.setdefault(endpoint, _Said(site, digest))
        known.site, known.digest = site, digest
        if known.base is None:
            self._unknown[endpoint] = None
        elif known.base == digest and endpoint not in self._turns:
            self._unknown[endpoint] = None  # it is again as it was: so that is confirmed

    def left(self, endpoint: EndpointId) -> None:
        """Forget what a PC has said that is not connected any more; what it has told to the end is recorded still."""
        self._said.pop(endpoint, None)
        self._unknown.pop(endpoint, None)
        turn = self._turns.get(endpoint)
        if turn is not None and not turn.complete:
            self._end(turn)

    # --- what is recorded -----------------------------------------------------------------

    def to_look_up(self, most: int) -> dict[EndpointId, InventoryDigest]:
        """Return what PCs say whose record is not known here; each is answered by `looked_up`."""
        endpoints = list(itertools.islice(self._unknown, most))
        for endpoint in endpoints:
            del self._unknown[endpoint]
        return {endpoint: self._said[endpoint].digest for endpoint in endpoints}

    def not_looked_up(self, said: Iterable[EndpointId]) -> None:
        """Look these up later: now that could not be."""
        self._unknown |= {endpoint: None for endpoint in said if endpoint in self._said}

    def looked_up(self, endpoint: EndpointId, recorded: InventoryDigest | None, now: float) -> None:
        """Note the digest of what is recorded of a PC; None: nothing is."""
        said = self._said.get(endpoint)
        if said is None:
            return
        if said.digest == recorded:
            del self._said[endpoint]
            self._unknown.pop(endpoint, None)
            return
        said.base = recorded or EMPTY_DIGEST
        self._schedule(endpoint, said, now)

    def recorded(self, turn: InventoryTurn, *, taken: bool, items: int, now: float) -> None:
        """Note what has become of what a PC has told to the end: of ``items`` that were changed."""
        self._end(turn)
        history = self._history(turn.endpoint, now)
        history.purse.take(items * ITEM_BYTES, now)
        if not taken:
            history.anew = True
            self._put_off(turn.endpoint, history, now)
            return
        history.anew, history.backoff_seconds = False, 0.0
        history.next_at = now + self._pace_seconds * (1 + PACE_JITTER * self._jitter())
        self.looked_up(turn.endpoint, turn.digest, now)

    def unrecorded(self, turn: InventoryTurn, now: float) -> None:
        """Ask later for what could not be recorded, through no fault of the PC."""
        self._end(turn)
        self._put_off(turn.endpoint, self._history(turn.endpoint, now), now)

    # --- turns ------------------------------------------------------------------------------

    def begin(self, now: float) -> list[InventoryTurn]:
        """Return those whose turn begins now: each is to be asked for its first part."""
        self._ripen(now)
        begun = []
        while self._sites and len(self._turns) < MOST_TURNS and self._bytes < MOST_TURN_BYTES:
            if not self._begun.spend(1.0, now):
                break
            site = self._sites.popleft()
            endpoint = self._ready[site].popleft()
            if not self._ready[site]:
                del self._ready[site]
            said, history = self._said.get(endpoint), self._history(endpoint, now)
            if said is None or said.base is None or not said.scheduled or history.next_at > now:
                self._free(site)  # it has left, or is as it was, or comes back later
                continue
            said.scheduled = False
            base = EMPTY_DIGEST if history.anew else said.base
            self._busy.add(site)
            turn = self._turns[endpoint] = InventoryTurn(endpoint, site, base, now, now)
            begun.append(turn)
        return begun

    def part(self, endpoint: EndpointId, part: InventoryPart, now: float) -> tuple[Step, InventoryTurn | None]:
        """Take a part that a PC has told."""
        turn = self._turns.get(endpoint)
        if turn is None or turn.complete:
            return Step.IGNORE, None
        turn.heard_at = now
        history = self._history(endpoint, now)
        if part.offset == 0 and part.base in {turn.base, EMPTY_DIGEST}:
            self._bytes += part.total - turn.total
            turn.beginnings += 1
            turn.data.clear()
            turn.base, turn.digest, turn.total = InventoryDigest(part.base), InventoryDigest(part.digest), part.total
            if self._bytes > MOST_TURN_BYTES or not history.purse.spend(part.total, now):
                self.unrecorded(turn, now)
                return Step.REFUSE, turn
        same = (part.base, part.digest, part.total) == (turn.base, turn.digest, turn.total)
        fits = part.offset == len(turn.data) and 0 < len(part.data) <= part.total - part.offset
        if not same or not fits or turn.beginnings > MAX_BEGINNINGS:
            history.anew = True
            self.unrecorded(turn, now)
            return Step.REFUSE, turn
        turn.data += part.data
        turn.complete = len(turn.data) == turn.total
        return (Step.COMPLETE if turn.complete else Step.NEXT), turn

    def expire(self, now: float) -> list[InventoryTurn]:
        """End the turns of PCs that do not answer, or answer for ever; they are asked later."""
        slow = [
            turn
            for turn in self._turns.values()
            if not turn.complete
            and (now - turn.heard_at >= SILENT_TURN_SECONDS or now - turn.begun_at >= LONGEST_TURN_SECONDS)
        ]
        for turn in slow:
            self.unrecorded(turn, now)
        return slow

    @property
    def waiting(self) -> int:
        """How many PCs are known to be another than what is recorded of them."""
        return len(self._said)

    # --- inside ---------------------------------------------------------------------------

    def _put_off(self, endpoint: EndpointId, history: _History, now: float) -> None:
        """Ask a PC again, each time later."""
        seconds = history.backoff_seconds
        history.backoff_seconds = min(LONGEST_BACKOFF_SECONDS, 2 * seconds) if seconds else FIRST_BACKOFF_SECONDS
        history.next_at = now + history.backoff_seconds
        if (said := self._said.get(endpoint)) is not None:
            self._schedule(endpoint, said, now)

    def _schedule(self, endpoint: EndpointId, said: _Said, now: float) -> None:
        if not said.scheduled and endpoint not in self._turns:
            said.scheduled = True
            known = self._histories.get(endpoint)
            at = max(now, known.next_at if known else now)
            heapq.heappush(self._later, (at, next(self._number), endpoint))

    def _ripen(self, now: float) -> None:
        """Let those wait for a turn at their site whose time has come."""
        while self._later and self._later[0][0] <= now:
            endpoint = heapq.heappop(self._later)[2]
            if (said := self._said.get(endpoint)) is None or not said.scheduled:
                continue
            if said.site not in self._ready:
                self._ready[said.site] = deque()
                if said.site not in self._busy:
                    self._sites.append(said.site)
            self._ready[said.site].append(endpoint)

    def _end(self, turn: InventoryTurn) -> None:
        if self._turns.get(turn.endpoint) is turn:
            del self._turns[turn.endpoint]
            self._bytes -= turn.total
            self._busy.discard(turn.site)
            self._free(turn.site)

    def _free(self, site: str) -> None:
        if site in self._ready:
            self._sites.append(site)

    def _history(self, endpoint: EndpointId, now: float) -> _History:
        known = self._histories.get(endpoint)
        if known is None:
            known = self._histories[endpoint] = _History(Purse(TOLD_A_DAY, now))
            if len(self._histories) > MAX_HISTORIES:
                del self._histories[next(iter(self._histories))]
        return known
