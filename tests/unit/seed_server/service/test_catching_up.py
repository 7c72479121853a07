"""`seed_server.service.catching_up`: how long a restored server learns from its PCs, and what it does then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.enrolment.certificate_authority import ENDPOINT_LIFETIME_SECONDS, UNSURE_LIFETIME_SECONDS
from seed_server.fleet import endpoint_operations, restoring
from seed_server.fleet.context import Context
from seed_server.fleet.rollout import RolloutState
from seed_server.service.catching_up import (
    CATCHING_UP_SECONDS,
    LATE_LOOK_SECONDS,
    NOTHING_NEWER_SECONDS,
    CatchingUp,
)
from seed_server.service.messages import HandedInFiles, TrustHeard, UnknownPc
from seed_server.settings.home import ServerHome
from seed_server.signing.repository import Repository
from seed_server.store import restored_mark
from seed_server.store.database import Database
from seed_server.store.restored_mark import RestoredMark, mark_restored, read_mark
from seed_server.store.tables import PATCHES
from tests.helpers.rollout_company import ADA, BEGIN, Company

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


async def test_a_clock_that_is_set_does_not_end_it_sooner_or_later(
    company: Company, autojump_clock: trio.testing.MockClock
) -> None:
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    async with running(company) as catching:
        company.clock.wall += 1e6
        await trio.sleep(CATCHING_UP_SECONDS / 2)
        assert is_held(catching)
        company.clock.wall -= 2e6
        await trio.sleep(CATCHING_UP_SECONDS / 2 + 5)
        assert not is_held(catching)


async def test_who_was_killed_after_adopting_enters_it_at_the_next_start(
    company: Company, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    ref = company.publish_to_nobody("browser", tmp_path)
    company.database.add_endpoint(NEW, "desk", BEGIN)
    endpoint_operations.deny(company.context, ADA, NEW)
    company.engine.look()
    company.database.set_denied(NEW, denied=False)  # as of the backup
    with company.database._writing() as connection:
        connection.execute(PATCHES.delete().where(PATCHES.c.patch_id == "browser"))
    assert ref not in {row.ref for row in company.database.payloads()}
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    catching_up(company).begin()
    assert ref in {row.ref for row in company.database.payloads()}
    assert company.database.denied_ids() == [NEW]


async def test_what_fails_after_the_end_is_done_again_before_anything_is_announced(
    company: Company, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    halt, tried = restoring.halt_unknown, list[bool]()

    def busy(context: Context, repository: Repository, database: Database) -> list[PatchRef]:
        tried.append(True)
        if len(tried) < 3:
            raise UserError("Another process writes.", FaultKind.BUSY)
        return halt(context, repository, database)

    monkeypatch.setattr(restoring, "halt_unknown", busy)
    async with running(company) as catching:
        await trio.sleep(CATCHING_UP_SECONDS + 0.5)
        assert tried
        assert is_held(catching)
        assert not catching_up_of(company)
        await trio.sleep(60)
        assert not is_held(catching)
    assert len(tried) == 3
    async with running(company) as catching:
        await trio.sleep(60)
    assert len(tried) == 3, "once"


async def test_an_end_that_cannot_be_kept_is_none(
    company: Company, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    full = True
    write = restored_mark.write_mark

    def write_or_not(home: ServerHome, mark: RestoredMark) -> None:
        if full and mark.ended_at:
            raise UserError("The disk is full.", FaultKind.STORAGE)
        write(home, mark)

    monkeypatch.setattr("seed_server.service.catching_up.write_mark", write_or_not)
    async with running(company) as catching:
        await trio.sleep(CATCHING_UP_SECONDS + 60)
        assert is_held(catching)
        assert catching_up_of(company)
        full = False
        await trio.sleep(60)
        assert not is_held(catching)
        assert not catching_up_of(company)


async def test_while_it_is_not_known_who_was_denied_certificates_are_for_an_hour(
    company: Company, autojump_clock: trio.testing.MockClock
) -> None:
    assert catching_up(company).certificates_last == ENDPOINT_LIFETIME_SECONDS
    mark_restored(company.context.home, backup_at=BEGIN, restored_at=BEGIN + 100.0)
    async with running(company) as catching:
        assert catching.certificates_last == UNSURE_LIFETIME_SECONDS
        await trio.sleep(CATCHING_UP_SECONDS + 60)
        assert catching.certificates_last == ENDPOINT_LIFETIME_SECONDS


def catching_up_of(company: Company) -> bool:
    return restored_mark.is_catching_up(company.context.home)


def is_held(catching: CatchingUp) -> bool:
    return catching.held
