"""Pings that are on their way to one endpoint, and what their echoes tell. Pure."""

from collections import OrderedDict

from bandwidth.core.rolling import RollingMax
from p2pdist.shared.wire.pings import PING_NUMBERS, Echo

MAX_OUTSTANDING = 128  # six seconds of them at 20 a second: an older echo says nothing about the line now
SENT_LATE_SECONDS = 0.002  # less is usual; then the round trip before, of which that is known, counts if it is less
READ_LATE_SECONDS = 0.5  # a PC's processor is busy in spells: for so long after it has read late


class PingLog:
    """Numbers pings and measures their echoes; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._next = 0
        self._total = 0
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._newest: float | None = None
        self._least = float("inf")
        self._before = float("inf")
        """The last round trip, without the time for which the PC had not read the ping."""
        self._read_late = RollingMax()
        self.echoes = 0
        """All so far."""

    @property
    def outstanding(self) -> int:
        """How many echoes may still come."""
        return len(self._sent)

    def sent(self, now: float) -> int:
        """Return the number of the ping that is sent now."""
        number, self._next = self._next, (self._next + 1) % PING_NUMBERS
        self._total += 1
        self._sent[number] = now
        if len(self._sent) > MAX_OUTSTANDING:
            self._sent.popitem(last=False)
        return number

    def echoed(self, echo: Echo, now: float) -> bool:
        """Record an echo; return False for a ping that was never sent. A repeated or very late echo is ignored.

        How late the PC was, as it says, explains no more than what the round trip is longer than the shortest one ever
        was without such a word: so a false one makes no line look shorter than it is.
        """
        sent_at = self._sent.pop(echo.number, None)
        if sent_at is None:
            return 0 < (self._next - echo.number) % PING_NUMBERS <= self._total
        # echoes come in order: an earlier ping without an echo is lost
        while self._sent and next(iter(self._sent.values())) < sent_at:
            self._sent.popitem(last=False)
        whole = max(0.0, now - sent_at)
        self._least = min(self._least, whole)
        self._newest = max(self._least, whole - echo.read_late_seconds)
        if echo.last_sent_late_seconds >= SENT_LATE_SECONDS:
            self._newest = min(self._newest, max(self._least, self._before - echo.last_sent_late_seconds))
        self._before = whole - echo.read_late_seconds
        self._read_late.add(now, echo.read_late_seconds)
        self.echoes += 1
        return True

    def read_late_seconds(self, now: float) -> float:
        """Return how late the PC, as it says, has read what had arrived: at most, lately."""
        self._read_late.expire(now - READ_LATE_SECONDS)
        return self._read_late.largest

    def newest_round_trip(self) -> float | None:
        """Return the newest round trip since the last call, or None."""
        newest, self._newest = self._newest, None
        return newest
