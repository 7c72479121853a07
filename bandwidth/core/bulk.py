"""Which of the others' connections is a transfer that somebody waits for. Pure.

Two signs: a connection in slow start, already in its first window, and one that
takes a part of the line. A name look-up, a keep-alive or a telephone call is neither.
A transfer counts as one until it pauses: on a line with a small buffer its window
grows slowly, and competition hurts it most.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from bandwidth.core.units import BytesPerSecond

ONSET_SECONDS = 0.1  # growth is looked for over two spans of this length, or of …
ONSET_ROUND_TRIPS = 1.25  # … this many round trips
ONSET_BYTES = 14_000  # the first window of a new connection: ten segments (RFC 6928)
ONSET_GROWTH = 1.25  # from one span to the next: slow start doubles, a call does not grow
SUSTAINED_SECONDS = 1.0  # a page's object is over by then
SUSTAINED_SHARE = 0.02  # of the line
SUSTAINED_LEAST = 32_000.0  # bytes per second (256 kbit/s)
PAUSE_SECONDS = 0.15  # without a segment: the transfer has ended, or waits for a person; at least …
PAUSE_ROUND_TRIPS = 1.5  # … this many round trips: windows of an unpaced sender come in bursts
PAUSE_BYTES = 1_448  # a full segment: less is an acknowledgement or a keep-alive
FLOWS_MOST = 1_024  # the largest ones: a busy PC has some hundreds of connections
K = TypeVar("K", bound=Hashable)


class BulkDetector(Generic[K]):
    """Finds transfers by the last observations of others' connections; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, dict[K, int], bool]] = deque()  # (at, bytes by connection, whether all)
        self._transfers: set[K] = set()

    def observe(
        self, flows: Mapping[K, int], now: float, *, rtt_seconds: float, capacity: BytesPerSecond | None
    ) -> bool:
        """Record each connection's bytes so far, and return whether one of them is a transfer.

        A new connection counts from 0. ``capacity``: the line's, or None.
        """
        whole = len(flows) <= FLOWS_MOST
        if not whole:
            flows = dict(sorted(flows.items(), key=lambda flow: -flow[1])[:FLOWS_MOST])
        looks = self._looks
        if looks and now < looks[-1][0]:
            looks.clear()
            self._transfers.clear()
        looks.append((now, dict(flows), whole))
        span = max(ONSET_SECONDS, ONSET_ROUND_TRIPS * rtt_seconds)
        long_span = max(SUSTAINED_SECONDS, 2 * span)
        while len(looks) > 1 and looks[1][0] <= now - long_span:
            looks.popleft()
        middle, before, oldest = self._at(now - span), self._at(now - 2 * span), self._at(now - long_span)
        lately = self._at(now - max(PAUSE_SECONDS, PAUSE_ROUND_TRIPS * rtt_seconds))
        sustained = max(SUSTAINED_LEAST, SUSTAINED_SHARE * float(capacity or 0)) * long_span
        transfers: set[K] = set()
        for key, size in flows.items():
            if size - _bytes_then(lately, key, size) < PAUSE_BYTES:
                continue
            at_middle, at_start = _bytes_then(middle, key, size), _bytes_then(before, key, size)
            begins = size - at_start >= ONSET_BYTES and size - at_middle >= ONSET_GROWTH * (at_middle - at_start)
            if begins or key in self._transfers or size - _bytes_then(oldest, key, size) >= sustained:
                transfers.add(key)
        self._transfers = transfers
        return bool(transfers)

    def _at(self, when: float) -> tuple[dict[K, int], bool]:
        """Return the newest observation that is not younger than ``when``; without one, the oldest."""
        for at, flows, whole in reversed(self._looks):
            if at <= when:
                return flows, whole
        return self._looks[0][1:]


def _bytes_then(look: tuple[dict[K, int], bool], key: K, size: int) -> int:
    """Return a connection's bytes in ``look``; if it may be missing there as a small one, count it as not grown."""
    flows, whole = look
    return flows.get(key, 0 if whole else size)
