"""The limiter: uses what business leaves of a line, and gives it back at once. Pure.

One controller serves one line in one direction. Three things decide, in this
order: the measured use of others (feed-forward), the queue that everybody's
packets meet (safety), and planned pauses (for what neither shows). The law and each
constant are explained in docs/bandwidth-control.md.
"""

import math
from collections.abc import Callable

from bandwidth.core.business import BUSINESS_SEEN, is_large, is_seen, margin_beside
from bandwidth.core.capacity import CapacityEstimate
from bandwidth.core.competition import HARM_SECONDS, SEEN_AT_OTHERS, Competition
from bandwidth.core.cuts import BURST_CUT, CUT_LEAST, CUT_MOST, DELIVERED_NOTHING, RETURN_SHARE, Cuts, depth
from bandwidth.core.decision import ControllerSettings, Decision
from bandwidth.core.frontier import HEADROOM, Frontier
from bandwidth.core.patience import Patience
from bandwidth.core.sensors import Sensors, View
from bandwidth.core.sharing import Sharing
from bandwidth.core.signals import Sample
from bandwidth.core.states import TRANSITIONS, Reason, State, Trigger
from bandwidth.core.units import LARGEST_PACKET_BYTES, BytesPerSecond

__all__ = ["Controller", "ControllerSettings", "Decision"]

PROBED_BESIDE = 0.2  # of a learned capacity: beside more business, no more is tried
NOISE_LEAST_SECONDS = 0.001  # of pings on an empty line, as measured
FULL_DELIVERED = 0.8  # of the rate: if less got through, somebody large is there, and the rate says nothing …
FULL_LEAST = 0.5  # … and as little does less than this part of what is known
FIRST_WINDOWS_SECONDS = 0.2  # a round trip as long as this: a line that is not known gets at once, as from any TCP, …
FIRST_WINDOWS_MOST = 128_000.0  # … a first window of each connection in it, as far as 1 Mbit/s
RAMP_WINDOW = 2.0  # times what the congestion window lets through: the most that a ramp asks for
RESUME_SHARE = 0.5  # of the target, when business that is seen has ended, or an earlier run left it …
PROBE_SHARE = 1 / 16  # … and when somebody unseen may still be there
PAUSE_EVERY_SECONDS = 60.0  # costs 1 % of the time; a changed route is noticed after two pauses
PAUSE_SECONDS = 0.5  # and at least two round trips
PAUSE_SHARE = 0.05  # of the rate: no queue can stay
LONGEST_STEP_SECONDS = 0.5  # growth counts no longer step than this: a gap in the samples earns nothing


