"""`seed_server.line.site_harm`: the bound on harm in the rate of a site."""

from dataclasses import replace

import pytest

from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from seed_server.line.harm_bound import HarmPause, HarmRule, Resting
from seed_server.line.harm_evidence import HarmReason
from seed_server.line.site_rate import METADATA_LEAST_RATE, Line, Policy, SiteRate
from seed_server.line.site_sample import LinkView
from seed_server.line.socket_look import SocketLook

LINE = BytesPerSecond(1_000_000)
STEP, RTT = 0.05, 0.04


class BusySite:
    """A site whose controller heeds nothing (its operator's floor is as high as the line), with slow business."""

    def __init__(self) -> None:
        self.rate = SiteRate(Line(LINE), 0.0)
        self.now = 0.0
        self.acked = 0.0
        self.delay = 0.3

    def run(self, seconds: float, *, sends: float | None = None) -> None:
        for _ in range(round(seconds / STEP)):
            resting = self.rate.harm.resting(self.now)
            delay = self.delay if resting is Resting.NO else 0.001
            self.rate.reports.reported(
                "pc", interval_seconds=STEP, business_bytes=500, flows=(), harm_seconds=delay, now=self.now
            )
            decision = self.rate.decide({0: self.view()}, {"pc": RTT}, self.now)
            self.acked += STEP * (LINE if resting is Resting.NO and sends is None else sends or decision.allowance)
            self.now += STEP

    def view(self) -> LinkView:
        look = SocketLook(
            rtt_seconds=RTT, rtt_variation_seconds=0.0, least_rtt_seconds=RTT, acked_bytes=int(self.acked),
            sent_bytes=None, retransmits=0, needless_retransmits=0, early_segments=0, segment_bytes=1_448,
            window_segments=10_000, slow_start_threshold_segments=None, in_flight_segments=1, unsent_bytes=5_000,
            pacing_rate=1 << 40, delivery_rate=0, application_limited=False, receiver_limited_seconds=0.0,
        )  # fmt: skip
        return LinkView("pc", look, 0, None, None, metered=False)


def paused(minutes: float = 15.0) -> BusySite:
    site = BusySite()
    site.run(1.0)
    site.rate.harm.bound.restore(HarmPause(HarmReason.SLOWED, site.now, site.now + 60 * minutes, 1), 1)
    return site


def test_a_site_whose_business_suffers_is_stopped_though_the_controller_goes_on() -> None:
    site, rule = BusySite(), HarmRule()
    site.run(2 * rule.minute_seconds + rule.harmful_seconds + 5)
    assert site.rate.harm.resting(site.now) is Resting.LOOK
    decision = site.rate.decision
    assert (decision.allowance, decision.state, decision.cause) == (0, State.BLACKOUT, Reason.HARM_PAUSE.value)
    assert "to see whether business gets better" in decision.reason
    site.run(10.0)
    assert site.rate.harm.resting(site.now) is Resting.PAUSE
    assert site.rate.decision.reason == (
        "sending rests because business suffered here: "
        "connections of others were slowed down while we sent; pieces are sent again in 15 min"
    )
    assert site.rate.times.by_cause[Reason.HARM_PAUSE.value] > 5


def test_an_emergency_goes_on_at_the_least_rate_and_metadata_at_its_own() -> None:
    site = paused()
    site.run(1.0, sends=0.0)
    assert site.rate.decision.allowance == 4_000
    assert sum(site.rate.decision.shares.values()) <= 4_000
    site.now += 30.0  # nothing is decided
    assert site.rate.metadata_rate(site.now) == METADATA_LEAST_RATE
    assert site.rate.standing(site.now).allowance == 0


def test_a_pause_is_said_though_nothing_is_sent_and_its_end_too() -> None:
    site = paused()
    assert site.rate.standing(site.now).cause == Reason.HARM_PAUSE.value
    site.rate.set_policy(Policy(blackout=True, rule="stop"))
    assert site.rate.standing(site.now).reason == "policy forbids sending: stop"
    site.rate.set_policy(Policy())
    site.run(1.0, sends=0.0)
    site.now += 15 * 60
    assert site.rate.standing(site.now).state is State.LEARN
    site.rate.resume(site.now)
    site.run(STEP)
    assert site.rate.decision.allowance > 0


@pytest.mark.parametrize("boost", [False, True])
def test_a_boost_is_an_operators_decision_against_it(boost: bool) -> None:
    site = paused()
    policy = Policy(ceiling=LINE, rule="patch night", boost=True)
    site.rate.set_policy(policy if boost else replace(policy, boost=False))
    site.run(400.0 if boost else 1.0)
    assert (site.rate.decision.allowance >= LINE // 2) is boost
    assert site.rate.harm.bound.looks == 0


def test_what_a_floor_demands_is_not_held_against_it() -> None:
    site = BusySite()
    site.rate.set_policy(Policy(floor=LINE, floor_rule="a deadline"))
    site.run(300.0)
    assert site.rate.harm.bound.looks == 0
