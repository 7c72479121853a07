"""What took long to find out, as it was lately: for pages of a process that many people ask, which say as of when.

What is asked again and again is found out anew before it is too old (`LookMemory.renew`), so that nobody waits for it.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, cast

T = TypeVar("T")

LATELY_SECONDS = 300.0  # so old may be a plan, or the service levels of all patches
RECENTLY_SECONDS = 60.0  # so old may be who is there, and what is counted over all PCs
RENEWED_AT = 1 / 2  # of its time
ASKED_SECONDS = 900.0  # so long after somebody has asked, somebody may ask again: people go to and fro between pages
MOST_LOOKS = 128  # that are remembered: some 200 kB each in the largest company


@dataclass(slots=True)
class _Look:
    """One look, by what it was asked."""

    read: Callable[[], object]
    seconds: float
    asked_at: float
    read_at: float | None = None
    found: object = None
    reading: threading.Lock = field(default_factory=threading.Lock)

    def has_it(self, now: float) -> bool:
        return self.read_at is not None and 0 <= now - self.read_at < self.seconds

    def is_due(self, now: float) -> bool:
        """Whether somebody may ask for it soon, who would wait if it were too old then."""
        wanted = 0 <= now - self.asked_at < ASKED_SECONDS
        return wanted and self.read_at is not None and now - self.read_at >= RENEWED_AT * self.seconds

    def look(self, now: float) -> object:
        self.found = self.read()
        self.read_at = now
        return self.found


class LookMemory:
    """Looks at one home. In any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._looks: dict[Hashable, _Look] = {}

    def known(self, now: float, key: Hashable, read: Callable[[], T], seconds: float = LATELY_SECONDS) -> T:
        """Return what ``read`` returned within ``seconds`` for the same ``key``; else call it.

        ``now``: of a clock that only goes forward. Who asks the same meanwhile waits for one that reads; what ``read``
        raises is remembered by nobody. ``read`` may be called again by another thread, until nobody asks any more.
        """
        with self._changing:
            look = self._looks.pop(key, None) or _Look(read, seconds, now)
            self._looks[key] = look  # the last one is what was asked for last
            look.asked_at, look.read = now, read
            while len(self._looks) > MOST_LOOKS:
                del self._looks[next(iter(self._looks))]
        if look.has_it(now):
            return cast("T", look.found)
        with look.reading:
            if look.has_it(now):
                return cast("T", look.found)
            try:
                return cast("T", look.look(now))
            except BaseException:
                with self._changing:
                    self._looks.pop(key, None)
                raise

    def renew(self, now: float) -> bool:
        """Find out anew what is oldest in its time of what somebody may ask for soon; return whether there was any.

        Raises what ``read`` does; then who asks next is told.
        """
        with self._changing:
            due = [look for look in self._looks.values() if look.is_due(now) and not look.reading.locked()]
        if not due:
            return False
        oldest = min(due, key=lambda look: (look.read_at or 0.0) + look.seconds)
        with oldest.reading:
            oldest.look(now)
        return True
