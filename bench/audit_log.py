"""How fast a long audit log is verified, and whether whatever is done to one is found.

    python -m bench.audit_log                    # 1 000 000 entries, 10 000 mutations; some three minutes
    python -m bench.audit_log --entries 100000 --mutations 500

Prints JSON. Everything is on SQLite, in a temporary directory. A mutation is taken back before the next one; logs have
2 to 400 entries. The kinds are those of `tests.helpers.audit_mutations`. What was done with the server's own key is
found by a checkpoint that lies elsewhere, as PCs keep it; all else by the database alone.
"""

import argparse
import collections
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seed_server.store.audit_check import Anchor, check_log
from seed_server.store.audit_entry import AuditEntry, encode_entry
from seed_server.store.database import Database
from tests.helpers.audit_mutations import MUTATIONS, ORIGIN, PUBLIC, made_log, signed_now, verdict_after

IN_A_BATCH = 20_000
MUTATED_OF_ONE = 200  # logs are slow to make
MOST_ENTRIES = 400
WITH_THE_KEY = {"fork_with_the_key", "truncate_with_the_key"}


def main() -> None:
    """Run, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
            "verified": verified(Path(folder) / "long.db", given.entries),
            "mutated": mutated(Path(folder), given.mutations, random.Random(given.seed)),
        }
    print(json.dumps(found, indent=2))


def verified(path: Path, entries: int) -> dict[str, Any]:
    """Make a log as operations make it, and verify it."""
    with Database.create(path) as database:
        append_seconds = 0.0
        for start in range(0, entries, IN_A_BATCH):
            with _timed() as seconds, database.batch():
                for _ in range(min(IN_A_BATCH, entries - start)):
                    database.append_audit(_entry)
            append_seconds += seconds()
        signed_now(database)
        with _timed() as seconds:
            verdict = check_log(database, [], ORIGIN, PUBLIC)
        assert verdict.problems == ()
        assert verdict.size == entries
        numbers = random.Random(1).sample(range(entries), min(200, entries))
        with _timed() as proving:
            for number in numbers:
                database.audit_inclusion(number, entries)
        size_bytes = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        return {
            "entries": entries,
            "verify_seconds": round(seconds(), 2),
            "append_microseconds": round(1e6 * append_seconds / entries),
            "prove_milliseconds": round(1e3 * proving() / len(numbers), 2),
            "bytes_an_entry": round(size_bytes / entries),
        }


def _entry(number: int) -> bytes:
    return encode_entry(
        AuditEntry(
            number=number, at=1.8e9 + number, actor=f"person-{number % 40}", known_by="password", address="10.1.2.3",
            request=f"{number:012x}", operation="withdraw", subject=f"patch-{number % 997}@1.{number % 7}",
            before=bytes(32), after=bytes(32), reason="crashes at start on two models",
        )
    )  # fmt: skip


def mutated(folder: Path, mutations: int, rng: random.Random) -> dict[str, Any]:
    """Mutate logs, one thing at a time, and count what is found."""
    tried: collections.Counter[str] = collections.Counter()
    missed: list[str] = []
    for first in range(0, mutations, MUTATED_OF_ONE):
        with Database.create(folder / f"{first}.db") as database:
            note = made_log(database, rng.randint(2, MOST_ENTRIES))
            for number in range(first, min(first + MUTATED_OF_ONE, mutations)):
                mutation = rng.choice(MUTATIONS)
                outside = [Anchor("a PC", note)] if mutation.__name__ in WITH_THE_KEY else []
                tried[mutation.__name__] += 1
                seed = rng.randrange(1 << 60)
                if not verdict_after(database, mutation, random.Random(seed), outside).problems:
                    missed.append(f"{mutation.__name__} number {number}, seed {seed}")
            assert check_log(database, [Anchor("a PC", note)], ORIGIN, PUBLIC).problems == ()
    return {
        "tried": mutations,
        "found": mutations - len(missed),
        "missed": missed,
        "kinds": dict(sorted(tried.items())),
    }


@contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    begun = time.perf_counter()
    took: list[float] = []
    yield lambda: took[0]
    took.append(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
