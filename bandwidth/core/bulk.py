"""Which of the others' connections is a transfer that somebody waits for.

Two signs: a connection in slow start, before it is large, and one that takes a
good part of the line. Neither is a name look-up, a keep-alive or a telephone call.
"""

from collections import deque
from collections.abc import Hashable, Mapping

from bandwidth.units import BytesPerSecond

ONSET_SECONDS = 0.1  # growth is looked for over two spans of this length, or of …
ONSET_ROUND_TRIPS = 1.25  # … this many round trips
ONSET_BYTES = 36_000  # 24 full segments: the third round of slow start from RFC 6928's window of 10
ONSET_SHARE = 0.05  # of what the line carries in a span: on a fast line a small object is no transfer
ONSET_GROWTH = 1.25
SUSTAINED_SECONDS = 1.0
SUSTAINED_SHARE = 0.25  # of the line
SUSTAINED_LEAST = 32_000.0  # bytes per second (256 kbit/s)
FLOWS_MOST = 1_024  # the largest ones: a busy PC has some hundreds of connections


class BulkDetector:
    """Keeps the last looks at the others' connections; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, dict[Hashable, int]]] = deque()

    def take(
        self, flows: Mapping[Hashable, int], now: float, *, rtt_seconds: float, capacity: BytesPerSecond | None
    ) -> bool:
        """Take each connection's bytes so far, and return whether one of them is a transfer.

        A connection that is new counts from 0 on. ``capacity``: the line's, or None.
        """
        if len(flows) > FLOWS_MOST:
            flows = dict(sorted(flows.items(), key=lambda flow: -flow[1])[:FLOWS_MOST])
        looks = self._looks
        if looks and now < looks[-1][0]:
            looks.clear()
        looks.append((now, dict(flows)))
        span = max(ONSET_SECONDS, ONSET_ROUND_TRIPS * rtt_seconds)
        long_span = max(SUSTAINED_SECONDS, 2 * span)
        while len(looks) > 1 and looks[1][0] <= now - long_span:
            looks.popleft()
        line = float(capacity or 0)
        least = max(float(ONSET_BYTES), ONSET_SHARE * line * span)
        middle, before, oldest = self._at(now - span), self._at(now - 2 * span), self._at(now - long_span)
        sustained = max(SUSTAINED_LEAST, SUSTAINED_SHARE * line) * long_span
        for key, size in flows.items():
            at_middle, at_start = middle.get(key, 0), before.get(key, 0)
            recent = size - at_middle
            if size - at_start >= least and recent >= ONSET_GROWTH * (at_middle - at_start):
                return True
            if size - oldest.get(key, 0) >= sustained and recent >= SUSTAINED_SHARE * line * span:
                return True
        return False

    def _at(self, when: float) -> dict[Hashable, int]:
        """Return the newest look that is not younger than ``when``; without one, the oldest."""
        for at, flows in reversed(self._looks):
            if at <= when:
                return flows
        return self._looks[0][1]
