"""The law of cake-autorate 3 (its defaults), here over the rate of a paced sender.

It shapes a whole line at a router; as a scavenger's law it sets the rate of one
sender from pings through the same queue. Delays are one-way, as its better
pingers report them (its default one halves round trips, and so sees half of a
queue). Six reflectors are pinged one after the other, each with its own baseline.
Its sleep and stall states and its handling of bad reflectors are left out.
"""

from collections import deque
from typing import Any

from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.tcp import PACKET_BYTES
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.ping import Ping

REFLECTORS = 6
SAMPLE_SECONDS = 0.05  # each of them every 300 ms
BASELINE_UP, BASELINE_DOWN = 0.001, 0.9
WINDOW, DELAYED = 6, 3  # bufferbloat: three of the last six deltas are late
LATE_SECONDS = 0.03
UP_FULL_SECONDS = 0.01  # mean delta up to which growth is full
DOWN_FULL_SECONDS = 0.06  # mean delta from which the cut is full
CUT_LEAST, CUT_MOST = 0.99, 0.75
GROWTH_LEAST, GROWTH_MOST = 1.0, 1.04
HIGH_LOAD = 0.75
RATE_SECONDS = 0.2  # the achieved rate is measured over this, and growth follows it …
RATE_PACKETS = 10  # … or over the time of this many packets, if that is longer
LOOKS = 40  # in the longest time over which a rate is measured here
REFRACTORY_SECONDS = 0.3
DECAY_SECONDS = 1.0
DECAY = 0.01


class AutorateLaw:
    """Sets a rate in bytes per second between ``least`` and ``most``; without load it returns to ``base``."""

    __slots__ = (
        "_baselines",
        "_bloat_at",
        "_decay_at",
        "_deltas",
        "_grown_at",
        "_late",
        "base",
        "least",
        "most",
        "rate",
    )

    def __init__(self, *, least: float, base: float, most: float) -> None:
        self.least, self.base, self.most = least, base, most
        self.rate = base
        self._baselines: deque[float] = deque()
        self._deltas: deque[float] = deque([0.0] * WINDOW, maxlen=WINDOW)
        self._late: deque[bool] = deque([False] * WINDOW, maxlen=WINDOW)
        self._bloat_at = self._decay_at = self._grown_at = -1.0

    @property
    def rate_seconds(self) -> float:
        """Over how long the achieved rate is measured."""
        return max(RATE_SECONDS, RATE_PACKETS * PACKET_BYTES / self.rate)

    def _delta(self, delay: float) -> float:
        """Return how much longer ``delay`` is than the baseline of the present reflector."""
        baseline = delay if len(self._baselines) < REFLECTORS else self._baselines.popleft()
        baseline += (BASELINE_UP if delay >= baseline else BASELINE_DOWN) * (delay - baseline)
        self._baselines.append(baseline)
        return delay - baseline

    def update(self, delay: float, achieved: float, now: float) -> float:
        """Take a one-way delay (seconds) and the achieved rate; return the new rate."""
        packet = PACKET_BYTES / self.rate  # all thresholds are higher by the time that one takes at the rate of now
        delta = self._delta(delay)
        self._deltas.append(delta)
        self._late.append(delta > LATE_SECONDS + packet)
        mean = sum(self._deltas) / WINDOW - packet
        refractory = now - self._bloat_at < REFRACTORY_SECONDS - 1e-9 and self._bloat_at >= 0
        if sum(self._late) >= DELAYED:
            if not refractory:
                share = min(1.0, max(0.0, (mean - LATE_SECONDS) / (DOWN_FULL_SECONDS - LATE_SECONDS)))
                self.rate *= CUT_LEAST + share * (CUT_MOST - CUT_LEAST)
                self._bloat_at = now
                self._decay_at = now
        elif achieved > HIGH_LOAD * self.rate:
            if not refractory and now - self._grown_at >= self.rate_seconds - 1e-9:
                share = min(1.0, max(0.0, (mean - UP_FULL_SECONDS) / (LATE_SECONDS - UP_FULL_SECONDS)))
                self.rate *= GROWTH_MOST + share * (GROWTH_LEAST - GROWTH_MOST)
                self._grown_at = now
                self._decay_at = now
        elif now - self._decay_at >= DECAY_SECONDS:
            self._decay_at = now
            towards = 1 - DECAY if self.rate > self.base else 1 + DECAY
            bound = max if self.rate > self.base else min
            self.rate = bound(self.base, self.rate * towards)
        self.rate = min(self.most, max(self.least, self.rate))
        return self.rate


class AutorateSender(CubicSender):
    """CUBIC, paced by `AutorateLaw`: least 5 %, base 50 % and most 97 % of the line."""

    __slots__ = ("_delivered", "_law", "_ping")

    LEAST = 0.05
    BASE = 0.5
    MOST = 0.97

    def __init__(self, path: NetworkPath, line_rate: float) -> None:
        super().__init__(path)
        self._law = AutorateLaw(least=self.LEAST * line_rate, base=self.BASE * line_rate, most=self.MOST * line_rate)
        self._ping = Ping(path, SAMPLE_SECONDS)
        self._delivered: deque[int] = deque([0], maxlen=LOOKS + 1)
        self.pacing_rate = self._law.rate

    def start(self, _: Any = None) -> None:
        """See `TcpSender`."""
        self._ping.start()
        self._simulator.after(SAMPLE_SECONDS, self._sample)
        super().start()

    def _sample(self, _: Any) -> None:
        self._delivered.append(self.delivered_bytes)
        delay = self._ping.newest_round_trip()
        if delay is not None:
            looks = min(len(self._delivered) - 1, round(self._law.rate_seconds / SAMPLE_SECONDS))
            achieved = (self._delivered[-1] - self._delivered[-1 - looks]) / (SAMPLE_SECONDS * looks)
            self.pace(self._law.update(delay, achieved, self._simulator.now))
        self._simulator.after(SAMPLE_SECONDS, self._sample)
