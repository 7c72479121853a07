"""`bandwidth.core.controller`: single steps by hand; then whole courses on a line as a fluid (`FluidLine`)."""

import random
from dataclasses import replace
from typing import Any

import pytest

from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.line_memory import LineMemory
from bandwidth.core.reason_seconds import ReasonSeconds
from bandwidth.core.sensors import Sensors
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from tests.helpers.fluid_line import FluidLine, Loop

CAPACITY = BytesPerSecond(2_500_000)  # 20 Mbit/s
TARGET = 2_425_000  # 97 % of it
LEAST = 4_000
STEP = 0.05
QUIET = Sample(
    rtt_seconds=0.04,
    data_rtt_seconds=None,
    delivered_bytes=0,
    retransmits=0,
    application_limited=False,
    window_rate=None,
    business_bytes=0,
)

CROWDED: dict[str, Any] = {"rtt_seconds": 0.043}  # a queue of less than half of the threshold: nothing is cut


class Stepper:
    """A controller that is told of an empty line on which everything arrives, but for what a test changes."""

    def __init__(self, settings: ControllerSettings | None = None) -> None:
        self.controller = Controller(settings or ControllerSettings(capacity=CAPACITY), 0.0)
        self.now = 0.0
        self.decision = Decision(BytesPerSecond(0), Reason.LEARNING, State.LEARN)
        self.history: list[tuple[float, Decision]] = []
        self.seconds = ReasonSeconds[Reason]()
        self.policy: dict[str, BytesPerSecond] = {}
        self._sent = BytesPerSecond(0)  # in the step before

    def step(
        self, times: int = 1, *, by: float = STEP, blackout: bool = False, boost: bool = False, **changes: Any
    ) -> Decision:
        for _ in range(times):
            self.now += by
            # of what arrives in 50 ms, 40 ms after it was sent, a fifth was sent in the same 50 ms
            arriving = 0.8 * self._sent + 0.2 * self.decision.allowance
            delivered = int(arriving * min(max(by, 0.0), STEP))
            self._sent = self.decision.allowance
            sample = replace(QUIET, **({"delivered_bytes": delivered} | changes))
            self.decision = self.controller.update(
                sample,
                self.now,
                ceiling=self.policy.get("ceiling"),
                floor=self.policy.get("floor"),
                blackout=blackout,
                boost=boost,
            )
            self.history.append((self.now, self.decision))
            self.seconds.note(self.decision.reason, self.now)
        return self.decision

    def meet_somebody(self, lost: int = 4) -> Decision:
        """Lose packets around a queue that is too small to be cut: somebody unseen fills a small buffer."""
        self.step(3, **CROWDED)
        return self.step(retransmits=lost, **CROWDED)

    def states_since(self, at: float) -> set[State]:
        return {decision.state for when, decision in self.history if when > at}

    def is_in(self, state: State) -> bool:
        return self.decision.state is state

    def full(self) -> "Stepper":
        """Bring it to the full rate."""
        self.step(40)
        assert (self.decision.allowance, self.decision.state) == (TARGET, State.SCAVENGE)
        return self


@pytest.fixture
def full() -> Stepper:
    """Return a controller that uses the whole line."""
    return Stepper().full()


# --- the beginning -----------------------------------------------------------------------------


