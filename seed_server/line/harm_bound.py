"""The bound on the harm that we do on one site's line: whatever steers it, leasing there rests when business suffers.

A second in which business suffers while we send is evidence (`harm_evidence`). A minute with a quarter of such seconds
is harmful; the third harmful one of the last ten minutes in which we sent is the breach. Then we stop sending at once
and look: only what gets better without us was our doing. If it does, leasing rests for a quarter of an hour, twice as
long each time. If it does not, we go on: a PC whose own connections are slow, or that lies, stops nobody. Pure.
"""

import enum
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from seed_server.line.harm_evidence import HarmReason, SeenSecond

EVIDENCE_SECONDS = 3_600.0  # what is older says nothing of the line as it is now
BEFORE_SECONDS = 30  # of suffering with which the look is compared
HARM_LOOK_SETTLES_SECONDS = 2.0  # what is in the queues drains, and smoothed round trips begin to follow
HARM_LOOK_SECONDS = 8.0  # a smoothed round trip has followed a connection that is used once a second …
HARM_LOOK_MOST_SECONDS = 20.0  # … and if nobody has used one by then, there is nobody to suffer
LOOK_MEASURES = 3  # seconds: what they have on average is what business has without us
EASED_PART = 0.5  # of the delay: what remains of it is not ours
RISEN_PART = 1.5  # times the transfer's rate beside us
NEXT_LOOK_SECONDS, NEXT_LOOK_MOST_SECONDS = (
    600.0,
    3_600.0,
)  # after one that showed nothing, and twice as long each time
PAUSE_STEP = 2.0  # each pause in a row is so much longer
GOOD_DAY_SECONDS = 86_400.0  # without a pause: the next one is a first one again


@dataclass(frozen=True, slots=True)
class HarmRule:
    """How much harm is bearable, and what follows; the defaults are the product's."""

    minute_seconds: float = 60.0
    harmful_seconds: int = 15
    """Of suffering, in a harmful minute."""
    harmful_minutes: int = 3
    of_minutes: int = 10
    pause_seconds: float = 900.0
    pause_most_seconds: float = 14_400.0


class Resting(enum.Enum):
    """Whether the site may be sent pieces, as far as the bound is concerned."""

    NO = "no"
    LOOK = "nothing is sent: we look whether that helps"
    PAUSE = "no piece is leased"


@dataclass(frozen=True, slots=True)
class HarmPause:
    """The newest pause of a site."""

    reason: HarmReason
    begun_at: float
    ends_at: float
    in_a_row: int
    """1: the first one, or the first after a good day."""


@dataclass
class _Minute:
    number: int
    suffered_seconds: int = 0


@dataclass
class _Look:
    begun_at: float
    before: Mapping[HarmReason, float]
    """What business had while it suffered so."""
    measured: dict[HarmReason, list[float]]
    """What it has without us."""

    @property
    def has_measured(self) -> bool:
        """Whether there is enough to judge by."""
        return all(len(values) >= LOOK_MEASURES for values in self.measured.values())


