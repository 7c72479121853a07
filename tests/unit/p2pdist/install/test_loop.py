"""`p2pdist.install.loop`: the loop with a journal on disk, and a simulated installer."""

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from p2pdist.install import journal as install_journal
from p2pdist.install import journal_notes
from p2pdist.install.findings import CheckResult, Look, found
from p2pdist.install.lifecycle import MAX_PREDECESSORS, FailureClass, InstallRecord, Journal, LifeState
from p2pdist.install.loop import (
    DETECT_AGAIN_SECONDS,
    LONGEST_WAIT_SECONDS,
    PLAN_KEPT_SECONDS,
    SETTLED_PLAN_KEPT_SECONDS,
    DaemonHooks,
    Installs,
)
from p2pdist.install.outcomes import Outcome
from p2pdist.install.packages import PackageFile
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload, PayloadChangedError
from p2pdist.install.requests import InstallRequests
from p2pdist.install.restart_times import RestartBy
from p2pdist.install.stopping import STOP_SECONDS
from p2pdist.local_api.messages import DeferOrder, PatchOrder
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.look_pace import look_pause_seconds
from p2pdist.shared.manifest.documents import Manifest, Payload, Withdrawal
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    Check,
    CommandCheck,
    HealthCheck,
    Install,
    ScheduleRules,
    ScriptInstall,
)
from p2pdist.trust.catalogue import RecalledPatch
from tests.helpers.fake_clock import FakeClock

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
HEALTH = HealthCheck(checks=(CommandCheck(command=("/bin/true",)),))


def outcome(succeeded: bool = True, words: str = "done", *, reboot: bool = False) -> Outcome:
    return Outcome(succeeded, words, "what it wrote", reboot, 0 if succeeded else 3)


class PlayedInstaller:
    """Does what the test says, and notes what was asked of it."""

    problem = ""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.present: dict[str, str] = {}
        """Patch version by patch id, as detection sees it."""
        self.ends: dict[str, Outcome] = {}
        self.works = True
        """Whether an installation brings what detection looks for."""
        self.makes_a_mess = False
        """Whether something else is seen after each installation, though not what detection looks for."""
        self.mess = 0
        self.is_healthy = True
        self.rolls_back = outcome()
        self.changed = False
        self.stays_detected = False
        """Whether detection goes on finding what was rolled back."""
        self.one_at_a_time = False
        """Whether each installation removes all others."""
        self.undone_by: Path | None = None
        self.outlives = False
        """Whether an installer that the daemon before has started still runs."""
        self.running: trio.Event | None = None
        self.go_on = trio.Event()
        self.detector = self

    async def package_in(self, install: Install, file: Path, sha256: str) -> PackageFile | None:
        return None

    async def keep_selection(self, install: Install, name: str, selection: str) -> str:
        return ""

    async def install(
        self,
        install: Install,
        version: str,
        file: Path,
        sha256: str,
        *,
        downgrade: bool = False,
        package: PackageFile | None = None,
    ) -> Outcome:
        self.calls.append(f"install {file.parent.parent.name} {version}")
        if self.changed:
            raise PayloadChangedError
        if self.running is not None:
            self.running.set()
            await self.go_on.wait()
        if self.one_at_a_time:
            self.present.clear()
        if self.works:
            self.present[file.parent.parent.name] = version
        return self.ends.get(version, outcome())

    async def roll_back(
        self,
        install: Install,
        version: str,
        file: Path,
        sha256: str,
        previous: KeptPayload | None,
        previous_version: str,
        *,
        installed_as: str,
        package: PackageFile | None,
    ) -> Outcome:
        patch_id, self.undone_by = file.parent.parent.name, file
        self.calls.append(f"roll back {patch_id} {version} to {previous.version if previous else None}")
        if self.rolls_back.succeeded and not self.stays_detected:
            self.present.pop(patch_id, None)
            if previous is not None:
                assert previous.file.read_bytes()
                self.present[patch_id] = previous.version
        return self.rolls_back

    async def repair(self, install: Install) -> Outcome | None:
        self.calls.append("repair")
        return None

    async def wait_for_outlived(self, install: Install | None) -> None:
        self.calls.append("wait")

    async def has_outlived(self) -> bool:
        return self.outlives

    async def installed_version(self, install: Install, package: PackageFile | None = None) -> str:
        return ""

    async def check(self, check: Check) -> CheckResult:
        raise NotImplementedError

    async def detected(self, manifest: Manifest, package: PackageFile | None = None) -> CheckResult:
        version = self.present.get(manifest.patch_id)
        return found(version == manifest.version, f"{manifest.patch_id} {version} is there")

    async def look(self, manifest: Manifest, package: PackageFile | None = None) -> Look:
        answer = await self.detected(manifest)
        sight = {"check 1": answer.seen, "beside it": str(self.mess)}
        if self.makes_a_mess:
            self.mess += 1
        return Look(answer, sight)

    async def healthy(self, health: HealthCheck) -> CheckResult:
        return found(self.is_healthy, "it answers" if self.is_healthy else "it does not answer")

    async def restart_pc(self, minutes: int, message: str) -> Outcome:
        self.calls.append(f"restart: {message}")
        return outcome()


