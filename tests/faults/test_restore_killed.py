"""A restored server that is killed at every step of catching up: the next start goes on, and nothing is left half."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet import rollout_operations as rollouts
from seed_server.settings.home import ServerHome
from seed_server.store.restored_mark import read_mark
from tests.helpers.rollout_company import ADA, TEMPLATE, Company, company_at, published_home
from tests.unit.seed_server.fleet.test_restoring import DAY, DENIED_LATER, SetBack

FIRST, STEP = (int(os.environ.get(name, "7")) for name in ("KILLED_FIRST", "KILLED_STEP"))  # each takes seconds
RUN = """
import os, shutil, signal, sys
from pathlib import Path
import trio, trio.testing
from sqlalchemy import event
from sqlalchemy.engine import Engine
from seed_server.fleet.context import Context
from seed_server.service.catching_up import CatchingUp
from seed_server.service.messages import HandedInFiles, TrustHeard
from seed_server.settings.home import ServerHome
from tests.helpers.fake_clock import FakeClock
home, now, left = ServerHome(Path(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3])
def step(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
real = os.replace
def replace(*arguments, **named):
    step()
    return real(*arguments, **named)
async def main(context, database):
    repository = context.repository(context.settling())
    context.settle(repository)
    catching = CatchingUp(context, repository, database)
    catching.begin()
    if not catching.held:
        return
    shutil.copytree(home.root.parent / 'shown', home.presented, dirs_exist_ok=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(catching.run)
        catching.heard(HandedInFiles())
        catching.heard(TrustHeard(told=20, newer=0))
        while catching.held:
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
context = Context(home, FakeClock(now))
with context.database() as database:
    event.listen(Engine, "commit", step)
    os.replace = replace
    trio.run(main, context, database, clock=trio.testing.MockClock(autojump_threshold=0.05))
"""


@dataclass
class Restored:
    """A server that was restored, with what its PCs will hand in."""

    place: Path
    now: float

    def copied(self, place: Path) -> "Restored":
        return Restored(Path(shutil.copytree(self.place, place)), self.now)

    def catch_up(self, killed_at: int) -> bool:
        """Run until all is caught up, or killed at a step; return whether it was."""
        words = [sys.executable, "-c", RUN, str(self.place / "home"), str(self.now), str(killed_at)]
        done = subprocess.run(words, check=False, capture_output=True, timeout=60, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode != 0

    def company(self) -> Company:
        return Company(ServerHome(self.place / "home"))


@pytest.fixture
def restored(tmp_path: Path) -> Restored:
    before = company_at(published_home(tmp_path), tmp_path / "before")
    with before.database:
        set_back = SetBack(before, tmp_path)
        set_back.back_up()
        for name in ("browser", "archiver"):
            before.publish_to_nobody(name, tmp_path)
        rollouts.start_rollout(before.context, ADA, "browser@1", TEMPLATE)
        before.look()
        operations.withdraw(before.context, ADA, "office@1", "crashes")
        endpoint_operations.deny(before.context, ADA, DENIED_LATER)
        before.engine.look()
    company = set_back.restore()
    company.database.close()
    shutil.move(company.context.home.presented, company.context.home.root.parent / "shown")
    return Restored(company.context.home.root.parent, company.clock.wall)


def check(restored: Restored) -> None:
    mark = read_mark(ServerHome(restored.place / "home"))
    assert mark is not None
    assert mark.settled
    company = restored.company()
    with company.database:
        listed = {"office", "browser", "archiver"}
        assert {one.patch_id for one in company.repository.manifests()} == listed
        assert {row.patch_id for row in company.database.payloads()} == listed
        assert DENIED_LATER in company.database.denied_ids()
        assert [one.ref.patch_id for one in company.repository.current_rollouts().withdrawn] == ["office"]
        staged = company.repository.current_staged()
        assert staged.entries == ()
        assert [one.ref.patch_id for one in staged.stopped] == ["browser"]
        assert not company.context.home.presented.exists()
        company.clock.wall = restored.now + DAY
        company.engine.look()
        assert company.database.rollout_faults() == []


@pytest.mark.slow
def test_a_restored_server_that_is_killed_at_any_step_goes_on_at_the_next_start(
    restored: Restored, tmp_path: Path
) -> None:
    for nth in range(FIRST, 1_000, STEP):
        one = restored.copied(tmp_path / f"killed-{nth}")
        killed = one.catch_up(nth)
        assert not one.catch_up(1_000_000)
        check(one)
        shutil.rmtree(one.place)
        if not killed:
            break
    assert nth > 30
