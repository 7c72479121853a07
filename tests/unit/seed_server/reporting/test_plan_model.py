"""`seed_server.reporting.plan_model`: sites, rings and lines together."""

import math
import random
import time
from dataclasses import replace

import pytest

from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.reporting.plan_draws import DONE_SHARE, needed_of
from seed_server.reporting.plan_facts import Here, InstallTimes, PlanFacts, PlanGroup, PlannedSite, RingPart
from seed_server.reporting.plan_model import Forecast, forecast
from seed_server.store.plan_rows import LineHour

MONDAY = 1_800_230_400.0
START = MONDAY + 10 * 3_600
ALWAYS = (1.0,) * 7


def hours(rate: float, usual: int) -> tuple[LineHour, ...]:
    return tuple(
        LineHour(hour, 14_400.0, usual * 14_400.0, 0.0, 14_400.0, rate * 14_400, rate * rate * 14_400, 4.0)
        for hour in range(168)
    )


def site(name: str, pcs: int = 20, rate: float = 1e6, count: int = 3_600_000_000, ring: int = 0) -> PlannedSite:
    group = PlanGroup(pcs, ALWAYS, 0, Here.NOW, steady=True)
    part = RingPart(ring, (group,), missing_bytes=count)
    return PlannedSite(name, (part,), pcs, pcs, capacity=int(rate / 0.9), hours=hours(rate, pcs))


def planned(facts: PlanFacts) -> Forecast:
    return forecast(facts, random.Random(1))


def test_a_line_that_never_differs_brings_it_when_arithmetic_says() -> None:
    (one,) = planned(PlanFacts(START, (site("a"),), ratio=1.02)).sites
    assert one.finish_p50 == pytest.approx(START + 3_672, rel=0.0, abs=300)
    assert one.finish_p50 <= one.finish_p90 < START + 5_500
    assert (one.wan_bytes, one.pcs, one.needed) == (3_672_000_000, 20, 18)
    assert one.line_share == pytest.approx(0.9, abs=0.01)
    assert one.line_known
    assert one.presence_known


def test_what_is_there_already_needs_no_line() -> None:
    (one,) = planned(PlanFacts(START, (site("a", count=0),))).sites
    assert (one.finish_p50, one.wan_bytes, one.line_share) == (START, 0, None)


def test_an_installation_takes_its_time() -> None:
    facts = PlanFacts(START, (site("a", count=0),), install=InstallTimes(600.0, 0.0, known=True))
    assert planned(facts).finish_p50 == START + 600


def test_a_ring_opens_when_the_one_before_has_soaked_and_enough_have_it() -> None:
    rings = (PlannedRing(name="first", soak_seconds=86_400, success_share=9_000), PlannedRing(name="last"))
    facts = PlanFacts(START, (site("a"), site("b", ring=1)), rings=rings, silent_after_seconds=86_400.0)
    found = planned(facts)
    assert [ring.opens_p50 for ring in found.rings] == [START, START + 86_400]
    assert found.sites[1].finish_p50 > START + 86_400
    slow = replace(site("a"), allowed=lambda at: 0.0 if at < START + 2 * 86_400 else None)
    late = planned(replace(facts, sites=(slow, site("b", ring=1)), silent_after_seconds=9 * 86_400.0))
    assert late.rings[1].opens_p50 > START + 2 * 86_400, "it is not through without its PCs"


def test_a_ring_that_is_open_already_opens_no_later() -> None:
    rings = (PlannedRing(name="first", soak_seconds=86_400), PlannedRing(name="last"))
    found = planned(PlanFacts(START, (site("a", ring=1),), rings=rings, opened_at=(START - 90_000, START - 10.0)))
    assert found.rings[1].opens_p50 == START


def test_pcs_that_are_silent_hold_a_ring_up_no_longer_than_they_may() -> None:
    rings = (PlannedRing(name="first", success_share=9_900, soak_seconds=60), PlannedRing(name="last"))
    part = replace(site("a", pcs=3).parts[0], away=2)
    facts = PlanFacts(
        START, (replace(site("a", pcs=3), parts=(part,)), site("b", ring=1)), rings=rings,
        silent_after_seconds=2 * 86_400.0,
    )  # fmt: skip
    assert planned(facts).rings[1].opens_p50 == START + 2 * 86_400


def test_a_site_whose_line_is_stopped_for_good_never_finishes() -> None:
    stopped = replace(site("a"), allowed=lambda _: 0.0)
    found = planned(PlanFacts(START, (stopped, site("b"))))
    assert found.sites[0].finish_p50 == math.inf
    assert found.last_p50 == math.inf
    assert math.isfinite(found.sites[1].finish_p50)


def test_the_server_s_egress_is_shared() -> None:
    alone = planned(PlanFacts(START, (site("a"),), egress=1e6))
    many = planned(PlanFacts(START, tuple(site(f"s{n}") for n in range(10)), egress=1e6))
    assert many.finish_p50 - START == pytest.approx(10 * (alone.finish_p50 - START), rel=0.1)


def test_the_same_question_has_the_same_answer() -> None:
    facts = PlanFacts(START, tuple(site(f"s{n}") for n in range(5)))
    assert planned(facts) == planned(facts)


def test_the_finish_is_that_of_most_pcs_and_a_small_site_waits_for_all() -> None:
    assert [needed_of(pcs) for pcs in (0, 1, 9, 10, 100)] == [0, 1, 9, 9, 90]
    assert DONE_SHARE == 0.9


def test_five_hundred_sites_take_two_seconds() -> None:
    facts = PlanFacts(START, tuple(site(f"s{n}", pcs=50) for n in range(500)))
    begun = time.process_time()
    planned(facts)
    assert time.process_time() - begun < 4.0  # the goal is two, of a machine that does nothing else