class Pc:
    """One PC: a home, a clock, offers, and the loop under test."""

    def __init__(self, home: Path) -> None:
        self.home = EndpointHome(home)
        self.installer = PlayedInstaller()
        self.clock = FakeClock(NOW)
        self.candidates: list[Candidate] = []
        self.blackout: datetime | None = None
        self.clock_problem = ""
        self.damaged: list[str] = []
        self.facts_changes = 0
        self.withdrawn: list[Withdrawal] = []
        self.recalled: list[RecalledPatch] = []
        self.held = ""
        self.installs = self.start()

    def start(self, *, may_restart: bool = False) -> Installs:
        async def damaged(torrent_hash: str) -> None:
            self.damaged.append(torrent_hash)

        def changed() -> None:
            self.facts_changes += 1

        self.installs = Installs(
            self.home,
            self.installer,  # type: ignore[arg-type]
            lambda: self.candidates,
            DaemonHooks(
                lambda: self.blackout,
                damaged,
                changed,
                withdrawn=lambda: self.withdrawn,
                recalled=lambda: self.recalled,
                holds_back=lambda: self.held,
                clock_problem=lambda: self.clock_problem,
            ),
            self.clock,
            may_restart=may_restart,
            zone=lambda _now: UTC,
        )
        return self.installs

    def candidate(
        self, patch_id: str, version: str = "1", *, sequence: int = 1, here: bool = True, **fields: Any
    ) -> Candidate:
        file = self.home.patches / patch_id / version / "a.tar"
        if here:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"payload")
        payload = Payload(file_name="a.tar", length_bytes=7, sha256="0" * 64, torrent_hash="1" * 64)
        manifest = Manifest(
            format=1,
            patch_id=patch_id,
            version=version,
            title="",
            severity="high",
            cvss=None,
            published_at=0,
            payloads=[payload],
            **({"install": ArchiveInstall(directory="/opt/acme")} | fields),
        )
        made = Candidate(manifest, sequence, payload, str(file) if here else None)
        self.candidates = [o for o in self.candidates if o.ref.patch_id != patch_id] + [made]
        return made

    def withdraw(self, patch_id: str = "acme", version: str = "1") -> None:
        """Take a patch back, as the signed rollouts do."""
        self.candidates = [one for one in self.candidates if one.ref.patch_id != patch_id]
        self.withdrawn.append(Withdrawal(patch_id, version, sequence=1, reason="crashes", at=1))

    async def settle(self) -> float:
        """Step until nothing is due; return how long it would wait."""
        for _ in range(20):
            wait = await self.installs.step()
            if wait > 0:
                return wait
        raise AssertionError("it does not come to rest")

    def record(self, patch_id: str = "acme", version: str = "1") -> InstallRecord:
        found = self.installs.journal.record(PatchRef(patch_id, version))
        assert found is not None
        return found

    def history(self) -> list[str]:
        return [entry.what for entry in self.installs.journal.history]


@pytest.fixture
async def pc(tmp_path: Path) -> Pc:
    made = Pc(tmp_path)
    await made.installs.load()
    return made


