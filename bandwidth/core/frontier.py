"""What is known of a line that nobody described, and how the limiter goes beyond it to learn more. Pure.

Going beyond ends in a queue of our own, in losses, or in less arriving than was sent. These are samples of the line,
no competitor's doing; so is what still shows of them for a while.
"""

from bandwidth.core.capacity import CapacityEstimate
from bandwidth.core.sensors import Sensors, View

HEADROOM = 0.97  # of the capacity: below line rate a paced sender leaves no queue at all
FULL_SECONDS = 20.0  # for so long we stay below a rate that had slowly made a queue
BEYOND = 1.005  # times the target: a learned capacity that nothing confirms decays a little at each step
LIMIT_CARRIES = 0.9  # of what is known: where less arrives at a limit, somebody else has the rest
FELT_SECONDS, FELT_ROUND_TRIPS = 0.5, 2  # together: for so long a queue shows that we made and cut, also in losses
DRAINS = 0.5  # of its longest delay, after a loop: a queue of ours becomes shorter by itself
DRAINED_QUEUES = 10.0  # times the longest delay: by then a queue of ours has drained, at nine tenths of the line's rate
GROWN, GROWN_SECONDS = 1.25, 0.25  # times its longest delay, once a cut and a round trip are so long past: none of ours
SHOWS_SECONDS = 0.1  # and a round trip: until a change of the rate shows in a view
PROBE_PER_SECOND = 0.02  # of a learned capacity: the queue that finds the true one stays below the threshold …
PROBE_DOUBLES_SECONDS, PROBE_DOUBLES_LOOPS = 1.0, 4  # … and as long as nothing shows, the learned one was far too low …
PROBE_MOST_PER_LOOP = 0.25  # of it, until a change of the rate shows: slower than a ramp, whose rate doubles meanwhile
SETTLED_SECONDS = 1.0  # and a round trip after a change of state: then what is delivered reflects the rate
DELIVERED_SHARE = 0.96  # of the rate: if less got through, the rate is more than the line carries
SHORT_LOOKS = 3  # in a row: acknowledgements that come bunched are missed once
LOST_USUAL = 3.0  # times the line's own losses


