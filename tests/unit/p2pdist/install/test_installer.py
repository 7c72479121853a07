"""`p2pdist.install.installer` with real children, archives and files."""

import errno
import io
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.install import archive as archive_app
from p2pdist.install import command_lines, detection, process_records, processes, proven_files, unpacking
from p2pdist.install.command_lines import CommandLine
from p2pdist.install.descendants import CAN_HOLD
from p2pdist.install.detection import UNKNOWN_VERSION
from p2pdist.install.findings import found, unknown
from p2pdist.install.installer import Installer
from p2pdist.install.limits import InstallLimits
from p2pdist.install.outcomes import Outcome
from p2pdist.install.process_records import recorded_process, write_record
from p2pdist.install.proven_files import PayloadChangedError
from p2pdist.shared import archive_members
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    ExeInstall,
    Install,
    MsiInstall,
    MsuInstall,
    PackageCheck,
    RpmInstall,
    ScriptInstall,
)
from p2pdist.shared.manifest.versions import Ecosystem
from tests.helpers.install_place import ARCHIVE, SH, Place, manifest

pytestmark = pytest.mark.skipif(not Path("/bin/sh").exists(), reason="there is no /bin/sh")


def archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("data")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


async def line_of(pipe: Path) -> str:
    with trio.fail_after(10):
        return await trio.to_thread.run_sync(pipe.read_text, abandon_on_cancel=True)