class HarmBound:
    """Decides for one site; ``now`` is any clock in seconds."""

    def __init__(self, rule: HarmRule = HarmRule()) -> None:
        self._rule = rule
        self._minutes: deque[_Minute] = deque(maxlen=rule.of_minutes)
        self._before: dict[HarmReason, deque[float]] = {reason: deque(maxlen=BEFORE_SECONDS) for reason in HarmReason}
        self._look: _Look | None = None
        self._look_again_at = -math.inf
        self._vain_looks = 0
        self.pause: HarmPause | None = None
        """The newest, over or not; None: there has been none."""
        self.pauses = 0
        """Since the line is known."""
        self.looks = 0
        """Of this run of the server."""

    def restore(self, pause: HarmPause, pauses: int) -> None:
        """Go on with what an earlier run of the server has left."""
        self.pause, self.pauses = pause, pauses

    def resting(self, now: float) -> Resting:
        """Return what may be sent now."""
        if self.pause is not None and self.pause.begun_at <= now < self.pause.ends_at:
            return Resting.PAUSE
        # a look that nobody ends, because nobody is there any more, is over too
        if self._look is not None and 0.0 <= now - self._look.begun_at < 2 * HARM_LOOK_MOST_SECONDS:
            return Resting.LOOK
        return Resting.NO

    def left_seconds(self, now: float) -> float:
        """Return for how long the pause goes on; 0: there is none."""
        paused = self.pause if self.resting(now) is Resting.PAUSE else None
        return 0.0 if paused is None else paused.ends_at - now

    def observe(self, second: SeenSecond) -> None:
        """Take in a second at the site."""
        now = second.at
        resting = self.resting(now)
        if resting is Resting.LOOK:
            self._look_on(second)
            return
        self._look = None
        if resting is Resting.PAUSE or not second.loud:
            return
        minute = self._minute(now)
        if not second.suffered:
            return
        minute.suffered_seconds += 1
        for reason in second.suffered:
            if (value := _value(second, reason)) is not None:
                self._before[reason].append(value)
        if now >= self._look_again_at and self._is_broken:
            self.looks += 1
            told = {reason: values for reason, values in self._before.items() if len(values) >= LOOK_MEASURES}
            before = {reason: fmean(values) for reason, values in told.items()}
            self._look = _Look(now, before, {reason: [] for reason in before})

    # --- inside -------------------------------------------------------------------------

    def _minute(self, now: float) -> _Minute:
        """Return the present one of the minutes in which we sent."""
        number = math.floor(now / self._rule.minute_seconds)
        if self._minutes and self._minutes[-1].number > number:  # the clock went back
            self._forget()
            self._look_again_at = -math.inf
        while self._minutes and (number - self._minutes[0].number) * self._rule.minute_seconds > EVIDENCE_SECONDS:
            self._minutes.popleft()
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(_Minute(number))
        return self._minutes[-1]

    @property
    def _is_broken(self) -> bool:
        harmful = sum(minute.suffered_seconds >= self._rule.harmful_seconds for minute in self._minutes)
        return harmful >= self._rule.harmful_minutes

    def _look_on(self, second: SeenSecond) -> None:
        look = self._look
        assert look is not None
        passed = second.at - look.begun_at
        for reason, values in look.measured.items():
            if passed > HARM_LOOK_SETTLES_SECONDS and (value := _value(second, reason)) is not None:
                values.append(value)
        if passed < HARM_LOOK_SECONDS or (not look.has_measured and passed < HARM_LOOK_MOST_SECONDS):
            return
        self._look = None
        self._forget()
        if (eased := next((reason for reason in look.before if _eased(look, reason)), None)) is not None:
            self._begin_pause(eased, second.at)
        elif any(look.measured.values()):  # else nobody is left who could tell: some minutes more will show
            self._look_again_at = second.at + min(NEXT_LOOK_MOST_SECONDS, NEXT_LOOK_SECONDS * 2**self._vain_looks)
            self._vain_looks += 1

    def _begin_pause(self, reason: HarmReason, now: float) -> None:
        before = self.pause
        again = before is not None and 0.0 <= now - before.ends_at < GOOD_DAY_SECONDS
        in_a_row = before.in_a_row + 1 if before is not None and again else 1
        rule = self._rule
        seconds = min(rule.pause_most_seconds, rule.pause_seconds * PAUSE_STEP ** min(in_a_row - 1, 16))
        self.pause = HarmPause(reason, now, now + seconds, in_a_row)
        self.pauses += 1
        self._vain_looks = 0

    def _forget(self) -> None:
        """Begin to gather evidence anew."""
        self._minutes.clear()
        for values in self._before.values():
            values.clear()


def _value(second: SeenSecond, reason: HarmReason) -> float | None:
    """Return what tells how business fares."""
    return second.delay_seconds if reason is HarmReason.SLOWED else second.business


def _eased(look: _Look, reason: HarmReason) -> bool:
    """Whether business has got better without us."""
    before, measured = look.before[reason], look.measured[reason]
    if len(measured) < LOOK_MEASURES:
        return False
    if reason is HarmReason.SLOWED:
        return fmean(measured[-LOOK_MEASURES:]) <= EASED_PART * before
    return fmean(measured) >= RISEN_PART * before