class Controller:
    """The law for one line. `update` is called for each sample, with ``now`` of any clock in seconds."""

    def __init__(self, settings: ControllerSettings, now: float) -> None:
        self._settings = settings
        self._sensors = Sensors()
        self._business = self._sensors.business
        self._competition = Competition()
        self._patience = Patience(now)
        self._sharing = Sharing(self._business, now)
        self._frontier = Frontier(CapacityEstimate(settings.capacity), self._sensors)
        self.state = State.LEARN
        self._begins = True
        """Nothing has been sent yet: what is learned of the line was learned by an earlier run."""
        self._least_rate = settings.rate_beside_others
        self._rate = settings.first_rate
        self._reason = Reason.LEARNING
        self._allowance = BytesPerSecond(0)
        self._seen_at = self._entered_at = self._paused_at = now
        self._cuts = Cuts()
        self._quiet_since: float | None = None
        self._yielded_to_seen = False
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
        floor: BytesPerSecond | None = None,
        boost: bool = False,
        blackout: bool = False,
    ) -> Decision:
        """Apply a sample and return the decision that holds until the next one.

        Policy sets ``ceiling``, which the allowance never exceeds, and ``floor``:
        the allowance is at least that, up to the ceiling, even where it harms
        business. ``boost``: the floor is an emergency's. The clock may jump
        either way; a gap earns no growth.
        """
        step = min(LONGEST_STEP_SECONDS, max(0.0, now - self._seen_at))
        if now < self._seen_at:
            self._restart_clocks(now)
        self._seen_at = now
        quiet = self.state in (State.YIELD, State.SLOWDOWN, State.LEARN)
        silent = self.state is State.YIELD
        view = self._sensors.observe(sample, now, quiet=quiet, silent=silent, allowed=self._allowance)
        if blackout:
            if self.state is not State.BLACKOUT:
                self._move(Trigger.FORBIDDEN, now)
            return self._decide(Reason.BLACKOUT, 0.0, None)
        if self.state is State.BLACKOUT:
            self._move(Trigger.ALLOWED, now)
            self._rate = self._settings.first_rate
        self._watch_signals(view, now)
        self._steps[self.state](view, now, step)
        rate, reason = self._rate, self._reason
        feed_forward = self._feed_forward(now)
        if feed_forward is not None and feed_forward < rate:
            rate, reason = feed_forward, Reason.BUSINESS_LOAD
        rate = max(rate, self._least_rate)
        if floor is not None and floor > rate:
            rate, reason = float(floor), Reason.BOOST if boost else Reason.FLOOR
        return self._decide(reason, rate, ceiling)

    def _decide(self, reason: Reason, rate: float, ceiling: BytesPerSecond | None) -> Decision:
        if ceiling is not None and ceiling < rate:
            rate, reason = float(ceiling), Reason.CEILING
        decision = Decision(BytesPerSecond(int(rate)), reason, self.state)
        self._allowance = decision.allowance
        return decision

    # --- what the view says --------------------------------------------------------------

    def _threshold(self, now: float) -> float:
        capacity = self.capacity.bytes_per_second(now)
        # two packets that meet on the wire are no queue
        packets = 2 * LARGEST_PACKET_BYTES / capacity if capacity else 0.0
        return max(self._settings.threshold_seconds, packets, NOISE_LEAST_SECONDS)

    @property
    def capacity(self) -> CapacityEstimate:
        """What is known of the line; may be replaced."""
        return self._frontier.capacity

    @capacity.setter
    def capacity(self, known: CapacityEstimate) -> None:
        self._frontier.capacity = known

    def _feed_forward(self, now: float) -> float | None:
        capacity = self.capacity.bytes_per_second(now)
        need = self._sharing.need
        if need is None:
            need = self._business.need
        if capacity is None or need < BUSINESS_SEEN * capacity:
            return None
        ours = max(HEADROOM * capacity, self._rate) if self._probes_beside(now) else HEADROOM * capacity
        return max(0.0, ours - need - margin_beside(capacity))

    def _probes_beside(self, now: float) -> bool:
        """Whether a learned capacity is tried beyond although business is seen: where that is all, the line is larger.

        A first ramp that meets somebody learns far too low a capacity, beside which a PC's smallest traffic is large.
        """
        capacity = self.capacity.bytes_per_second(now)
        if capacity is None or self.capacity.configured or self._sharing.need is not None:
            return False
        return self._business.need < PROBED_BESIDE * capacity

    def _competitor(self, view: View, now: float) -> Reason | None:
        """Why business needs the line at once, or None."""
        target = self._frontier.target(now)
        reason = self._competition.judge(
            view,
            self._threshold(now),
            now,
            cut_at=self._entered_at if self.state is State.BACK_OFF else None,
            within_capacity=target is not None and self._rate <= target,
        )
        if reason is Reason.BUSINESS_BULK and self._sharing.holds(now):
            return None
        return reason

    def _watch_signals(self, view: View, now: float) -> None:
        lost = view.pings_missing and view.delivered < DELIVERED_NOTHING
        if lost and self.state is not State.STALL:
            self._rate_before = self._rate
            self._move(Trigger.SIGNALS_LOST, now)
        elif not lost and self.state is State.STALL:
            self._rate = max(self._least_rate, self._rate_before / 2)
            self._frontier.forgive(now)
            self._move(Trigger.SIGNALS_BACK, now)

    # --- a step in each state ------------------------------------------------------------

    def _learn(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.LEARNING
        if self._yielded(view, now):
            return
        if view.queue_seconds is not None:
            self._paused_at = now  # we have been silent until now, which is as good as a pause
            # a line that is known from before needs no search
            share = RESUME_SHARE if self._begins and not self.capacity.configured else PROBE_SHARE
            self._begins = False
            self._rate = max(self._rate, share * (self._frontier.target(now) or 0.0))
            self._move(Trigger.BASE_KNOWN, now)

    def _ramp(self, view: View, now: float, step: float) -> None:
        self._reason = Reason.RAMPING
        if self._yielded(view, now) or self._backed_off(view, now):
            return
        if view.application_limited and view.delivered < self._rate / 2:
            self._reason = Reason.APPLICATION_LIMITED
            return
        # doubles once per round trip, as RFC 5681 section 3.1 does, but in steps that the sensors see
        self._rate *= 2 ** (step / max(view.rtt_seconds, 2 * step, 0.05))
        if view.rtt_seconds >= FIRST_WINDOWS_SECONDS and self._frontier.target(now) is None:
            self._rate = max(self._rate, min(FIRST_WINDOWS_MOST, view.window_rate or 0.0))
        if view.window_rate is not None:  # a rate that the window does not let through would show nothing
            self._rate = min(self._rate, max(self._least_rate, RAMP_WINDOW * view.window_rate))
        target = self._frontier.target(now)
        if target is not None and self._rate >= target:
            self._rate = target
            self._move(Trigger.FULL_RATE, now)

    def _scavenge(self, view: View, now: float, step: float) -> None:
        if self._yielded(view, now) or self._backed_off(view, now):
            return
        if now - self._paused_at >= PAUSE_EVERY_SECONDS:
            self._rate_before = self._rate
            self._pause_least = None
            self._move(Trigger.PAUSE_DUE, now)
            return
        self._patience.scavenging(view.rtt_seconds, now)
        target = self._frontier.target(now)
        queue = self._queue(view)
        threshold = self._threshold(now)
        if view.application_limited:
            self._reason = Reason.APPLICATION_LIMITED
        elif target is not None and self._rate >= target:
            self._reason = Reason.AT_CAPACITY
            # a learned capacity may be too low
            allowed = self._allowance if self._probes_beside(now) else self._rate
            self._rate = self._frontier.probe(view, self._rate, now - self._entered_at, now, step, allowed=allowed)
        elif queue <= threshold / 2:
            self._reason = Reason.RAMPING
            if target is not None and self._frontier.cut_beyond and self._frontier.still_feels(view, now):
                self._rate = target  # what arrives after the queue has gone may show that the line carries more
            else:
                self._rate = self._cuts.grow(
                    view,
                    self._rate,
                    capacity=self.capacity.bytes_per_second(now) or self._rate,
                    threshold=threshold,
                    queue=queue,
                    calm_for=now - self._entered_at,
                    step=step,
                )
        self.capacity.carried(view.delivered + self._business.mean, now)

    def _back_off(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.QUEUE
        queue, threshold = self._queue(view), self._threshold(now)
        self._frontier.queue_stands(view, queue, now)
        if self._yielded(view, now):
            return
        seen, line = view.queue_seconds is not None, self.capacity.bytes_per_second(now)
        if seen and queue <= threshold / 2 and self._cuts.cannot_show(self._sensors.base.seconds, now):
            # a late answer, or somebody's burst
            self._frontier.never_mind(self._entered_at)
            self._rate, ramped = self._cuts.undone()
            self._move(Trigger.NOT_OURS if ramped else Trigger.DRAINED, now)
        elif queue <= threshold / 2:
            if not self._cuts.yet_unseen(self._sensors.base.seconds, now):
                self._rate = self._frontier.drained(self._rate, now)
                self._move(Trigger.DRAINED, now)
        elif self._frontier.cut_beyond and self._cuts.was_burst(view, threshold, now, line=line):
            self._frontier.cut(view, self._rate, now, burst=True)
            self._cut(view, now, BURST_CUT)
        elif queue > threshold and self._cuts.shows(view, now):
            if self._frontier.drains(queue):
                self._cuts.wait(now)
            else:
                self._cut(view, now, CUT_MOST)

    def _yield(self, view: View, now: float, _step: float) -> None:
        self._rate = self._least_rate
        capacity = self.capacity.bytes_per_second(now)
        calm = view.business_harm_seconds <= HARM_SECONDS and (
            view.queue_seconds is None or view.queue_seconds <= self._threshold(now) / 2
        )
        if calm and view.bulk_business and self._sharing.begins(capacity, now):
            self._resume(RESUME_SHARE, now)
            return
        if not calm or view.bulk_business or is_large(self._business.need, capacity):
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = now
        # business that is seen has a hold time of its own (`BusinessLoad.need`)
        if self._yielded_to_seen or now - self._quiet_since >= self._patience.seconds:
            self._resume(RESUME_SHARE if self._yielded_to_seen else PROBE_SHARE, now)

    def _slowdown(self, view: View, now: float, _step: float) -> None:
        self._reason = Reason.PAUSE
        self._rate = PAUSE_SHARE * self._rate_before
        if view.queue_seconds is not None:
            seen = view.rtt_seconds
            self._pause_least = seen if self._pause_least is None else min(self._pause_least, seen)
        if view.bulk_business and not self._sharing.holds(now):
            self._enter_yield(Reason.BUSINESS_BULK, view, now)
        elif now - self._entered_at >= max(PAUSE_SECONDS, 2 * view.rtt_seconds):
            if self._pause_least is not None:
                self._sensors.pause_ended(self._pause_least, now)
            self._paused_at = now
            # the rate before the pause was right a moment ago
            self._rate = RETURN_SHARE * self._rate_before
            self._move(Trigger.PAUSE_OVER, now)

    def _stall(self, _view: View, _now: float, _step: float) -> None:
        self._reason = Reason.NO_SIGNALS

    # --- steps that several states share ---------------------------------------------------

    def _queue(self, view: View) -> float:
        """Return the queue that we are responsible for: everybody's, or under fair queueing our own."""
        return max(view.queue_seconds or 0.0, view.data_queue_seconds)

    def _yielded(self, view: View, now: float) -> bool:
        reason = self._competitor(view, now)
        if reason is None:
            return False
        if reason in (Reason.PERSISTENT_QUEUE, Reason.SHORTFALL, Reason.LOSS):
            if self._frontier.still_feels(view, now):
                return False
            if self.state is not State.BACK_OFF and self._frontier.is_limit(view, self._rate, now):
                # we went beyond what was known of the line and met its limit: a sample of the capacity, no competitor
                first = self.capacity.bytes_per_second(now) is None
                cut = depth(math.inf, burst=False, unknown_way=self._sensors.base.seconds) if first else CUT_LEAST
                self._begin_cut(view, now, cut)
                self.capacity.at_congestion(view.carried, now)
                return True
        self._enter_yield(reason, view, now)
        return True

    def _enter_yield(self, reason: Reason, view: View, now: float) -> None:
        seen = is_seen(self._business.need, self.capacity.bytes_per_second(now))
        self._yielded_to_seen = reason in SEEN_AT_OTHERS or seen
        if not self._yielded_to_seen:
            self._patience.yielded(reason, view.rtt_seconds, now)
        self._sharing.refuse(now)
        self._quiet_since = None
        self._competition.forget()
        self._cuts.forget()
        self._reason = reason
        self._rate = self._least_rate
        self._move(Trigger.COMPETITOR, now)

    def _resume(self, share: float, now: float) -> None:
        """Ramp from ``share`` of the target, where one is known."""
        self._patience.ramped(now)
        self._rate = max(self._rate, share * (self._frontier.target(now) or 0.0))
        self._move(Trigger.QUIET, now)

    def _backed_off(self, view: View, now: float) -> bool:
        queue, threshold = self._queue(view), self._threshold(now)
        if queue <= threshold:
            self._cuts.calm(view, now)
            return False
        line = self.capacity.bytes_per_second(now)
        burst = self.state is State.SCAVENGE and self._cuts.is_burst(view, threshold, now, rate=self._rate, line=line)
        way = self._sensors.base.seconds if line is None and not view.application_limited else None
        self._begin_cut(view, now, depth(queue / threshold, burst=burst, unknown_way=way), burst=burst)
        if not view.application_limited:
            self.capacity.at_congestion(view.recent, now)
        return True

    def _begin_cut(self, view: View, now: float, cut: float, *, burst: bool = False) -> None:
        ours = self._frontier.cut_beyond  # the cut before was
        self._frontier.cut(view, self._rate, now, burst=burst)
        target = self._frontier.target(now) or 0.0
        got_through = max(FULL_DELIVERED * self._rate, FULL_LEAST * target) < view.delivered
        if cut <= CUT_LEAST and got_through and not view.limited:
            # no burst, no turn that begins, and nearly all of the line is ours: somebody small takes the rest
            self._frontier.full_beyond(max(view.delivered, view.own_recent), now)
        seen = self._queue(view) > self._threshold(now) / 2
        self._cuts.begin(view, self._rate, now, first=ours, ramped=self.state is State.RAMP, seen=seen)
        self._cut(view, now, cut)
        self._reason = Reason.QUEUE
        self._move(Trigger.QUEUE, now)

    def _cut(self, view: View, now: float, cut: float) -> None:
        rate = self._cuts.cut(view, self._rate, now, cut, beyond=self._frontier.cut_beyond)
        self._rate = max(self._least_rate, rate)

    def _move(self, event: Trigger, now: float) -> None:
        self.state = TRANSITIONS.after(self.state, event)
        self._entered_at = now

    def _restart_clocks(self, now: float) -> None:
        """Restart all times after the clock went back, so that nothing waits for a time that is far away."""
        self._entered_at = self._paused_at = now
        self._cuts.restart(now)
        self._patience.ramped(now)
        self._sharing.restart(now)
        self._quiet_since = None
        self._competition.forget()
