"""Runs of the benchmark of a company's size, made up."""

from bench.fleet_size.records import Machine, Run
from bench.fleet_size.sizes import FULL, Sizes

MACHINE = Machine(2, "a processor", 24_000_000_000, "6.1", "3.11.2", 20_000)


def run_of(
    scenario: str, figures: dict[str, float], *, missing: dict[str, str] | None = None, sizes: Sizes = FULL
) -> Run:
    """Return a run with these figures."""
    return Run(scenario, sizes, MACHINE, "0.2.0", "abc", 1.0, 60.0, 0.5, "as frames", figures, missing or {})
