"""`p2pdist.install.detection` with real files, programs and package databases, where there are some."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.install import detection, processes, proven_files
from p2pdist.install.findings import CheckResult, Whether, found, unknown
from p2pdist.shared.manifest.recipe import (
    Check,
    CommandCheck,
    DebInstall,
    FileCheck,
    HealthCheck,
    MsuInstall,
    PackageCheck,
    UnitCheck,
)
from p2pdist.shared.manifest.versions import Ecosystem
from tests.helpers.install_place import SH, Place, manifest

pytestmark = pytest.mark.skipif(not Path("/bin/sh").exists(), reason="there is no /bin/sh")


@pytest.mark.parametrize(
    ("dpkg", "rpm", "answer"),
    [
        ((0, b"installed 1.0\n"), (0, b"installed 2.0-1\n"), found(False, "acme 1.0 is installed, 2 is wanted")),
        ((1, b""), (0, b"installed 2.0-1\n"), found(True, "acme 2.0-1 is installed")),
        ((0, b"config-files 3.0\n"), (0, b"installed 2.0-1\n"), found(True, "acme 2.0-1 is installed")),
        ((2, b""), (0, b"installed 2.0-1\n"), found(True, "acme 2.0-1 is installed")),
        ((2, b""), (1, b"package acme is not installed\n"), unknown("dpkg-query ended with exit code 2")),
        ((1, b""), (1, b""), found(False, "acme is not installed")),
    ],
)
async def test_the_first_package_database_that_has_it_answers(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    dpkg: tuple[int, bytes],
    rpm: tuple[int, bytes],
    answer: CheckResult,
) -> None:
    async def run(command, **named):
        return processes.Ended(*(dpkg if command.argv[0] == "/usr/bin/dpkg-query" else rpm))

    monkeypatch.setattr(processes, "run", run)
    monkeypatch.setattr(detection, "_ecosystems", lambda: (Ecosystem.DEB, Ecosystem.RPM))
    assert await place.detector.check(PackageCheck(name="acme", at_least="2")) == answer


@pytest.mark.parametrize("in_between", [True, False])
async def test_a_pipe_in_a_file_s_place_is_not_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch, in_between: bool
) -> None:
    path = place.root / "x"
    os.mkfifo(path)
    if in_between:  # at the first look, it was a file
        looked = Path(__file__).stat()
        monkeypatch.setattr(Path, "stat", lambda *arguments, **named: looked)
    with trio.fail_after(10):
        answer = await place.detector.check(FileCheck(path="/x", sha256="0" * 64))
    assert answer == found(False, "/x is no file")


async def test_looks_that_never_end_are_given_up_and_leave_the_other_threads(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    place.limit(file_check_seconds=0.02)

    def hanging(path: Path, flags: int) -> None:
        gate.wait(20)

    monkeypatch.setattr(proven_files, "_open", hanging)
    try:
        with trio.fail_after(10):
            for _ in range(proven_files.MAX_LOOKS + 2):
                answer = await place.detector.check(FileCheck(path="/x", sha256="0" * 64))
                assert answer == unknown("/x could not be looked at within 0 s")
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    finally:
        gate.set()


async def test_files_are_looked_at_below_the_root(place: Place) -> None:
    check = FileCheck(path="/opt/x")
    assert await place.detector.check(check) == found(False, "/opt/x is missing")
    (place.root / "opt").mkdir()
    (place.root / "opt/x").write_bytes(b"x")
    assert await place.detector.check(check) == found(True, "/opt/x is there")
    content = hashlib.sha256(b"x").hexdigest()
    answer = await place.detector.check(FileCheck(path="/opt/x", sha256=content))
    assert answer == found(True, "/opt/x has the wanted content")
    answer = await place.detector.check(FileCheck(path="/opt/x", sha256="0" * 64))
    assert answer == found(False, "/opt/x has another content")
    answer = await place.detector.check(FileCheck(path="/opt/x/y", sha256=content))
    assert answer == found(False, "/opt/x/y is missing")
    os.mkfifo(place.root / "opt/pipe")
    answer = await place.detector.check(FileCheck(path="/opt/pipe", sha256=content))
    assert answer == found(False, "/opt/pipe is no file")


async def test_commands_are_asked_below_the_root(place: Place) -> None:
    check = CommandCheck(command=("/check", "a b", "$x"), output="[a b][$x]", exit_code=3)
    assert await place.detector.check(check) == unknown(f"{place.root}/check is missing")
    place.program('printf "[%s]" "$@"; exit 3')
    assert await place.detector.check(check) == found(True, "check answers as expected")
    answer = await place.detector.check(CommandCheck(command=("/check",), output="b", exit_code=3))
    assert answer == found(False, "check did not write 'b'")
    answer = await place.detector.check(CommandCheck(command=("/check",)))
    assert answer == found(False, "check ended with exit code 3, 0 is wanted")
    place.program("echo wanted >&2")
    answer = await place.detector.check(CommandCheck(command=("/check",), output="wanted"))
    assert not answer.holds
    place.program("sleep 1000")
    answer = await place.detector.check(CommandCheck(command=("/check",), timeout_seconds=1))
    assert answer == unknown(f"{place.root}/check gave no answer within 1 s")
    (place.root / "check").chmod(0o644)
    answer = await place.detector.check(CommandCheck(command=("/check",)))
    assert answer == unknown(f"{place.root}/check cannot be started: Permission denied")


async def test_units_and_packages_that_nobody_has(place: Place) -> None:
    assert not (await place.detector.check(UnitCheck(unit="p2pdist-no-such-unit.service"))).holds
    assert not (await place.detector.check(PackageCheck(name="p2pdist-no-such-package", at_least="1"))).holds


async def test_all_that_proves_it_has_to_hold(place: Place) -> None:
    there, missing = FileCheck(path="/there"), FileCheck(path="/missing")
    (place.root / "there").touch()
    assert await place.detector.detected(manifest("1", SH, there)) == found(True, "/there is there")
    answer = await place.detector.detected(manifest("1", SH, there, missing))
    assert answer == found(False, "/missing is missing")
    assert not (await place.detector.detected(manifest("1", None))).holds
    assert not (await place.detector.detected(manifest("1", DebInstall(package="p2pdist-no-such-package")))).holds


async def test_health_is_looked_at_until_it_holds(
    place: Place, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    async def check(check: Check) -> CheckResult:
        looks.append(trio.current_time())
        return found(len(looks) == 4, f"look {len(looks)}")

    monkeypatch.setattr(place.detector, "check", check)
    health = HealthCheck(checks=(FileCheck(path="/x"),), within_seconds=10)
    assert await place.detector.healthy(health) == found(True, "look 4")
    assert looks[-1] - looks[0] == pytest.approx(3)
    begun = trio.current_time()
    answer = await place.detector.healthy(health)
    assert answer == found(False, "after 10 s: look 14")
    assert trio.current_time() - begun == pytest.approx(10)


@pytest.mark.parametrize(
    ("ended", "finding"),
    [
        (processes.Ended(0, b"KB5000001\r\nKB5034441\r\n"), Whether.YES),
        (processes.Ended(0, b"KB5000001\r\nKB50344411\r\n"), Whether.NO),
        (processes.Ended(1, b""), Whether.UNKNOWN),
        (processes.Ended(None, b""), Whether.UNKNOWN),
    ],
)
async def test_an_update_of_windows_is_detected_by_its_number_without_a_check(
    place: Place, monkeypatch: pytest.MonkeyPatch, ended: processes.Ended, finding: Whether
) -> None:
    async def run(command, **named):
        assert command.argv[0].endswith("powershell.exe")
        return ended

    monkeypatch.setattr(processes, "run", run)
    assert (await place.detector.detected(manifest("1", MsuInstall(kb=5034441)))).finding is finding


@pytest.mark.parametrize("code", [126, 127])
async def test_a_program_that_could_not_run_tells_nothing(place: Place, code: int) -> None:
    place.program(f"exit {code}")
    assert (await place.detector.check(CommandCheck(command=("/check",)))).finding is Whether.UNKNOWN
    assert (await place.detector.check(CommandCheck(command=("/check",), exit_code=code))).holds


async def test_a_health_check_that_is_late_is_ill_and_one_that_is_missing_tells_nothing(place: Place) -> None:
    place.limit(health_poll_seconds=0.05)
    health = HealthCheck(checks=(CommandCheck(command=("/check",), timeout_seconds=1),), within_seconds=2)
    assert (await place.detector.healthy(health)).finding is Whether.UNKNOWN
    place.program("sleep 1000")
    assert (await place.detector.healthy(health)).finding is Whether.NO


async def test_two_looks_see_what_changed_beside_what_was_wanted(place: Place) -> None:
    wanted = manifest("1", SH, FileCheck(path="/x", sha256="0" * 64), CommandCheck(command=("/check",)))
    looks = [await place.detector.look(wanted)]
    (place.root / "x").write_bytes(b"old")
    looks.append(await place.detector.look(wanted))
    (place.root / "x").write_bytes(b"half")
    looks.append(await place.detector.look(wanted))
    assert [look.answer.finding for look in looks] == [Whether.NO] * 3
    assert len({look.sight["check 1"] for look in looks}) == 3
    assert {look.sight["check 2"] for look in looks} == {"missing"}
