"""The daemon's end of an upgrade of p2pdist itself: what it hands over, and takes up after any death of its own."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.install import journal
from p2pdist.install.lifecycle import InstallRecord
from p2pdist.install.supervised_processes import ChangedError, Processes, boot, read, up_seconds
from p2pdist.install.supervision import Supervision, SupervisorPace
from p2pdist.install.supervisor import ORDER, SAID, UpgradeSupervisor
from p2pdist.local_api.messages import PatchOrder
from p2pdist.shared import durable_files
from p2pdist.shared.manifest.recipe import ScriptInstall, SelfUpgrade
from tests.helpers.field_pc import FieldPc

OWN = ScriptInstall(
    interpreter="sh", arguments=("install",), rollback_arguments=("undo",), busy_codes=(75,), self_upgrade=SelfUpgrade()
)
QUICK = SupervisorPace(poll_seconds=0.001, probe_seconds=0.0, steady_seconds=0.0, said_seconds=60.0)


class Killed(BaseException):
    """The daemon's end."""


class Outside:
    """What runs outside of the daemon, in this process: the real supervisor, with an installer that is a function."""

    def __init__(self, pc: FieldPc, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pc = pc
        self.ran: list[str] = []
        self.code: int | None = 0
        self.well = True
        self.starts = True
        self.writes = "2\n"
        self.breaks = False
        pc.program.write_text("1\n")
        pc.installer.start_supervisor = self._start  # type: ignore[method-assign]
        monkeypatch.setattr(Processes, "run", lambda _, command: self._run(command))
        monkeypatch.setattr(UpgradeSupervisor, "_said", lambda _: self._said())

    def offer(self) -> None:
        """Roll out version 2."""
        self.pc.offer("2", self.pc.script("a script that only this test runs"), OWN, self.pc.is_program("2"))

    async def _start(self, program: Path, directory: Path, unit: str) -> str:
        assert program.parent == directory == self.pc.home.upgrade
        assert unit.startswith("p2pdist-upgrade-")
        order = read(directory / ORDER)
        assert order is not None
        if not self.starts:
            return "nothing starts here"
        order["contact_seconds"] = 0.01
        order["pace"] = {name: getattr(QUICK, name) for name in QUICK.__struct_fields__}
        await trio.to_thread.run_sync(UpgradeSupervisor(directory, order).run)
        return ""

    def _run(self, command: dict[str, Any]) -> tuple[int | None, str]:
        word = command["argv"][-1]
        self.ran.append(word)
        if word == "install" and self.code is not None and self.code == -1:
            raise ChangedError("it was changed")
        if word == "install" and self.code == 0:
            self.pc.program.write_text(self.writes)
        if word == "install" and self.breaks:
            self.pc.program.write_text("half\n")
        if word == "undo":
            self.pc.program.write_text("1\n")
        return (self.code if word == "install" else 0), "said"

    def _said(self) -> dict[str, Any] | None:
        process = {"boot": boot(), "began": up_seconds() + 1}
        return {"process": process, "spoken": True} if self.well else None


@pytest.fixture
async def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FieldPc:
    made = FieldPc(tmp_path, monkeypatch)
    await made.installs.load()
    return made


@pytest.fixture
def outside(pc: FieldPc, monkeypatch: pytest.MonkeyPatch) -> Outside:
    made = Outside(pc, monkeypatch)
    pc.start()
    made.offer()
    return made


async def settled(pc: FieldPc) -> InstallRecord:
    """Let it come to rest."""
    for _ in range(20):
        record = await pc.settle()
        if not record.supervised:
            return record
    raise AssertionError(f"it does not come to rest: {pc.said()}")


async def test_it_is_installed_outside_and_taken_up(pc: FieldPc, outside: Outside) -> None:
    record = await settled(pc)
    assert (record.state, outside.ran, pc.program.read_text()) == ("installed", ["install"], "2\n")
    assert not (pc.home.upgrade / ORDER).exists()


async def test_a_daemon_that_is_not_well_afterwards_goes_back_and_stays_so(pc: FieldPc, outside: Outside) -> None:
    outside.well = False
    record = await settled(pc)
    assert (record.state, record.failure, outside.ran) == ("rolled_back", "health", ["install", "undo"])
    assert "not healthy: no daemon runs" in record.reason
    assert (await pc.later(24 * 60)).state == "rolled_back", "it is not tried again by itself"
    assert pc.row.state == "rolled_back"
    assert pc.program.read_text() == "1\n"


async def test_it_is_not_begun_before_this_daemon_has_spoken_with_its_server(pc: FieldPc, outside: Outside) -> None:
    pc.spoken = False
    record = await settled(pc)
    assert (record.state, record.attempts, outside.ran) == ("waiting", {}, [])
    assert "has not spoken with its server" in pc.row.reason
    pc.spoken = True
    pc.clock.wall += 20 * 60
    assert (await settled(pc)).state == "installed"


async def test_a_busy_installer_is_tried_later_and_is_no_attempt(pc: FieldPc, outside: Outside) -> None:
    outside.code = 75
    record = await settled(pc)
    assert (record.state, record.attempts, pc.program.read_text()) == ("waiting", {}, "1\n")


async def test_one_that_failed_and_changed_nothing_is_not_undone(pc: FieldPc, outside: Outside) -> None:
    outside.code = 5
    record = await settled(pc)
    assert (record.state, record.failure, outside.ran) == ("failed", "install", ["install"])
    assert "exit code 5" in record.reason


async def test_a_file_that_was_changed_is_not_run(pc: FieldPc, outside: Outside) -> None:
    outside.code = -1
    with contextlib.suppress(AssertionError):  # "nothing is damaged": the daemon fetches it again
        await settled(pc)
    record = pc.record("2")
    assert (record.state, record.failure, pc.program.read_text()) == ("failed", "verify", "1\n")


async def test_its_user_can_go_back_which_is_done_outside_too(pc: FieldPc, outside: Outside) -> None:
    await settled(pc)
    await pc.orders.roll_back(PatchOrder("acme"))
    record = await settled(pc)
    assert (record.state, outside.ran, pc.program.read_text()) == ("rolled_back", ["install", "undo"], "1\n")


async def test_people_are_told_what_is_waited_for(pc: FieldPc, outside: Outside) -> None:
    outside.starts = False
    record = await pc.settle()
    assert record.supervised
    await pc.settle()
    assert pc.row.state == "installing"
    assert pc.row.reason == "waits for its supervisor to start: nothing starts here"


async def test_a_start_of_the_daemon_in_the_middle_counts_as_no_interruption(pc: FieldPc, outside: Outside) -> None:
    outside.starts = False
    await pc.settle()
    for _ in range(6):
        await pc.start().load()
        await pc.settle()
    assert pc.record("2").interrupted == 0
    outside.starts = True
    await pc.start().load()
    assert (await settled(pc)).state == "installed"
    assert outside.ran == ["install"]


def dying(monkeypatch: pytest.MonkeyPatch, dies_at: int) -> list[int]:
    """Let the daemon die before (odd) or after (even) one of the writes of journal and orders; return the count."""
    writes = [0]

    def deadly(write: Callable[..., Any]) -> Callable[..., Any]:
        async def written(*arguments: Any) -> Any:
            writes[0] += 1
            at = writes[0]
            if dies_at == 2 * at - 1:
                raise Killed
            result = await write(*arguments)
            if dies_at == 2 * at:
                raise Killed
            return result

        return written

    monkeypatch.setattr(journal, "save_journal", deadly(journal.save_journal))
    for name in ("hand_over", "_start_one", "over"):
        monkeypatch.setattr(Supervision, name, deadly(getattr(Supervision, name)))
    return writes


@pytest.mark.parametrize("well", [True, False])
async def test_killed_at_each_of_its_steps_there_is_one_installation_and_one_true_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, well: bool
) -> None:
    deaths = 0
    for dies_at in range(1, 100):
        (tmp_path / str(dies_at)).mkdir()
        with monkeypatch.context() as patched:
            pc = FieldPc(tmp_path / str(dies_at), patched)
            outside = Outside(pc, patched)
            outside.well = well
            await pc.start().load()
            outside.offer()
            with monkeypatch.context() as deadly:
                dying(deadly, dies_at)
                try:
                    with contextlib.suppress(BaseExceptionGroup):
                        await settled(pc)
                        break
                except Killed:
                    pass
            deaths += 1
            await pc.start().load()
            record = await settled(pc)
            if record.state == "waiting":  # nothing had been run
                assert outside.ran == []
                pc.clock.wall += 20 * 60
                record = await settled(pc)
            assert outside.ran.count("install") == 1, (dies_at, pc.said())
            assert record.state == ("installed" if well else "rolled_back"), (dies_at, pc.said())
            assert pc.program.read_text() == ("2\n" if well else "1\n")
    assert deaths >= 12


