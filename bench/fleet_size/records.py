"""What is kept of a run of one scenario. Pure."""

import msgspec

from bench.fleet_size.sizes import Sizes


class Machine(msgspec.Struct, frozen=True):
    """On what it was measured."""

    processors: int
    processor: str
    memory_bytes: int
    kernel: str
    python: str
    max_open_files: int
    """Of one process: bounds how many connections it can hold."""


class Run(msgspec.Struct, frozen=True):
    """One run."""

    scenario: str
    sizes: Sizes
    machine: Machine
    version: str
    """Of what was measured."""
    revision: str
    """Of its sources; empty where there is no repository."""
    measured_at: float
    """Seconds since 1970."""
    seconds: float
    """That the whole run took."""
    busy_share: float
    """Of all processors' time, what was in use meanwhile, by anybody."""
    kind: str
    """How the PCs were played: real connections, frames, …"""
    figures: dict[str, float]
    missing: dict[str, str] = {}
    """Figures that cannot be measured here, and why."""
    notes: list[str] = []
    """What a reader has to know about the figures."""


class Outcome(msgspec.Struct):
    """What a scenario returns; `Run` says the rest."""

    kind: str
    figures: dict[str, float] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)
