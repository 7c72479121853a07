"""The runs that have been made, kept in a file, so that an interrupted benchmark goes on where it stopped."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.lab.records import Record
from bench.lab.scenario import Scenario

ROOT = Path(__file__).parents[2]
RUN_FILE = ROOT / "build" / "bench" / "lab-runs.jsonl"
VOID_AGAIN = 2  # times that a void run is repeated; then this machine cannot measure it
Job = tuple[Scenario, int]
"""A scenario, and which of its repeats."""


class RunFile:
    """All runs so far; a run of another definition of its scenario is as if it were not there."""

    def __init__(self, path: Path = RUN_FILE, *, ignore_old: bool = False) -> None:
        self._path = path
        lines = path.read_bytes().splitlines() if path.exists() and not ignore_old else []
        # a line that was cut off has no end
        self._records = [record for line in lines if line.endswith(b"}") for record in _decoded(line)]

    def append(self, record: Record) -> None:
        """Keep a run."""
        self._records.append(record)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")

    def tries(self, scenario: Scenario, repeat: int) -> list[Record]:
        """Return the runs of one repeat: several, if the first were void."""
        return [each for each in self._records if each.repeat == repeat and self._is_of(each, scenario)]

    @staticmethod
    def _is_of(record: Record, scenario: Scenario) -> bool:
        wanted = (scenario.name, scenario.method, scenario.fingerprint)
        return (record.scenario, record.method, record.fingerprint) == wanted

    def is_done(self, scenario: Scenario, repeat: int) -> bool:
        """Whether a repeat has a run that counts, or was void too often."""
        tries = self.tries(scenario, repeat)
        return len(tries) > VOID_AGAIN or any(not each.processor_was_the_limit for each in tries)

    def results(self, scenarios: Sequence[Scenario]) -> list[Record]:
        """Return what there is of these, scenario by scenario: of each repeat, the last run."""
        found: list[Record] = []
        for scenario in scenarios:
            repeats = {each.repeat for each in self._records if self._is_of(each, scenario)}
            found += [self.tries(scenario, repeat)[-1] for repeat in sorted(repeats)]
        return found


def jobs_of(scenarios: Sequence[Scenario], repeats: int | None = None) -> list[Job]:
    """Return every run of these scenarios: each once, then each again; ``repeats`` replaces how often."""

    def wanted(scenario: Scenario) -> int:
        return scenario.repeats if repeats is None else repeats

    most = max(map(wanted, scenarios), default=0)
    return [(each, repeat) for repeat in range(1, most + 1) for each in scenarios if repeat <= wanted(each)]


def _decoded(line: bytes) -> Iterator[Record]:
    try:
        yield msgspec.json.decode(line, type=Record)
    except msgspec.DecodeError:  # cut off behind a bracket, or of a much older lab
        return
