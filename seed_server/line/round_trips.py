"""The smoothed round trips of a site's data sockets, as one. Pure.

The kernel's smoothed round trip (RFC 6298) forgets with each acknowledgement, not with time. So that of a socket that
hardly sent, as in a yield or before its turn, still tells of then when it sends again.
"""

from bandwidth.core.sensors import ACK_DELAY_SEGMENTS, FRESH_SEGMENTS
from seed_server.line.socket_look import SocketLook

FLOW_SECONDS = 0.25  # within which a socket's round trip has forgotten what was before: four of a site share its line
GUARD_SECONDS = 0.002  # the kernel's own grain
DELAYED_SECONDS = 0.1  # for two segments: whoever sends less is acknowledged with delay, 40 ms and more (RFC 1122)
ACK_DELAYED_SECONDS = 0.2  # at most (RFC 1122 section 4.2.3.2 allows 0.5; systems wait for 0.04 to 0.2)
SETTLED_SEGMENTS = 48  # after that: 24 acknowledgements leave 4 % of it


def flowing_segments(before: float, look: SocketLook, new_bytes: int, rate: float) -> float:
    """Return how many segments have arrived since a socket hardly sent; ``rate``: lately, bytes per second."""
    if rate < ACK_DELAY_SEGMENTS * look.segment_bytes / DELAYED_SECONDS:
        return 0.0
    return before + new_bytes / max(1, look.segment_bytes)


class DataRoundTrips:
    """Collects them for each sample: `begin`, then `note` for each socket, then the properties."""

    def __init__(self) -> None:
        self._least = float("inf")
        self._last: float | None = None
        self.begin()

    def begin(self) -> None:
        """Begin a new sample."""
        self._fresh: list[float] = []  # queueing delays
        self._late: list[float] = []  # of the same sockets
        self._any_settled = False
        self.guard_seconds: float | None = None
        """What our data wait at most in the queue of everybody; None: not measured."""

    def note(
        self,
        look: SocketLook,
        new_bytes: int,
        elapsed: float,
        *,
        recent: float,
        flowing: float,
        limited: bool,
        read_late: float = 0.0,
    ) -> None:
        """Note a socket that sends: ``new_bytes`` arrived in the ``elapsed`` seconds, and so many segments `flowing`.

        ``recent``: its rate over some more samples, in bytes per second.

        ``limited``: its PC or we hold it up, so its round trip measures that. ``read_late``: so many seconds late its
        PC reads what has arrived. Until then the window does not open, and the kernel delays its acknowledgement.
        """
        if look.least_rtt_seconds is None:
            return
        self._least = min(self._least, look.least_rtt_seconds)
        if limited:
            return
        queue = max(0.0, look.rtt_seconds - look.least_rtt_seconds)
        if new_bytes:
            self._fresh.append(queue)
            self._late.append(min(read_late, ACK_DELAYED_SECONDS))
            self._any_settled |= flowing >= SETTLED_SEGMENTS
        fresh_bytes = FRESH_SEGMENTS * look.segment_bytes
        rate = new_bytes / elapsed if elapsed and new_bytes >= fresh_bytes else recent
        if new_bytes and rate * FLOW_SECONDS >= fresh_bytes:
            bound = queue + ACK_DELAY_SEGMENTS * look.segment_bytes / rate + GUARD_SECONDS
            self.guard_seconds = bound if self.guard_seconds is None else min(self.guard_seconds, bound)

    @property
    def seconds(self) -> float | None:
        """The round trip of our data, of the last sample that had one: a delay of one socket alone is its PC's."""
        if self._fresh:
            self._last = self._least + min(self._fresh)
        return self._last

    @property
    def late_seconds(self) -> float:
        """So much of it, as the PCs say, is their own lateness: the least, so that no single PC's word takes more."""
        return min(self._late, default=0.0)

    @property
    def settled(self) -> bool:
        """Whether it is of now: at most that of a socket that remembers nothing else."""
        return not self._fresh or self._any_settled

    @property
    def sockets(self) -> int:
        """How many have got something through, at least one."""
        return max(1, len(self._fresh))
