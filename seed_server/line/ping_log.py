"""Pings that are on their way to one endpoint, and what their echoes tell. Pure."""

from typing import NamedTuple

from p2pdist.shared.wire.pings import PING_NUMBERS, Echo

MAX_OUTSTANDING = 128  # six seconds of them at 20 a second: an older echo says nothing about the line now
SENT_LATE_LEAST_SECONDS = 0.002  # less is usual; after more, the round trip before says more than the newest one
READ_LATE_WINDOW_SECONDS = 0.5  # as far back as our data's smoothed round trip remembers, at usual rates
MAX_READ = 32  # as many echoes as come in that time, and more


class RoundTrip(NamedTuple):
    """One ping."""

    seconds: float
    """As the server has measured it."""
    late_seconds: float = 0.0
    """So much of it, as the PC says, was its own lateness."""


class PingLog:
    """Numbers pings and measures their echoes; ``now`` is any clock in seconds."""

    __slots__ = ("_before", "_least", "_newest", "_next", "_read_late", "_sent", "_total", "echoes")

    def __init__(self) -> None:
        self._next = 0
        self._total = 0
        self._sent: dict[int, float] = {}
        """When each was, the oldest first."""
        self._newest: RoundTrip | None = None
        self._before: RoundTrip | None = None
        """The last one, of which it is not known yet how late its echo was sent."""
        self._least = float("inf")
        self._read_late: list[tuple[float, float]] = []
        """When an echo came, and how late it was read; of thousands of PCs that are seldom pinged, one each."""
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
            del self._sent[next(iter(self._sent))]
        return number

    def echoed(self, echo: Echo, now: float) -> bool:
        """Record an echo; return False for a ping that was never sent. A repeated or very late echo is ignored.

        How late the PC was, as it says, explains no more than what the round trip is longer than its shortest one: so a
        false word makes no line look shorter than it is.
        """
        before, self._before = self._before, None
        sent_at = self._sent.pop(echo.number, None)
        if sent_at is None:
            return 0 < (self._next - echo.number) % PING_NUMBERS <= self._total
        # echoes come in order: an earlier ping without an echo is lost
        for number in [number for number, at in self._sent.items() if at < sent_at]:
            del self._sent[number]
        self._before = RoundTrip(max(0.0, now - sent_at), echo.read_late_seconds)
        self._least = min(self._least, self._before.seconds)
        known = [self._before]
        if before is not None and echo.last_sent_late_seconds >= SENT_LATE_LEAST_SECONDS:
            known.append(RoundTrip(before.seconds, before.late_seconds + echo.last_sent_late_seconds))
        self._newest = min(map(self._believed, known), key=lambda each: each.seconds - each.late_seconds)
        newest = [(at, late) for at, late in self._read_late if now - at < READ_LATE_WINDOW_SECONDS]
        self._read_late = [*newest[1 - MAX_READ :], (now, echo.read_late_seconds)]
        self.echoes += 1
        return True

    def _believed(self, said: RoundTrip) -> RoundTrip:
        return RoundTrip(said.seconds, min(said.late_seconds, max(0.0, said.seconds - self._least)))

    def read_late_seconds(self, now: float) -> float:
        """Return how late the PC, as it says, has read what had arrived, on average lately."""
        lately = [late for at, late in self._read_late if 0 <= now - at < READ_LATE_WINDOW_SECONDS]
        return sum(lately) / len(lately) if lately else 0.0

    def newest_round_trip(self) -> RoundTrip | None:
        """Return the newest round trip since the last call, or None."""
        newest, self._newest = self._newest, None
        return newest
