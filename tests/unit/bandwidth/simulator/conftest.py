"""Shared parts of the simulator's tests."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from bandwidth.simulator.events import Simulator


@dataclass
class Probe:
    """A flow that only notes what arrives."""

    key: int = 1
    ack_delay_seconds: float = 0.0
    acks: list[Any] = field(default_factory=list)

    def receive(self, ack: Any) -> None:
        self.acks.append(ack)

    @property
    def departures(self) -> list[float]:
        return [ack[3] for ack in self.acks]


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture(scope="session")
def probes():
    return lambda count: [Probe(key) for key in range(count)]
