"""Hand-made cells and runs."""

from typing import Any

import pytest

from bench.control.cells import LINES, Cell
from bench.control.figures import CellFigures, RunFigures


@pytest.fixture
def cell():
    def make(business: str, rtt_ms: int = 30, queue: str = "1 bdp", line: int = 0, loss: float = 0.0) -> Cell:
        return Cell(LINES[line], rtt_ms, queue, business, loss)

    return make


@pytest.fixture
def found():
    def make(**figures: Any) -> CellFigures:
        return CellFigures(
            **{"use": 0.98, "queue_p95_ms": 1.0, "idle_use": 0.97, "own_queue_p95_ms": 1.0, "ramp_s": 0.4} | figures
        )

    return make


@pytest.fixture
def measured():
    def make(**figures: Any) -> RunFigures:
        plain = {
            "line_bytes": 1_000.0,
            "business_bytes": 500,
            "scavenger_bytes": 400,
            "idle_use": 0.97,
            "own_queue_p95": 0.001,
            "ramp": 0.4,
            "queue_p50": 0.001,
            "queue_p95": 0.002,
            "queue_p99": 0.003,
            "lost_packets": 0,
        }
        return RunFigures(**plain | figures)

    return make
