"""A way to get a file to all PCs: ours here, the usual alternatives in `bench.lab.rivals`."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import trio

from bench.fleet import Fleet, is_connected, is_verified
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.topology import Lab
from seed_server.store.database import Database

PATCH_ID, PATCH_BEFORE = "lab", "lab-before"
RECONNECTED_SECONDS = 60.0  # for all endpoints, after a restart of the server
QUIET_SECONDS = 3.0  # between two files: the first one's last reports are over
LOOK_SECONDS = 0.05
CHUNK_BYTES = 1 << 20
EARLY_FOLLOW_SECONDS = 1.0  # asking every daemon more often would be a load of its own …
NEARLY_DONE = 0.5  # … and is of no use before this part of the file is there


def now_ms() -> float:
    """Return the time of the monotonic clock, which the lines' logs use too."""
    return time.monotonic_ns() / 1e6


def write_random(path: Path, seed: str, count: int) -> None:
    """Write so many bytes, always the same for a seed; at once is too much for `random` above 268 MB."""
    chance = random.Random(seed)
    with path.open("wb") as file:
        for begin in range(0, count, CHUNK_BYTES):
            file.write(chance.randbytes(min(CHUNK_BYTES, count - begin)))


class Delivery(Protocol):
    """A delivery that is set up and waits; nothing of the file has moved yet."""

    finished_ms: dict[int, float]
    """When each PC had the whole file, verified; PCs are numbered from 1 through all branches."""

    async def start(self) -> None:
        """Begin."""

    async def follow(self) -> None:
        """Keep `finished_ms` up to date, until cancelled."""

    def check(self) -> None:
        """Raise an error if a part that should run has ended."""


class OurDelivery:
    """Delivery by our seed server and endpoint daemons."""

    def __init__(self, fleet: Fleet, payload: Path) -> None:
        self.fleet = fleet
        self._payload = payload
        self.finished_ms: dict[int, float] = {}

    async def start(self) -> None:
        """Publish."""
        await self.fleet.publish(self._payload, PATCH_ID)

    async def deliver_before(self, timeout_seconds: float, *, restart: bool) -> None:
        """Deliver another file as large, and then restart the server if asked."""
        fleet, members = self.fleet, self.fleet.endpoints.values()
        payload = self._payload.with_name("before.bin")
        write_random(payload, PATCH_BEFORE, self._payload.stat().st_size)
        await fleet.publish(payload, PATCH_BEFORE)
        await fleet.wait_until(
            lambda: all(is_verified(member, PATCH_BEFORE) for member in members), timeout_seconds, "the file before"
        )
        if restart:
            await fleet.stop(fleet.server)
            await fleet.wait_until(
                lambda: not any(is_connected(member) for member in members), RECONNECTED_SECONDS, "the PCs noticing it"
            )
            await fleet.start_server()
            await fleet.wait_until(
                lambda: all(is_connected(member) for member in members), RECONNECTED_SECONDS, "the PCs coming back"
            )
        await trio.sleep(QUIET_SECONDS)

    async def follow(self) -> None:
        """Ask the daemons."""
        while True:
            for k, member in self.fleet.endpoints.items():
                if k not in self.finished_ms and is_verified(member, PATCH_ID):
                    self.finished_ms[k] = now_ms()
            nearest = max(member.patch(PATCH_ID).progress for member in self.fleet.endpoints.values())
            self.fleet.follow_seconds = LOOK_SECONDS if nearest > NEARLY_DONE else EARLY_FOLLOW_SECONDS
            await trio.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Fail the run when a member has died by itself."""
        for member in self.fleet.members:
            if member.has_died:
                raise RuntimeError(f"{member.name} ended by itself\n{member.log_tail()}")

    def harm_pauses(self) -> int:
        """Return how often the server has paused leasing because business suffered."""
        with Database.open(self.fleet.server.home / "state.db") as database:
            return sum(row.harm.pauses for row in database.site_limits() if row.harm is not None)

    def bytes_from_origin(self) -> dict[int, int]:
        """Return what the daemons say that they received from the server."""
        return {k: member.patch(PATCH_ID).bytes_from_origin for k, member in self.fleet.endpoints.items()}


@asynccontextmanager
async def open_ours(
    lab: Lab,
    payload: Path,
    directory: Path,
    *,
    configured: bool = True,
    serve_up_to_cpu_percent: float | None = 100.0,
) -> AsyncIterator[OurDelivery]:
    """Start the server and the daemons, and wait until they are connected; see `open_lab_fleet`."""
    async with open_lab_fleet(
        lab, directory, configured=configured, serve_up_to_cpu_percent=serve_up_to_cpu_percent
    ) as fleet:
        yield OurDelivery(fleet, payload)
