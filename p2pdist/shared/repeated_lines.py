"""Which lines of a log are left out because they say again and again what was said before. Pure.

Whatever lasts, a full disk or a server that is away, is met again every few seconds, for days. The first lines come at
once; then a line that repeats comes after one minute, two, four, and at last once an hour, and says how many like it
were left out. After an hour without it, it is new again.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

FREE_LINES = 5  # of the same line, at once: a start, and a few attempts
FIRST_SILENCE_SECONDS = 60.0
LONGEST_SILENCE_SECONDS = 3_600.0
MAX_REPEATED_LINES = 1_024  # remembered at a time, some 300 kB; a PC has a few dozen, a server one for each endpoint
MAX_COMPARED_CHARS = 200  # of each value: a reason is a sentence

LineKey: TypeAlias = tuple[str, ...]

_DIGITS = re.compile(r"[0-9]+")


@dataclass(slots=True)
class _Seen:
    seen_at: float
    written_at: float
    free: int = FREE_LINES - 1
    gap_seconds: float = FIRST_SILENCE_SECONDS
    left_out: int = 0


class RepeatedLines:
    """Counts the lines of one log; ``now`` is any clock in seconds that only grows."""

    def __init__(self, *, max_lines: int = MAX_REPEATED_LINES) -> None:
        self._max_lines = max_lines
        # the one that came longest ago first
        self._seen: OrderedDict[LineKey, _Seen] = OrderedDict()

    def count(self, key: LineKey, now: float, left_out: int = 0) -> int | None:
        """Count a line that stands for ``left_out`` more; return how many were left out since the last one.

        None: this one is left out too.
        """
        seen = self._seen.pop(key, None)
        if seen is None or now - seen.seen_at >= LONGEST_SILENCE_SECONDS:
            seen = _Seen(now, now, left_out=left_out)
        else:
            seen.left_out += left_out
            seen.seen_at = now
            if seen.free > 0:
                seen.free -= 1
            elif now - seen.written_at >= seen.gap_seconds:
                seen.gap_seconds = min(2 * seen.gap_seconds, LONGEST_SILENCE_SECONDS)
            else:
                seen.left_out += 1
                self._keep(key, seen)
                return None
        seen.written_at, written = now, seen.left_out
        seen.left_out = 0
        self._keep(key, seen)
        return written

    def _keep(self, key: LineKey, seen: _Seen) -> None:
        self._seen[key] = seen
        while len(self._seen) > self._max_lines:
            self._seen.popitem(last=False)


def key_of(level: str, event: Mapping[str, object]) -> LineKey:
    """Return what two lines have in common that say the same.

    Numbers do not count: seconds until the next attempt, pieces. In warnings and errors those within texts do not
    either, as of the bytes that a disk lacks; in other lines they tell names apart.
    """
    told = {name: value for name, value in event.items() if not isinstance(value, int | float | None)}
    texts = [f"{name}={str(value)[:MAX_COMPARED_CHARS]}" for name, value in told.items()]
    if level not in ("debug", "info"):
        texts = [_DIGITS.sub("0", text) for text in texts]
    return (level, *texts)
