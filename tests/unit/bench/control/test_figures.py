import dataclasses
import math

import msgspec

from bandwidth.simulator.scenario import Scenario, simulate
from bench.control.cells import IDLE, OURS
from bench.control.figures import RunFigures, cell_figures, run_figures


def test_a_cell_is_the_median_of_its_seeds(measured) -> None:
    alone = measured(business_bytes=500, scavenger_bytes=0)
    pairs = [(measured(business_bytes=kept, scavenger_bytes=400), alone) for kept in (500, 450, 100)]
    found = cell_figures(pairs)
    assert found.keeps == 0.9
    assert found.use == 0.85
    assert found.spare == 0.8


def test_delays_are_compared_with_the_same_seed_alone(measured) -> None:
    pairs = [
        (measured(voip_p50=0.004, voip_p95=0.020, voip_p99=0.030), measured(voip_p50=0.001, voip_p95=0.010)),
        (measured(voip_p50=0.004, voip_p95=0.013, voip_p99=0.050), measured(voip_p50=0.001, voip_p95=0.011)),
        (measured(voip_p50=0.004, voip_p95=0.015, voip_p99=0.040), measured(voip_p50=0.001, voip_p95=0.012)),
    ]
    found = cell_figures(pairs)
    assert (found.voip_added_p95_ms, found.voip_added_p99_ms) == (3.0, 40.0)
    assert found.page_growth_p50 is None


def test_pages_are_pooled_and_count_when_both_runs_had_them(measured) -> None:
    pairs = [
        (measured(pages=(1.1, 2.2)), measured(pages=(1.0, 2.0, 50.0))),
        (measured(pages=(3.3,)), measured(pages=(3.0,))),
    ]
    found = cell_figures(pairs)
    assert found.pages == 3
    assert found.page_growth_p50 == 0.1
    assert found.page_growth_p95 == 0.1


def test_what_never_happens_is_null_and_stays_so(measured) -> None:
    alone = measured(scavenger_bytes=0)
    found = cell_figures([(measured(yields=(0.25, None), regains=(None,), ramp=None), alone)] * 3)
    assert found.yields_ms == (250, None) * 3
    assert found.regains_ms == (None,) * 3
    assert found.ramp_s is None
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_an_idle_line_has_use_and_nothing_to_keep(measured) -> None:
    found = cell_figures([(measured(line_bytes=0.0, business_bytes=0, idle_use=0.9612), None)])
    assert (found.use, found.keeps, found.voip_added_p95_ms) == (0.9612, None, None)


def test_a_run_keeps_what_the_cell_needs(cell) -> None:
    scenario = dataclasses.replace(
        cell("mix").scenario(OURS, 1), duration_seconds=12, business_from_seconds=4, business_until_seconds=10
    )
    metrics = simulate(scenario)
    figures = run_figures(scenario, metrics)
    assert figures.business_bytes == metrics.business_bytes > 0
    assert figures.voip_p95 == metrics.voip_p95 > 0
    assert len(msgspec.json.encode(figures)) < 1_000
    assert msgspec.json.decode(msgspec.json.encode(figures), type=RunFigures) == figures


def test_an_idle_run_counts_everything_after_the_ramp(cell) -> None:
    scenario = dataclasses.replace(cell(IDLE).scenario(OURS, 1), duration_seconds=12, business_from_seconds=12)
    metrics = simulate(scenario)
    settled = metrics.scavenger_rate[5:]
    assert math.isclose(run_figures(scenario, metrics).idle_use, sum(settled) / len(settled) / scenario.line_rate)


def test_a_scenario_of_another_kind_does_not_look_idle() -> None:
    metrics = simulate(Scenario(line_mbit=2.0, duration_seconds=8, business_from_seconds=4, business_until_seconds=6))
    assert run_figures(Scenario(duration_seconds=8, business_from_seconds=4), metrics).idle_use == metrics.idle_use
