"""The bound on harm, on the simulator's packets: the shipped controller never meets it, a harmful one is stopped.

Minutes are short here, so that some of them are over soon: ten seconds, of which a quarter makes one harmful, as ever.
"""

from collections.abc import Hashable
from dataclasses import replace

import pytest

from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from bandwidth.simulator.ours import Law
from bandwidth.simulator.scenario import Metrics, Scenario, shipped_law, simulate
from seed_server.line.harm_bound import HarmBound, HarmRule, Resting
from seed_server.line.harm_evidence import HarmEvidence, HarmReason

RULE = HarmRule(minute_seconds=10.0, harmful_seconds=3)
BUSY = Scenario(duration_seconds=60, business_from_seconds=5, business_until_seconds=60)
NOTHING = BytesPerSecond(1)


class Bounded:
    """A law under the bound, as the server has it; business on the site meets the delay that pings meet."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.evidence, self.bound = HarmEvidence(), HarmBound(RULE)
        self.least = float("inf")
        self.rested_at: list[float] = []

    def update(self, sample: Sample, now: float) -> Decision:
        decision = self.law.update(sample, now)
        delays: dict[Hashable, float] = {}
        if sample.rtt_seconds is not None:
            self.least = min(self.least, sample.rtt_seconds)
            delays["pc"] = sample.rtt_seconds - self.least
        second = self.evidence.observe(
            now, our_bytes=sample.delivered_bytes, business_bytes=sample.business_bytes, bulk=sample.bulk_business,
            delays=delays if sample.business_bytes is not None else {},
        )  # fmt: skip
        if second is not None:
            self.bound.observe(second)
        if self.bound.resting(now) is Resting.NO:
            return decision
        self.rested_at.append(now)
        return Decision(NOTHING, Reason.BLACKOUT, State.BLACKOUT)


class Harmful:
    """Sends so much, whatever it hears."""

    def __init__(self, rate: float) -> None:
        self.decision = Decision(BytesPerSecond(int(rate)), Reason.AT_CAPACITY, State.SCAVENGE)

    def update(self, _sample: Sample, _now: float) -> Decision:
        return self.decision


def bounded(scenario: Scenario, law: Law | None = None) -> tuple[Bounded, Metrics]:
    made = Bounded(law or shipped_law(scenario))
    return made, simulate(scenario, lambda _: made)


LINES = [
    replace(BUSY, business="cubic+voip"),
    replace(BUSY, business="cubic+voip", queue="fq_codel"),
    replace(BUSY, business="bbr", queue="1 bdp"),
    replace(BUSY, business="on/off+voip", capacity_configured=False),
    replace(BUSY, business="2 web+voip", queue="20 packets"),
    replace(BUSY, business="mix"),
    replace(BUSY, business="video", queue="fq_codel"),
    replace(BUSY, business="web+voip", line_mbit=2.0, rtt_seconds=0.1),
    replace(BUSY, business="on/off", radio=True, capacity_configured=False),
    replace(BUSY, business="web", loss=0.01),
    replace(BUSY, business="voip", drop_share=0.25, drop_from_seconds=15, drop_until_seconds=40),
]


@pytest.mark.parametrize("scenario", LINES, ids=lambda each: f"{each.business}, {each.queue}, {each.line_mbit:g}")
def test_the_shipped_controller_is_never_paused(scenario: Scenario) -> None:
    law, _ = bounded(scenario)
    assert law.bound.pauses == 0


@pytest.mark.parametrize(
    ("scenario", "rate", "reason"),
    [
        (replace(BUSY, business="voip"), 1.2, HarmReason.SLOWED),
        (replace(BUSY, business="cubic", queue="fq_codel"), 1.0, HarmReason.DISPLACED),
        (replace(BUSY, business="cubic", queue="20 packets"), 0.8, HarmReason.DISPLACED),
        (replace(BUSY, business="cubic+voip"), 1.0, None),
    ],
    ids=["a standing queue", "fair queueing", "a short buffer", "a deep buffer"],
)
def test_a_controller_that_heeds_nothing_is_stopped(scenario: Scenario, rate: float, reason: HarmReason | None) -> None:
    law, metrics = bounded(scenario, Harmful(rate * scenario.line_rate))
    pause = law.bound.pause
    assert pause is not None
    assert reason in (None, pause.reason)
    # it stops sending in the third harmful minute of business, and what had suffered has the line again
    assert law.rested_at[0] <= scenario.business_from_seconds + 4 * RULE.minute_seconds
    after = int(pause.begun_at) + 1
    assert max(metrics.scavenger_rate[after:]) < 0.01 * scenario.line_rate
    assert max(metrics.queue_seconds[after:]) < 0.26


def test_a_floor_that_the_controller_obeys_is_the_same_harm_to_it() -> None:
    """Whoever asks for a floor excuses it (`excused_rate`); where nobody does, it is a fault as any other."""
    scenario = replace(BUSY, business="voip", queue="250 ms")
    controller = Controller(ControllerSettings(capacity=BytesPerSecond(int(scenario.line_rate))), 0.0)

    class Floored:
        def update(self, sample: Sample, now: float) -> Decision:
            return controller.update(sample, now, floor=BytesPerSecond(int(1.2 * scenario.line_rate)))

    law, _ = bounded(scenario, Floored())
    assert law.bound.pauses == 1
