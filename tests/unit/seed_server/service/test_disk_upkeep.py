"""`seed_server.service.disk_upkeep`: daily, again soon where it could not, and what it says once."""

import os
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations
from seed_server.service import disk_upkeep
from seed_server.service.disk_upkeep import AGAIN_SECONDS, FIRST_TIDY_SECONDS, DiskUpkeep
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, Company


def upkeep_of(company: Company) -> DiskUpkeep:
    return DiskUpkeep(company.context, company.repository, company.database)


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (None, DAY_SECONDS),
        (UserError("somebody publishes", FaultKind.BUSY), AGAIN_SECONDS),
        (UserError("the disk is full", FaultKind.STORAGE), DAY_SECONDS),
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