async def test_where_the_order_cannot_be_written_nothing_is_run_and_it_is_tried_later(
    pc: FieldPc, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file = durable_files.write_file

    def fails(path: Path, *arguments: Any, **more: Any) -> None:
        if path.name == ORDER:
            raise OSError(28, "No space left on device", str(path))
        write_file(path, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(durable_files, "write_file", fails)
        await pc.installs.step()
        assert "cannot be written (No space left on device)" in pc.installs.problem
    assert (await settled(pc)).state == "waiting"
    assert outside.ran == []
    pc.clock.wall += 20 * 60
    assert (await settled(pc)).state == "installed"


async def test_a_daemon_that_knows_no_patches_yet_says_that_it_lives_and_sees_to_the_supervisor(
    pc: FieldPc, outside: Outside
) -> None:
    outside.starts = False
    await pc.settle()
    offered = list(pc.candidates)
    pc.candidates.clear()
    outside.starts = True
    await pc.start().load()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.installs.supervision.run)
        with trio.fail_after(5):
            while not (pc.home.upgrade / SAID).exists():  # noqa: ASYNC110 - a file tells nobody
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    await pc.installs.step()
    assert outside.ran == ["install"]
    pc.candidates[:] = offered
    assert (await settled(pc)).state == "installed"


async def test_an_upgrade_that_was_withdrawn_meanwhile_does_not_keep_the_next_one_away(
    pc: FieldPc, outside: Outside
) -> None:
    outside.starts = False
    await pc.settle()
    outside.starts = True
    pc.offer("3", pc.script("another"), OWN, pc.is_program("3"))
    await pc.start().load()
    await pc.settle()
    assert outside.ran == ["install"], "2 is under way, and comes to its end"
    outside.writes = "3\n"
    for _ in range(3):
        await pc.settle()
    assert pc.record("3").state == "installed"
    assert outside.ran == ["install", "install"]


async def test_an_order_whose_outcome_is_in_the_journal_is_forgotten(
    pc: FieldPc, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: Supervision) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Supervision, "over", dies)
        with pytest.raises(Killed):
            await settled(pc)
    assert (pc.home.upgrade / ORDER).exists()
    await pc.start().load()
    await settled(pc)
    assert not (pc.home.upgrade / ORDER).exists()
    assert outside.ran == ["install"]


async def test_one_that_failed_and_changed_something_goes_back_outside_and_says_why(
    pc: FieldPc, outside: Outside
) -> None:
    outside.code, outside.breaks = 5, True
    record = await settled(pc)
    assert (record.state, record.failure, outside.ran) == ("rolled_back", "install", ["install", "undo"])
    assert "exit code 5" in record.reason
