"""A PC that has its processor for moments only, alone at its site: its lateness is no queue on the line."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from bench.fleet import Member, is_verified, open_fleet
from bench.process_pair import processes_of

pytestmark = pytest.mark.processes

NETWORK = "127.0.93"
PATCH_BYTES = 6_000_000
STOPPED_SECONDS, RUNNING_SECONDS = 0.04, 0.005  # as beside programs that compute, and worse than most of these
ENDED_SECONDS = 30.0  # takes three to five; taken for a queue it never ends


async def test_a_file_reaches_a_lone_pc_that_gets_little_of_its_processor(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network=NETWORK, endpoints=1) as fleet:
        await fleet.init_server()
        await fleet.start_server()
        (k,) = fleet.endpoints
        await fleet.start_endpoint(k)
        payload = tmp_path / "large.bin"
        payload.write_bytes(os.urandom(PATCH_BYTES))
        member = fleet.endpoints[k]
        async with seldom_running(member):
            await fleet.publish(payload, "large")
            await fleet.wait_until(lambda: is_verified(member, "large"), ENDED_SECONDS, "the file is there")


@asynccontextmanager
async def seldom_running(member: Member) -> AsyncIterator[None]:
    """Stop the PC's network part again and again, for most of the time, while the context is open."""
    assert member.process is not None
    daemon = member.process.pid
    (part,) = (int(each.name) for each in processes_of(daemon) if int(each.name) != daemon)

    async def keep_from_running() -> None:
        try:
            while True:
                os.kill(part, signal.SIGSTOP)
                await trio.sleep(STOPPED_SECONDS)
                os.kill(part, signal.SIGCONT)
                await trio.sleep(RUNNING_SECONDS)
        finally:
            os.kill(part, signal.SIGCONT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_from_running)
        yield
        nursery.cancel_scope.cancel()
