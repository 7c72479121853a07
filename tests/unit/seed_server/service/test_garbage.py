"""`seed_server.service.garbage`: all objects are visited when that delays nobody, and memory stays bounded."""

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from seed_server.service.garbage import (
    ANYWAY_SECONDS,
    GARBAGE_STEP_SECONDS,
    GROWTH,
    PRESSING_BYTES,
    QUIET_SECONDS,
    collect_when_quiet,
    only_young_garbage,
)

USUAL_BYTES = 100_000_000
SOON = GARBAGE_STEP_SECONDS + 1


class Ring:
    """Refers to itself, so that only a collection ends it."""

    def __init__(self) -> None:
        self.itself = self


class Memory:
    """What the process seems to take."""

    def __init__(self) -> None:
        self.bytes = USUAL_BYTES

    def __call__(self) -> int:
        return self.bytes


@pytest.fixture(autouse=True)
def little_to_visit() -> None:
    """Leave out of collections what this process has loaded, to its end: each would take half a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def old_ring() -> Iterator[weakref.ref[Ring]]:
    """Yield what tells of a ring that nobody refers to, in the oldest generation."""
    with only_young_garbage():
        ring = Ring()
        gc.collect()  # now it is as old as can be
        told = weakref.ref(ring)
        del ring
        yield told


def full_collections() -> int:
    return int(gc.get_stats()[-1]["collections"])


def test_however_much_comes_python_does_not_visit_all_objects_by_itself() -> None:
    before = gc.get_threshold()
    with only_young_garbage():
        done = full_collections()
        kept = [[[k]] for k in range(200_000)]  # without it: several full collections
        assert full_collections() == done
    assert kept
    assert gc.get_threshold() == before


def test_it_would_without_this() -> None:
    done = full_collections()
    kept = [[[k]] for k in range(1_000_000)]
    assert full_collections() > done
    assert kept


def test_young_rings_go() -> None:
    with only_young_garbage():
        told = weakref.ref(Ring())
        kept = [[k] for k in range(10_000)]
        assert told() is None
    assert kept


async def test_nothing_is_looked_at_while_it_would_delay_somebody(
    autojump_clock: trio.testing.MockClock, memory: Memory, old_ring: weakref.ref[Ring]
) -> None:
    busy = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect_when_quiet, lambda: busy, memory)
        await trio.sleep(3 * QUIET_SECONDS)
        assert old_ring() is not None
        busy = False
        await trio.sleep(SOON)
        assert old_ring() is None
        nursery.cancel_scope.cancel()


async def test_an_hour_passes_between_two_looks(
    autojump_clock: trio.testing.MockClock, memory: Memory, old_ring: weakref.ref[Ring]
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect_when_quiet, lambda: False, memory)
        await trio.sleep(QUIET_SECONDS - SOON)
        assert old_ring() is not None
        await trio.sleep(2 * SOON)
        assert old_ring() is None
        done = full_collections()
        await trio.sleep(QUIET_SECONDS - 3 * SOON)
        assert full_collections() == done
        nursery.cancel_scope.cancel()


async def test_after_a_day_it_is_looked_at_whoever_waits(
    autojump_clock: trio.testing.MockClock, memory: Memory, old_ring: weakref.ref[Ring]
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect_when_quiet, lambda: True, memory)
        await trio.sleep(ANYWAY_SECONDS + SOON)
        assert old_ring() is None
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("busy", "most_bytes"),
    [(False, int(GROWTH * USUAL_BYTES)), (True, USUAL_BYTES + PRESSING_BYTES)],
)
async def test_memory_that_grows_is_looked_at_soon_and_by_what_is_left(
    autojump_clock: trio.testing.MockClock, memory: Memory, old_ring: weakref.ref[Ring], busy: bool, most_bytes: int
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect_when_quiet, lambda: busy, memory)
        await trio.testing.wait_all_tasks_blocked()
        memory.bytes = most_bytes
        await trio.sleep(SOON)
        assert old_ring() is not None, "it grew by less"
        memory.bytes += 1
        await trio.sleep(SOON)
        assert old_ring() is None
        done = full_collections()
        await trio.sleep(10 * SOON)
        assert full_collections() == done, "what is needed is looked at again and again"
        nursery.cancel_scope.cancel()
