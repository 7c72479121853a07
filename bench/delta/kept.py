"""Pairs and runs that have been measured, kept in files, so that an interrupted benchmark goes on where it stopped."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.delta.cases import Case
from bench.delta.files import KEPT
from bench.delta.pairs import Pair
from bench.delta.records import DeltaRun, PairFacts

T = TypeVar("T")


class Kept:
    """All that was measured so far; of each pair and each case, the newest counts."""

    def __init__(self, folder: Path = KEPT, *, ignore_old: bool = False) -> None:
        self._pairs_file, self._runs_file = folder / "pairs.jsonl", folder / "runs.jsonl"
        self._pairs: dict[str, PairFacts] = {}
        self._runs: dict[Case, DeltaRun] = {}
        if not ignore_old:
            self._pairs = {facts.pair: facts for facts in _lines(self._pairs_file, PairFacts)}
            self._runs = {run.case: run for run in _lines(self._runs_file, DeltaRun)}

    def facts_of(self, pair: Pair) -> PairFacts | None:
        """Return what was measured of these very files."""
        found = self._pairs.get(pair.name)
        return found if found and found.shipped_sha256 == (pair.former.sha256, pair.new.sha256) else None

    def run_of(self, case: Case) -> DeltaRun | None:
        """Return the run of this very case."""
        found = self._runs.get(case)
        return found if found and found.is_current else None

    def keep_facts(self, facts: PairFacts) -> None:
        """Keep a pair's."""
        self._pairs[facts.pair] = facts
        _append(self._pairs_file, facts)

    def keep_run(self, run: DeltaRun) -> None:
        """Keep a run."""
        self._runs[run.case] = run
        _append(self._runs_file, run)


def _append(path: Path, item: msgspec.Struct) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(item) + b"\n")


def _lines(path: Path, kind: type[T]) -> Iterator[T]:
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if not line.endswith(b"}\n"):  # cut off
            continue
        try:
            yield msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError:  # of an earlier form
            continue
