"""Transfers that come and go, each on a new CUBIC connection."""

import random
from typing import Any

from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.path import NetworkPath


class OnOffTransfers:
    """On for ``on_seconds`` on average, then off for ``off_seconds``, ±30 % by the seed.

    ``periods`` are (from, until) in seconds; the last one may still be open (until = infinity).
    """

    __slots__ = (
        "_connection",
        "_means",
        "_path",
        "_randomness",
        "_simulator",
        "delivered_before",
        "key",
        "periods",
        "running",
    )

    def __init__(
        self, path: NetworkPath, randomness: random.Random, *, on_seconds: float = 5.0, off_seconds: float = 8.0
    ) -> None:
        self._path = path
        self._simulator = path.simulator
        self._randomness = randomness
        self._means = (on_seconds, off_seconds)
        self.key = path.next_key()
        self._connection: CubicSender | None = None
        self.delivered_before = 0
        self.periods: list[tuple[float, float]] = []
        self.running = False

    @property
    def delivered_bytes(self) -> int:
        """Of all connections so far."""
        return self.delivered_before + (self._connection.delivered_bytes if self._connection else 0)

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return self._connection.connections() if self._connection else {}

    def start(self, _: Any = None) -> None:
        """Begin with a transfer."""
        self.running = True
        self._on(None)

    def stop(self, _: Any = None) -> None:
        """End the transfer that runs, and begin no other."""
        if self.running:
            self.running = False
            self._end()

    def _on(self, _: Any) -> None:
        if not self.running:
            return
        now = self._simulator.now
        self.delivered_before = self.delivered_bytes
        self._connection = CubicSender(self._path)
        self.periods.append((now, float("inf")))
        self._connection.start()
        self._simulator.after(self._means[0] * self._randomness.uniform(0.7, 1.3), self._off)

    def _off(self, _: Any) -> None:
        if self.running:
            self._end()
            self._simulator.after(self._means[1] * self._randomness.uniform(0.7, 1.3), self._on)

    def _end(self) -> None:
        if self._connection is not None and self._connection.running:
            self._connection.stop()
            self.periods[-1] = (self.periods[-1][0], self._simulator.now)
