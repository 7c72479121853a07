"""Lines that nobody can tune to: drawn by a seed, which is the release unless another is given. Pure.

Each is a run of every method: the file alone, then beside a CUBIC download, then alone again; with a call throughout.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log10
from random import Random
from typing import Literal

from bandwidth.core.units import MBIT
from bench.lab.scenario import CUBIC, MB, OURS, VOIP, Scenario
from bench.lab.wan_link import LineShape, line_shape

NAME = "random line "
LINES = 12
AHEAD_ON = 10
RATE_MBIT, UP_SHARE = (2.0, 200.0), (0.2, 1.0)
RTT_MS, BUFFER_MS = (5.0, 300.0), (20.0, 400.0)
MOST_LOSS = 0.02
FILE_SECONDS = 12.0  # of the line's time
LATE_AFTER_SECONDS, LATE_SECONDS = 6.0, 10.0
CALL_ALONE_SECONDS = 3.0
GIVE_UP_SECONDS = 40.0  # what takes longer is behind in time, by how much is not worth the waiting
FAST_MBIT, PCS, PCS_IF_FAST = 60.0, 4, 2
"""On faster lines there are fewer PCs: two processors run them all, and shall not be what is measured."""


@dataclass(frozen=True)
class RandomLine:
    """One line of a draw."""

    number: int
    line: LineShape

    @cached_property
    def name(self) -> str:
        """Its scenario's name, with all that it is."""
        down, up = self.line.down, self.line.up
        loss = f", {100 * down.loss:.2g} % loss" if down.loss else ""
        queue = ", fair queueing" if down.queue == "fq" else ""
        return (
            f"{NAME}{self.number}: {down.rate_mbit:g}/{up.rate_mbit:g} Mbit/s, {2 * down.delay_ms:g} ms, "
            f"{down.buffer_ms:g} ms buffer{queue}{loss}"
        )

    def scenario(self, method: str = OURS) -> Scenario:
        """Return its run; every method has the same file and the same business."""
        rate = self.line.down.rate_mbit
        size = max(MB, round(rate * MBIT * FILE_SECONDS))
        return Scenario(
            self.name, self.line, size, method, group="random", configured=False, repeats=1,
            endpoints=PCS_IF_FAST if rate > FAST_MBIT else PCS, business=(VOIP,), alone_seconds=CALL_ALONE_SECONDS,
            with_seconds=GIVE_UP_SECONDS, settle_seconds=1, late=(CUBIC,), late_after_seconds=LATE_AFTER_SECONDS,
            late_seconds=LATE_SECONDS, timeout_seconds=GIVE_UP_SECONDS,
        )  # fmt: skip


def random_lines(seed: str, count: int = LINES) -> list[RandomLine]:
    """Return the lines of a seed, the slowest first.

    Rate, round trip and buffer are drawn evenly on a logarithmic scale, one in each of ``count`` parts of it, so that
    no draw has only slow or only short lines. Half of the lines lose nothing, half have fair queueing.
    """
    random = Random(f"p2pdist lines {seed}")
    rates = sorted(_spread(random, *RATE_MBIT, count))
    trips, buffers = _spread(random, *RTT_MS, count), _spread(random, *BUFFER_MS, count)
    losses = [0.0] * (count - count // 2) + [random.uniform(0, MOST_LOSS) for _ in range(count // 2)]
    queues: list[Literal["fifo", "fq"]] = [*["fifo"] * (count - count // 2), *["fq"] * (count // 2)]  # type: ignore[list-item]
    random.shuffle(losses)
    random.shuffle(queues)
    return [
        RandomLine(
            number,
            line_shape(
                _rounded(rate), max(1.0, _rounded(rate * _between(random, *UP_SHARE))), rtt_ms=_rounded(trip),
                buffer_ms=_rounded(buffer), queue=queue, loss=_rounded(loss),
            ),
        )
        for number, (rate, trip, buffer, queue, loss) in enumerate(
            zip(rates, trips, buffers, queues, losses, strict=True), 1
        )
    ]  # fmt: skip


def _spread(random: Random, least: float, most: float, count: int) -> list[float]:
    step = (most / least) ** (1 / count)
    values = [_between(random, least * step**k, least * step ** (k + 1)) for k in range(count)]
    random.shuffle(values)
    return values


def _between(random: Random, least: float, most: float) -> float:
    return float(least * (most / least) ** random.random())


def _rounded(value: float) -> float:
    """Two digits: what is drawn is what the name says."""
    return round(value, 1 - int(log10(value) // 1)) if value else 0.0
