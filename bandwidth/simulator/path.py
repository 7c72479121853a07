"""The path between two places: a bottleneck, the delays around it, and what is recorded of a run."""

from collections.abc import Callable
from typing import Final

from bandwidth.simulator.events import Simulator, TimedCall
from bandwidth.simulator.link import Link
from bandwidth.simulator.meters import Meter, Series

QUEUE_LOOK_SECONDS: Final = 0.005
SAMPLES_IN_A_SLOT: Final = 10  # a meter's slot is 50 ms


class NetworkPath:
    """One bottleneck and the way back, with the true queue as a time series."""

    __slots__ = ("_keys", "_meters", "_next", "_samples", "link", "queue", "rtt_seconds", "simulator")

    def __init__(self, simulator: Simulator, link: Link, rtt_seconds: float) -> None:
        self.simulator = simulator
        self.link = link
        self.rtt_seconds = rtt_seconds
        self.queue = Series()
        """The true queue in seconds, every 5 ms."""
        self._keys = 0
        self._samples = 0
        self._meters: list[Meter] = []
        self._next = TimedCall(self._sample)
        simulator.add(simulator.now + QUEUE_LOOK_SECONDS, self._next)

    def watch(self, read: Callable[[], int]) -> Meter:
        """Return a meter of the growing count of bytes that ``read`` returns; it is read 20 times a second."""
        meter = Meter(read)
        self._meters.append(meter)
        return meter

    def next_key(self) -> int:
        """Return a number that no other flow has."""
        self._keys += 1
        return self._keys

    def keys_from(self, key: int) -> None:
        """Give the next flow at least this key: then it is the same, whoever was there before."""
        self._keys = max(self._keys, key - 1)

    def _sample(self, _: None) -> None:
        now = self.simulator.now
        self.queue.add(now, self.link.backlog_seconds(now))
        self._samples += 1
        if self._samples % SAMPLES_IN_A_SLOT == 0:
            for meter in self._meters:
                meter.sample()
        self.simulator.add(now + QUEUE_LOOK_SECONDS, self._next)
