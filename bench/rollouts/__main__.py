"""Simulates rollouts in virtual time, holds each step to the rules, and measures one look at a whole company's.

    python -m bench.rollouts [--rollouts 2000] [--pcs 25000] [--jobs 2] [--first-seed 0] [--keep FILE] [--write]

PCs report, fail, fall silent and come back; people pause, resume, approve and forget to. A referee that counts by
itself looks at each step (`referee`). A broken rule names the seed: --first-seed SEED --rollouts 1 plays it again.
With --keep, what is in FILE counts too, so that they can be played in parts.
"""

import argparse
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from random import Random

import msgspec

from bench.ring_pairs import compare
from bench.rollouts.measures import look_seconds
from bench.rollouts.report import results_of, write_results
from bench.rollouts.world import Outcome, World

LIVE_ROLLOUTS = 300
RINGS_SEED = 2
LOOKS = 30
PAIRS = 1_000_000


def play(case: tuple[int, int]) -> Outcome:
    """Play the rollout of a seed with so many PCs."""
    return World(*case).run()


def play_all(rollouts: int, pcs: int, jobs: int, first_seed: int = 0) -> list[Outcome]:
    """Play many, in the order of their seeds."""
    cases = [(seed, pcs) for seed in range(first_seed, first_seed + rollouts)]
    if jobs <= 1:
        return list(map(play, cases))
    found = []
    with get_context("spawn").Pool(jobs) as pool:
        for number, outcome in enumerate(pool.imap(play, cases, chunksize=4), 1):
            found.append(outcome)
            if outcome.broken or not outcome.ended or number % 100 == 0:
                print(
                    f"{number} of {rollouts}; seed {outcome.seed}: {outcome.broken or outcome.state}", file=sys.stderr
                )
    return found


def kept(path: Path, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Add outcomes to a file; return all that are in it, each seed once."""
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(one) + b"\n" for one in outcomes)
    found = (msgspec.json.decode(line, type=Outcome) for line in path.read_bytes().splitlines())
    return list({one.seed: one for one in found}.values())


def main() -> int:
    """Run it; return 1 where a rule is broken or something has no end."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollouts", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2_000)
    parser.add_argument("--pcs", type=int, default=25_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="add the outcomes to this file, and count all that are in it")
    parser.add_argument("--write", action="store_true", help="write bench/results/rollouts.json and docs/benchmarks.md")
    asked = parser.parse_args()
    looks = look_seconds(LIVE_ROLLOUTS, asked.pcs, LOOKS)
    different, _ = compare(PAIRS, Random(RINGS_SEED))
    outcomes = play_all(asked.rollouts, asked.pcs, asked.jobs, asked.first_seed)
    if asked.keep is not None:
        outcomes = kept(asked.keep, outcomes)
    results = results_of(outcomes, looks, (PAIRS, different), pcs=asked.pcs, rollouts=LIVE_ROLLOUTS)
    for row in results.summary:
        print(f"{row.metric}: {row.measured} (target {row.target})")
    print(*results.notes, sep="\n")
    if asked.write:
        write_results(results)
    return 0 if all(row.met for row in results.summary) else 1


if __name__ == "__main__":
    sys.exit(main())
