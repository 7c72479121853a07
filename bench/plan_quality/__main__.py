"""Compares plans with what a simulated company does.

    python -m bench.plan_quality [--sites 500] [--seeds 1] [--write]

Lines and people follow laws of their own (`world`), which the plan's model does not share. What the server knows of
six weeks it has learned by the code that ships (`past`). One patch after the other is planned, and then played
(`play`). It takes some minutes.
"""

import argparse
import sys

from bench.plan_quality.past import learned
from bench.plan_quality.play import CASES, LONGEST, CaseResult, play
from bench.plan_quality.report import results_of, write_results
from bench.plan_quality.world import MONDAY, company


def run(sites: int, seed: int) -> list[CaseResult]:
    """Return what came of each case for a company."""
    branches = company(sites, seed, MONDAY + LONGEST)
    hours, ratio = learned(branches, seed)
    return [play(case, branches, hours, ratio, seed) for case in CASES]


def main() -> int:
    """Run it; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.plan_quality", description=__doc__)
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1, help="so many companies")
    parser.add_argument("--write", action="store_true", help="write bench/results/plan.json and docs/benchmarks.md")
    asked = parser.parse_args()
    found = [one for seed in range(1, asked.seeds + 1) for one in run(asked.sites, seed)]
    results = results_of(found, sites=asked.sites, companies=asked.seeds)
    for row in results.summary:
        print(f"{row.metric}: {row.measured} (target {row.target})")
    for case in results.cases:
        print(case)
    if asked.write:
        write_results(results)
    return 0 if all(row.met for row in results.summary) else 1


if __name__ == "__main__":
    sys.exit(main())