def test_nothing_is_done_before_a_round_trip_is_known() -> None:
    stepper = Stepper()
    assert stepper.step(rtt_seconds=None) == Decision(BytesPerSecond(64_000), Reason.LEARNING, State.LEARN)
    assert stepper.step() == Decision(BytesPerSecond(TARGET // 16), Reason.LEARNING, State.RAMP)


@pytest.mark.parametrize(("rtt", "kept"), [(0.045, 0.5), (0.055, 0.2), (0.295, 0.2), (0.305, 0.5)])
def test_the_first_queue_of_an_unknown_line_is_cut_deeply_on_a_long_way_and_no_other(rtt: float, kept: float) -> None:
    stepper = Stepper(ControllerSettings())
    stepper.step(3, rtt_seconds=rtt)
    while stepper.decision.allowance < CAPACITY:
        stepper.step(rtt_seconds=rtt)
    assert stepper.is_in(State.RAMP)
    arrives: dict[str, Any] = {"delivered_bytes": int(CAPACITY * STEP)}
    for queue in (0.03, 0.06, 0.09):
        if not stepper.is_in(State.BACK_OFF):
            stepper.step(rtt_seconds=rtt + queue, **arrives)
    assert stepper.is_in(State.BACK_OFF)
    assert stepper.decision.allowance == pytest.approx(kept * CAPACITY, rel=0.25)
    if rtt > 0.3:
        return  # over a satellite a queue that goes before the cut can have reached it was none
    stepper.step(60, rtt_seconds=rtt, **arrives)
    assert stepper.is_in(State.SCAVENGE)
    before = stepper.decision.allowance
    stepper.step(4, rtt_seconds=rtt + 0.009, **arrives)
    assert stepper.decision.allowance > 0.8 * before


def test_what_is_limited_by_the_application_tells_nothing_of_a_line_and_is_cut_as_usual() -> None:
    stepper = Stepper(ControllerSettings())
    stepper.step(3, rtt_seconds=0.1)
    while stepper.decision.allowance < CAPACITY:
        stepper.step(rtt_seconds=0.1)
    before = stepper.decision.allowance
    stepper.step(4, rtt_seconds=0.11, application_limited=True)
    assert stepper.is_in(State.BACK_OFF)
    assert stepper.decision.allowance > 0.4 * before


def test_a_limit_that_losses_tell_of_is_cut_for_until_a_queue_would_show() -> None:
    """Fair queueing over a long way: no ping meets our queue, and our data's round trip is not measured yet."""
    stepper = Stepper(ControllerSettings())
    stepper.step(3, rtt_seconds=0.26)
    while not stepper.is_in(State.BACK_OFF):
        stepper.step(rtt_seconds=0.26, delivered_bytes=int(CAPACITY * STEP), sent_bytes=int(2 * CAPACITY * STEP))
    since = stepper.now
    while stepper.is_in(State.BACK_OFF):
        stepper.step(rtt_seconds=0.26, delivered_bytes=int(CAPACITY * STEP))
    assert stepper.now - since == pytest.approx(0.36, abs=STEP)


def test_a_line_that_an_earlier_run_has_learned_begins_at_half_of_it_but_not_after_a_blackout() -> None:
    stepper = Stepper(ControllerSettings())
    stepper.controller.capacity.remember(LineMemory(CAPACITY, 0.0), 0.0)
    assert stepper.step(rtt_seconds=None).state is State.LEARN
    assert stepper.step().state is State.RAMP
    assert stepper.decision.allowance == pytest.approx(TARGET / 2, rel=0.01)
    stepper.step(blackout=True)
    stepper.step(rtt_seconds=None)
    assert stepper.step().state is State.RAMP
    assert stepper.decision.allowance < TARGET / 8


def test_the_rate_doubles_in_two_samples_at_most() -> None:
    stepper = Stepper()
    stepper.step()
    # a round trip of 40 ms is shorter than two samples, 100 ms: √2 in 50 ms
    assert stepper.step() == Decision(BytesPerSecond(214_341), Reason.RAMPING, State.RAMP)
    assert stepper.step().allowance == TARGET // 8
    assert stepper.step(5).allowance == 1_714_733
    # four doublings: the target is reached
    assert stepper.step() == Decision(BytesPerSecond(TARGET), Reason.RAMPING, State.SCAVENGE)
    assert stepper.step() == Decision(BytesPerSecond(TARGET), Reason.AT_CAPACITY, State.SCAVENGE)


def test_on_a_long_line_it_doubles_in_a_round_trip() -> None:
    stepper = Stepper()
    stepper.step(rtt_seconds=0.5)
    assert stepper.step(rtt_seconds=0.5).allowance == int(TARGET / 16 * 2 ** (STEP / 0.5))


@pytest.mark.parametrize(
    ("capacity", "first", "least"),
    [
        (None, 64_000, 4_000),
        (2_500_000, 151_562, 4_000),  # a sixteenth of the target
        (800_000, 64_000, 4_000),  # 0.5 % of it
        (700_000, 64_000, 3_500),
        (200_000, 64_000, 1_000),
        (50_000, 50_000, 1_000),  # 0.5 % are 250: kept alive with 1 kB/s
    ],
)
def test_first_and_least_rate_of_a_line(capacity: int | None, first: int, least: int) -> None:
    line = None if capacity is None else BytesPerSecond(capacity)
    stepper = Stepper(ControllerSettings(capacity=line))
    assert stepper.step().allowance == first
    assert stepper.step(bulk_business=True).allowance == least


def test_the_admin_may_say_what_the_least_rate_is() -> None:
    stepper = Stepper(ControllerSettings(capacity=CAPACITY, least_rate=BytesPerSecond(50_000))).full()
    assert stepper.step(bulk_business=True).allowance == 50_000


def test_a_sender_with_less_to_send_does_not_ramp() -> None:
    stepper = Stepper()
    stepper.step()
    decision = stepper.step(20, application_limited=True, delivered_bytes=1_000)
    assert decision == Decision(BytesPerSecond(TARGET // 16), Reason.APPLICATION_LIMITED, State.RAMP)
    assert stepper.step(30).allowance == TARGET


def test_at_full_rate_a_sender_with_less_to_send_keeps_its_allowance(full: Stepper) -> None:
    decision = full.step(100, application_limited=True, delivered_bytes=1_000)
    assert decision == Decision(BytesPerSecond(TARGET), Reason.APPLICATION_LIMITED, State.SCAVENGE)


# --- beside business that is seen --------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "business", "allowance"),
    [
        (2_500_000, 24_980, TARGET),  # below 1 % of the line
        (2_500_000, 25_000, 2_425_000 - 25_000 - 50_000),  # a margin of 2 % of the line
        (2_500_000, 500_000, 2_425_000 - 500_000 - 50_000),
        (1_250_000, 500_000, 1_212_500 - 500_000 - 25_000),
        (1_000_000, 500_000, 970_000 - 500_000 - 25_000),  # at least 25 kB/s
        (250_000, 50_000, 242_500 - 50_000 - 10_000),  # but no more than 4 % of the line
        (2_500_000, 2_500_000, LEAST),
    ],
)
def test_room_is_left_for_business(capacity: int, business: int, allowance: int) -> None:
    stepper = Stepper(ControllerSettings(capacity=BytesPerSecond(capacity)))
    stepper.step(40)
    decision = stepper.step(40, business_bytes=int(business * STEP))
    assert decision.allowance == pytest.approx(allowance, abs=1)
    assert decision.reason is (Reason.AT_CAPACITY if business == 24_980 else Reason.BUSINESS_LOAD)
    assert stepper.step(5, business_bytes=0).allowance == decision.allowance, "it is kept for 0.3 s"
    assert stepper.step(5).allowance == int(0.97 * capacity)


def test_business_that_nobody_sees_needs_no_room(full: Stepper) -> None:
    assert full.step(40, business_bytes=None) == Decision(BytesPerSecond(TARGET), Reason.AT_CAPACITY, State.SCAVENGE)


def test_a_transfer_gets_the_line_at_once_and_its_end_gives_half_of_it_back(full: Stepper) -> None:
    assert full.step(bulk_business=True) == Decision(BytesPerSecond(LEAST), Reason.BUSINESS_BULK, State.YIELD)
    assert full.step(200, bulk_business=True, business_bytes=100_000).allowance == LEAST
    # what it took, 80 % of the line, is kept for 0.3 s
    assert full.step(6).state is State.YIELD
    while full.is_in(State.YIELD):
        full.step()
    assert full.decision == Decision(BytesPerSecond(TARGET // 2), Reason.BUSINESS_BULK, State.RAMP)
    assert full.step(3).allowance == TARGET


@pytest.mark.parametrize(("business", "resumes"), [(62_400, True), (62_600, False)])
def test_a_transfer_that_has_ended_may_leave_half_of_the_line_in_use(
    full: Stepper, business: int, resumes: bool
) -> None:
    full.step(2, bulk_business=True, business_bytes=business)
    full.step(40, business_bytes=business)
    assert (not full.is_in(State.YIELD)) is resumes


def test_business_round_trips_that_grow_are_harm(full: Stepper) -> None:
    assert full.step(10, business_harm_seconds=0.02).allowance == TARGET
    assert full.step(business_harm_seconds=0.021) == Decision(BytesPerSecond(LEAST), Reason.HARM, State.YIELD)
    assert full.step(100, business_harm_seconds=0.021).state is State.YIELD
    assert full.step(business_harm_seconds=0.02).state is State.RAMP


CALL: dict[str, Any] = {"business_bytes": 25_000, "bulk_business": True}  # 500 kB/s, a fifth of the line


def test_a_steady_call_is_shared_with_after_six_seconds(full: Stepper) -> None:
    assert full.step(115, **CALL).state is State.YIELD
    decision = full.step(60, **CALL)
    assert decision.state is State.SCAVENGE
    # 1.15 × 500 kB/s are the call's
    assert decision == Decision(BytesPerSecond(2_425_000 - 575_000 - 50_000), Reason.BUSINESS_LOAD, State.SCAVENGE)


def test_one_that_falls_beside_us_gets_the_line_for_twenty_seconds(full: Stepper) -> None:
    full.step(175, **CALL)
    fallen = CALL | {"business_bytes": 19_000}  # its mean of a second is below 80 % when all but 5 % of it are of this
    assert full.step(22, **fallen).state is State.YIELD
    assert full.step(390, **fallen).state is State.YIELD
    assert full.step(30, **fallen).state is not State.YIELD


def test_a_transfer_of_most_of_the_line_is_never_shared_with(full: Stepper) -> None:
    download: dict[str, Any] = {"business_bytes": 76_000, "bulk_business": True}  # 61 %
    assert full.step(600, **download).state is State.YIELD


# --- the queue ---------------------------------------------------------------------------------


def test_a_queue_of_a_threshold_is_cut_and_given_back(full: Stepper) -> None:
    assert full.step(10, rtt_seconds=0.0479).reason is Reason.AT_CAPACITY
    full.step(20)
    # the least of three pings: the third one counts; 12.5 % for a queue of 10 ms, 1.25 thresholds
    assert full.step(2, rtt_seconds=0.05).allowance == TARGET
    decision = full.step(rtt_seconds=0.05)
    assert (decision.reason, decision.state) == (Reason.QUEUE, State.BACK_OFF)
    assert decision.allowance == pytest.approx(TARGET * 0.875, rel=0.01)
    # it goes at once: back to 85 % of what was, or more, by half of the line in a second
    assert full.step().state is State.SCAVENGE
    assert full.step(80).allowance >= 0.9 * TARGET


@pytest.mark.parametrize(("rtt", "kept"), [(0.0482, 0.9), (0.0528, 0.7), (0.056, 0.5), (0.07, 0.5)])
def test_the_cut_is_half_of_what_is_above_the_threshold(rtt: float, kept: float) -> None:
    """At least a tenth, at most half; 12.8 ms are 1.6 thresholds: 0.3 is taken."""
    stepper = Stepper().full()
    decision = stepper.step(3, rtt_seconds=rtt)
    assert decision.state is State.BACK_OFF
    assert decision.allowance == pytest.approx(TARGET * kept, rel=0.01)


@pytest.mark.parametrize("queue", [0.0082, 0.0128, 0.03])
def test_a_queue_that_comes_faster_than_ours_could_takes_four_fifths(full: Stepper, queue: float) -> None:
    full.step(20, data_rtt_seconds=0.04)
    decision = full.step(rtt_seconds=0.04 + queue, data_rtt_seconds=0.0412 + queue)
    assert (decision.reason, decision.state) == (Reason.QUEUE, State.BACK_OFF)
    assert decision.allowance == pytest.approx(TARGET * 0.2, rel=0.01)


def learned_and_probing(ahead: float) -> Stepper:
    """Return one that has learned a line and uses ``ahead`` times the target."""
    stepper = Stepper(ControllerSettings())
    stepper.controller.capacity.at_congestion(CAPACITY, 0.0)
    for _ in range(2_000):
        if stepper.step(data_rtt_seconds=0.0412).allowance >= ahead * TARGET:
            return stepper
    raise AssertionError("it never went so far")


@pytest.mark.parametrize(("before", "ours"), [(0.007, True), (0.001, False)])
def test_beyond_what_is_learned_a_queue_is_ours_unless_it_came_faster(before: float, ours: bool) -> None:
    stepper = learned_and_probing(1.05)
    stepper.step(3, rtt_seconds=0.04 + before, data_rtt_seconds=0.0412 + before)
    decision = stepper.step(rtt_seconds=0.05, data_rtt_seconds=0.0512)
    assert decision.state is State.BACK_OFF
    assert stepper.controller._frontier.cut_beyond is ours
    assert (decision.allowance >= 0.8 * TARGET) is ours


def test_a_rate_far_beyond_what_is_learned_makes_a_queue_as_fast_as_a_burst() -> None:
    stepper = learned_and_probing(1.5)
    stepper.step(3, rtt_seconds=0.047, data_rtt_seconds=0.0482)
    stepper.step(rtt_seconds=0.058, data_rtt_seconds=0.0592)  # 11 ms in 0.05 s, where twice half of the line make 50
    assert stepper.is_in(State.BACK_OFF)
    assert stepper.controller._frontier.cut_beyond


@pytest.mark.parametrize(("later", "kept", "ours"), [(0.0499, 0.6, True), (0.075, 0.2, False)])
def test_a_queue_that_grows_on_faster_after_our_cut_is_somebody_elses(later: float, kept: float, ours: bool) -> None:
    stepper = learned_and_probing(1.06)
    stepper.step(3, rtt_seconds=0.045, data_rtt_seconds=0.0462)
    stepper.step(rtt_seconds=0.045, data_rtt_seconds=0.0507)
    assert stepper.is_in(State.BACK_OFF)
    stepper.step(rtt_seconds=0.05, data_rtt_seconds=later, delivered_bytes=int(CAPACITY * STEP))
    assert stepper.controller._frontier.cut_beyond is ours
    assert (stepper.decision.allowance > kept * CAPACITY) is ours


@pytest.mark.parametrize(("rtt", "reason"), [(0.0719, Reason.QUEUE), (0.0721, Reason.PERSISTENT_QUEUE)])
def test_a_queue_of_more_than_four_thresholds_is_somebody_elses(full: Stepper, rtt: float, reason: Reason) -> None:
    assert full.step(3, rtt_seconds=rtt).reason is reason


def test_a_small_queue_that_stays_in_spite_of_a_cut_is_somebody_elses(full: Stepper) -> None:
    # half a second, and half of the threshold at least
    full.step(3, rtt_seconds=0.05)
    assert full.step(8, rtt_seconds=0.045).state is State.BACK_OFF
    assert full.step(3, rtt_seconds=0.045) == Decision(BytesPerSecond(LEAST), Reason.PERSISTENT_QUEUE, State.YIELD)


def test_losses_around_a_queue_are_a_competitors(full: Stepper) -> None:
    full.step(3, **CROWDED)
    assert full.step(retransmits=1, **CROWDED).allowance == TARGET
    assert full.step(retransmits=1, **CROWDED) == Decision(BytesPerSecond(LEAST), Reason.LOSS, State.YIELD)


@pytest.mark.parametrize("lost", [1, 2, 4, 6])
def test_the_same_losses_without_a_queue_change_nothing(full: Stepper, lost: int) -> None:
    """Of 84 segments a look: up to 7 %."""
    for _ in range(200):
        assert full.step(retransmits=lost) == Decision(BytesPerSecond(TARGET), Reason.AT_CAPACITY, State.SCAVENGE)


def test_more_than_a_line_loses_by_itself_is_a_competitors_also_without_a_queue(full: Stepper) -> None:
    # of 837 segments in half a second a twentieth are 42, and 3 more, and three times √42: 65, in the tenth look
    assert full.step(9, retransmits=7).allowance == TARGET
    assert full.step(retransmits=7) == Decision(BytesPerSecond(LEAST), Reason.LOSS, State.YIELD)


@pytest.mark.parametrize(("lost", "reason"), [(3, Reason.AT_CAPACITY), (4, Reason.LOSS)])
def test_around_a_queue_three_times_the_usual_losses_are_a_competitors(
    full: Stepper, lost: int, reason: Reason
) -> None:
    full.step(800, retransmits=1)  # 10 in half a second
    full.step(10, **CROWDED)
    # 2 + 3 × 10 are somebody's: 10 looks of 4, but not of 3
    assert full.step(10, retransmits=lost, **CROWDED).reason is reason


def test_after_a_yield_to_somebody_unseen_a_sixteenth_is_tried(full: Stepper) -> None:
    assert full.meet_somebody().state is State.YIELD
    at = full.now
    while full.is_in(State.YIELD):
        full.step()
    # the ramp before was less than 3.3 s ago, so 1.5 s are the first silence, from when nothing is lost any more
    assert full.now - at == pytest.approx(1.5, abs=0.7)
    assert full.decision.allowance == TARGET // 16


def test_a_small_queue_of_a_ramp_beside_somebody_large_is_no_full_line() -> None:
    """Once that one has gone, the line is used again within some seconds, and not held for full for 20."""
    stepper = Stepper(ControllerSettings(capacity=None))
    stepper.controller.capacity.at_congestion(CAPACITY, 0.0)
    stepper.step(40)
    while not stepper.is_in(State.YIELD):
        stepper.meet_somebody()
    while stepper.decision.allowance < TARGET / 5:
        stepper.step()
    for _ in range(2):
        assert stepper.step(3, rtt_seconds=0.049).state is State.BACK_OFF
        stepper.step(20)
    stepper.step(int(10 / STEP))
    assert stepper.decision.allowance >= 0.9 * TARGET


def test_two_losses_at_a_time_around_a_queue_are_enough_on_a_line_that_has_never_lost_any(full: Stepper) -> None:
    assert full.meet_somebody(2).reason is Reason.LOSS


@pytest.mark.parametrize("lost", [10, 100])
def test_on_a_fast_line_losses_around_a_queue_are_a_competitors_too(lost: int) -> None:
    stepper = Stepper(ControllerSettings(capacity=BytesPerSecond(12_500_000)))
    stepper.step(60)
    assert stepper.meet_somebody(lost).state is State.YIELD


@pytest.mark.parametrize("lost", [10, 100])
def test_on_a_fast_line_a_burst_of_losses_without_a_queue_is_its_own(lost: int) -> None:
    stepper = Stepper(ControllerSettings(capacity=BytesPerSecond(12_500_000)))
    stepper.step(60)
    stepper.step(2, retransmits=lost)  # 255 in half a second would be somebody's
    assert stepper.step(100).state is State.SCAVENGE
    assert State.YIELD not in stepper.states_since(0.0)


def test_our_own_queue_under_fair_queueing_is_a_competitors(full: Stepper) -> None:
    full.step(20, data_rtt_seconds=0.04)
    # 0.04 + 1.2 ms for the delayed acknowledgement + 8 ms
    assert full.step(10, data_rtt_seconds=0.049).state is State.SCAVENGE
    assert full.step(data_rtt_seconds=0.0495) == Decision(BytesPerSecond(LEAST), Reason.SHORTFALL, State.YIELD)


# --- no signals --------------------------------------------------------------------------------

LOST: dict[str, Any] = {"rtt_seconds": None, "delivered_bytes": 0}


def test_in_a_stall_the_rate_is_held_and_then_half_of_it_is_used(full: Stepper) -> None:
    # 0.5 s of deliveries have to be over before nothing is delivered
    decision = full.step(20, application_limited=True, **LOST)
    assert (decision.reason, decision.state) == (Reason.NO_SIGNALS, State.STALL)
    assert decision.allowance == TARGET
    assert full.step(300, application_limited=True, **LOST).allowance == TARGET
    decision = full.step()
    assert decision.state is State.RAMP
    # from half of it, by √2 in the same step
    assert decision.allowance == pytest.approx(TARGET / 2 * 2**0.5, rel=1e-5)
    assert full.step(5).allowance == TARGET


@pytest.mark.parametrize("looks", [12, 100, 2_000])
def test_after_an_outage_the_line_is_used_again_within_seconds(full: Stepper, looks: int) -> None:
    assert full.step(looks, **LOST).state is State.STALL
    assert full.step(200).allowance == TARGET


def test_an_outage_is_no_congestion(full: Stepper) -> None:
    full.step(100, **LOST)
    full.step(40)
    assert Reason.SHORTFALL not in {decision.reason for _, decision in full.history}


def test_lost_pings_alone_are_no_stall(full: Stepper) -> None:
    assert full.step(200, rtt_seconds=None).state is State.SCAVENGE


# --- the planned pause -------------------------------------------------------------------------


def test_every_minute_a_pause_of_half_a_second() -> None:
    stepper = Stepper()
    stepper.step(1_200)  # the first sample is of a silent line: as good as a pause
    assert stepper.is_in(State.SCAVENGE)
    stepper.step(2)
    assert stepper.is_in(State.SLOWDOWN)
    at = stepper.now
    decision = stepper.step()
    assert decision == Decision(BytesPerSecond(TARGET // 20), Reason.PAUSE, State.SLOWDOWN)
    while stepper.is_in(State.SLOWDOWN):
        stepper.step()
    assert stepper.now - at == pytest.approx(0.5, abs=0.06)
    assert stepper.decision.allowance == int(0.85 * TARGET)
    assert stepper.step(2).allowance == TARGET
    over = stepper.now
    stepper.step(1_180)
    assert State.SLOWDOWN not in stepper.states_since(over)
    stepper.step(40)
    assert State.SLOWDOWN in stepper.states_since(over)


def test_on_a_long_line_a_pause_takes_two_round_trips() -> None:
    stepper = Stepper()
    while not stepper.is_in(State.SLOWDOWN):
        assert stepper.step(rtt_seconds=0.5).state is not State.YIELD
    at = stepper.now
    assert at == pytest.approx(60.0, abs=0.1)
    while stepper.is_in(State.SLOWDOWN):
        stepper.step(rtt_seconds=0.5)
    assert stepper.now - at == pytest.approx(1.0, abs=0.06)


def test_a_transfer_ends_the_pause() -> None:
    stepper = Stepper()
    stepper.step(1_203)
    assert stepper.is_in(State.SLOWDOWN)
    assert stepper.step(bulk_business=True) == Decision(BytesPerSecond(LEAST), Reason.BUSINESS_BULK, State.YIELD)


# --- policy ------------------------------------------------------------------------------------


def rate(number: int) -> BytesPerSecond:
    return BytesPerSecond(number)


def test_a_floor_holds_beside_a_transfer_up_to_the_ceiling(full: Stepper) -> None:
    full.policy = {"floor": rate(500_000)}
    assert full.step() == Decision(rate(TARGET), Reason.AT_CAPACITY, State.SCAVENGE), "no floor is felt"
    assert full.step(bulk_business=True) == Decision(rate(500_000), Reason.FLOOR, State.YIELD)
    assert full.step(bulk_business=True, boost=True) == Decision(rate(500_000), Reason.BOOST, State.YIELD)
    full.policy = {"floor": rate(500_000), "ceiling": rate(499_999)}
    assert full.step(bulk_business=True, boost=True) == Decision(rate(499_999), Reason.CEILING, State.YIELD)
    full.policy = {"floor": rate(500_000), "ceiling": rate(500_000)}
    assert full.step(bulk_business=True) == Decision(rate(500_000), Reason.FLOOR, State.YIELD)
    full.policy = {"floor": rate(LEAST)}
    assert full.step(bulk_business=True).reason is Reason.BUSINESS_BULK, "what is allowed anyway is no floor"


def test_boost_without_a_floor_is_nothing(full: Stepper) -> None:
    assert full.step(bulk_business=True, boost=True) == Decision(rate(LEAST), Reason.BUSINESS_BULK, State.YIELD)


def test_a_floor_above_the_line_is_given_and_a_ceiling_below_the_least_rate_too(full: Stepper) -> None:
    full.policy = {"floor": rate(10_000_000)}
    assert full.step().allowance == 10_000_000
    full.policy = {"ceiling": rate(10)}
    assert full.step() == Decision(rate(10), Reason.CEILING, State.SCAVENGE)
    full.policy = {"ceiling": rate(0)}
    assert full.step() == Decision(rate(0), Reason.CEILING, State.SCAVENGE)
    full.policy = {"ceiling": rate(TARGET)}
    assert full.step().reason is Reason.AT_CAPACITY


def test_a_ceiling_does_not_hide_a_competitor(full: Stepper) -> None:
    full.policy = {"ceiling": rate(100_000)}
    full.step(20)
    assert full.step(bulk_business=True) == Decision(rate(LEAST), Reason.BUSINESS_BULK, State.YIELD)


def test_a_blackout_wins_over_everything_and_the_line_is_learned_again(full: Stepper) -> None:
    full.policy = {"floor": rate(500_000), "ceiling": rate(900_000)}
    nothing = Decision(rate(0), Reason.BLACKOUT, State.BLACKOUT)
    assert full.step(blackout=True, boost=True) == nothing
    assert full.step(bulk_business=True, blackout=True, boost=True) == nothing
    assert full.step(100, blackout=True, **LOST) == nothing
    full.policy = {}
    assert full.step() == Decision(rate(TARGET // 16), Reason.LEARNING, State.RAMP)
    assert full.step(20).allowance == TARGET


# --- clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-1e6, -30.0, 0.0, 2.5, 3_600.0, 1e6])
def test_a_jump_of_the_clock_earns_less_than_a_step_and_hurts_for_no_more_than_seconds(jump: float) -> None:
    stepper = Stepper()
    stepper.step(4)
    before = stepper.decision.allowance
    decision = stepper.step(by=jump, delivered_bytes=0)
    # half a second is the longest step, and two of them a doubling
    assert before <= decision.allowance <= before * 2**0.5 + 1
    assert stepper.step(40).allowance == TARGET
    assert stepper.step(1_000).allowance == TARGET


@pytest.mark.parametrize(
    ("by", "growth"), [(STEP, 62_500), (0.5, 625_000), (1.9, 625_000), (30.0, 625_000), (-30.0, 0)]
)
def test_no_gap_earns_more_than_half_a_second(full: Stepper, by: float, growth: int) -> None:
    """After a cut to a half, half of the line comes back in a second."""
    full.step(3, rtt_seconds=0.07)
    before = full.step()
    assert before.state is State.SCAVENGE
    assert full.step(by=by).allowance - before.allowance == pytest.approx(growth, abs=2)


def test_after_a_clock_that_went_back_a_pause_is_due_within_a_minute(full: Stepper) -> None:
    full.step(by=-1e6)
    at = full.now
    while not full.is_in(State.SLOWDOWN):
        full.step()
        assert full.now - at <= 61.0


@pytest.mark.parametrize("jump", [-1e6, 3_600.0])
def test_a_yield_ends_whatever_the_clock_does(full: Stepper, jump: float) -> None:
    full.meet_somebody()
    full.step(8)
    assert full.is_in(State.YIELD)
    full.step(by=jump)
    assert full.step(60).allowance == TARGET


def test_time_is_counted_by_reason(full: Stepper) -> None:
    seconds = full.seconds.seconds()
    assert sum(seconds.values()) == pytest.approx(39 * STEP)
    # 1 look of learning, then the rate reaches the target in the ninth of the ramp
    assert seconds[Reason.LEARNING] == pytest.approx(STEP)
    assert seconds[Reason.RAMPING] == pytest.approx(8 * STEP)
    assert seconds[Reason.AT_CAPACITY] == pytest.approx(30 * STEP)


# --- whole courses -----------------------------------------------------------------------------


def loop(
    line_mbit: float = 20.0, rtt: float = 0.04, *, configured: bool = True, every: float = STEP, **line: Any
) -> Loop:
    """Return a loop on a line that is looked at in steps of a sample."""
    options: dict[str, Any] = {"step": STEP} | line
    return Loop(FluidLine(line_mbit * 125_000, rtt, **options), configured=configured, every=every)


@pytest.mark.parametrize(
    ("line_mbit", "rtt"),
    [(mbit, rtt) for mbit in (1, 2, 5, 10, 20, 100, 1_000) for rtt in (0.002, 0.01, 0.04, 0.1, 0.2, 0.3)],
)
def test_an_idle_line_is_used_within_ten_round_trips_or_two_seconds(line_mbit: float, rtt: float) -> None:
    course = loop(line_mbit, rtt, step=0.005)
    began = course.now
    course.run(6.0)
    took = course.regained(began)
    assert took is not None
    assert took <= max(2.0, 10 * rtt) + 1e-6
    assert course.decision.reason is Reason.AT_CAPACITY


@pytest.mark.parametrize("line_mbit", [20, 100])
@pytest.mark.parametrize("rtt", [0.049, 0.099])
def test_so_it_is_where_a_round_trip_is_nearly_one_or_two_samples(line_mbit: float, rtt: float) -> None:
    course = loop(line_mbit, rtt, step=0.005).run(5.0)
    assert State.YIELD not in {decision.state for _, decision in course.history}


@pytest.mark.parametrize("seconds", [1, 60, pytest.param(3_600, marks=pytest.mark.uncounted)])
@pytest.mark.parametrize(
    ("course", "others", "seen", "within"),
    [
        ("a transfer that is seen", 2_250_000, True, 1.0),
        ("hidden in one queue", 2_475_000, False, 13.0),
        ("hidden behind fair queueing", 2_475_000, False, 13.0),
    ],
)
def test_the_line_is_regained_after_a_yield_of_any_length(
    course: str, others: int, seen: bool, within: float, seconds: float
) -> None:
    """What nothing shows is waited for 8 s at most; then a ramp from 1/16 takes less than a second."""
    line = loop(fair=course.endswith("fair queueing"), every=0.1 if seconds == 3_600 else STEP).run(5)
    since = line.now
    line.run(seconds, others=others, seen=seen, bulk=seen)
    if seconds > 1:
        got = [decision.allowance for decision in line.since(since)]
        assert sum(got) / len(got) <= 0.05 * line.line.capacity
    freed = line.now
    line.run(within)
    took = line.regained(freed)
    assert took is not None
    assert took <= within


def test_a_fifo_competitor_that_nobody_sees_is_left_alone_after_some_tries() -> None:
    course = loop().run(5)
    since = course.now
    course.run(60, others=2_475_000, seen=False)
    yields = course.begun(State.YIELD)
    assert yields[0][0] - since <= 0.5
    assert {decision.reason for _, decision in yields} <= {Reason.SHORTFALL, Reason.PERSISTENT_QUEUE, Reason.LOSS}
    assert 5 <= len(yields) <= 25


LOSSY = [(loss, seed) for loss in (0.002, 0.01, 0.03) for seed in range(3)]


@pytest.mark.parametrize(("loss", "seed"), LOSSY)
@pytest.mark.parametrize("configured", [True, False])
def test_random_losses_never_make_us_yield(loss: float, seed: int, configured: bool) -> None:
    course = loop(34, 0.026, configured=configured, loss=loss, randomness=random.Random(seed)).run(40)
    assert course.begun(State.YIELD) == []
    got = [decision.allowance for decision in course.since(course.history[0][0] + 5)]
    assert sum(got) / len(got) >= 0.9 * course.line.capacity


def test_what_is_lost_in_the_queue_of_a_probe_is_nobodys() -> None:
    """The third loss in half a second comes when the probe's queue has just gone, at 3.4 s."""
    course = loop(8, 0.056, configured=False, loss=0.002, randomness=random.Random(3), buffer_seconds=0.12, step=0.005)
    assert course.run(10).begun(State.YIELD) == []


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize("buffer_seconds", [0.02, 0.05, 0.12, 0.25])
@pytest.mark.parametrize("others", [0.9, 1.2])
def test_whoever_fills_a_buffer_makes_us_yield_within_a_second_on_a_lossy_line_too(
    loss: float, configured: bool, buffer_seconds: float, others: float
) -> None:
    course = loop(34, 0.026, configured=configured, loss=loss, buffer_seconds=buffer_seconds).run(10)
    since = course.now
    course.run(1, others=others * course.line.capacity, seen=False)
    yields = [at - since for at, _ in course.begun(State.YIELD) if at >= since]
    assert yields


@pytest.mark.parametrize("loss", [0.0, 0.01])
@pytest.mark.parametrize("after", [0.5, 0.8, 2.3, 2.75, 3.2, 24.35])
def test_so_does_whoever_comes_while_we_ramp_or_probe_an_unknown_line(loss: float, after: float) -> None:
    """What we forgive ourselves after going beyond what was known hides nobody for long."""
    course = loop(34, 0.026, configured=False, loss=loss, buffer_seconds=0.12, step=0.005).run(after)
    since = course.now
    course.run(1, others=0.9 * course.line.capacity, seen=False)
    assert [at for at, _ in course.begun(State.YIELD) if at >= since]


@pytest.mark.parametrize("configured", [True, False])
def test_what_loses_a_tenth_without_a_queue_makes_us_yield(configured: bool) -> None:
    """A policer of an operator, or a buffer too small for any queue to show."""
    course = loop(34, 0.026, configured=configured).run(10)
    since, course.line.loss = course.now, 0.1
    course.run(2)
    yields = [(at - since, decision.reason) for at, decision in course.begun(State.YIELD) if at >= since]
    assert yields
    assert yields[0][0] <= 1.0
    assert yields[0][1] is Reason.LOSS


@pytest.mark.parametrize(
    ("line_mbit", "rtt", "within"),
    [
        (2, 0.04, 2.0), (8, 0.056, 2.0), (20, 0.04, 2.0), (34, 0.026, 2.0),
        # the ramp's queue drains before it has shown all of the line: a probe finds the rest
        (200, 0.03, 3.5), (100, 0.01, 4.5), (10, 0.2, 6.5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("buffer_seconds", [0.05, 0.12, 0.25])
def test_an_unknown_line_is_known_and_used_within_seconds(
    line_mbit: float, rtt: float, within: float, buffer_seconds: float
) -> None:
    course = loop(line_mbit, rtt, configured=False, buffer_seconds=buffer_seconds, step=0.005).run(within)
    known = course.controller.capacity.bytes_per_second(course.now)
    assert known == pytest.approx(course.line.capacity, rel=0.02)
    assert course.decision.allowance >= 0.95 * 0.97 * course.line.capacity
    course.run(20)
    assert course.begun(State.YIELD) == []


@pytest.mark.parametrize(("line_mbit", "rtt"), [(8, 0.056), (20, 0.04), (34, 0.026)])
def test_when_a_queue_of_our_own_has_drained_the_rate_is_all_that_the_line_carries(
    line_mbit: float, rtt: float
) -> None:
    course = loop(line_mbit, rtt, configured=False, step=0.005).run(1)
    ((began, cut),) = course.begun(State.BACK_OFF)
    drained, decision = next((at, one) for at, one in course.history if at > began and one.state is State.SCAVENGE)
    assert drained - began <= rtt + 0.15
    assert cut.allowance < 0.6 * course.line.capacity
    assert decision.allowance == pytest.approx(0.97 * course.line.capacity, rel=0.03)


@pytest.mark.parametrize("times", [1.25, 2, 8])
def test_a_line_that_became_faster_is_known_within_seconds_of_the_next_probe(times: float) -> None:
    """A probe is due 20 s after the last queue; the longer nothing shows, the faster it goes."""
    course = loop(10, 0.04, configured=False, step=0.005).run(30)
    course.line.capacity *= times
    since = course.now
    course.run(30)
    took = course.regained(since)
    assert took is not None
    assert took <= 25.0
    assert course.controller.capacity.bytes_per_second(course.now) == pytest.approx(course.line.capacity, rel=0.02)
    assert course.begun(State.YIELD) == []


@pytest.mark.parametrize(("line_mbit", "rtt"), [(2, 0.04), (20, 0.04), (100, 0.01), (10, 0.2)])
def test_an_unknown_line_is_learned_and_used(line_mbit: float, rtt: float) -> None:
    course = loop(line_mbit, rtt, configured=False).run(60)
    learned = course.controller.capacity.bytes_per_second(course.now)
    assert learned == pytest.approx(course.line.capacity, rel=0.03)
    lately = [decision.allowance for decision in course.since(course.now - 40)]
    assert sum(lately) / len(lately) >= 0.93 * course.line.capacity
    assert max(lately) <= 1.05 * course.line.capacity


def test_a_window_that_limits_us_is_neither_a_competitor_nor_the_capacity() -> None:
    course = loop().run(5)
    since = course.now
    course.run(30, window=500_000)
    assert {decision.state for decision in course.since(since)} == {State.SCAVENGE}
    unknown = loop(configured=False).run(10)
    before = unknown.controller.capacity.bytes_per_second(unknown.now)
    assert before is not None
    unknown.run(30, window=500_000)
    after = unknown.controller.capacity.bytes_per_second(unknown.now)
    assert after is not None
    assert 0.98 * before <= after <= before


def test_an_application_that_pauses_is_no_competitor() -> None:
    course = loop().run(5)
    since = course.now
    for _ in range(20):
        course.run(0.5, demand=0.0).run(0.5)
    assert State.YIELD not in {decision.state for decision in course.since(since)}


def test_a_slightly_longer_route_is_learned_by_two_pauses() -> None:
    course = loop().run(10)
    course.line.rtt = 0.046
    course.run(100)
    assert course.controller._sensors.base.seconds == pytest.approx(0.04)
    course.run(60)
    assert course.controller._sensors.base.seconds == pytest.approx(0.046)
    assert course.decision.allowance == TARGET


@pytest.mark.uncounted
@pytest.mark.parametrize("longer", [0.01, 0.04, 0.1])
def test_a_much_longer_route_is_learned_too(longer: float) -> None:
    course = loop().run(10)
    course.line.rtt += longer
    course.run(600, data=False)
    assert course.decision.allowance >= 0.9 * TARGET


def test_a_route_that_becomes_longer_twice_is_no_queue_of_ours() -> None:
    course = loop().run(10)
    for rtt in (0.046, 0.052):
        course.line.rtt = rtt
        course.run(200)
    assert course.controller._sensors.base.seconds == pytest.approx(0.052)
    assert course.decision.allowance >= 0.9 * TARGET


def test_a_shorter_route_is_taken_at_once() -> None:
    course = loop().run(10)
    course.line.rtt = 0.02
    course.run(2)
    assert course.controller._sensors.base.seconds == pytest.approx(0.02)
    assert course.decision.allowance == TARGET


@pytest.mark.parametrize(("part", "found"), [(0.03, True), (0.3, False)])
def test_a_capacity_that_was_learned_far_too_low_is_tried_beyond_beside_a_pcs_small_traffic(
    part: float, found: bool
) -> None:
    """As after a first ramp that met somebody; beside much business nothing is tried."""
    line = loop(8, rtt=0.056, configured=False)
    learned = line.line.capacity / 8
    line.controller.capacity.at_congestion(learned, line.now)
    began = line.now
    line.run(25, others=part * learned)
    assert (line.regained(began, 0.8) is not None) is found


@pytest.mark.parametrize(("rtt", "rate"), [(0.56, 107_000), (0.04, 64_000)])
def test_over_a_long_way_an_unknown_line_gets_the_first_window_of_each_connection_at_once(
    rtt: float, rate: int
) -> None:
    stepper = Stepper(ControllerSettings())
    seen: dict[str, Any] = {"rtt_seconds": rtt, "window_rate": BytesPerSecond(107_000), "delivered_bytes": 0}
    stepper.step(**seen)
    assert rate <= stepper.step(**seen).allowance < 1.5 * rate


# --- a long way --------------------------------------------------------------------------------


def satellite(*, configured: bool) -> Loop:
    line = FluidLine(3_125_000, rtt=0.56, buffer_seconds=0.12, step=0.05, far=True)
    return Loop(line, configured=configured)


@pytest.mark.parametrize("ramped", [1.0, 2.0, 3.0])
def test_late_answers_end_no_ramp_over_a_satellite(ramped: float) -> None:
    """They were over before a cut can have reached the line: to forget what they seemed to say took twenty seconds."""
    course = satellite(configured=False).run(ramped)
    assert course.decision.state is State.RAMP
    course.run(0.25, late=0.03)
    assert course.begun(State.BACK_OFF), "they were taken for a queue"
    course.run(8 - ramped)
    assert course.decision.allowance >= 0.85 * course.line.capacity
    course.run(6)
    assert course.controller.capacity.bytes_per_second(course.now) == pytest.approx(course.line.capacity, rel=0.05)
    assert course.begun(State.YIELD) == []


def test_nor_do_they_change_a_rate_that_is_known_to_be_right() -> None:
    course = satellite(configured=True).run(10)
    before = course.decision.allowance
    course.run(0.25, late=0.02).run(0.2)
    assert course.begun(State.BACK_OFF)
    assert course.decision.allowance == before


def test_somebody_s_queue_over_a_satellite_is_yielded_to_as_ever() -> None:
    course = satellite(configured=True).run(10)
    since = course.now
    course.run(3, others=0.3 * course.line.capacity, seen=False)
    assert [at for at, _ in course.begun(State.YIELD) if at >= since]


def test_our_own_queue_over_a_satellite_is_no_competitor_while_it_drains() -> None:
    course = satellite(configured=False).run(30)
    assert course.begun(State.BACK_OFF)
    assert course.begun(State.YIELD) == []


def test_what_a_satellite_s_line_carries_is_no_bunch_of_acknowledgements() -> None:
    """Those of busy PCs come in bunches; two samples alone would say that the line carries half as much again."""
    sensors, carried = Sensors(), []
    for number in range(200):
        arrives = 2 * 3_125_000 * STEP if number % 2 else 0
        sample = replace(QUIET, rtt_seconds=0.56, delivered_bytes=int(arrives))
        view = sensors.observe(sample, STEP * number, quiet=False, silent=False, allowed=BytesPerSecond(4_000_000))
        carried.append(view.carried)
    assert max(carried[20:]) <= 1.4 * 3_125_000
