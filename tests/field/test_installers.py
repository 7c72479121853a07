"""Installers as they are met in the field: busy, late, refused, asking for a restart, restarting what runs them.

The kind: an installer's word is an outcome of three values, and so is what detection says of it. Nothing is undone
that was not seen to be done, and nothing counts as a failure that only has to wait.
"""

import contextlib
import hashlib
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.install.command_lines import install_command
from p2pdist.install.installer import Installer
from p2pdist.install.outcomes import Outcome
from p2pdist.local_api.messages import PatchOrder
from p2pdist.shared.manifest.recipe import (
    CommandCheck,
    DebInstall,
    MsiInstall,
    PackageCheck,
    RpmInstall,
    ScheduleRules,
    ScriptInstall,
)
from tests.helpers.debian_packages import NEEDS_DPKG, Packages
from tests.helpers.field_pc import FieldPc
from tests.helpers.rpm_packages import NEEDS_RPM, RpmPackages

CODE = "{90160000-0011-0000-0000-0000000FF1CE}"
SCRIPT = ScriptInstall(interpreter="sh", rollback_arguments=("undo",), timeout_seconds=20)
DEB = DebInstall(package="acme", timeout_seconds=20)
UNDO = '[ "$1" = undo ] && { rm -f $P; exit 0; }\n'


def with_dpkg(test: Callable[..., object]) -> Callable[..., object]:
    """Run the test where there is a real dpkg."""
    for mark in NEEDS_DPKG:
        test = mark(test)
    return test


@pytest.fixture
async def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FieldPc:
    made = FieldPc(tmp_path, monkeypatch)
    await made.installs.load()
    return made


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


# --- an installer that failed and changed nothing --------------------------------------------------


