"""What the control connections of one site put on its line: counted, and rationed. Pure.

Data are paced by the kernel, so that below the line's rate no queue forms. Whatever else the server sends there
takes the same line's room: the controller gives data only what is left.
"""

import math

from bandwidth.core.sensors import SEGMENT_BYTES
from bandwidth.core.units import BytesPerSecond
from seed_server.line.site_sample import TCP_HEADER_BYTES

CONTROL_SHARE = 0.1  # of the site's rate, for messages: lists and notices for a thousand PCs pass within seconds
LEAST_CONTROL_RATE = BytesPerSecond(4_000)  # a notice to each of 25 PCs in a second, on whatever line
BURST_SECONDS = 0.5  # of the rate may go at once: twice the time between two looks at what waits …
LEAST_BURST_BYTES = 4 << 10  # … or one message of the longest usual kind, a full list of neighbours
REPAID_SECONDS = 0.5  # data give room for a message over so long: at once, each would shake the data's rate
TLS_RECORD_BYTES = 22  # header, content type and tag of TLS 1.3
CONNECTING_BYTES = 1_800  # a handshake with certificates on both sides, its headers, and a goodbye


class ControlBudget:
    """Counts what goes to one site besides data, and says when the next message may go.

    Messages wait for their turn; what cannot wait (pings, handshakes) is only counted. ``now`` is any clock in
    seconds.
    """

    def __init__(self, now: float) -> None:
        self._level_bytes = float(LEAST_BURST_BYTES)
        self._filled_at = now
        self._counted_bytes = 0
        self._owed_bytes = 0.0
        self._repaid_at = now
        self.rate = 0.0
        """Bytes per second that data leave free since the last `collect`: so, what was counted is repaid exactly."""
        self.repaid_bytes = 0.0
        """That data left free between the last two. Messages go in lumps: as what just arrived, these would show a line
        that carries more than it does."""

    def count(self, line_bytes: int) -> None:
        """Count what goes whether or not there is room for it."""
        self._counted_bytes += line_bytes

    def spend(self, line_bytes: int) -> None:
        """Count a message that had to wait for its turn: the next one waits until this one is paid for."""
        self.count(line_bytes)
        self._level_bytes -= line_bytes

    def has_room(self, rate: BytesPerSecond, now: float) -> bool:
        """Whether a message may go now, if messages may use ``rate``."""
        burst_bytes = max(LEAST_BURST_BYTES, rate * BURST_SECONDS)
        earned = rate * max(0.0, now - self._filled_at)
        self._level_bytes = min(burst_bytes, self._level_bytes + earned)
        self._filled_at = now
        return self._level_bytes > 0

    def collect(self, most: float, now: float) -> int:
        """Return the bytes that were counted since the last call, and set `rate`: to at most ``most``."""
        counted, self._counted_bytes = self._counted_bytes, 0
        self.repaid_bytes = self.rate * max(0.0, now - self._repaid_at)
        self._owed_bytes = min(self._owed_bytes - self.repaid_bytes + counted, most * REPAID_SECONDS)
        self._repaid_at = now
        self.rate = max(0.0, self._owed_bytes / REPAID_SECONDS)
        return counted

    def forget(self, now: float) -> None:
        """Owe nothing: no data were sent until now."""
        self._counted_bytes, self._owed_bytes, self.rate, self._repaid_at = 0, 0.0, 0.0, now


def line_bytes(frame_bytes: int) -> int:
    """Return what a frame of so many bytes takes of the line: with its TLS record and the headers of its packets."""
    record = frame_bytes + TLS_RECORD_BYTES
    return record + TCP_HEADER_BYTES * math.ceil(record / SEGMENT_BYTES)
