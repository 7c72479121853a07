"""Compares plans with what a simulated company does.

    python -m bench.plan_quality [--sites 500] [--seeds 1] [--write]
    python -m bench.plan_quality --lab [--write]

Lines and people follow laws of their own (`world`), which the plan's model does not share. What the server knows of
six weeks it has learned by the code that ships (`past`). One patch after the other is planned, and then played
(`play`). It takes some minutes. With --lab, real daemons get real files instead (`in_lab`): as root, 25 minutes.
"""

import argparse
import sys

import trio

from bench.plan_quality.in_lab import LabFigures, run_lab
from bench.plan_quality.past import learned
from bench.plan_quality.play import CASES, LONGEST, CaseResult, play
from bench.plan_quality.report import Results, committed, results_of, with_lab, write_results
from bench.plan_quality.world import MONDAY, company
from bench.summary_rows import SummaryRow


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
    parser.add_argument("--lab", action="store_true", help="real daemons on lines of the lab; the rest is kept")
    parser.add_argument("--only", default="", help="with --lab: of its cases, those whose names hold this")
    asked = parser.parse_args()
    if asked.lab:
        shown = committed()

        def keep(found: list[LabFigures]) -> None:
            nonlocal shown
            shown = with_lab(shown, found)
            if asked.write:  # of each case at once: the next one may fail
                write_results(shown)

        trio.run(run_lab, asked.only, keep)
        return _shown(shown, shown.lab_summary, write=asked.write)
    found = [one for seed in range(1, asked.seeds + 1) for one in run(asked.sites, seed)]
    results = results_of(found, sites=asked.sites, companies=asked.seeds)
    if (kept := committed()).lab:
        results = with_lab(results, kept.lab)
    for case in results.cases:
        print(case)
    return _shown(results, results.summary, write=asked.write)


def _shown(results: Results, rows: list[SummaryRow], *, write: bool) -> int:
    for row in rows:
        print(f"{row.metric}: {row.measured} (target {row.target})")
    if write:
        write_results(results)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
