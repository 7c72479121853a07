"""How soon a PC calls its server again, after a connection is lost or while one is silent. Pure.

A PC that fetches for its site calls at once, and often: the others of the site wait for what it brings. There are
few of these. All others take their time: two hundred handshakes at once would fill a slow line that is just back.
"""

from p2pdist.shared.backoff import Backoff

LONGEST_BACKOFF_SECONDS = 60.0
STABLE_SECONDS = 30.0  # a connection that lived this long resets the backoff
FETCHED_SECONDS = 5.0  # before the connection fell silent or was lost: the PC was fetching
PINGED_OFTEN_SECONDS = 0.5  # between two pings: others get one every few seconds
EAGER_SECONDS = 0.5  # between the calls of such a PC: a server that restarts is back within seconds …
EAGER_FOR_SECONDS = 60.0  # … or it will take longer than anybody waits
UNHURRIED_SECONDS = (
    10.0,
    30.0,
)  # until the others call beside a silent connection, drawn evenly: it may recover by itself
EAGER_LOOK_SECONDS, UNHURRIED_LOOK_SECONDS = 0.25, 2.0  # between looks whether the connection is silent: costs little
EAGER_CONNECT_SECONDS = 2.0  # for TCP alone: the kernel repeats a SYN after 1 s, then after 2 more, and so on
REFUSED_SECONDS = (45.0, 75.0)  # until a copy of another PC asks again, drawn evenly: the other one may have left
CONNECT_SECONDS = 15.0  # for TCP and TLS over a bad branch line


class RetryPace:
    """Decides when to call; ``now`` is any clock in seconds, ``jitter`` is drawn evenly from 0 to 1."""

    def __init__(self, first_backoff_seconds: float) -> None:
        self._backoff = self._before = Backoff(first_backoff_seconds, LONGEST_BACKOFF_SECONDS)
        self._eager_seconds = min(EAGER_SECONDS, first_backoff_seconds)
        self._fetched_at = self._pinged_at = float("-inf")
        self._lost_at: float | None = None

    def fetched(self, now: float) -> None:
        """Note that a part of a piece has come."""
        self._fetched_at = now
        self._lost_at = None

    def pinged(self, now: float) -> None:
        """Note a ping: they come in quick succession to who fetches, also before its first piece has come."""
        if now - self._pinged_at < PINGED_OFTEN_SECONDS:
            self.fetched(now)
        self._pinged_at = now

    def lost(self, lived_seconds: float, now: float, jitter: float, *, wanted: bool = False) -> float:
        """Note the end of a connection, or of an attempt; return how long to wait before the next.

        ``wanted``: we ended it ourselves, to connect anew.
        """
        if self._lost_at is None:
            self._lost_at = now
        if lived_seconds >= STABLE_SECONDS or wanted:
            self._backoff = self._backoff.succeeded()
        self._before, self._backoff = self._backoff, self._backoff.failed()
        seconds = self._backoff.delay_seconds(jitter)
        return min(seconds, self._eager_seconds) if self.eager(now) else seconds

    def goes_on(self) -> None:
        """Note that the attempt that has ended was a part of one: the server is tried at another address at once."""
        self._backoff = self._before

    def refused(self, jitter: float) -> float:
        """Return how long to wait after the server has refused this PC, because another one shows its identity."""
        least, most = REFUSED_SECONDS
        return least + (most - least) * jitter

    def eager(self, now: float) -> bool:
        """Whether others wait for what this PC was fetching when its connection was lost."""
        if self._lost_at is None:
            return False
        return self._lost_at - self._fetched_at < FETCHED_SECONDS and now - self._lost_at < EAGER_FOR_SECONDS

    def connect_seconds(self, now: float) -> float:
        """Return how long TCP may take to connect."""
        return EAGER_CONNECT_SECONDS if self.eager(now) else CONNECT_SECONDS

    def look_seconds(self, now: float) -> float:
        """Return how long to wait before the next look whether the connection is silent."""
        return EAGER_LOOK_SECONDS if now - self._fetched_at < FETCHED_SECONDS else UNHURRIED_LOOK_SECONDS

    def beside_silent(self, silent_since: float, jitter: float) -> float:
        """Return how long to wait before the next attempt beside a connection that is silent since then."""
        if self._fetched_at >= silent_since - FETCHED_SECONDS:
            return 0.0
        least, most = UNHURRIED_SECONDS
        return least + (most - least) * jitter
