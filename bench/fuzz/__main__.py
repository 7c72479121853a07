"""Search all targets for bytes that break a promise, for a bounded time: `make fuzz`.

A worker for each target runs in a process of its own, as many at a time as there are processors. What a worker has
reached is kept in build/fuzz, so the next run goes on from there. An input that fails is copied into the corpus of the
tests, where `make test` fails with it until its cause is mended.

Exit codes: 0 nothing was found, 1 something was.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.fuzz.target import CORPUS
from bench.fuzz.targets import MODULE_OF, TARGETS

WORK = Path(__file__).resolve().parents[2] / "build" / "fuzz"
DEFAULT_SECONDS = 120
LEAST_SECONDS = 2  # of one target: shorter says nothing
START_SECONDS = 90  # a worker imports and instruments on a busy machine, and finishes an input that hangs


@dataclass(frozen=True)
class Outcome:
    """What a worker has come to."""

    target: str
    inputs: int
    found: tuple[Path, ...]
    """Where the inputs that fail are now."""
    words: str
    """The end of what it said, where it failed."""

    @property
    def failed(self) -> bool:
        """Whether something is wrong: an input fails, or the worker does not run."""
        return bool(self.found or self.words)


def searched(name: str, seconds: int, work: Path, corpus: Path) -> Outcome:
    """Run the worker of one target, and put what it has found into ``corpus``."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.fuzz.worker", MODULE_OF[name], name, str(seconds), str(folder)]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + START_SECONDS
        )
        said, code = ran.stderr + ran.stdout, ran.returncode
    except subprocess.TimeoutExpired:
        said, code = "it did not end in time", 1
    return outcome_of(name, said, code, folder, corpus)


def outcome_of(name: str, said: str, code: int, folder: Path, corpus: Path) -> Outcome:
    """Return what a worker that ``said`` this and ended with ``code`` has come to; what it found goes to ``corpus``."""
    found = tuple(_kept(path, corpus / name) for path in sorted(folder.glob("failed-*")))
    lines = said.strip().splitlines()
    words = "\n".join(line for line in lines if not line.startswith(("INFO:", "WARNING:", "stat::")))[-3_000:]
    failed = f"{words}\nits worker ended with {code}".strip() if code and not found else words
    return Outcome(name, inputs_in(lines), found, failed if code or found else "")


def inputs_in(lines: list[str]) -> int:
    """Return how many inputs libFuzzer says that it has tried."""
    counted = [line.rpartition(" ")[2] for line in lines if line.startswith("stat::number_of_executed_units:")]
    return int(counted[-1]) if counted and counted[-1].isdigit() else 0


def _kept(path: Path, corpus: Path) -> Path:
    data = path.read_bytes()
    corpus.mkdir(parents=True, exist_ok=True)
    kept = corpus / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    kept.write_bytes(data)
    path.unlink()
    return kept


def main() -> int:
    """Search, print a line for each target, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="in all; default: %(default)s")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="workers at a time")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    jobs = min(options.jobs, len(names))
    seconds = max(LEAST_SECONDS, options.seconds * jobs // len(names))
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = []
        for outcome in pool.map(lambda name: searched(name, seconds, WORK, CORPUS), names):
            outcomes.append(outcome)
            print(
                f"{outcome.target:16} {outcome.inputs:>9,} inputs  {'FAILED' if outcome.failed else 'ok'}", flush=True
            )
    for outcome in outcomes:
        if outcome.failed:
            print(f"\n{outcome.target}: {', '.join(map(str, outcome.found))}\n{outcome.words}")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
