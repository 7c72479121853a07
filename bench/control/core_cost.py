"""What the controller itself costs: time for an update, and memory after ten minutes.

Always of the interpreted sources, in a process of its own: what ships is not compiled.
Usage: `python -m bench.control.core_cost` prints one JSON object.
"""

import gc
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from statistics import median

import msgspec

from bandwidth.core import controller as controller_module
from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import SHORTEST_SAMPLE_SECONDS, Sample
from bandwidth.core.units import BytesPerSecond
from bandwidth.simulator.scenario import Scenario, shipped_law, simulate
from bench.control.sources import ROOT
from bench.control.summary import Measured, SummaryRow
from bench.control.targets import Unit, show

SITES = 500
SAMPLES_PER_SECOND = 50
UPDATES = 20_000
REPEATS = 5
MEMORY_SECONDS = 600.0
MEMORY_TAIL_SECONDS = 5.0  # at the full rate; before it, few samples fill the same minutes of history
MEMORY_STEP_SECONDS = 0.5
CAPACITY = BytesPerSecond(2_500_000)
COMPILED_VARIABLES = ("PYTHONPATH", "PYTHONSAFEPATH")
SHARE_LIMIT = 0.01  # of one core, for all sites


class CoreCost(msgspec.Struct, frozen=True):
    """Measured on one core."""

    update_seconds: float
    """Median over the repeats of the mean over the updates."""
    repeats: tuple[float, ...]
    bytes_per_controller: int

    @property
    def share_of_core_per_site(self) -> float:
        """The share that one site needs, at `SAMPLES_PER_SECOND`."""
        return self.update_seconds * SAMPLES_PER_SECOND

    @property
    def share_of_core(self) -> float:
        """The share that `SITES` need."""
        return self.share_of_core_per_site * SITES


def core_cost_row(cost: CoreCost | None) -> SummaryRow:
    """Return the row of the summary."""
    metric = f"The law's own cost: {SITES} sites, {SAMPLES_PER_SECOND} samples a second each"
    target = f"well below {show(SHARE_LIMIT, Unit.SHARE)} of one core"
    if cost is None:
        return SummaryRow(metric, target, None, None)
    total_mb = cost.bytes_per_controller * SITES / 1e6
    text = (
        f"{cost.update_seconds * 1e6:.1f} µs for an update: {cost.share_of_core_per_site * 100:.3f} % of a core for a "
        f"site, {show(cost.share_of_core, Unit.SHARE)} for {SITES}; "
        f"{cost.bytes_per_controller / 1e3:.1f} kB for a controller, {total_mb:.1f} MB for {SITES}"
    )
    facts: dict[str, float | int | str] = {
        "update_microseconds": round(cost.update_seconds * 1e6, 2),
        "share_of_core_per_site": round(cost.share_of_core_per_site, 6),
        "share_of_core": round(cost.share_of_core, 4),
        "bytes_per_controller": cost.bytes_per_controller,
    }
    return SummaryRow(metric, target, Measured(text, facts=facts), cost.share_of_core <= SHARE_LIMIT)


def measure_in_own_process() -> CoreCost:
    """Return the cost of the interpreted sources. Raises `subprocess.CalledProcessError` where that failed."""
    # these lead to the compiled simulator
    environment = {name: value for name, value in os.environ.items() if name not in COMPILED_VARIABLES}
    command = [sys.executable, "-m", "bench.control.core_cost"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=CoreCost)


def measure(updates: int = UPDATES, repeats: int = REPEATS, controllers: int = SITES) -> CoreCost:
    """Measure here and now, in some ten seconds for each part."""
    samples = recorded_samples()
    times = tuple(_update_seconds(samples, updates) for _ in range(repeats))
    return CoreCost(median(times), times, _bytes_per_controller(samples, controllers))


def recorded_samples() -> list[Sample]:
    """Return what our controller is told beside transfers that come and go, at `SAMPLES_PER_SECOND`.

    All its states are in there. The simulator takes 20 samples a second; bytes are scaled.
    """
    samples: list[Sample] = []
    scenario = Scenario(business="on/off", duration_seconds=60.0, business_from_seconds=10.0)
    simulate(scenario, lambda known: _Recorder(shipped_law(known).update, samples))
    scale = 1 / SAMPLES_PER_SECOND / SHORTEST_SAMPLE_SECONDS
    return [
        replace(
            sample,
            delivered_bytes=int(sample.delivered_bytes * scale),
            business_bytes=int((sample.business_bytes or 0) * scale),
        )
        for sample in samples
    ]


class _Recorder:
    """A law that notes what it is told."""

    def __init__(self, update: Callable[[Sample, float], Decision], samples: list[Sample]) -> None:
        self._update = update
        self._samples = samples

    def update(self, sample: Sample, now: float) -> Decision:
        """As `Controller.update`."""
        self._samples.append(sample)
        return self._update(sample, now)


def _update_seconds(samples: Sequence[Sample], updates: int) -> float:
    law = Controller(ControllerSettings(capacity=CAPACITY), 0.0)
    todo = list(islice(cycle(samples), updates))
    gc.collect()
    began = time.perf_counter()
    for number, sample in enumerate(todo):
        law.update(sample, number / SAMPLES_PER_SECOND)
    return (time.perf_counter() - began) / updates


def _bytes_per_controller(samples: Sequence[Sample], controllers: int) -> int:
    sparse = [number * MEMORY_STEP_SECONDS for number in range(int(MEMORY_SECONDS / MEMORY_STEP_SECONDS))]
    dense = [
        MEMORY_SECONDS + number / SAMPLES_PER_SECOND for number in range(int(MEMORY_TAIL_SECONDS * SAMPLES_PER_SECOND))
    ]
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    laws = []
    for number in range(controllers):
        law = Controller(ControllerSettings(capacity=CAPACITY), 0.0)
        # each begins at another sample, as sites are not in step
        todo = islice(cycle(samples), number * 7 % len(samples), None)
        for now, sample in zip((*sparse, *dense), todo, strict=False):
            law.update(sample, now)
        laws.append(law)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round((after - before) / len(laws))


def main() -> None:
    """Print the cost."""
    assert str(controller_module.__file__).endswith(".py"), "the cost is to be that of the interpreted sources"
    sys.stdout.buffer.write(msgspec.json.encode(measure()) + b"\n")


if __name__ == "__main__":
    main()
