"""What took long to find out, as it was lately: for pages of a process that many people ask, which say as of when."""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")

LATELY_SECONDS = 300.0  # so old may be a plan, or the service levels of all patches
MOST_LOOKS = 64  # that are remembered: some 200 kB each in the largest company


class LookMemory:
    """Looks at one home, each by what it was asked."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._known: dict[Hashable, tuple[float, object]] = {}
        self._reading: dict[Hashable, threading.Lock] = {}

    def known(self, now: float, key: Hashable, read: Callable[[], T]) -> T:
        """Return what ``read`` returned within `LATELY_SECONDS` for the same ``key``; else call it.

        ``now``: of a clock that only goes forward. Who asks the same meanwhile waits for one that reads; what ``read``
        raises is remembered by nobody.
        """
        with self._changing:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            at, value = self._known.get(key, (None, None))
            if at is not None and 0 <= now - at < LATELY_SECONDS:
                return cast("T", value)
            try:
                found = read()
            except BaseException:
                with self._changing:
                    self._reading.pop(key, None)
                raise
            with self._changing:
                self._known.pop(key, None)
                self._known[key] = now, found
                while len(self._known) > MOST_LOOKS:
                    oldest = next(iter(self._known))
                    del self._known[oldest]
                    self._reading.pop(oldest, None)
            return found
