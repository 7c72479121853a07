"""The runs that have been made, a line each: scenarios can be run one at a time, and go on where they stopped."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.fleet_size.records import Run
from bench.fleet_size.sizes import Sizes

ROOT = Path(__file__).parents[2]
RUN_FILE = ROOT / "build" / "bench" / "fleet-runs.jsonl"


class RunFile:
    """All runs so far, of any sizes."""

    def __init__(self, path: Path = RUN_FILE) -> None:
        self._path = path
        lines = path.read_bytes().splitlines() if path.exists() else []
        self._runs = [run for line in lines for run in _decoded(line)]

    def append(self, run: Run) -> None:
        """Keep a run."""
        self._runs.append(run)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(run) + b"\n")

    def newest(self, scenario: str, sizes: Sizes) -> Run | None:
        """Return the last run of a scenario with these sizes."""
        return next((run for run in reversed(self._runs) if (run.scenario, run.sizes) == (scenario, sizes)), None)

    def results(self, scenarios: Sequence[str], sizes: Sizes) -> list[Run]:
        """Return the last run of each scenario that has one with these sizes, in this order."""
        return [run for scenario in scenarios if (run := self.newest(scenario, sizes)) is not None]


def _decoded(line: bytes) -> Iterator[Run]:
    try:
        yield msgspec.json.decode(line, type=Run)
    except msgspec.DecodeError:  # cut off, or of a benchmark with other sizes
        return
