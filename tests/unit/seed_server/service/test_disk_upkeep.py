"""`seed_server.service.disk_upkeep`: daily, again soon where it could not, and what it says once."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet import operations
from seed_server.fleet.archiving import Archivist
from seed_server.service import disk_upkeep
from seed_server.service.disk_upkeep import AGAIN_SECONDS, FIRST_TIDY_SECONDS, DiskUpkeep
from seed_server.settings.sections import RetentionSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, Company


def upkeep_of(company: Company) -> DiskUpkeep:
    return DiskUpkeep(company.context, company.repository, company.database)


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (None, DAY_SECONDS),
        (UserError("somebody publishes", FaultKind.BUSY), AGAIN_SECONDS),
        (UserError("the disk is full", FaultKind.STORAGE), AGAIN_SECONDS),
        (RuntimeError("?"), DAY_SECONDS),
    ],
)
async def test_it_is_done_at_the_start_and_daily_and_soon_again_where_somebody_was_at_it(
    company: Company, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch,
    fault: Exception | None, wait: float,
) -> None:  # fmt: skip
    times: list[float] = []

    def tidy(_self: DiskUpkeep) -> None:
        times.append(trio.from_thread.run_sync(trio.current_time))
        if fault is not None:
            raise fault

    monkeypatch.setattr(DiskUpkeep, "tidy", tidy)
    began = trio.current_time()
    with trio.move_on_after(FIRST_TIDY_SECONDS + 2.5 * wait):
        await upkeep_of(company).run()
    assert times[0] - began == pytest.approx(FIRST_TIDY_SECONDS, abs=1.0)
    assert 0.9 * wait <= times[1] - times[0] <= wait + 1.0
    assert len(times) >= 3


def test_it_removes_what_was_left_and_what_nobody_needs(company: Company) -> None:
    home = company.context.home
    left = home.archive / f".events.{'a' * 12}.tmp"
    left.parent.mkdir()
    left.write_text("half")
    os.utime(left, (0.0, 0.0))
    operations.withdraw(company.context, ADA, "office", "crashes", OfflineKeys(home.offline_keys, None))
    upkeep = upkeep_of(company)
    upkeep.tidy()
    assert not left.exists()
    assert len(list(home.content.iterdir())) == 2
    company.clock.wall += 31 * DAY_SECONDS
    with structlog.testing.capture_logs() as said:
        upkeep.tidy()
    assert list(home.content.iterdir()) == []
    assert [line["event"] for line in said] == ["content that nobody needs is removed"]


def test_that_there_is_no_room_is_said_once_and_that_there_is_again(company: Company, tmp_path: Path) -> None:
    settings = company.context.home.settings
    whole = settings.read_text()
    upkeep = upkeep_of(company)
    with structlog.testing.capture_logs() as said:
        upkeep.tidy()
        settings.write_text(whole + "\n[retention]\ncontent_gb = 0.00000001\n")
        upkeep.tidy()
        upkeep.tidy()
        settings.write_text(whole)
        upkeep.tidy()
        upkeep.tidy()
    assert [(line["log_level"], line["event"][:32]) for line in said] == [
        ("warning", "files of patches take more than "), ("info", "files of patches take no more th"),
    ]  # fmt: skip
    assert disk_upkeep.log is not None


async def test_why_it_is_not_done_is_said_once_for_each_cause(
    company: Company, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [
        UserError("full", FaultKind.STORAGE), UserError("full", FaultKind.STORAGE),
        UserError("somebody publishes", FaultKind.BUSY), UserError("full", FaultKind.STORAGE),
        UserError("no right", FaultKind.STORAGE), None, UserError("full", FaultKind.STORAGE),
    ]  # fmt: skip

    def tidy(_self: DiskUpkeep) -> None:
        if faults and (fault := faults.pop(0)) is not None:
            raise fault

    monkeypatch.setattr(DiskUpkeep, "tidy", tidy)
    with structlog.testing.capture_logs() as said, trio.move_on_after(2 * DAY_SECONDS):
        await upkeep_of(company).run()
    assert [line["reason"] for line in said] == ["full", "no right", "full"]


def test_that_the_clock_may_be_ahead_is_said_once_by_all_who_remove_and_that_it_is_right_again(
    company: Company,
) -> None:
    said_once = SaidOnce()
    upkeep = DiskUpkeep(company.context, company.repository, company.database, said=said_once)
    archivist = Archivist(
        company.context, company.database, RetentionSettings(), others_turn=lambda: None, said=said_once
    )
    with structlog.testing.capture_logs() as said:
        for days in (0, 1_000, 0, 0, -1_000, 0):
            company.clock.wall += days * DAY_SECONDS
            archivist.tidy()
            upkeep.tidy()
            replace(archivist, pause=lambda: None).tidy()
    words = [line["event"].partition(":")[0] for line in said if "after their time" in line["event"] or "roles" in line]
    assert words == ["nothing goes after its time", "things go after their time again"]
