"""`seed_server.service.catching_up`: how long a restored server learns from its PCs, and what it does then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from seed_server.fleet.rollout import RolloutState
from seed_server.service.catching_up import (
    CATCHING_UP_SECONDS,
    LATE_LOOK_SECONDS,
    NOTHING_NEWER_SECONDS,
    CatchingUp,
)
from seed_server.service.messages import HandedInFiles, TrustHeard, UnknownPc
from seed_server.store.restored_mark import mark_restored, read_mark
from tests.helpers.rollout_company import BEGIN, Company

NEW = "n" * 26


def catching_up(company: Company) -> CatchingUp:
    return CatchingUp(company.context, company.repository, company.database)


@asynccontextmanager
async def running(company: Company) -> AsyncIterator[CatchingUp]:
    catching = catching_up(company)
    catching.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(catching.run)
        yield catching
        nursery.cancel_scope.cancel()


async def test_a_server_that_was_not_restored_is_not_held(
    company: Company, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(company) as catching:
        assert not catching.held
        catching.heard(HandedInFiles())  # nothing is there
        catching.heard(UnknownPc(NEW, "desk", "10.0.0.7", BEGIN))
        await trio.sleep(1)
        assert not catching.held
        assert company.database.endpoint(NEW) is None
        assert read_mark(company.context.home) is None


async def test_it_ends_when_most_pcs_have_spoken_and_none_knows_more(
    company: Company, autojump_clock: trio.testing.MockClock
) -> None:
    company.start()
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    async with running(company) as catching:
        held = [catching.held]
        for said in (TrustHeard(told=7, newer=0), TrustHeard(told=9, newer=1)):  # of ten
            catching.heard(said)
            await trio.sleep(3 * NOTHING_NEWER_SECONDS)
            held.append(catching.held)
        assert held == [True] * 3
        mark = read_mark(company.context.home)
        assert mark is not None
        assert (mark.told, mark.pcs, mark.newer) == (9, 10, 1)
        catching.heard(TrustHeard(told=9, newer=0))
        await trio.sleep(2 * NOTHING_NEWER_SECONDS)
        assert not catching.held
        assert company.rollout().progress.state is RolloutState.HALTED
        catching.heard(UnknownPc(NEW, "desk", "10.0.0.7", BEGIN + 50.0))
        await trio.sleep(1)
        assert company.database.endpoint(NEW) is not None
        catching.heard(TrustHeard(told=11, newer=2))  # late ones
        await trio.sleep(2 * LATE_LOOK_SECONDS)
        mark = read_mark(company.context.home)
        assert mark is not None
        assert (mark.told, mark.newer) == (11, 2)


async def test_it_ends_in_any_case_and_a_restart_begins_no_new_one(
    company: Company, autojump_clock: trio.testing.MockClock
) -> None:
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    async with running(company) as catching:
        await trio.sleep(60)
        assert catching.held
    company.clock.wall += CATCHING_UP_SECONDS
    async with running(company) as catching:
        await trio.sleep(5)
        assert not catching.held
    assert not catching_up(company).held