async def test_a_patch_goes_from_its_file_to_installed_and_detected(pc: Pc) -> None:
    pc.candidate("acme", health=HEALTH)
    await pc.settle()
    assert (pc.installer.calls, pc.record().state) == (["install acme 1"], "installed")
    assert pc.history() == [
        "installing (may be installed at any time)",
        "the installer has ended: done",
        "detected: acme 1 is there",
        "healthy: it answers",
    ]
    assert pc.facts_changes == 1
    assert (pc.home.kept / "acme" / "1" / "a.tar").read_bytes() == b"payload"
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_it_is_said_for_other_programs_also_between_two_of_an_installation(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, said = pc.home.scratch / "installing", list[str]()
    look = pc.installer.look

    async def looked(manifest: Manifest, package: PackageFile | None = None) -> Look:
        said.append(record.read_text() if record.exists() else "")
        return await look(manifest, package)

    monkeypatch.setattr(pc.installer, "look", looked)
    pc.candidate("acme")
    await pc.settle()
    assert pc.record().state == "installed"
    process, started, _boot = said[-1].split()  # as packaging/when-idle reads it
    assert int(process) == os.getpid()
    assert started == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert not record.exists()


async def test_what_is_there_already_is_found_and_not_installed(pc: Pc) -> None:
    pc.installer.present["acme"] = "1"
    pc.candidate("acme")
    await pc.settle()
    assert (pc.installer.calls, pc.record().state) == ([], "installed")


async def test_detection_decides_not_the_exit_code(pc: Pc) -> None:
    pc.installer.ends["1"] = outcome(False, "exit code 3")
    pc.candidate("acme")
    await pc.settle()
    assert pc.record().state == "installed"
    assert "although exit code 3" in pc.history()[2]


async def test_success_that_detection_denies_is_rolled_back_and_tried_again_later(pc: Pc) -> None:
    pc.installer.works = False
    pc.installer.makes_a_mess = True
    pc.candidate("acme")
    wait = await pc.settle()
    record = pc.record()
    assert (record.state, record.failure, record.attempts) == (
        "rolled_back",
        FailureClass.DETECT,
        {FailureClass.DETECT: 1},
    )
    assert record.reason == "not detected: acme None is there"
    assert record.retry_at is not None
    assert 900 <= record.retry_at - pc.clock.wall <= 1_800
    assert wait == LONGEST_WAIT_SECONDS
    pc.clock.wall = record.retry_at
    pc.installer.works = True
    await pc.settle()
    assert pc.record().state == "installed"
    assert pc.installer.calls == ["install acme 1", "roll back acme 1 to None", "install acme 1"]


@pytest.mark.parametrize("changes", [True, False])
async def test_failing_installer_is_tried_a_bounded_number_of_times(pc: Pc, changes: bool) -> None:
    pc.installer.works = False
    pc.installer.makes_a_mess = changes
    pc.installer.ends["1"] = outcome(False, "exit code 3")
    pc.candidate("acme")
    for _ in range(10):
        await pc.settle()
        pc.clock.wall += 30_000
    record = pc.record()
    state = "rolled_back" if changes else "failed"
    assert (record.state, record.failure, record.retry_at) == (state, FailureClass.INSTALL, None)
    assert pc.installer.calls.count("install acme 1") == 3
    assert pc.installer.calls.count("roll back acme 1 to None") == (3 if changes else 0)
    assert "exit code 3" in record.reason
    assert pc.installs.plan()[0].reason == record.reason


async def test_what_installer_and_detection_both_find_is_said_once(pc: Pc) -> None:
    pc.installer.works = False
    pc.installer.ends["1"] = outcome(False, "sh failed: acme None is there")
    pc.candidate("acme")
    await pc.settle()
    assert pc.record().reason == 'sh failed: acme None is there; it said "what it wrote"'


async def test_failed_health_goes_back_to_the_version_before_and_stays_there(pc: Pc) -> None:
    pc.candidate("acme", "1")
    await pc.settle()
    pc.candidate("acme", "2", health=HEALTH)
    pc.installer.is_healthy = False
    await pc.settle()
    assert pc.installer.calls[-1] == "roll back acme 2 to 1"
    record = pc.record(version="2")
    assert (record.state, record.failure, record.retry_at) == ("rolled_back", FailureClass.HEALTH, None)
    assert record.reason == "not healthy: it does not answer"
    pc.clock.wall += 1e6
    await pc.settle()
    assert pc.installer.calls.count("install acme 2") == 1


async def test_upgrade_keeps_one_version_to_go_back_to(pc: Pc) -> None:
    for version in ("1", "2", "3"):
        pc.candidate("acme", version)
        await pc.settle()
    assert sorted(path.name for path in (pc.home.kept / "acme").iterdir()) == ["2", "3"]
    assert [r.version for r in pc.installs.journal.records] == ["3"]


async def test_what_cannot_be_rolled_back_says_both_and_is_left_alone(pc: Pc) -> None:
    pc.installer.works = False
    pc.installer.makes_a_mess = True
    pc.installer.ends["1"] = outcome(False, "exit code 3")
    pc.installer.rolls_back = outcome(False, "the version before is not kept")
    pc.candidate("acme")
    await pc.settle()
    record = pc.record()
    assert (record.state, record.retry_at) == ("failed", None)
    assert "exit code 3" in record.reason
    assert "not rolled back: the version before is not kept" in record.reason


@pytest.mark.parametrize("back", [True, False])
async def test_what_did_harm_is_not_well_because_it_is_there(pc: Pc, back: bool) -> None:
    pc.installer.is_healthy = False
    pc.installer.stays_detected = True
    if not back:
        pc.installer.rolls_back = outcome(False, "its recipe says no way to undo it")
    pc.candidate("acme", health=HEALTH)
    await pc.settle()
    pc.clock.wall += DETECT_AGAIN_SECONDS
    await pc.settle()
    record = pc.record()
    assert (record.state, record.failure) == ("rolled_back" if back else "failed", FailureClass.HEALTH)
    assert orders(pc).posture("id", "pc", "").compliant is False
    pc.installer.is_healthy = True
    await orders(pc).retry(PatchOrder("acme"))
    await pc.settle()
    assert pc.record().state == "installed"


async def test_changed_file_is_never_run_and_fetched_again(pc: Pc) -> None:
    pc.installer.changed = True
    candidate = pc.candidate("acme")
    await pc.settle()
    assert (pc.record().state, pc.record().failure, pc.damaged) == ("failed", FailureClass.VERIFY, ["1" * 64])
    assert candidate.payload is not None
    pc.installer.changed = False
    pc.clock.wall += 120
    await pc.settle()
    assert pc.record().state == "installed"


async def test_order_and_blackout_and_window(pc: Pc) -> None:
    pc.candidate("b", sequence=1, requires=("a",))
    pc.candidate("a", sequence=2, schedule=ScheduleRules(windows=("wed 13:00-14:00",)))
    wait = await pc.settle()
    assert (pc.installer.calls, wait) == ([], LONGEST_WAIT_SECONDS)
    pc.clock.wall += 3_600
    pc.blackout = datetime.fromtimestamp(pc.clock.wall + 60, UTC)
    await pc.settle()
    assert pc.installer.calls == []
    pc.clock.wall += 60
    await pc.settle()
    assert pc.installer.calls == ["install a 1", "install b 1"]


async def test_removed_by_somebody_it_is_installed_again(pc: Pc) -> None:
    pc.candidate("acme")
    await pc.settle()
    pc.installer.present.clear()
    await pc.settle()
    assert pc.record().state == "installed", "it does not look at every step"
    pc.clock.wall += DETECT_AGAIN_SECONDS
    await pc.settle()
    assert pc.installer.calls == ["install acme 1", "install acme 1"]


async def test_clock_set_back_does_not_stop_looking(pc: Pc) -> None:
    pc.candidate("acme")
    await pc.settle()
    pc.installer.present.clear()
    pc.clock.wall -= 1e7
    await pc.settle()
    assert len(pc.installer.calls) == 2


async def test_full_disk_begins_nothing_and_is_said(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 13:00-14:00",)))
    await pc.settle()
    pc.clock.wall += 3_600

    async def full(path: Path, journal: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(install_journal, "save_journal", full)
        assert await pc.installs.step() == LONGEST_WAIT_SECONDS
    assert pc.installer.calls == []
    assert "No space left" in pc.installs.problem
    await pc.settle()
    assert (pc.record().state, pc.installs.problem) == ("installed", "")


async def test_disk_that_is_full_when_the_installer_ends_forgets_nothing(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, full = install_journal.save_journal, [False]

    async def save_or_not(path: Path, journal: Journal) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        await save(path, journal)
        full[0] = journal.records[0].state == "installing"

    pc.candidate("acme")
    monkeypatch.setattr(install_journal, "save_journal", save_or_not)
    assert await pc.installs.step() == LONGEST_WAIT_SECONDS
    full[0] = False
    await pc.settle()
    assert (pc.record().state, pc.installer.calls) == ("installed", ["install acme 1"])
    assert "the installer has ended: done" in pc.history()


@pytest.mark.parametrize("state", ["installing", "detecting", "checking", "rolling_back"])
async def test_what_was_under_way_goes_on_and_is_not_run_again(pc: Pc, state: LifeState) -> None:
    pc.candidate("acme", health=HEALTH)
    pc.installer.present["acme"] = "1"
    interrupted = InstallRecord(
        patch_id="acme", version="1", state=state, first_seen_at=NOW, changed_at=NOW, decision=4,
        failure=FailureClass.HEALTH if state == "rolling_back" else None,
        attempts={FailureClass.HEALTH: 1} if state == "rolling_back" else {},
    )  # fmt: skip
    await install_journal.save_journal(
        pc.home.installs, replace(pc.installs.journal, decisions=4, records=(interrupted,))
    )
    await pc.start().load()
    await pc.settle()
    assert not [call for call in pc.installer.calls if call.startswith("install")]
    assert pc.record().state == ("rolled_back" if state == "rolling_back" else "installed")


@pytest.mark.parametrize("state", ["installing", "rolling_back"])
async def test_however_often_the_daemon_was_restarted_what_runs_on_is_waited_for(pc: Pc, state: LifeState) -> None:
    pc.candidate("acme")
    pc.installer.present["acme"] = "1"
    record = InstallRecord(
        patch_id="acme", version="1", state=state, first_seen_at=NOW, changed_at=NOW, decision=4, interrupted=9,
        failure=FailureClass.HEALTH if state == "rolling_back" else None,
    )  # fmt: skip
    await install_journal.save_journal(pc.home.installs, replace(pc.installs.journal, decisions=4, records=(record,)))
    await pc.start().load()
    await pc.settle()
    assert pc.installer.calls == ["wait"], "before anything is said of it, and nothing is repaired or undone"
    assert pc.record().state == ("failed" if state == "rolling_back" else "installed")


async def test_stopping_the_daemon_lets_an_installer_end(pc: Pc, autojump_clock: trio.testing.MockClock) -> None:
    pc.candidate("acme")
    pc.installer.running = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.installs.run)
        await pc.installer.running.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(STOP_SECONDS / 2)
            pc.installer.go_on.set()
    assert pc.record().state == "detecting"
    await pc.start().load()
    await pc.settle()
    assert (pc.record().state, pc.installer.calls) == ("installed", ["install acme 1"])


async def test_installer_that_does_not_end_is_cancelled_in_time(pc: Pc, autojump_clock: trio.testing.MockClock) -> None:
    pc.candidate("acme")
    pc.installer.running = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.installs.run)
        await pc.installer.running.wait()
        began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began == pytest.approx(STOP_SECONDS)
    assert pc.record().state == "installing"


async def test_the_plan_is_made_anew_when_one_of_its_reasons_has_changed_and_not_before(pc: Pc) -> None:
    pc.candidate("acme", schedule=ScheduleRules(windows=("sun 22:00-23:00",)))
    await pc.settle()
    (row,) = rows = pc.installs.plan()
    assert pc.installs.plan() is rows, "it is asked for several times in each answer"
    await pc.installs.store.update(row.candidate.ref, lambda record: replace(record, deferral_count=1))
    (row,) = pc.installs.plan()
    assert (row.record, row.reason) == (pc.record(), "waits for a maintenance window")
    pc.clock_problem = "it stands still"
    (row,) = pc.installs.plan()
    assert row.reason == "waits: this PC's clock cannot be believed"
    pc.clock_problem = ""
    assert pc.installs.plan()[0].reason == "waits for a maintenance window"
    pc.candidate("tool")
    rows = pc.installs.plan()
    assert [row.candidate.ref.patch_id for row in rows] == ["acme", "tool"]
    pc.clock.wall += PLAN_KEPT_SECONDS
    assert pc.installs.plan() is not rows, "windows open while nothing else changes"


async def test_a_plan_with_nothing_left_to_do_is_kept_until_something_comes(pc: Pc) -> None:
    pc.candidate("file", install=None)
    await pc.settle()
    rows = pc.installs.plan()
    pc.clock.wall += 2 * PLAN_KEPT_SECONDS
    assert pc.installs.plan() is rows, "with hundreds of patches a PC is idle for weeks"
    pc.clock.wall += SETTLED_PLAN_KEPT_SECONDS
    rows, before = pc.installs.plan(), rows
    assert rows is not before
    assert rows == before
    pc.candidate("acme", schedule=ScheduleRules(windows=("sun 22:00-23:00",)))
    assert len(pc.installs.plan()) == 2


async def test_files_that_come_one_after_the_other_are_looked_at_together(
    pc: Pc, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(100):
        pc.candidate(f"file{n}", install=None)
    looks: list[float] = []
    real = pc.installs.step

    async def step() -> float:
        looks.append(trio.current_time())
        return await real()

    monkeypatch.setattr(pc.installs, "step", step)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.installs.run)
        await trio.sleep(1.0)
        assert len(looks) == 1, "nothing has come"
        for _ in range(20):
            pc.installs.wake()
            await trio.sleep(look_pause_seconds(100) / 10)
        assert len(looks) in (3, 4), "at once, and then as often as so many patches may be looked at"
        await trio.sleep(1.0)
        last = len(looks)
        pc.installs.wake()
        await trio.sleep(0.001)
        assert len(looks) == last + 1, "after a while without news, at once again"
        nursery.cancel_scope.cancel()


async def test_restart_once_in_the_window_of_a_patch_that_asks_for_it(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    boots = ["first"]
    monkeypatch.setattr(system, "boot_id", lambda: boots[-1])
    pc.start(may_restart=True)
    pc.installer.ends["1"] = outcome(reboot=True)
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 11:00-13:00",), reboot="window"))
    await pc.settle()
    await pc.settle()
    restarts = [call for call in pc.installer.calls if call.startswith("restart")]
    assert restarts == ["restart: This PC restarts in 5 minutes to finish acme@1."]
    boots.append("second")
    await pc.settle()
    assert pc.record().restart_boot is None


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the PC's boots; the last one is the present."""
    made = ["first"]
    monkeypatch.setattr(system, "boot_id", lambda: made[-1])
    return made


def restarts(pc: Pc) -> list[str]:
    return [call for call in pc.installer.calls if call.startswith("restart")]


NIGHTLY = ScheduleRules(windows=("22:00-23:00",), reboot="window", deadline="2026-11-27T12:00", grace_minutes=60)


async def needs_restart(pc: Pc, schedule: ScheduleRules = NIGHTLY, version: str = "1") -> None:
    """Install a patch that says that it needs a restart, without one before the window ends."""
    pc.installer.ends[version] = outcome(reboot=True)
    pc.candidate("acme", version, schedule=schedule)
    pc.clock.wall = datetime(2026, 11, 25, 22, 10, tzinfo=UTC).timestamp()
    pc.blackout = None
    assert await pc.installs.step() == 0.0
    assert pc.record(version=version).restart_boot is not None
    pc.clock.wall += 8 * 3_600


async def test_a_restart_survives_a_newer_version_that_needs_none(pc: Pc, boots: list[str]) -> None:
    await needs_restart(pc)
    pc.candidate("acme", "2", schedule=ScheduleRules(reboot="never"))
    await pc.settle()
    await pc.settle()
    assert [(r.version, r.restart_boot) for r in pc.installs.journal.records] == [("2", "first")]
    (due,) = pc.installs.restarter.due(pc.installs.moment())
    assert (due.ref.version, due.by) == ("2", RestartBy.USER_ALONE), (
        "its own recipe needs none, but the one before does"
    )
    boots.append("second")
    await pc.settle()
    assert (pc.record(version="2").restart_boot, pc.history()[-1]) == (None, "the PC has been restarted")


async def test_a_restart_survives_a_withdrawal_and_is_carried_out(pc: Pc, boots: list[str]) -> None:
    await needs_restart(pc)
    await pc.settle()
    pc.candidates = []
    await pc.start(may_restart=True).load()
    await pc.settle()
    assert restarts(pc) == []
    assert [restart.id for restart in orders(pc).plan().restarts] == ["acme"]
    pc.clock.wall = datetime(2026, 11, 26, 22, tzinfo=UTC).timestamp()
    await pc.settle()
    assert restarts(pc) == ["restart: This PC restarts in 5 minutes to finish acme@1."]
    assert orders(pc).posture("id", "pc", "").restarts == ["acme@1"]
    boots.append("second")
    await pc.settle()
    assert orders(pc).posture("id", "pc", "").restarts == []


async def test_a_restart_is_forced_after_deadline_and_grace_with_notice(pc: Pc, boots: list[str]) -> None:
    pc.start(may_restart=True)
    pc.blackout = datetime(2027, 1, 1, tzinfo=UTC)
    await needs_restart(pc)
    pc.clock.wall = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC).timestamp()  # it slept through a window
    await pc.settle()
    assert restarts(pc) == []
    assert orders(pc).posture("id", "pc", "").compliant
    pc.clock.wall += 3_600
    assert not orders(pc).posture("id", "pc", "").compliant
    await pc.settle()
    assert restarts(pc) == ["restart: This PC restarts in 15 minutes to finish acme@1."]
    pc.clock.wall += 15 * 60
    await pc.settle()
    assert len(restarts(pc)) == 1, "it may still come"
    pc.clock.wall += 5 * 60
    await pc.settle()
    assert len(restarts(pc)) == 2, "somebody has cancelled it"


async def test_a_rollback_that_is_asked_for_before_an_announced_restart_begins_after_it(
    pc: Pc, boots: list[str]
) -> None:
    pc.start(may_restart=True)
    pc.candidate("other")
    await pc.settle()
    await needs_restart(pc, ScheduleRules(reboot="window"))
    await pc.settle()
    assert len(restarts(pc)) == 1
    await orders(pc).roll_back(PatchOrder("other"))
    await pc.settle()
    back = "roll back other 1 to None"
    assert back not in pc.installer.calls, "the restart would cut it off"
    boots.append("second")
    await pc.start(may_restart=True).load()
    await pc.settle()
    assert pc.installer.calls.count(back) == 1


async def test_the_pc_is_not_restarted_under_an_installer_that_has_outlived_its_daemon(
    pc: Pc, boots: list[str]
) -> None:
    pc.start(may_restart=True)
    pc.installer.ends["1"] = outcome(reboot=True)
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 11:00-13:00",), reboot="window"))
    pc.installer.outlives = True
    await pc.settle()
    await pc.settle()
    assert restarts(pc) == []
    pc.installer.outlives = False
    await pc.settle()
    assert len(restarts(pc)) == 1


async def test_a_restart_that_the_system_refuses_is_not_asked_for_all_the_time(
    pc: Pc, boots: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.start(may_restart=True)
    calls: list[int] = []

    async def refused(minutes: int, _message: str) -> Outcome:
        calls.append(minutes)
        return outcome(False, "shutdown ended with exit code 1")

    monkeypatch.setattr(pc.installer, "restart_pc", refused)
    await needs_restart(pc, ScheduleRules(reboot="window"))
    for _ in range(59):
        await pc.settle()
        pc.clock.wall += 60
    assert calls == [5]
    pc.clock.wall += 60
    await pc.settle()
    assert calls == [5, 5]


async def test_a_patch_that_needs_a_restart_is_not_done(pc: Pc, boots: list[str]) -> None:
    await needs_restart(pc, ScheduleRules(reboot="ask"))
    await pc.settle()
    (row,) = orders(pc).posture("id", "pc", "").patches
    assert (row.state, row.compliant, row.restart_needed) == ("restart_pending", False, True)
    boots.append("second")
    await pc.settle()
    (row,) = orders(pc).posture("id", "pc", "").patches
    assert (row.compliant, row.restart_needed) == (True, False)


# --- deadlines -----------------------------------------------------------------------------------

OVERDUE = ScheduleRules(windows=("22:00-23:00",), deadline="2026-11-25T11:00", grace_minutes=60, deferrals=1)


async def test_a_pc_that_was_off_past_the_deadline_has_its_grace_from_its_return(pc: Pc) -> None:
    pc.clock.wall = NOW + 1_800  # at 12:30, half an hour after the grace
    pc.candidate("acme", schedule=OVERDUE)
    await pc.settle()
    assert pc.installer.calls == []
    (row,) = pc.installs.plan()
    assert (row.reason, row.forced_at) == ("waits for a maintenance window", NOW + 1_800 + 3_600)
    pc.clock.wall += 600
    answer = await orders(pc).defer(DeferOrder("acme"))
    assert answer.until == NOW + 1_800 + 3_600, "to the end of its grace, and no longer"
    pc.clock.wall = NOW + 1_800 + 3_600
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_a_pc_that_is_turned_off_in_its_grace_gains_no_more_than_a_notice(pc: Pc) -> None:
    pc.candidate("acme", schedule=OVERDUE)
    await pc.settle()
    pc.clock.wall += 6 * 3_600
    await pc.start().load()
    await pc.settle()
    assert pc.installer.calls == []
    assert pc.installs.plan()[0].forced_at == pc.clock.wall + 15 * 60
    pc.clock.wall += 15 * 60
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_by_a_clock_that_is_not_believed_nothing_is_begun_and_no_grace_passes(pc: Pc) -> None:
    pc.candidate("acme", schedule=OVERDUE)
    pc.candidate("urgent", sequence=2, schedule=ScheduleRules(emergency=True))
    pc.clock_problem = "This PC's clock cannot be believed."
    pc.clock.wall += 365 * 86_400
    await pc.settle()
    pc.clock.wall += 7_200
    await pc.settle()
    assert pc.installer.calls == ["install urgent 1"]
    (row,) = (row for row in pc.installs.plan() if row.candidate.ref.patch_id == "acme")
    assert (row.reason, row.again_at) == ("waits: this PC's clock cannot be believed", None)
    stated = orders(pc).posture("id", "pc", "")
    assert (stated.compliant, stated.problem) == (False, pc.clock_problem)
    assert [patch.overdue_seconds for patch in stated.patches] == [0, 0]
    assert orders(pc).plan().problem == pc.clock_problem
    with pytest.raises(UserError, match="cannot be believed"):
        await orders(pc).defer(DeferOrder("acme"))
    pc.clock_problem, pc.clock.wall = "", NOW
    await pc.settle()
    assert pc.installer.calls == ["install urgent 1"], "its grace begins now"


async def test_withdrawn_patches_are_forgotten_unless_something_has_happened(pc: Pc) -> None:
    pc.candidate("waiting", here=False)
    pc.candidate("installed")
    weekly = ScheduleRules(deferrals=1, longest_deferral_minutes=7 * 24 * 60, windows=("sun 01:00-02:00",))
    pc.candidate("deferred", schedule=weekly)
    await pc.settle()
    await orders(pc).defer(DeferOrder("deferred"))
    pc.installer.is_healthy = False
    pc.candidate("sick", health=HEALTH)
    await pc.settle()
    before, pc.candidates = pc.candidates, []
    pc.candidate("other", here=False)
    await pc.settle()
    assert sorted(r.patch_id for r in pc.installs.journal.records) == ["deferred", "installed", "other", "sick"]
    pc.candidates = before
    await pc.settle()
    assert pc.installer.calls.count("install sick 1") == 1, "it is remembered that it did harm"


async def test_a_newer_version_remembers_which_ones_it_has_replaced(pc: Pc) -> None:
    for number in range(1, MAX_PREDECESSORS + 3):
        pc.candidates = []
        pc.candidate("acme", str(number), number=number)
        await pc.settle()
    (record,) = pc.installs.journal.records
    last = tuple(map(str, range(2, MAX_PREDECESSORS + 2)))
    assert (record.version, record.predecessors) == (str(MAX_PREDECESSORS + 2), last)


async def test_withdrawn_in_the_middle_it_comes_to_its_end(pc: Pc) -> None:
    pc.candidate("acme")
    pc.installer.running = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.settle)
        await pc.installer.running.wait()
        pc.withdraw()
        pc.installer.go_on.set()
    assert pc.record().state == "installed"
    for _ in range(2):
        await pc.settle()
    assert pc.history().count("withdrawn: crashes") == 1, "and the journal says so"


async def test_withdrawn_while_it_is_made_ready_nothing_is_begun(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    pc.candidate("acme")
    looking = pc.installer.installed_version

    async def withdrawn_meanwhile(install: Install, package: PackageFile | None = None) -> str:
        pc.withdraw()
        return await looking(install, package)

    monkeypatch.setattr(pc.installer, "installed_version", withdrawn_meanwhile)
    await pc.settle()
    assert pc.installer.calls == []
    assert list(pc.home.kept.rglob("*.tar")) == [], "what was kept for a rollback is not needed"
    assert pc.installs.journal.history == ()


async def test_held_back_while_it_is_made_ready_nothing_is_begun_until_that_ends(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = pc.candidate("acme")
    looking = pc.installer.installed_version

    async def held_meanwhile(install: Install, package: PackageFile | None = None) -> str:
        pc.candidates = [dataclasses.replace(ready, not_yet="an exception holds it back on this PC")]
        return await looking(install, package)

    with monkeypatch.context() as patched:
        patched.setattr(pc.installer, "installed_version", held_meanwhile)
        await pc.settle()
    assert pc.installer.calls == []
    assert pc.installs.journal.history == ()
    pc.candidates = [ready]
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_nothing_is_begun_while_it_is_not_known_whether_it_is_still_offered(pc: Pc) -> None:
    pc.candidate("acme")
    pc.held = "the list of patches has expired"
    await pc.settle()
    assert pc.installer.calls == []
    pc.held = ""
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_the_way_back_is_known_after_a_rollback_and_another_try(pc: Pc) -> None:
    pc.candidate("acme", "1")
    await pc.settle()
    pc.candidate("acme", "2", health=HEALTH)
    await pc.settle()
    await orders(pc).roll_back(PatchOrder("acme"))
    await pc.settle()
    assert pc.installer.present["acme"] == "1"
    pc.installer.is_healthy = False
    await orders(pc).retry(PatchOrder("acme"))
    await pc.settle()
    assert pc.installer.calls[-1] == "roll back acme 2 to 1"
    pc.candidate("acme", "3", health=HEALTH)
    await pc.settle()
    assert pc.installer.calls[-1] == "roll back acme 3 to 1"


async def test_file_that_goes_while_it_is_installed_is_rolled_back_by_the_kept_one(pc: Pc) -> None:
    candidate = pc.candidate("acme", health=HEALTH)
    pc.installer.is_healthy = False
    pc.installer.running = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.settle)
        await pc.installer.running.wait()
        pc.candidates = []
        assert candidate.file is not None
        Path(candidate.file).unlink()
        pc.installer.go_on.set()
    assert pc.record().state == "rolled_back"
    assert pc.installer.undone_by == pc.home.kept / "acme" / "1" / "a.tar"


async def test_patches_that_undo_each_other_do_not_take_turns_without_a_pause(pc: Pc) -> None:
    pc.installer.one_at_a_time = True
    pc.candidate("a")
    pc.candidate("b", sequence=2)
    await pc.settle()
    assert pc.installer.calls == ["install a 1", "install b 1"]


async def test_rollback_that_was_accepted_is_carried_out_though_the_patch_is_withdrawn(pc: Pc) -> None:
    pc.candidate("acme")
    await pc.settle()
    await orders(pc).roll_back(PatchOrder("acme"))
    pc.candidates = []
    pc.candidate("other", here=False)
    await pc.settle()
    assert pc.installer.calls == ["install acme 1", "roll back acme 1 to None"]


async def test_needed_by_another_it_counts_where_it_is_here_without_applying(pc: Pc) -> None:
    needed = pc.candidate("a")
    pc.candidates[-1] = Candidate(needed.manifest, 1, None, None, "not applicable: it is newer")
    pc.candidate("b", sequence=2, requires=("a",))
    pc.installer.present["a"] = "1"
    await pc.settle()
    assert pc.record("b").state == "installed"


async def test_orders_and_the_loop_lose_nothing_of_each_other(pc: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the loop waits for the disk, or asks what is there, the user decides."""
    held, reached = trio.Event(), trio.Event()
    ask = pc.installer.installed_version

    async def slow(install: Install, package: PackageFile | None = None) -> str:
        reached.set()
        await held.wait()
        return await ask(install, package)

    monkeypatch.setattr(pc.installer, "installed_version", slow)
    pc.candidate("acme", schedule=ScheduleRules(deferrals=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.settle)
        await reached.wait()
        await orders(pc).defer(DeferOrder("acme", 600))
        held.set()
    assert (pc.installer.calls, pc.record().deferral_count) == ([], 1)


async def test_times_that_a_wrong_clock_has_made_do_not_last(pc: Pc) -> None:
    pc.clock.wall += 1e9
    pc.installer.works = False
    pc.candidate("acme", schedule=ScheduleRules(deferrals=2, longest_deferral_minutes=60))
    await pc.settle()
    pc.clock.wall -= 1e9
    pc.installer.works = True
    await pc.settle()
    assert pc.record().state == "installed"


# --- the user's decisions ------------------------------------------------------------------------


def orders(pc: Pc) -> InstallRequests:
    return InstallRequests(pc.installs, pc.clock)


async def test_deferral_holds_survives_a_restart_and_is_counted(pc: Pc) -> None:
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 13:00-18:00",), deferrals=1))
    await pc.settle()
    answer = await orders(pc).defer(DeferOrder("acme", 7_200))
    assert (answer.until, answer.deferrals_left) == (NOW + 7_200, 0)
    await pc.start().load()
    pc.clock.wall += 5_400
    await pc.settle()
    assert pc.installer.calls == []
    pc.clock.wall += 1_800
    with pytest.raises(UserError, match="deferred once, and no more is allowed") as refused:
        await orders(pc).defer(DeferOrder("acme"))
    assert refused.value.kind is FaultKind.REFUSED
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]


async def test_user_rolls_back_and_it_stays_so_until_asked(pc: Pc) -> None:
    pc.candidate("acme")
    await pc.settle()
    await orders(pc).roll_back(PatchOrder("acme@1"))
    await pc.settle()
    assert pc.installer.calls == ["install acme 1", "roll back acme 1 to None"]
    pc.clock.wall += 1e7
    await pc.settle()
    assert (pc.record().state, len(pc.installer.calls)) == ("rolled_back", 2)
    await orders(pc).retry(PatchOrder("acme"))
    await pc.settle()
    assert pc.record().state == "installed"


@pytest.mark.parametrize(
    ("order", "message"),
    [("defer", "it is installed"), ("retry", "needs no retry"), ("roll_back", "was not installed by p2pdist")],
)
async def test_what_makes_no_sense_is_refused_with_the_reason(pc: Pc, order: str, message: str) -> None:
    pc.installer.present["acme"] = "1"
    pc.candidate("acme")
    await pc.settle()
    kind = DeferOrder if order == "defer" else PatchOrder
    with pytest.raises(UserError, match=message):
        await getattr(orders(pc), order)(kind("acme"))
    with pytest.raises(UserError, match="not rolled out to this PC"):
        await getattr(orders(pc), order)(kind("other"))


async def test_an_age_does_not_begin_before_the_publication_whatever_the_clock_showed(pc: Pc) -> None:
    pc.clock.wall = 946_684_800.0
    pc.candidate("acme")
    pc.candidates[0] = dataclasses.replace(
        pc.candidates[0], manifest=replace(pc.candidates[0].manifest, published_at=int(NOW) - 60)
    )
    await pc.settle()
    pc.clock.wall = NOW
    (patch,) = orders(pc).posture("id", "pc", "").patches
    assert patch.age_seconds == 60


async def test_plan_history_and_posture(pc: Pc) -> None:
    pc.candidate("acme", schedule=ScheduleRules(deadline="2026-11-25T14:00", windows=("sun 01:00-02:00",)))
    tool = ScriptInstall(interpreter="sh")
    offered = pc.candidate("tool", sequence=2, install=tool)
    pc.candidates[-1] = Candidate(offered.manifest, 2, None, None, "not applicable: no tool")
    await pc.settle()
    assert orders(pc).posture("id", "pc", "").problem == ""
    shown = {row.id: row for row in orders(pc).plan().patches}
    assert shown["acme"].reason == "waits for a maintenance window"
    assert shown["acme"].due_at == NOW + 7_200
    assert shown["tool"].state == "not_applicable"
    assert orders(pc).posture("id", "pc", "").compliant is True
    pc.clock.wall += 7_200
    await pc.settle()
    assert orders(pc).history().history[-1].what == "installed"


@pytest.mark.parametrize("seconds", [0, -1, 1e300, float("nan")])
async def test_deferrals_of_no_length_are_refused(pc: Pc, seconds: float) -> None:
    pc.candidate("acme", schedule=ScheduleRules(deferrals=1, windows=("sun 01:00-02:00",)))
    await pc.settle()
    with pytest.raises(UserError, match="from a second to 30 days"):
        await orders(pc).defer(DeferOrder("acme", seconds))
    assert pc.record().deferral_count == 0


async def test_a_user_ends_his_deferral_and_is_told_what_comes(pc: Pc) -> None:
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 12:00-18:00",), deferrals=2, reboot="ask"))
    pc.candidates[0] = dataclasses.replace(
        pc.candidates[0], manifest=replace(pc.candidates[0].manifest, title="Acme", titles={"ja": "アクメ"})
    )
    await pc.installs.load()
    given = orders(pc)
    offered = {candidate.ref: candidate for candidate in pc.candidates}
    await pc.installs.store.change(lambda journal: journal_notes.with_patches(journal, offered, NOW))
    deferred = await given.defer(DeferOrder("acme", 3_600))
    assert (deferred.title, deferred.titles) == ("Acme", {"ja": "アクメ"})
    (told,) = given.notices().installs
    assert (told.begins_at, told.deferred, told.later_until) == (NOW + 3_600, True, NOW + 86_400)
    ended = await given.defer(DeferOrder("acme", end=True))
    assert (ended.deferrals_left, ended.counted, ended.until) == (1, False, NOW)
    assert (await given.defer(DeferOrder("acme", end=True))).note == "It is not deferred."
    (told,) = given.notices().installs
    assert (told.begins_at, told.deferred) == (None, False)
    assert [step.what for step in given.history().history] == [
        "deferred by this PC's user until 2026-11-25 13:00",
        "its deferral is ended by this PC's user",
    ]
    await pc.settle()
    assert pc.installer.calls == ["install acme 1"]
    assert given.notices().installs == []


async def test_a_user_who_asks_without_end_does_not_have_the_loop_look_without_end(
    pc: Pc, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.candidate("acme", schedule=ScheduleRules(windows=("wed 12:00-18:00",), deferrals=2))
    await pc.installs.load()
    given, woken = orders(pc), list[bool]()
    offered = {candidate.ref: candidate for candidate in pc.candidates}
    await pc.installs.store.change(lambda journal: journal_notes.with_patches(journal, offered, NOW))
    monkeypatch.setattr(pc.installs, "wake", lambda: woken.append(True))
    for _ in range(3):
        await given.defer(DeferOrder("acme", 3_600))
    assert len(woken) == 1
    for _ in range(3):
        await given.defer(DeferOrder("acme", end=True))
    assert len(woken) == 2


async def test_posture_of_a_pc_that_has_not_looked_yet_is_not_good(pc: Pc) -> None:
    pc.candidate("acme")
    said = orders(pc).posture("id", "pc", "")
    assert (said.compliant, said.problem) == (False, "what is installed here has not been looked at yet")
