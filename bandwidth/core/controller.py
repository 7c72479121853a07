"""The limiter: uses what business leaves of a line, and gives it back at once.

One controller serves one line in one direction. Three things decide, in this
order: what others are measured to use (feed-forward), the queue that anybody's
packets meet (safety), and planned pauses (what neither shows). The law and each
constant are explained in docs/bandwidth-control.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bandwidth.core.capacity import CapacityEstimate
from bandwidth.core.sensors import SEGMENT_BYTES, Sensors, View
from bandwidth.core.signals import Sample
from bandwidth.core.states import Event, Reason, State, next_state
from bandwidth.core.trace import DecisionTrace
from bandwidth.units import BytesPerSecond

LEAST_RATE = BytesPerSecond(4_000)  # keeps a connection and its sensors alive: one segment in 0.4 s
FIRST_RATE = BytesPerSecond(64_000)  # of an unknown line: four segments in 90 ms
HEADROOM = 0.97  # of the capacity: below line rate a paced sender leaves no queue at all
BUSINESS_MARGIN = 0.02  # of the capacity, beside visible business …
BUSINESS_MARGIN_LEAST = 25_000.0  # … and at least 200 kbit/s
BUSINESS_GROWTH = 2.0  # slow start (RFC 5681 section 3.1)
BUSINESS_SEEN = 0.01  # of the capacity: less is name look-ups and keep-alives
MTU_BYTES = 1_500
NOISE_LEAST_SECONDS = 0.001
CUT_LEAST, CUT_MOST = 0.1, 0.5
GROWTH_MOST_PER_SECOND = 0.10  # of the capacity
PROBE_PER_SECOND = 0.02  # of a learned capacity: the queue that finds the true one stays below the threshold
STRONG_QUEUE = 4.0  # × threshold: yield at once
PERSISTENT_SECONDS = 0.5  # a queue that stays this long although we cut is somebody else's
LOSS_SURGE = 0.03  # of our segments: we send far below the line's rate, so others fill the buffer
HARM_SECONDS = 0.02  # added to business round trips
QUIET_FIRST_SECONDS = 0.4  # after a yield; doubles while ramps fail …
QUIET_LONGEST_SECONDS = 3.0  # … so that a line that has become free is found within this
FAILED_RAMP_SECONDS = 3.0  # a yield so soon after a ramp means that it met somebody
PAUSE_EVERY_SECONDS = 60.0
PAUSE_SECONDS = 0.5  # and at least two round trips
PAUSE_SHARE = 0.05
DELIVERED_NOTHING = 1.0  # bytes per second
LONGEST_STEP_SECONDS = 0.5  # growth is never for more than this: a gap in the samples earns nothing


@dataclass(frozen=True)
class ControllerSettings:
    """What the network admin says of a line."""

    capacity: BytesPerSecond | None = None
    """The line's rate; None: it is learned."""
    threshold_seconds: float = 0.008
    """Queue that counts as one: strict 4 ms, normal 8 ms, relaxed 20 ms."""
    least_rate: BytesPerSecond = LEAST_RATE


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be sent from now on, and why."""

    allowance: BytesPerSecond
    reason: Reason
    state: State


class Controller:
    """Made once for a line; `update` is called for each sample with a clock in seconds."""

    def __init__(self, settings: ControllerSettings, now: float) -> None:
        self._settings = settings
        self._sensors = Sensors()
        self.capacity = CapacityEstimate(settings.capacity)
        self.trace = DecisionTrace()
        self.state = State.LEARN
        self._rate = float(min(FIRST_RATE, settings.capacity or FIRST_RATE))
        self._reason = Reason.LEARNING
        self._seen_at = now
        self._entered_at = now
        self._cut_at = now
        self._queue_since: float | None = None
        self._quiet_since: float | None = None
        self._quiet_seconds = QUIET_FIRST_SECONDS
        self._ramped_at = now
        self._paused_at = now
        self._pause_least: float | None = None
        self._rate_before = self._rate
        self._steps: dict[State, Callable[[View, float, float], None]] = {
            State.LEARN: self._learn,
            State.RAMP: self._ramp,
            State.SCAVENGE: self._scavenge,
            State.BACK_OFF: self._back_off,
            State.YIELD: self._yield,
            State.SLOWDOWN: self._slowdown,
            State.STALL: self._stall,
        }

    def update(
        self,
        sample: Sample,
        now: float,
        *,
        ceiling: BytesPerSecond | None = None,
        blackout: bool = False,
    ) -> Decision:
        """Take a sample and return the decision that holds until the next one.

        ``ceiling`` is policy's: the allowance is never above it. The clock may jump
        either way; a gap earns no growth.
        """
        step = min(LONGEST_STEP_SECONDS, max(0.0, now - self._seen_at))
        if now < self._seen_at:
            self._restart_clocks(now)
        self._seen_at = now
        view = self._sensors.take(sample, now, quiet=self.state in (State.YIELD, State.SLOWDOWN, State.LEARN))
        if blackout:
            if self.state is not State.BLACKOUT:
                self._move(Event.FORBIDDEN, now)
            return self._decide(now, Reason.BLACKOUT, 0.0, None)
        if self.state is State.BLACKOUT:
            self._move(Event.ALLOWED, now)
            self._rate = float(min(FIRST_RATE, self._settings.capacity or FIRST_RATE))
        self._watch_signals(view, now)
        self._steps[self.state](view, now, step)
        rate, reason = self._rate, self._reason
        feed_forward = self._feed_forward(view, now)
        if feed_forward is not None and feed_forward < rate:
            rate, reason = feed_forward, Reason.BUSINESS_LOAD
        return self._decide(now, reason, max(rate, float(self._settings.least_rate)), ceiling)

    def _decide(self, now: float, reason: Reason, rate: float, ceiling: BytesPerSecond | None) -> Decision:
        if ceiling is not None and ceiling < rate:
            rate, reason = float(ceiling), Reason.CEILING
        decision = Decision(BytesPerSecond(int(rate)), reason, self.state)
        self.trace.record(now, decision.state, decision.reason, decision.allowance)
        return decision

    # --- what the view says --------------------------------------------------------------

    def _threshold(self, now: float) -> float:
        capacity = self.capacity.bytes_per_second(now)
        # two packets on the wire at a time are no queue of anybody's making
        packets = 2 * MTU_BYTES / capacity if capacity else 0.0
        return max(self._settings.threshold_seconds, packets, NOISE_LEAST_SECONDS)

    def _target(self, now: float) -> float | None:
        capacity = self.capacity.bytes_per_second(now)
        return None if capacity is None else HEADROOM * capacity

    def _feed_forward(self, view: View, now: float) -> float | None:
        capacity = self.capacity.bytes_per_second(now)
        if view.business is None or capacity is None or view.business < BUSINESS_SEEN * capacity:
            return None
        margin = max(BUSINESS_MARGIN * capacity, BUSINESS_MARGIN_LEAST)
        # a transfer that has just begun doubles once per round trip: leave it the room before it asks
        growing = view.business_recent * BUSINESS_GROWTH if view.business_recent > view.business else 0.0
        expected = max(view.business + 2 * view.business_deviation, growing)
        return max(0.0, HEADROOM * capacity - expected - margin)

    def _competitor(self, view: View, now: float) -> Reason | None:
        """Why business needs the line at once, or None."""
        threshold = self._threshold(now)
        if view.bulk_business:
            return Reason.BUSINESS_BULK
        if view.business_harm_seconds > HARM_SECONDS:
            return Reason.HARM
        if view.queue_seconds is None:
            return None
        if view.queue_seconds > STRONG_QUEUE * threshold:
            return Reason.PERSISTENT_QUEUE
        if view.queue_seconds <= threshold / 2:
            self._queue_since = None
        elif self._queue_since is None:
            self._queue_since = now
        elif now - self._queue_since >= PERSISTENT_SECONDS and self.state is State.BACK_OFF:
            return Reason.PERSISTENT_QUEUE
        if view.lost_share > LOSS_SURGE and view.delivered > 10 * SEGMENT_BYTES:
            return Reason.LOSS
        return None

    def _watch_signals(self, view: View, now: float) -> None:
        lost = view.pings_missing and view.delivered < DELIVERED_NOTHING
        if lost and self.state is not State.STALL:
            self._rate_before = self._rate
            self._move(Event.SIGNALS_LOST, now)
        elif not lost and self.state is State.STALL:
            self._rate = max(float(self._settings.least_rate), self._rate_before / 2)
            self._move(Event.SIGNALS_BACK, now)

    # --- a step in each state ------------------------------------------------------------

    def _learn(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.LEARNING
        if self._yielded(view, now):
            return
        if view.queue_seconds is not None:
            self._move(Event.BASE_KNOWN, now)

    def _ramp(self, view: View, now: float, step: float) -> None:
        self._reason = Reason.RAMPING
        if self._yielded(view, now) or self._backed_off(view, now):
            return
        if view.application_limited and view.delivered < self._rate / 2:
            self._reason = Reason.APPLICATION_LIMITED
            return
        # doubling once per round trip (RFC 5681 section 3.1 does so), but seen by the sensors in between
        self._rate *= 2 ** (step / max(view.rtt_seconds, 2 * step, 0.05))
        target = self._target(now)
        if target is not None and self._rate >= target:
            self._rate = target
            self._move(Event.FULL_RATE, now)

    def _scavenge(self, view: View, now: float, step: float) -> None:
        if self._yielded(view, now) or self._backed_off(view, now):
            return
        if now - self._paused_at >= PAUSE_EVERY_SECONDS:
            self._rate_before = self._rate
            self._pause_least = None
            self._move(Event.PAUSE_DUE, now)
            return
        if now - self._ramped_at >= FAILED_RAMP_SECONDS:
            self._quiet_seconds = QUIET_FIRST_SECONDS
        target = self._target(now)
        queue = view.queue_seconds or 0.0
        threshold = self._threshold(now)
        if view.application_limited:
            self._reason = Reason.APPLICATION_LIMITED
        elif target is not None and self._rate >= target:
            self._reason = Reason.AT_CAPACITY
            # what was learned may be too low: feel for more, slowly
            self._rate = target if self.capacity.configured else self._rate + PROBE_PER_SECOND * target * step
        elif queue <= threshold / 2:
            self._reason = Reason.RAMPING
            capacity = self.capacity.bytes_per_second(now) or self._rate
            delay = view.rtt_seconds + 0.1  # until a change of the rate shows in the decision
            growth = min(GROWTH_MOST_PER_SECOND, threshold / delay**2)
            self._rate += growth * capacity * step * (1 - queue / threshold)
        self.capacity.carried(view.delivered + (view.business or 0.0), now)

    def _back_off(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.QUEUE
        if self._yielded(view, now):
            return
        queue = view.queue_seconds or 0.0
        threshold = self._threshold(now)
        if queue <= threshold / 2:
            self._move(Event.DRAINED, now)
        elif queue > threshold and now - self._cut_at >= self._refractory(view):
            self._cut(view, now, queue / threshold)

    def _yield(self, view: View, now: float, _step: float) -> None:
        self._rate = float(self._settings.least_rate)
        capacity = self.capacity.bytes_per_second(now)
        busy_rate = BUSINESS_MARGIN_LEAST if capacity is None else max(BUSINESS_MARGIN_LEAST, 0.5 * capacity)
        quiet = (
            not view.bulk_business
            and view.business_harm_seconds <= HARM_SECONDS
            and (view.queue_seconds is None or view.queue_seconds <= self._threshold(now) / 2)
            and (view.business is None or view.business <= busy_rate)
        )
        if not quiet:
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = now
        if now - self._quiet_since >= self._quiet_seconds:
            self._ramped_at = now
            self._move(Event.QUIET, now)

    def _slowdown(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.PAUSE
        self._rate = PAUSE_SHARE * self._rate_before
        if view.queue_seconds is not None:
            seen = view.rtt_seconds
            self._pause_least = seen if self._pause_least is None else min(self._pause_least, seen)
        if view.bulk_business:
            self._enter_yield(Reason.BUSINESS_BULK, now)
        elif now - self._entered_at >= max(PAUSE_SECONDS, 2 * view.rtt_seconds):
            if self._pause_least is not None:
                self._sensors.base.pause_ended(self._pause_least, now)
            self._paused_at = now
            # what was before the pause was right a moment ago
            self._rate = 0.85 * self._rate_before
            self._move(Event.PAUSE_OVER, now)

    def _stall(self, _view: View, _now: float, _step: float) -> None:
        self._reason = Reason.NO_SIGNALS

    # --- steps that several states share ---------------------------------------------------

    def _yielded(self, view: View, now: float) -> bool:
        reason = self._competitor(view, now)
        if reason is None:
            return False
        unknown_line = self.capacity.bytes_per_second(now) is None
        if reason is Reason.PERSISTENT_QUEUE and self.state is State.RAMP and unknown_line:
            # the ramp made this queue itself: a sample of the capacity, not a competitor
            return False
        self._enter_yield(reason, now)
        return True

    def _enter_yield(self, reason: Reason, now: float) -> None:
        failed = now - self._ramped_at < FAILED_RAMP_SECONDS
        self._quiet_seconds = min(QUIET_LONGEST_SECONDS, 2 * self._quiet_seconds) if failed else QUIET_FIRST_SECONDS
        self._quiet_since = None
        self._queue_since = None
        self._reason = reason
        self._rate = float(self._settings.least_rate)
        self._move(Event.COMPETITOR, now)

    def _backed_off(self, view: View, now: float) -> bool:
        threshold = self._threshold(now)
        if view.queue_seconds is None or view.queue_seconds <= threshold:
            return False
        self.capacity.at_congestion(view.recent, now)
        self._cut(view, now, view.queue_seconds / threshold)
        self._reason = Reason.QUEUE
        self._move(Event.QUEUE, now)
        return True

    def _cut(self, view: View, now: float, excess: float) -> None:
        cut = min(CUT_MOST, max(CUT_LEAST, 0.5 * (excess - 1)))
        known = view.delivered if view.delivered > DELIVERED_NOTHING else self._rate
        self._rate = max(float(self._settings.least_rate), (1 - cut) * min(self._rate, known))
        self._cut_at = now

    def _refractory(self, view: View) -> float:
        return max(0.2, 2 * view.rtt_seconds + 0.1)

    def _move(self, event: Event, now: float) -> None:
        self.state = next_state(self.state, event)
        self._entered_at = now

    def _restart_clocks(self, now: float) -> None:
        """After a clock that went back: nothing is due in the past, and nothing waits for a time that is far."""
        self._entered_at = self._cut_at = self._ramped_at = self._paused_at = now
        self._queue_since = self._quiet_since = None
