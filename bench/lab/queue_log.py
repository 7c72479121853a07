"""A line's log: its true queue and what it carried, millisecond by millisecond. Pure, but for one reader.

Times are milliseconds of the monotonic clock, which all namespaces of a machine share.
"""

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_RECORD = struct.Struct("<Q8I8I")
FULL_PACKET_BYTES = 1400
BULK_MS, BULK_SHARE = 250, 0.1  # metadata for a site is over sooner, or is less than this part of the line
MANAGED, BUSINESS = 0, 1
"""Classes of traffic: PCs with our daemon (or a rival), and business."""


@dataclass(frozen=True, slots=True)
class Millisecond:
    """One direction in one millisecond."""

    backlog_max_bytes: int
    """Bytes that wait, without the packet on the wire."""
    rate_kbit: int
    waited_max_us: tuple[int, int]
    """By class, of the packets whose sending began."""
    sent_bytes: tuple[int, int]
    """By class: IP packets."""
    sent_payload: tuple[int, int]
    """By class: the payload of those, above TCP or UDP."""

    @property
    def queue_ms(self) -> float:
        """How long the backlog takes at the line's rate."""
        return self.backlog_max_bytes * 8 / self.rate_kbit if self.rate_kbit else 0.0


@dataclass
class DirectionLog:
    """One direction; in a millisecond that is missing nothing happened."""

    at_ms: list[int] = field(default_factory=list)
    milliseconds: list[Millisecond] = field(default_factory=list)

    def between(self, start_ms: float, end_ms: float) -> Sequence[tuple[int, Millisecond]]:
        """Return what happened from ``start_ms`` until before ``end_ms``."""
        first, last = bisect_left(self.at_ms, start_ms), bisect_left(self.at_ms, end_ms)
        return list(zip(self.at_ms[first:last], self.milliseconds[first:last], strict=True))

    def queue_percentile_ms(self, share: float, start_ms: float, end_ms: float) -> float:
        """Return the queue that was not exceeded in ``share`` of the time."""
        queues = sorted(record.queue_ms for _, record in self.between(start_ms, end_ms))
        quiet = max(0, round(end_ms - start_ms) - len(queues))
        index = int(share * (quiet + len(queues) - 1)) - quiet
        return queues[index] if queues and index >= 0 else 0.0

    def seconds_above(self, queue_ms: float, start_ms: float, end_ms: float) -> float:
        """Return for how long the queue was longer than ``queue_ms``."""
        return sum(record.queue_ms > queue_ms for _, record in self.between(start_ms, end_ms)) / 1000

    def sent_bytes(self, start_ms: float, end_ms: float, classes: Sequence[int] = (MANAGED, BUSINESS)) -> int:
        """Return the bytes of IP packets that were sent."""
        return sum(record.sent_bytes[each] for _, record in self.between(start_ms, end_ms) for each in classes)

    def last_full_packet_ms(self, start_ms: float, end_ms: float) -> float | None:
        """Return when the last packet of bulk data was sent to a managed PC; None when there was none."""
        return next(
            (at for at, record in reversed(self.between(start_ms, end_ms))
             if record.sent_bytes[MANAGED] >= FULL_PACKET_BYTES),
            None,
        )  # fmt: skip

    def bulk_from_ms(self, start_ms: float, end_ms: float, rate_mbit: float) -> float | None:
        """Return from when on `BULK_MS` carried `BULK_SHARE` of the line to managed PCs: the first packet of a file.

        What tells of a file and describes it comes before, in full packets as well. None: there was no file.
        """
        wanted = BULK_SHARE * rate_mbit * 1000 / 8 * BULK_MS
        window: deque[tuple[int, int]] = deque()
        total = 0
        for at, record in self.between(start_ms, end_ms):
            sent = record.sent_bytes[MANAGED]
            if not sent:
                continue
            window.append((at, sent))
            total += sent
            while window[0][0] <= at - BULK_MS:
                total -= window.popleft()[1]
            if total >= wanted:
                return window[0][0]
        return None

    def rate_series(
        self, start_ms: float, end_ms: float, step_ms: float, classes: Sequence[int] = (MANAGED, BUSINESS)
    ) -> list[float]:
        """Return the mean rate of IP packets in each step, in Mbit/s; a rest below half a step joins the last one."""
        sums = [0] * max(1, round((end_ms - start_ms) / step_ms))
        for at, record in self.between(start_ms, end_ms):
            sums[min(len(sums) - 1, int((at - start_ms) / step_ms))] += sum(record.sent_bytes[each] for each in classes)
        last_ms = max(1.0, end_ms - start_ms - (len(sums) - 1) * step_ms)  # the log's resolution is a millisecond
        lengths = [*[step_ms] * (len(sums) - 1), last_ms]
        return [total * 8 / (length * 1000) for total, length in zip(sums, lengths, strict=True)]

    def queue_series(self, start_ms: float, end_ms: float, step_ms: float) -> list[float]:
        """Return the longest queue in each step, in ms."""
        longest = [0.0] * max(1, round((end_ms - start_ms) / step_ms))
        for at, record in self.between(start_ms, end_ms):
            step = min(len(longest) - 1, int((at - start_ms) / step_ms))
            longest[step] = max(longest[step], record.queue_ms)
        return longest


@dataclass
class QueueLog:
    """Both directions of a line: ``down`` to the branch, ``up`` to head office."""

    down: DirectionLog = field(default_factory=DirectionLog)
    up: DirectionLog = field(default_factory=DirectionLog)


def parse(data: bytes) -> Iterator[tuple[int, Millisecond, Millisecond]]:
    """Return the records of a log; an incomplete one at the end is left out."""
    whole = len(data) - len(data) % _RECORD.size
    for at, *words in _RECORD.iter_unpack(memoryview(data)[:whole]):
        yield at, _millisecond(words[:8]), _millisecond(words[8:])


def _millisecond(words: Sequence[int]) -> Millisecond:
    backlog, rate, *rest = words
    return Millisecond(backlog, rate, (rest[0], rest[1]), (rest[2], rest[3]), (rest[4], rest[5]))


def read_log(path: Path) -> QueueLog:
    """Read what a line has logged."""
    log = QueueLog()
    for at, down, up in parse(path.read_bytes()):
        for direction, record in ((log.down, down), (log.up, up)):
            direction.at_ms.append(at)
            direction.milliseconds.append(record)
    return log
