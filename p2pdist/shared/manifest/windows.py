"""Parse maintenance windows as people write them: ``mon-fri 22:00-05:00``. Pure."""

import re
from dataclasses import dataclass

from bandwidth.core.quantities import MINUTES_PER_DAY

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_WINDOW_CHARS = 60

_TEXT = re.compile(r"(?:(?P<days>[a-z,-]+) )?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)")


class InvalidWindowError(ValueError):
    """The text is not a maintenance window. The message says why."""


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A time of day on some days of the week, in the PC's civil time. It may cross midnight."""

    days: frozenset[int]
    """The days on which it opens; 0 is Monday."""
    start_minute: int
    """The minute after midnight at which it opens."""
    minutes: int
    """How long it is open in civil time, at most a day."""

    def __post_init__(self) -> None:
        if not (self.days and self.days <= set(range(7)) and 0 <= self.start_minute < MINUTES_PER_DAY):
            raise ValueError("a window opens on days 0 to 6, within a day")
        if not 1 <= self.minutes <= MINUTES_PER_DAY:
            raise ValueError("a window is open for 1 minute to 24 hours")


def parse_window(text: str) -> MaintenanceWindow:
    """Return the window that ``text`` describes. Raises `InvalidWindowError`."""
    match = _TEXT.fullmatch(text) if len(text) <= MAX_WINDOW_CHARS else None
    if match is None:
        raise InvalidWindowError(f"{text[:60]!r} is no window; write: mon-fri 22:00-05:00, or: sat,sun 00:00-24:00")
    start, end = _minute(match["start"]), _minute(match["end"])
    if start == MINUTES_PER_DAY:
        raise InvalidWindowError(f"{text!r} opens at 24:00; write 00:00 of the next day")
    # 1 minute to 24 hours: equal times mean a whole day
    return MaintenanceWindow(_days(match["days"] or "mon-sun", text), start, (end - start - 1) % MINUTES_PER_DAY + 1)


def _minute(clock: str) -> int:
    hour, minute = int(clock[:2]), int(clock[3:])
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise InvalidWindowError(f"{clock} is no time of the day, 00:00 to 24:00")
    return hour * 60 + minute


def _days(words: str, text: str) -> frozenset[int]:
    found: set[int] = set()
    for word in words.split(","):
        first, _, last = word.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise InvalidWindowError(f"{text!r} has no day {word!r}; days are {', '.join(DAYS)}, or mon-fri")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)