async def test_an_installer_that_changed_nothing_is_not_undone(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    pc.offer("2", pc.script(UNDO + "echo the program is in use; exit 5"), SCRIPT, pc.is_program("2"))
    record = await pc.settle()
    assert pc.program.read_text() == "1\n", "the old version works, and must stay"
    assert (record.state, record.retry_at is not None) == ("failed", True)
    for _ in range(10):
        record = await pc.later(24 * 60)
    assert pc.program.read_text() == "1\n"
    assert record.retry_at is None, "it is blocked in the end"


async def test_an_installer_that_broke_something_is_undone(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    pc.offer("2", pc.script(UNDO + "echo half > $P; exit 5"), SCRIPT, pc.is_program("2"))
    record = await pc.settle()
    assert (record.state, pc.program.exists()) == ("rolled_back", False)


async def test_a_busy_code_of_the_recipe_is_tried_later_and_is_no_attempt(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    busy = ScriptInstall(interpreter="sh", rollback_arguments=("undo",), busy_codes=(75,), timeout_seconds=20)
    pc.offer("2", pc.script(UNDO + f"[ -e {pc.root}/free ] || exit 75\necho 2 > $P"), busy, pc.is_program("2"))
    for _ in range(6):
        record = await pc.later(30)
        assert (record.state, record.attempts, pc.program.read_text()) == ("waiting", {}, "1\n")
    assert "busy" in pc.row.reason
    assert pc.row.again_at is not None
    assert len(pc.said()) < 6, "a year of it does not push everything else out of the history"
    (pc.root / "free").touch()
    assert (await pc.later(30)).state == "installed"


def test_windows_installer_that_is_at_work_for_another_is_busy() -> None:
    assert 1618 in install_command(MsiInstall(product_code=CODE), "a.msi", "/").busy_codes


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a package manager's lock as another program at work does (the lock is a process's)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    holds = f"import fcntl; f = open({str(path)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        other.communicate(b"\n")


@with_dpkg
async def test_dpkg_s_lock_is_waited_for_as_long_as_it_is_held(pc: FieldPc, packages: Packages) -> None:
    night = ScheduleRules(windows=("wed 12:00-13:00", "thu 12:00-13:00"))
    pc.offer("1.0", packages.build("1.0"), DEB, schedule=night)
    with locked(pc.root / "var/lib/dpkg/lock"):
        for minutes in (0, 20, 20):
            record = await pc.later(minutes)
            assert (record.state, record.attempts) == ("waiting", {})
        assert "another program is installing packages" in pc.row.reason
        record = await pc.later(120)  # the window has closed
        assert pc.row.reason == "waits for a maintenance window"
    pc.clock.wall += 22 * 3_600 - 160 * 60 + 3_600
    assert (await pc.later(65)).state == "installed", "in the window of the next day"


@with_dpkg
async def test_a_way_back_waits_for_dpkg_s_lock_too(pc: FieldPc, packages: Packages) -> None:
    pc.offer("1.0", packages.build("1.0"), DEB)
    assert (await pc.settle()).state == "installed"
    await pc.orders.roll_back(PatchOrder("acme"))
    with locked(pc.root / "var/lib/dpkg/lock"):
        for _ in range(3):
            assert (await pc.later(20)).state == "rolling_back"
    assert (await pc.later(20)).state == "rolled_back"


# --- a detection that cannot tell --------------------------------------------------------------------


async def test_a_detection_program_that_is_missing_tells_nothing_and_undoes_nothing(pc: FieldPc) -> None:
    gone = CommandCheck(command=("/opt/wmic", "qfe"), output="KB1")
    pc.offer("2", pc.script(UNDO + "echo 2 > $P"), SCRIPT, gone)
    record = await pc.settle()
    assert (record.state, pc.program.read_text(), record.attempts) == ("unproven", "2\n", {})
    assert "/opt/wmic is missing" in pc.row.reason
    assert (await pc.later(24 * 60)).state == "unproven"
    there = pc.root / "opt/wmic"
    there.write_text("#!/bin/sh\necho KB1\n")
    there.chmod(0o755)
    assert (await pc.later(24 * 60)).state == "installed"


async def test_a_detection_that_is_late_does_not_make_an_installed_patch_missing(pc: FieldPc) -> None:
    program = pc.root / "opt/check"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    pc.offer("2", pc.script("exit 0"), SCRIPT, CommandCheck(command=("/opt/check",), timeout_seconds=1))
    assert (await pc.settle()).state == "installed"
    program.write_text("#!/bin/sh\nsleep 60\n")
    assert (await pc.later(61)).state == "installed"


# --- a restart that has to come first ----------------------------------------------------------------


def restarts_for(pc: FieldPc, body: str = "") -> None:
    install = ScriptInstall(
        interpreter="sh", rollback_arguments=("undo",), reboot_codes=(194,), timeout_seconds=20
    )  # fmt: skip
    pc.offer("2", pc.script(UNDO + body + "exit 194"), install, pc.is_program("2"))


async def test_what_holds_only_after_a_restart_is_not_undone_before_it(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    restarts_for(pc)
    for _ in range(3):
        record = await pc.later(24 * 60)
        assert (record.state, record.attempts, pc.program.read_text()) == ("unproven", {}, "1\n")
    assert (pc.row.state, "restart" in pc.row.reason) == ("restart_pending", True)
    pc.program.write_text("2\n")  # as the system starts
    assert (await pc.restarted()).state == "installed"
    assert pc.record("2").restart_boot is None


async def test_what_does_not_hold_after_the_restart_is_undone_then(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    restarts_for(pc, "echo half > $P\n")
    assert (await pc.settle()).state == "unproven"
    assert (await pc.restarted()).state == "unproven", "services are still starting"
    assert (await pc.later(30)).state == "rolled_back"
    assert not pc.program.exists()


# --- a package whose scripts restart the daemon ------------------------------------------------------


class Killed(BaseException):
    """The daemon's end, in the middle of a repair."""


async def test_repairs_that_kill_the_daemon_end_and_are_seen(pc: FieldPc, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = []

    async def dies(*_arguments: object, **_more: object) -> Outcome:
        deaths.append(pc.clock.wall)
        raise Killed

    monkeypatch.setattr(pc.installer, "install", dies)
    monkeypatch.setattr(pc.installer, "repair", dies)
    monkeypatch.setattr(pc.installer, "roll_back", dies)
    pc.offer("2", pc.script("exit 0"), SCRIPT, pc.is_program("2"))
    for _ in range(30):
        await pc.start().load()
        with contextlib.suppress(Killed, BaseExceptionGroup):
            record = await pc.later(0.1)
            break
    else:
        raise AssertionError("it goes on for ever")
    assert len(deaths) <= 8
    assert (record.state, record.retry_at is None or record.retry_at > pc.clock.wall) == ("failed", True)
    assert "interrupted" in pc.row.reason


# --- what the package manager says -------------------------------------------------------------------


def installed(pc: FieldPc) -> str:
    asked = ["dpkg-query", f"--admindir={pc.root}/var/lib/dpkg", "--show", "-f", "${Package} ${Version} ${Status}\n"]
    return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()


@with_dpkg
async def test_what_was_installed_is_told_by_the_package_and_not_by_the_recipe(pc: FieldPc, packages: Packages) -> None:
    pc.offer("1.0", packages.build("1.0"), DebInstall(package="acmee", timeout_seconds=20))
    assert (await pc.settle()).state == "installed"
    assert (await pc.later(24 * 60)).state == "installed"
    assert installed(pc) == "acme 1.0 install ok installed"
    await pc.orders.roll_back(PatchOrder("acme"))
    assert (await pc.settle()).state == "rolled_back"
    assert installed(pc) == ""


@with_dpkg
async def test_a_package_that_a_wrong_check_denies_is_undone_by_its_own_name(pc: FieldPc, packages: Packages) -> None:
    wrong = PackageCheck(name="acmee", at_least="1.0")
    pc.offer("1.0", packages.build("1.0"), DebInstall(package="acmee", timeout_seconds=20), wrong)
    record = await pc.settle()
    assert (record.state, installed(pc)) == ("rolled_back", ""), "nothing stays that nobody knows of"
    assert "holds the package acme, and the recipe says acmee" in pc.row.reason


@with_dpkg
async def test_a_rebuilt_older_package_as_a_higher_version_goes_back(pc: FieldPc, packages: Packages) -> None:
    pc.offer("2.0", packages.build("2.0"), DEB)
    await pc.settle()
    pc.offer("3.0", packages.build("1.0"), DEB, downgrade=True)
    assert (await pc.settle()).state == "installed"
    assert (await pc.later(24 * 60)).state == "installed", "it is not looked for by the patch's version"
    assert installed(pc) == "acme 1.0 install ok installed"


@with_dpkg
async def test_an_epoch_of_the_package_s_own_is_compared(pc: FieldPc, packages: Packages) -> None:
    pc.offer("3.0-1", packages.build("1:3.0-1"), DEB)
    assert (await pc.settle()).state == "installed"
    assert (await pc.later(24 * 60)).state == "installed"


@with_dpkg
async def test_a_held_package_is_left_alone_and_the_reason_is_said(pc: FieldPc, packages: Packages) -> None:
    pc.offer("1.0", packages.build("1.0"), DEB)
    await pc.settle()
    select(pc, "hold")
    pc.offer("2.0", packages.build("2.0"), DEB)
    record = await pc.settle()
    assert (record.state, record.attempts) == ("waiting", {})
    assert "held by this PC's administrator" in pc.row.reason
    assert installed(pc) == "acme 1.0 hold ok installed"
    assert not list((pc.home.kept / "acme").glob("2.0/*"))
    select(pc, "install")
    assert (await pc.later(61)).state == "installed", "no longer held"


@with_dpkg
async def test_a_recipe_may_replace_a_held_package_and_the_hold_is_put_back(pc: FieldPc, packages: Packages) -> None:
    despite = DebInstall(package="acme", despite_hold=True, timeout_seconds=20)
    pc.offer("1.0", packages.build("1.0"), despite)
    await pc.settle()
    select(pc, "hold")
    pc.offer("2.0", packages.build("2.0"), despite)
    assert (await pc.settle()).state == "installed"
    assert installed(pc) == "acme 2.0 hold ok installed"
    await pc.orders.roll_back(PatchOrder("acme"))
    assert (await pc.settle()).state == "rolled_back"
    assert installed(pc) == "acme 1.0 hold ok installed"


def select(pc: FieldPc, selection: str) -> None:
    command = ["dpkg", f"--root={pc.root}", "--set-selections"]
    subprocess.run(command, check=True, input=f"acme {selection}\n", text=True)


@with_dpkg
async def test_dpkg_s_own_words_are_where_people_look(pc: FieldPc, packages: Packages) -> None:
    pc.offer("1.0", packages.build("2.0"), DEB)
    await pc.settle()
    pc.offer("3.0", packages.build("1.0"), DEB)
    record = await pc.settle()
    assert "will not downgrade acme from 2.0 to 1.0" in record.reason
    assert installed(pc) == "acme 2.0 install ok installed"


@with_dpkg
async def test_the_way_back_is_known_though_a_newer_publication_was_here_already(
    pc: FieldPc, packages: Packages
) -> None:
    pc.offer("1.0", packages.build("1.0"), DEB)
    await pc.settle()
    pc.offer("2.0", packages.build("2.0"), DEB)
    await pc.settle()
    pc.offer("1.5", packages.build("1.5"), DEB)  # a later publication; 2.0 is there, and satisfies it
    assert (await pc.settle()).state == "installed"
    await pc.orders.roll_back(PatchOrder("acme"))
    assert (await pc.settle()).state == "rolled_back"
    assert installed(pc) == "acme 1.0 install ok installed"


# --- rpm ---------------------------------------------------------------------------------------------


def with_rpm(test: Callable[..., object]) -> Callable[..., object]:
    """Run the test where there is a real rpm."""
    for mark in NEEDS_RPM:
        test = mark(test)
    return test


def rpms(pc: FieldPc) -> list[str]:
    asked = ["rpm", f"--root={pc.root}", "--query", "--all"]
    return sorted(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split())


@with_rpm
async def test_a_kernel_is_installed_beside_the_running_one_and_goes_alone(pc: FieldPc, tmp_path: Path) -> None:
    build, kernel = RpmPackages(tmp_path).build, RpmInstall(package="kernel-core", timeout_seconds=60)
    for version in ("5.14", "6.1"):
        file = build(version, name="kernel-core", provides="installonlypkg(kernel)")
        pc.offer(f"{version}-1", file, kernel)
        assert (await pc.settle()).state == "installed"
    assert rpms(pc) == ["kernel-core-5.14-1.noarch", "kernel-core-6.1-1.noarch"]
    await pc.orders.roll_back(PatchOrder("acme"))
    assert (await pc.settle()).state == "rolled_back"
    assert rpms(pc) == ["kernel-core-5.14-1.noarch"]


@with_rpm
async def test_other_rpms_replace_their_former_version_and_come_back(pc: FieldPc, tmp_path: Path) -> None:
    build, acme = RpmPackages(tmp_path).build, RpmInstall(package="acme", timeout_seconds=60)
    for version in ("1.0", "2.0"):
        pc.offer(f"{version}-1", build(version), acme)
        assert (await pc.settle()).state == "installed"
    assert rpms(pc) == ["acme-2.0-1.noarch"]
    await pc.orders.roll_back(PatchOrder("acme"))
    await pc.settle()
    assert rpms(pc) == ["acme-1.0-1.noarch"]


def rpm_lock(pc: FieldPc) -> Path:
    asked = ["rpm", "--eval", "%{_rpmlock_path}"]
    place = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    return Path(f"{pc.root}{place}")


@with_rpm
async def test_rpm_s_lock_is_waited_for(pc: FieldPc, tmp_path: Path) -> None:
    pc.offer("1.0-1", RpmPackages(tmp_path).build("1.0"), RpmInstall(package="acme", timeout_seconds=1))
    with locked(rpm_lock(pc)):
        record = await pc.settle()  # rpm itself waits, for as long as it may
        assert (record.state, record.attempts) == ("waiting", {})
    assert (await pc.later(20)).state == "installed"


# --- what an installer gets --------------------------------------------------------------------------


async def test_an_installer_gets_the_usual_umask_and_limits(pc: FieldPc) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    try:
        pc.offer("2", pc.script("umask > $P.told; ulimit -n >> $P.told; echo 2 > $P"), SCRIPT, pc.is_program("2"))
        assert (await pc.settle()).state == "installed"
    finally:
        os.umask(before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert Path(f"{pc.program}.told").read_text() == "0022\n1024\n"
    assert pc.program.stat().st_mode & 0o777 == 0o644


async def test_a_service_that_an_installer_leaves_behind_may_go_on_writing(pc: FieldPc) -> None:
    service = "(trap '' HUP; sleep 2; for n in 1 2 3; do echo line $n; done; echo alive > $P.alive) &\n"
    pc.offer("2", pc.script(service + "echo 2 > $P"), SCRIPT, pc.is_program("2"))
    assert (await pc.settle()).state == "installed"
    with trio.fail_after(20):
        while not Path(f"{pc.program}.alive").exists():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.05)


async def test_a_script_is_not_run_on_the_host_for_another_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    file = tmp_path / "script"
    file.write_text(f"touch {tmp_path}/ran")
    installer = Installer(tmp_path / "root", tmp_path / "scratch")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    outcome = await installer.install(SCRIPT, "1", file, digest)
    assert (outcome.succeeded, (tmp_path / "ran").exists()) == (False, False)
    assert "install_root" in outcome.words


def give_a_shell(pc: FieldPc) -> None:
    needs = subprocess.run(["ldd", "/bin/sh"], check=True, capture_output=True, text=True).stdout.split()
    for path in ("/bin/sh", *(word for word in needs if word.startswith("/"))):
        place = Path(f"{pc.root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


@with_dpkg
@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="copies a shell of this kind")
async def test_the_scripts_of_a_package_are_run_in_the_root_where_that_has_a_shell(
    pc: FieldPc, packages: Packages, tmp_path: Path
) -> None:
    give_a_shell(pc)
    mark = tmp_path.name  # so that a host is not written to by the same name, should it fail
    pc.offer("1.0", packages.build("1.0", postinst=f": > /{mark}"), DEB)
    assert (await pc.settle()).state == "installed"
    assert ((pc.root / mark).exists(), Path("/", mark).exists()) == (True, False)


# --- what is kept ------------------------------------------------------------------------------------


async def test_the_file_of_a_version_that_was_rolled_back_is_not_kept(pc: FieldPc) -> None:
    pc.offer("2", pc.script(UNDO + "echo half > $P; exit 5"), SCRIPT, pc.is_program("2"))
    assert (await pc.settle()).state == "rolled_back"
    assert list(pc.home.kept.rglob("*")) == [] or not any(path.is_file() for path in pc.home.kept.rglob("*"))


# --- what is withdrawn meanwhile ---------------------------------------------------------------------


async def test_what_waits_for_a_restart_is_proven_after_it_though_it_was_withdrawn(pc: FieldPc) -> None:
    pc.program.write_text("1\n")
    restarts_for(pc)
    await pc.settle()
    pc.candidates.clear()
    pc.program.write_text("2\n")
    pc.boot += 1
    while await pc.installs.step() == 0:
        pass
    assert pc.record("2").state == "installed"
