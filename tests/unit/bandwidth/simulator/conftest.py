"""Shared parts of the simulator's tests."""

from dataclasses import dataclass, field

import pytest

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.packets import Flow, Packet


@dataclass
class Probe(Flow):
    """A flow that only notes what arrives."""

    key: int = 1
    ack_delay_seconds: float = 0.0
    acks: list[Packet] = field(default_factory=list)

    def receive(self, packet: Packet) -> None:
        self.acks.append(packet)

    @property
    def departures(self) -> list[float]:
        return [ack.departed_at for ack in self.acks]


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture(scope="session")
def probes():
    return lambda count: [Probe(key) for key in range(count)]
