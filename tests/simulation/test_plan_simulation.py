"""Plans beside what a simulated company does, a small part of `make bench-plan`."""

import statistics

from bench.plan_quality.past import learned
from bench.plan_quality.play import CASES, LONGEST, play
from bench.plan_quality.report import results_of
from bench.plan_quality.world import MONDAY, company

SITES, SEED = 60, 3


def test_plans_come_to_pass_in_a_company_with_laws_of_its_own() -> None:
    branches = company(SITES, SEED, MONDAY + LONGEST)
    hours, ratio = learned(branches, SEED)
    found = [play(case, branches, hours, ratio, SEED) for case in CASES]
    everything = [site for one in found for site in one.sites]
    assert len(everything) == SITES * len(CASES)
    assert statistics.median(abs(site.error) for site in everything) <= 0.15
    assert 0.8 <= sum(site.covered for site in everything) / len(everything) <= 0.97, "it is 300 sites, not 5,000"
    assert all(abs(site.planned_bytes / site.bytes - 1) < 0.06 for site in everything)
    results = results_of(found, sites=SITES, companies=1)
    assert [row.metric.startswith("1 × 60 simulated sites") for row in results.summary] == [True, True, True, False]
