"""Measures what the next version of a patch costs a branch line where PCs have the former one.

    python -m bench.delta [--only numpy,libssl3] [--cases EXPRESSION] [--again] [--list] [--limits] [--merge]

As root, in the lab: a server, and a branch of eight PCs behind 20 Mbit/s. Pairs of successive versions of real packages
are got with pip and apt-get into build/bench/delta, proven by their SHA-256, and published by `publish --repack`; what
cannot be had is left out, and that is said. What has been measured is kept there, so that an interrupted benchmark goes
on where it stopped. The best patch that zstd can make of a pair is computed last, half an hour for all; --limits does
that alone, also beside other work. --merge writes what is kept into bench/results/delta.json and docs/benchmarks.md; a
run of everything does so at its end. It takes two and a half hours: leave the machine alone meanwhile.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio
from rich.console import Console

from bench.delta.cases import Case, all_cases
from bench.delta.files import CannotBeHadError, files_of
from bench.delta.kept import Kept
from bench.delta.limits import Limits
from bench.delta.measure import Files, measure
from bench.delta.pairs import PAIRS, Pair, pair_named
from bench.delta.publishing import facts_of, stored_file
from bench.delta.records import DeltaRun, PairFacts
from bench.delta.report import Results, committed, results_of, write_results
from bench.lab.delivery import write_random
from bench.lab.namespaces import remove_stale, why_not
from bench.until_signal import cause_of, until_signal


class Bench:
    """Pairs and cases, one after the other; what fails costs none of the others."""

    def __init__(self, console: Console, kept: Kept) -> None:
        self._console = console
        self._kept = kept
        self._limits = Limits()
        self.skipped: dict[str, str] = {}
        """Pairs that cannot be had, and why."""

    async def run(self, pairs: Sequence[Pair], cases: Sequence[Case]) -> int:
        """Measure what is not kept, and return the exit code. What zstd computes comes last."""
        failed = 0
        for pair in pairs:
            try:
                await self._facts_of(pair)
            except CannotBeHadError as error:
                self.skipped[pair.name] = str(error)
                self._say(f"{pair.name} is left out: {error}")
            except Exception as error:  # noqa: BLE001 - one broken pair must not cost the others
                failed = 1
                self.skipped[pair.name] = cause_of(error)
                self._say(f"{pair.name} failed: {cause_of(error)}")
        todo = [case for case in cases if case.pair not in self.skipped and self._kept.run_of(case) is None]
        for count, case in enumerate(todo, 1):
            self._say(f"{count}/{len(todo)} {case.name}")
            try:
                run = await self._run_case(case)
            except Exception as error:  # noqa: BLE001 - one broken run must not cost the others
                failed = 1
                self._say(f"  failed: {cause_of(error)}")
                continue
            self._kept.keep_run(run)
            self._say(f"  {line_of(run)}")
        return failed | await self.compute_limits(pairs)

    async def compute_limits(self, pairs: Sequence[Pair]) -> int:
        """Let zstd make the best patch of each pair, on all processors, and return the exit code."""
        failed = 0
        places = trio.CapacityLimiter(os.cpu_count() or 1)

        async def compute(pair: Pair) -> None:
            nonlocal failed
            async with places:
                if (facts := self._kept.facts_of(pair)) is None or facts.limit_bytes is not None:
                    return
                self._say(f"{pair.name}: zstd -19 --patch-from")
                stored = [stored_file(pair, sha256) for sha256 in facts.stored_sha256]
                try:
                    limit = await self._limits.of(stored[0], stored[1])
                except (CannotBeHadError, OSError) as error:
                    failed = 1
                    self._say(f"  {pair.name} failed: {error}")
                else:
                    self._kept.keep_facts(msgspec.structs.replace(facts, limit_bytes=limit))

        async with trio.open_nursery() as nursery:
            for pair in pairs:
                nursery.start_soon(compute, pair)
        return failed

    async def _facts_of(self, pair: Pair) -> PairFacts:
        if found := self._kept.facts_of(pair):
            return found
        self._say(f"{pair.name}: its files, and how they are published")
        former, new = await trio.to_thread.run_sync(files_of, pair)
        facts = await facts_of(pair, former, new)
        self._kept.keep_facts(facts)
        return facts

    async def _run_case(self, case: Case) -> DeltaRun:
        pair = pair_named(case.pair)
        facts = await self._facts_of(pair)
        former, new = await trio.to_thread.run_sync(files_of, pair)
        with tempfile.TemporaryDirectory(prefix="bench-delta-", ignore_cleanup_errors=True) as name:
            directory = Path(name)
            files = []
            for which, file in enumerate((former, new)):
                published = directory / f"{('former', 'new')[which]}{pair.suffix}"
                if case.way == "random":
                    write_random(published, f"{case.name} {which}", facts.stored_bytes[which])
                else:
                    shutil.copyfile(file, published)
                files.append(published)
            (directory / "lab").mkdir()
            return await measure(case, Files(files[0], files[1], facts.stored_bytes), directory / "lab")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def line_of(run: DeltaRun) -> str:
    """Return a run as a line of text, for the person who waits."""
    built = sum(pc.bytes_built for pc in run.pcs)
    took = "not finished" if run.seconds is None else f"{run.seconds:.1f} s"
    return (
        f"{run.line_bytes / 1e6:.3f} MB over the line of {run.payload_bytes / 1e6:.1f} MB, pieces "
        f"{run.sent_bytes / 1e6:.3f} MB, built {built / 1e6:.1f} MB, {took}, published in {run.publish_seconds:.1f} s, "
        f"processor {100 * run.processor.busy_share:.0f} % busy"
    )


def kept_results(kept: Kept, before: Results, skipped: dict[str, str]) -> Results:
    """Return what is kept, in the place of what is committed."""
    pairs = [facts for pair in PAIRS if (facts := kept.facts_of(pair))]
    runs = [run for case in all_cases() if (run := kept.run_of(case))]
    reasons = {one.pair: one.reason for one in before.skipped} | skipped
    return results_of([*before.pairs, *pairs], [*before.runs, *runs], reasons)


def main() -> int:
    """Measure and print; return 1 where a run failed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.delta", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="PAIRS", help="these pairs alone, with commas")
    parser.add_argument("--cases", default="", metavar="EXPRESSION", help="only cases whose name has it: see --list")
    parser.add_argument("--again", action="store_true", help="also measure what is kept")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--limits", action="store_true", help="only let zstd compute, for pairs that were published")
    parser.add_argument("--merge", action="store_true", help="run nothing: write what is kept into what is committed")
    asked = parser.parse_args()
    try:
        pairs = [pair_named(name.strip()) for name in asked.only.split(",")] if asked.only else list(PAIRS)
    except LookupError as error:
        parser.error(f"{error}; choose from: {', '.join(pair.name for pair in PAIRS)}")
    cases = [case for case in all_cases(pairs) if re.search(asked.cases, case.name)]
    pairs = [pair for pair in pairs if any(case.pair == pair.name for case in cases)]
    if asked.list:
        print("\n".join(case.name for case in cases))
        return 0
    console, kept = Console(highlight=False), Kept(ignore_old=asked.again)
    bench = Bench(console, kept)
    exit_code = 0
    if asked.limits:
        return trio.run(until_signal, lambda: bench.compute_limits(pairs), console.print)
    if not asked.merge:
        if reason := why_not():
            parser.error(reason)
        trio.run(remove_stale)
        exit_code = trio.run(
            until_signal,
            lambda: bench.run(pairs, cases),
            lambda name: console.print(f"{name}: taking the lab down"),
        )
    results = kept_results(kept, committed(), bench.skipped)
    for row in results.summary:
        print(f"{row.metric}: {row.measured or 'not measured'} (target {row.target})")
    if asked.merge or (exit_code == 0 and cases == all_cases()):
        write_results(results)
        print("written: bench/results/delta.json, docs/benchmarks.md")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
