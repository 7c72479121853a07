"""Packets that a line loses at random, however empty its queue is: radio, old copper, a broken plug."""

import random

from bandwidth.simulator.packets import Flow


class RandomLoss:
    """Decides of each packet whether the line loses it: after the bottleneck, so it has taken its time there.

    Each flow has its own draws, seeded by ``seed`` and its key, so that the same
    business meets the same losses with and without a scavenger. ``there`` and
    ``back`` are the parts that the two directions lose. Way back: an
    acknowledgement tells of all before it, so the loss of one costs nothing; only
    a packet that answers one packet (`Flow.answered`) is missed.
    """

    __slots__ = ("_answered_share", "_draws", "_seed", "_share")

    def __init__(self, seed: int, there: float, back: float) -> None:
        if not 0.0 <= there < 1.0 or not 0.0 <= back < 1.0:
            raise ValueError(f"a line loses a part from 0 to less than 1 of its packets, not {there} and {back}")
        self._seed = seed
        self._share = there
        self._answered_share = there + back - there * back
        self._draws: dict[int, random.Random] = {}

    def takes(self, flow: Flow) -> bool:
        """Return whether the line loses the packet of ``flow`` that has just left the bottleneck."""
        share = self._answered_share if flow.answered else self._share
        if share == 0.0:
            return False
        draw = self._draws.get(flow.key)
        if draw is None:
            draw = self._draws[flow.key] = random.Random(f"{self._seed} loss {flow.key}")  # noqa: S311
        return draw.random() < share
