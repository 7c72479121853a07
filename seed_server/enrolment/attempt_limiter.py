"""How often one address may fail before it has to wait: guessing enrolment secrets must not pay. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

MAX_FAILURES = 10  # a person who mistypes, or a roll-out script that used up its token, stays below
WINDOW_SECONDS = 60.0
MAX_REMEMBERED = 10_000  # memory; the longest silent ones are forgotten first


@dataclass
class _Failures:
    since: float
    count: int


class AttemptLimiter:
    """Counts failures by address in windows of `WINDOW_SECONDS`."""

    def __init__(self, *, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_seconds(self, address: str, now: float) -> float:
        """Return how long ``address`` must wait before its next attempt; 0.0 when it may try."""
        failures = self._failures.get(address)
        if failures is None or failures.count < MAX_FAILURES or not 0 <= now - failures.since < WINDOW_SECONDS:
            return 0.0
        return failures.since + WINDOW_SECONDS - now

    def failed(self, address: str, now: float) -> None:
        """Count a failed attempt of ``address``."""
        failures = self._failures.get(address)
        if failures is None or not 0 <= now - failures.since < WINDOW_SECONDS:
            failures = self._failures[address] = _Failures(now, 0)
        failures.count += 1
        self._failures.move_to_end(address)
        while len(self._failures) > self._max_remembered:
            self._failures.popitem(last=False)