class Frontier:
    """Learns what the line carries, and keeps the rate that is safe; ``now`` is any clock in seconds, rates are floats.

    Rates are in bytes per second.
    """

    def __init__(self, capacity: CapacityEstimate, sensors: Sensors) -> None:
        self.capacity = capacity
        self._sensors = sensors
        self._full_at: tuple[float, float] | None = None  # (when, rate): a little more than this made a queue
        self._felt_at = self._cut_at = float("-inf")
        self._probing_since = self._probed_at = float("inf")
        self._carried_beyond = 0.0
        """The most that got through since we began to go beyond what was known."""
        self._short_looks = 0
        self._most_queue = self._least_queue = 0.0
        self._reached_queue = 0.0
        """The longest until the cut must have reached it."""
        self.cut_beyond = False
        """The queue that we cut for is one that we made beyond what was known."""

    def target(self, now: float) -> float | None:
        """Return the rate to use while nobody else needs the line; None: nothing is known yet."""
        capacity = self.capacity.bytes_per_second(now)
        if capacity is None:
            return None
        if self._full_at is not None and not 0 <= now - self._full_at[0] < FULL_SECONDS:
            self._full_at = None
        return HEADROOM * (capacity if self._full_at is None else min(capacity, self._full_at[1]))

    def is_limit(self, view: View, rate: float, now: float) -> bool:
        """Whether ``rate`` meets the line's limit: it is above all that is known, and as much arrives as is known."""
        capacity, target = self.capacity.bytes_per_second(now), self.target(now)
        if capacity is None or target is None:
            return True
        arrives = max(view.delivered, view.carried) >= LIMIT_CARRIES * capacity
        return not self.capacity.configured and rate > BEYOND * target and arrives

    def still_feels(self, view: View, now: float) -> bool:
        """Whether what shows now may still come from our own going beyond."""
        return 0 <= now - self._felt_at < FELT_ROUND_TRIPS * view.rtt_seconds + FELT_SECONDS

    def forgive(self, now: float) -> None:
        """Note that what still shows of a queue or an outage that has just ended is no competitor's doing."""
        self._felt_at = now
        self._sensors.drained()

    def cut(self, view: View, rate: float, now: float, *, burst: bool = False) -> None:
        """Note that ``rate`` is cut because of a queue; ``burst``: it came faster than we can have made it."""
        self._most_queue = self._least_queue = self._reached_queue = 0.0
        if burst:
            self.cut_beyond, self._felt_at = False, float("-inf")
        elif self.is_limit(view, rate, now):
            self.cut_beyond = True
            self._felt_at = self._cut_at = now
        elif self.cut_beyond and 0 <= now - self._cut_at < FELT_ROUND_TRIPS * view.rtt_seconds:
            self._felt_at = now  # the same queue: under fair queueing that of one connection may go before another's
        else:
            self.cut_beyond = False

    def never_mind(self, since: float) -> None:
        """Note that what was cut for at ``since`` was no queue that we have made."""
        self.cut_beyond = False
        self.capacity.forget_since(since)

    def full(self, carried: float, now: float) -> None:
        """Note that the line is full at ``carried``, so that more is not tried for a while."""
        self._full_at = (now, carried)

    def full_beyond(self, carried: float, now: float) -> None:
        """Note that the line is full: at the most that got through while we went beyond what was known.

        From one PC's turn to the next less gets through for a moment, and a queue that shows just then says nothing
        of that. If somebody else has come, the next queue tells: no more is tried until then.
        """
        if self.cut_beyond and self._full_at is None:
            carried = max(carried, self._carried_beyond)
        self.full(carried, now)

    def queue_stands(self, view: View, queue_seconds: float, now: float) -> None:
        """Learn from a queue that we made: as long as it stands, what arrives is what the line carries.

        One that still grows when the cut must have reached it, and the pings' filter, is not ours any more.
        """
        if not self.cut_beyond:
            return
        if now - self._cut_at < view.rtt_seconds + GROWN_SECONDS:
            self._reached_queue = max(self._reached_queue, queue_seconds)
        elif 0.0 < GROWN * self._reached_queue < queue_seconds:
            self.cut_beyond, self._felt_at = False, float("-inf")
            return
        if queue_seconds > self._most_queue:
            self._most_queue = self._least_queue = queue_seconds
        elif queue_seconds < self._least_queue and 0 <= now - self._cut_at < DRAINED_QUEUES * self._most_queue:
            # it becomes shorter: a ramp over a long way fills a buffer that needs seconds to drain
            self._least_queue = queue_seconds
            self._felt_at = max(self._felt_at, now - FELT_ROUND_TRIPS * view.rtt_seconds)
        if not view.application_limited:
            self.capacity.carried(view.carried, now)

    def drains(self, queue_seconds: float) -> bool:
        """Whether the queue that we made beyond what was known is going, so that it needs no further cut."""
        return self.cut_beyond and queue_seconds <= DRAINS * self._most_queue

    def drained(self, rate: float, now: float) -> float:
        """Return the rate after the queue has gone; ``rate`` is the present one."""
        if not self.cut_beyond:
            return rate
        self.forgive(now)
        return self.target(now) or rate

    def probe(
        self, view: View, rate: float, settled_seconds: float, now: float, step: float, *, allowed: float
    ) -> float:
        """Return the rate after ``rate``, which is at what is known or beyond it, in order to learn whether more goes.

        ``settled_seconds``: since the state last changed. ``allowed``: what of ``rate`` is used beside business.
        """
        target = self.target(now)
        if target is None or self.capacity.configured or self._full_at is not None:
            return rate if target is None else target
        # the line itself carried what was lost, up to where it got lost
        lossy = view.lost / max(1.0, view.segments + view.lost)
        if rate > target and settled_seconds >= view.rtt_seconds + SETTLED_SECONDS:
            crowded = view.lost_crowded > LOST_USUAL * view.losses_usual
            arrives = view.delivered >= (DELIVERED_SHARE - lossy) * min(rate, allowed)
            short = not arrives and view.shortfall > 1 - DELIVERED_SHARE + lossy
            self._short_looks = self._short_looks + 1 if short and not view.limited else 0
            if crowded or self._short_looks >= SHORT_LOOKS:
                # the line carries no more, though no queue shows it; with losses, what arrives is less than that
                carried = target / HEADROOM if crowded else max(view.delivered, view.own_recent)
                self.full(max(carried, self._carried_beyond), now)
                self.capacity.at_congestion(carried, now)
                self.forgive(now)
                return target
        if view.delivered < (DELIVERED_SHARE - lossy) * min(target, allowed):
            return rate  # a higher rate would test nothing
        # in a pause nothing could show, so it is no time in which nothing has shown
        begins_anew = not 0 <= now - self._probed_at < PROBE_DOUBLES_SECONDS
        if rate <= BEYOND * target or begins_anew:
            self._probing_since = now
            self._carried_beyond = 0.0
        self._probed_at = now
        self._carried_beyond = max(self._carried_beyond, view.delivered)
        loop = view.rtt_seconds + SHOWS_SECONDS
        doubles = max(PROBE_DOUBLES_SECONDS, PROBE_DOUBLES_LOOPS * loop)
        speed = PROBE_PER_SECOND * 2 ** ((now - self._probing_since) / doubles)
        return rate + min(PROBE_MOST_PER_LOOP / loop, speed) * target * step
