"""Try the seeds and all that has once failed on every target: a process of its own, for a crash ends it.

    python -m bench.fuzz.replay [TARGET …]

One line for each input that breaks a promise. Exit codes: 0 none does, 1 some do; below 0 a library crashed.
"""

import faulthandler
import sys
import traceback

from bench.fuzz.target import Target, limit_memory
from bench.fuzz.targets import TARGETS


def failures_of(target: Target) -> list[str]:
    """Return a line for each input on which ``target`` breaks its promise."""
    inputs = [(f"seed {number}", seed) for number, seed in enumerate(target.seeds(), 1)]
    inputs += [(path.name, path.read_bytes()) for path in target.found()]
    failures = []
    for name, data in inputs:
        try:
            target.try_one(data)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{target.name}: {name}: {error!r} in {place.filename}:{place.lineno}"[:1_000])
    return failures


def main(names: list[str]) -> int:
    """Print what fails, and return the exit code."""
    faulthandler.enable()
    limit_memory()
    chosen = [TARGETS[name] for name in names] if names else list(TARGETS.values())
    failures = [line for target in chosen for line in failures_of(target)]
    print("\n".join(failures) if failures else f"{len(chosen)} targets keep what they promise")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