def command(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def alive(process_id: int) -> bool:
    """Whether it runs; a zombie that init has not reaped yet does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [False, True])
async def test_a_script_runs_with_its_arguments_in_a_clean_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    if copied:  # as on systems whose open files have no names
        monkeypatch.setattr(proven_files, "DESCRIPTORS_HAVE_NAMES", False)
        (place.directory / "scratch/run-of-a-killed-daemon").mkdir(parents=True)
    monkeypatch.setenv("SECRET", "x")
    install = ScriptInstall(interpreter="sh", arguments=("-x", "a b; exit 9", ""))
    outcome = await place.script('pwd; printf "[%s]" "$@"; echo; env; cat; echo oops >&2', install)
    assert (outcome.succeeded, outcome.words, outcome.exit_code) == (True, "sh ended with exit code 0", 0)
    where, arguments, *environment, error = outcome.output.splitlines()
    assert (where, arguments, error) == ("/", "[-x][a b; exit 9][]", "oops")
    names = {line.partition("=")[0] for line in environment}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "HOME", "DEBIAN_FRONTEND"}
    scratch = place.directory / "scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take niceness back")
async def test_an_installer_does_not_give_way_as_the_daemon_does(place: Place) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, 7)
    try:
        outcome = await place.script("nice")
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    assert outcome.output == "0\n"


async def test_python_runs_what_was_opened_without_modules_beside_it(place: Place) -> None:
    (place.directory / "evil.py").write_text("print('evil')")
    install = ScriptInstall(interpreter="python3", arguments=("-c",))
    outcome = await place.script("import sys; print(sys.argv[1:])\ntry: import evil\nexcept ImportError: pass", install)
    if "cannot be started" in outcome.words:
        pytest.skip("there is no /usr/bin/python3")
    assert (outcome.succeeded, outcome.output) == (True, "['-c']\n")


@pytest.mark.parametrize("sealed", [True, False])
async def test_what_is_run_is_what_was_proven(place: Place, monkeypatch: pytest.MonkeyPatch, sealed: bool) -> None:
    if not sealed:  # as large ones are
        place.limit(max_sealed_bytes=0)
    run = processes.run

    async def replaced_first(*arguments, **named):
        (place.directory / "other").write_text("echo evil")
        (place.directory / "other").replace(place.directory / "payload")
        return await run(*arguments, **named)

    monkeypatch.setattr(processes, "run", replaced_first)
    assert (await place.script("echo good")).output == "good\n"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
@pytest.mark.parametrize("kind", ["script", "archive"])
async def test_what_is_written_into_the_file_meanwhile_does_not_reach_a_small_payload(
    place: Place, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    run, unpack = processes.run, archive_app.install

    def written(good: bytes, evil: bytes) -> None:
        with (place.directory / "payload").open("r+b") as file:  # the same inode, as the torrent engine writes
            file.write((place.directory / "payload").read_bytes().replace(good, evil))

    async def written_first(*arguments, **named):
        written(b"good", b"evil")
        return await run(*arguments, **named)

    def unpacked_later(payload, *arguments, **named):
        with pytest.raises(OSError, match="not permitted"):
            os.ftruncate(payload.fileno(), 1)
        with pytest.raises(OSError, match="not permitted"):
            os.write(payload.fileno(), b"x")
        written(b"good", b"evil")
        unpack(payload, *arguments, **named)

    monkeypatch.setattr(processes, "run", written_first)
    monkeypatch.setattr(archive_app, "install", unpacked_later)
    if kind == "script":
        assert (await place.script("echo good")).output == "good\n"
    else:
        assert (await place.unpack("1", place.file(archive(b"good")))).succeeded
        assert (place.root / "opt/acme/current/data").read_bytes() == b"good"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
async def test_without_files_in_memory_the_file_itself_is_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "memfd_create", refused)
    assert (await place.script("echo good")).output == "good\n"


async def test_a_payload_that_grows_while_it_is_read_is_not_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    read = proven_files._read

    def grown(payload):
        chunk = read(payload)
        if len(chunk) < 1000:
            with (place.directory / "payload").open("ab") as file:
                file.write(b"x" * 1000)
        return chunk

    monkeypatch.setattr(proven_files, "_read", grown)
    with trio.fail_after(10), pytest.raises(PayloadChangedError, match="longer"):
        await place.script("echo good")


async def test_bytes_that_were_not_signed_are_not_run(place: Place) -> None:
    payload = place.file(f"touch {place.directory}/ran")
    elsewhere = payload.file.rename(place.directory / "elsewhere")
    payload.file.symlink_to(elsewhere)
    with pytest.raises(PayloadChangedError, match="link"):
        await place.installer.install(SH, "1", payload.file, payload.sha256)
    with pytest.raises(PayloadChangedError, match="not what was signed"):
        await place.installer.install(SH, "1", elsewhere, "0" * 64)
    os.mkfifo(place.directory / "fifo")
    with pytest.raises(PayloadChangedError, match="missing cannot be opened: No such file or directory"):
        await place.installer.install(SH, "1", place.directory / "missing", payload.sha256)
    for path in (place.directory, place.directory / "fifo"):
        with pytest.raises(PayloadChangedError, match="no file"):
            await place.installer.install(SH, "1", path, payload.sha256)
    undoable = ScriptInstall(interpreter="sh", rollback_arguments=())
    with pytest.raises(PayloadChangedError):
        await place.installer.roll_back(undoable, "1", elsewhere, "0" * 64, None, "")
    with pytest.raises(PayloadChangedError, match="cannot be opened"):
        await place.installer.roll_back(undoable, "1", place.directory / "missing", payload.sha256, None, "")
    assert not (place.directory / "ran").exists()


async def test_a_payload_that_the_disk_does_not_give_is_not_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(PayloadChangedError, match="cannot be read: Input/output error"):
        proven_files._copy_and_hash(Broken(), None, 1)
    monkeypatch.setattr(proven_files, "open_proven", broken)  # a private copy fails: not the payload's fault
    assert await place.script("x") == Outcome(False, "payload cannot be copied: No space left on device")


async def test_exit_codes_are_as_the_recipe_says(place: Place) -> None:
    install = ScriptInstall(interpreter="sh", success_codes=(0, 4), reboot_codes=(5,))
    for code, succeeded, reboot in ((0, True, False), (4, True, False), (5, True, True), (6, False, False)):
        outcome = await place.script(f"exit {code}", install)
        assert (outcome.succeeded, outcome.reboot, outcome.exit_code) == (succeeded, reboot, code)
    assert (await place.script("kill -TERM $$")).words == "sh was ended by SIGTERM"
    outcome = await place.script("echo 'cp: No space left on device' >&2; exit 1")
    assert outcome.words == "sh ended with exit code 1: the disk is full"


async def test_of_much_output_the_end_is_kept(place: Place) -> None:
    outcome = await place.script("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf '\\033[2Jend'")
    assert outcome.succeeded
    assert len(outcome.output) == 16 << 10
    assert outcome.output.endswith("line 19999\n�[2Jend")


async def test_a_late_script_is_ended_with_all_that_it_started(place: Place, tmp_path: Path) -> None:
    install = ScriptInstall(interpreter="sh", timeout_seconds=1)
    outcome = await place.script("sleep 1000 & echo $!; wait", install)
    assert (outcome.succeeded, outcome.words) == (False, "sh did not end within 1 s and was stopped")
    assert outcome.exit_code is None
    assert not alive(int(outcome.output))


async def test_a_process_that_does_not_even_end_when_killed_is_given_up_and_stays_recorded(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, open_process = [], trio.lowlevel.open_process

    async def opened(*arguments, **named):
        begun.append(await open_process(*arguments, **named))
        return begun[-1]

    monkeypatch.setattr(trio.lowlevel, "open_process", opened)
    limits = InstallLimits(killed_seconds=0.05, group_end_seconds=0.05, linger_seconds=0.05)
    record = tmp_path / "running"
    with monkeypatch.context() as kernel, trio.fail_after(10):
        kernel.setattr(os, "killpg", lambda group, number: None)
        ended = await processes.run(
            CommandLine(("/bin/sleep", "1000"), 0.05),
            max_output_bytes=9,
            with_errors=True,
            record=record,
            limits=limits,
        )
    assert ended.code is None
    assert record.read_text().split()[0] == str(begun[0].pid)
    begun[0].kill()
    await begun[0].wait()


@pytest.mark.skipif(not CAN_HOLD, reason="elsewhere it is ended with the daemon")
async def test_what_runs_when_the_daemon_stops_goes_on_and_is_waited_for(place: Place, tmp_path: Path) -> None:
    begun, gate, log = tmp_path / "begun", tmp_path / "gate", tmp_path / "log"
    os.mkfifo(begun)
    os.mkfifo(gate)
    writes = "for i in 1 2 3 4 5 6 7 8; do echo much >&2; done"  # nobody reads what it says any more: no reason to die
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.script, f"echo $$ > {begun}; read x < {gate}; {writes}; echo first >> {log}")
        installer = int(await line_of(begun))
        nursery.cancel_scope.cancel()
    assert alive(installer)
    limits = InstallLimits(outlived_poll_seconds=0.01)
    other = Installer(place.root, place.directory / "scratch", limits, scripts_on_host=True)  # that of the next daemon
    second = place.file(f"echo second >> {log}", "second")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.install, SH, "1", second.file, second.sha256)
        await trio.to_thread.run_sync(gate.write_text, "on\n")
    assert log.read_text() == "first\nsecond\n"
    assert not (place.directory / "scratch/running").exists()


async def test_a_check_that_is_cancelled_leaves_no_process(place: Place, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    command = place.program(f'sleep 1000 & echo "$! $$" > {begun}; wait')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.detector.check, CommandCheck(command=(command,)))
        children = [int(word) for word in (await line_of(begun)).split()]
        assert all(alive(child) for child in children)
        nursery.cancel_scope.cancel()
    assert not any(alive(child) for child in children)


async def test_a_service_that_holds_on_to_the_output_is_not_waited_for(place: Place) -> None:
    place.limit(linger_seconds=0.05)
    with trio.fail_after(10):
        outcome = await place.script("sleep 1000 & echo $!")
    service = int(outcome.output)
    assert outcome.succeeded
    assert alive(service)
    os.kill(service, signal.SIGKILL)


async def test_one_at_a_time(place: Place, tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    os.mkfifo(begun)
    os.mkfifo(gate)
    log = tmp_path / "log"
    first = place.file(f"echo > {begun}; read x < {gate}; echo first >> {log}", "first")
    second = place.file(f"echo second >> {log}", "second")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.installer.install, SH, "1", first.file, first.sha256)
        await line_of(begun)
        nursery.start_soon(place.installer.install, SH, "1", second.file, second.sha256)
        await trio.testing.wait_all_tasks_blocked()
        assert not log.exists()
        gate.write_text("on\n")
    assert log.read_text() == "first\nsecond\n"


@pytest.mark.parametrize("in_time", [True, False])
async def test_what_outlived_a_killed_daemon_is_waited_for_then_ended(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_time: bool
) -> None:
    written, write = trio.Event(), process_records.write_record
    seen, recorded = trio.Event(), process_records.recorded_process

    def writing(record: Path, process_id: int) -> None:
        write(record, process_id)
        written.set()

    def watched(record: Path) -> int | None:
        found = recorded(record)
        if found is not None:
            trio.from_thread.run_sync(seen.set)
        return found

    monkeypatch.setattr(processes, "write_record", writing)
    monkeypatch.setattr(processes, "recorded_process", watched)
    begun, gate, log = tmp_path / "begun", tmp_path / "gate", tmp_path / "log"
    os.mkfifo(begun)
    os.mkfifo(gate)
    first = place.file(f"echo $$ > {begun}; read x < {gate}; echo first >> {log}", "first")
    second = place.file(f"echo second >> {log}", "second")
    install = ScriptInstall(interpreter="sh", timeout_seconds=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.installer.install, SH, "1", first.file, first.sha256)
        orphan = int(await line_of(begun))
        await written.wait()
        limits = InstallLimits(outlived_poll_seconds=0.01)
        other = Installer(place.root, tmp_path / "scratch", limits, scripts_on_host=True)  # that of the next daemon
        outcomes = []

        async def again() -> None:
            outcomes.append(await other.install(SH if in_time else install, "1", second.file, second.sha256))

        async with trio.open_nursery() as inner:
            inner.start_soon(again)
            with trio.fail_after(10):
                await seen.wait()
            assert not log.exists()
            if in_time:
                gate.write_text("on\n")
        assert outcomes[0].succeeded
        assert not alive(orphan)
    assert log.read_text() == ("first\nsecond\n" if in_time else "second\n")
    assert not (tmp_path / "scratch/running").exists()


async def test_what_restarts_the_pc_does_not_take_the_place_of_what_outlived_its_daemon(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_lines, "restart_command", lambda *_, **__: CommandLine(("/bin/true",), 10.0))
    record = place.directory / "scratch/running"
    with subprocess.Popen(["/bin/sleep", "100"]) as outlived:  # noqa: ASYNC220 - it starts at once
        try:
            write_record(record, outlived.pid)
            assert (await place.installer.restart_pc(5, "x")).succeeded
            assert recorded_process(record) == outlived.pid
            assert await place.installer.has_outlived()
        finally:
            outlived.kill()
    assert not await place.installer.has_outlived()


async def test_a_record_of_another_process_is_not_waited_for(place: Place) -> None:
    (place.directory / "scratch").mkdir()
    boot = Path("/proc/sys/kernel/random/boot_id")
    for text in ("", "x", f"{os.getpid()} 1 {boot.read_text().strip() if boot.exists() else ''}", "1 1 y"):
        (place.directory / "scratch/running").write_text(text)
        with trio.fail_after(5):
            assert (await place.script("exit 0")).succeeded


async def test_what_cannot_be_started_is_an_outcome(place: Place) -> None:
    payload = place.file("x")
    outcome = await place.script("x", ScriptInstall(interpreter="powershell"))
    assert not outcome.succeeded
    assert outcome.words.endswith("powershell.exe cannot be started: No such file or directory")
    outcome = await place.script("x", ScriptInstall(interpreter="sh", arguments=("x" * 1000,) * 64))
    assert outcome.exit_code == 127  # the shell finds no x
    windows: tuple[Install, ...] = (MsiInstall(product_code="x"), MsuInstall(kb=1), ExeInstall(uninstall=("/bin/sh",)))
    for install in windows:
        expected = Outcome(False, "it is for Windows")
        assert await place.installer.install(install, "1", payload.file, payload.sha256) == expected
        assert await place.installer.roll_back(install, "1", payload.file, payload.sha256, None, "") == expected


async def test_scripts_are_undone_by_their_own_arguments_or_not_at_all(place: Place) -> None:
    undoable = ScriptInstall(interpreter="sh", arguments=("do",), rollback_arguments=("un do", "-x"))
    payload = place.file('printf "[%s]" "$@"')
    outcome = await place.installer.roll_back(undoable, "1", payload.file, payload.sha256, None, "")
    assert (outcome.succeeded, outcome.output) == (True, "[un do][-x]")
    outcome = await place.installer.roll_back(SH, "1", payload.file, payload.sha256, None, "")
    assert outcome == Outcome(False, "its recipe says no way to undo it")
    assert await place.installer.repair(SH) is None
    assert await place.detector.installed_version(SH) == ""


async def test_a_pc_without_rpm(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pdist.install.command_lines.RPM", "/nowhere/rpm")
    rpm, payload = RpmInstall(package="acme"), place.file("x")
    outcome = await place.installer.install(rpm, "1", payload.file, payload.sha256)
    assert outcome == Outcome(False, "rpm cannot be started: No such file or directory")
    assert await place.detector.installed_version(rpm) == UNKNOWN_VERSION
    assert await place.installer.repair(rpm) is None


async def test_a_package_database_without_an_answer_removes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def run(command, **named):
        seen.append(command.argv)
        return processes.Ended(2, b"")

    monkeypatch.setattr(processes, "run", run)
    monkeypatch.setattr(detection, "_ecosystems", lambda: (Ecosystem.DEB,))
    deb, payload = DebInstall(package="acme"), place.file("x")
    before = await place.detector.installed_version(deb)
    assert before == UNKNOWN_VERSION
    answer = await place.detector.check(PackageCheck(name="acme", at_least="1"))
    assert answer == unknown("dpkg-query ended with exit code 2")
    outcome = await place.installer.roll_back(deb, "1", payload.file, payload.sha256, None, before)
    assert not outcome.succeeded
    # nor is what was not there before removed unseen: it is asked for again
    outcome = await place.installer.roll_back(deb, "1", payload.file, payload.sha256, None, "")
    assert (outcome.succeeded, outcome.known) == (False, False)
    assert {argv[0] for argv in seen} == {"/usr/bin/dpkg-query"}


async def test_restarting_is_a_command_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def run(command, **named):
        seen.append(command.argv)
        return processes.Ended(0, b"")

    monkeypatch.setattr(processes, "run", run)
    assert (await place.installer.restart_pc(10, "Patch acme")).succeeded
    assert seen == [("/sbin/shutdown", "-r", "+10", "--", "Patch acme")]


# --- archives ------------------------------------------------------------------------------------


async def test_an_archive_is_unpacked_detected_and_rolled_back(place: Place) -> None:
    one, two = place.file(archive(b"one"), "one"), place.file(archive(b"two"), "two")
    assert await place.detector.installed_version(ARCHIVE) == ""
    answer = await place.detector.detected(manifest("1", ARCHIVE))
    assert answer == found(False, "nothing is current in /opt/acme, 1 is wanted")
    assert await place.unpack("1", one) == Outcome(True, "unpacked, 1 is current")
    assert (await place.unpack("2", two)).succeeded
    answer = await place.detector.detected(manifest("1", ARCHIVE))
    assert answer == found(False, "2 is current in /opt/acme, 1 is wanted")
    assert await place.detector.detected(manifest("2", ARCHIVE)) == found(True, "2 is current in /opt/acme")
    assert (place.root / "opt/acme/current/data").read_bytes() == b"two"
    back = await place.installer.roll_back(ARCHIVE, "2", two.file, two.sha256, None, "1")
    assert back == Outcome(True, "back at 1")
    assert await place.detector.installed_version(ARCHIVE) == "1"
    back = await place.installer.roll_back(ARCHIVE, "1", one.file, one.sha256, None, "")
    assert back == Outcome(True, "removed, as nothing was there before")
    back = await place.installer.roll_back(ARCHIVE, "2", two.file, two.sha256, None, "0.9")
    assert not back.succeeded
    assert "0.9 is no longer in" in back.words


async def test_archives_that_cannot_be_unpacked_say_why(place: Place) -> None:
    outcome = await place.unpack("1", place.file("no archive"))
    assert not outcome.succeeded
    assert "neither a zip archive nor a tar archive" in outcome.words
    with pytest.raises(PayloadChangedError):
        await place.installer.install(ARCHIVE, "1", place.directory / "payload", "0" * 64)
    (place.root / "opt/acme/versions/.unpacking-old/x").mkdir(parents=True)
    assert await place.installer.repair(ARCHIVE) == Outcome(True, "leftovers are removed")
    assert list((place.root / "opt/acme/versions").iterdir()) == []
    (place.root / "opt/acme/current").symlink_to("/usr")
    assert await place.detector.installed_version(ARCHIVE) == UNKNOWN_VERSION
    answer = await place.detector.detected(manifest("1", ARCHIVE))
    assert answer == found(False, "another thing is current in /opt/acme, 1 is wanted")
    (place.root / "opt/acme/current").unlink()
    outcome = await place.installer.roll_back(ARCHIVE, "1", place.directory, "", None, UNKNOWN_VERSION)
    assert outcome == Outcome(False, "what was there before, '?', is no version")
    there = UNKNOWN_VERSION
    outcome = await place.installer.roll_back(ARCHIVE, "1", place.directory, "", None, there, installed_as=there)
    assert outcome == Outcome(True, "nothing to undo: what is there was not touched")


async def test_unpacking_is_cancelled_and_has_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = place.file(archive(b"x"))

    def slow(member: archive_members.Member, most_bytes: int) -> bytes:
        trio.from_thread.run(trio.sleep, 60)  # until the installation's time is over
        return archive_members.read(member, most_bytes)

    monkeypatch.setattr(unpacking, "read", slow)
    install = ArchiveInstall(directory="/opt/acme", timeout_seconds=1)
    outcome = await place.unpack("1", payload, install)
    assert outcome == Outcome(False, "it was not done within 1 s and was stopped")
    assert list((place.root / "opt/acme/versions").iterdir()) == []


async def test_a_full_disk_is_said_and_nothing_is_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    small = place.root / "opt"
    small.mkdir()
    mounted = os.geteuid() == 0 and command("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", str(small))
    if not mounted:

        def full(*arguments: object) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
    try:
        payload = place.file(archive(b"x" * (2 << 20)))
        outcome = await place.unpack("1", payload)
        if mounted:
            assert outcome == Outcome(False, "the disk has too little room for 'data'")
        place.limit(free_margin_bytes=-(1 << 60))
        outcome = await place.unpack("1", payload)
        assert outcome == Outcome(False, "the disk is full; what was unpacked is removed again")
        versions = small / "acme/versions"
        assert not versions.exists() or list(versions.iterdir()) == []
    finally:
        if mounted:
            assert command("umount", str(small))
