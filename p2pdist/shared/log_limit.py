"""How often a line that strangers can cause is written to the log: once a minute for each reason and source. Pure.

The first line of a source comes at once, with its details. What follows within the minute is counted, and the next
line says how many were left out. So a flood is seen, and fills no disk.
"""

from collections import OrderedDict
from dataclasses import dataclass

LOG_LINE_SECONDS = 60.0  # between two lines of one reason and source
MAX_LOG_SOURCES = 256  # remembered at a time: at most so many lines a minute, about 1 kB/s, whoever takes part
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line may be written now."""

    source: str
    """Whom it is about: the source, or `OTHERS` for those for whom there was no room."""
    left_out: int
    """Lines of this reason and source that were not written since the last one."""


@dataclass(slots=True)
class _Counted:
    written_at: float
    left_out: int = 0


class LogLimit:
    """Counts what happens by reason and source; ``now`` is any clock in seconds that only grows."""

    def __init__(self, *, seconds: float = LOG_LINE_SECONDS, max_sources: int = MAX_LOG_SOURCES) -> None:
        self._seconds = seconds
        self._max_sources = max_sources
        # the one that was written longest ago first
        self._counted: OrderedDict[tuple[str, str], _Counted] = OrderedDict()
        self._others: dict[str, _Counted] = {}

    def line(self, reason: str, source: str, now: float) -> LogLine | None:
        """Count one event, and return the line that may be written of it; None: it is left out.

        ``reason`` is one of the program's own texts, never one from outside. ``source`` may be anything.
        """
        known = self._counted.get((reason, source))
        if known is None:
            return self._new(reason, source, now)
        if now - known.written_at < self._seconds:
            known.left_out += 1
            return None
        self._counted.move_to_end((reason, source))
        return _written(known, source, now)

    def _new(self, reason: str, source: str, now: float) -> LogLine | None:
        if len(self._counted) >= self._max_sources:
            oldest = next(iter(self._counted))
            if now - self._counted[oldest].written_at < self._seconds:
                return self._other(reason, now)
            del self._counted[oldest]
        self._counted[reason, source] = _Counted(now)
        return LogLine(source, 0)

    def _other(self, reason: str, now: float) -> LogLine | None:
        others = self._others.setdefault(reason, _Counted(now - self._seconds))
        if now - others.written_at < self._seconds:
            others.left_out += 1
            return None
        return _written(others, OTHERS, now)


def _written(counted: _Counted, source: str, now: float) -> LogLine:
    line = LogLine(source, counted.left_out)
    counted.written_at, counted.left_out = now, 0
    return line
