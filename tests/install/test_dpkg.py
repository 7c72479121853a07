"""Real packages with the real dpkg, in a root of its own: the system's own database is never touched."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from p2pdist.install.installer import Installer
from p2pdist.install.lifecycle import FailureClass, InstallRecord
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload, PayloadChangedError
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.recipe import DebInstall, PackageCheck
from tests.helpers.debian_packages import NEEDS_DPKG, Packages
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import manifest

pytestmark = NEEDS_DPKG

INSTALL = DebInstall(package="acme", timeout_seconds=20)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def installer(root: Path, tmp_path: Path) -> Installer:
    return Installer(root, tmp_path / "scratch")


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


async def line_of(pipe: Path) -> str:
    """Wait for somebody to write into the pipe."""
    with trio.fail_after(10):
        return await trio.to_thread.run_sync(pipe.read_text, abandon_on_cancel=True)


async def put(installer: Installer, package: KeptPayload) -> None:
    outcome = await installer.install(INSTALL, package.version, package.file, package.sha256)
    assert outcome.succeeded, outcome


async def test_installed_detected_and_upgraded(installer: Installer, packages: Packages, root: Path) -> None:
    old, new = packages.build("1.9", postinst='echo "by $1 in $DPKG_ROOT"'), packages.build("1.10")
    assert await installer.detector.installed_version(INSTALL) == ""
    assert (await installer.detector.detected(manifest("1.9", INSTALL))).words == "acme is not installed"
    outcome = await installer.install(INSTALL, "1.9", old.file, old.sha256)
    assert (outcome.succeeded, outcome.exit_code, outcome.reboot) == (True, 0, False)
    assert f"by configure in {root}" in outcome.output
    assert (await installer.detector.detected(manifest("1.9", INSTALL))).words == "acme 1.9 is installed"
    answer = await installer.detector.detected(manifest("1.10", INSTALL))
    assert (answer.holds, answer.words) == (False, "acme 1.9 is installed, 1.10 is wanted")
    await put(installer, new)
    assert await installer.detector.installed_version(INSTALL) == "1.10"
    assert (root / "opt/acme/version").read_text() == "1.10\n"
    assert (await installer.detector.detected(manifest("1.9", INSTALL))).holds


async def test_a_newer_version_is_not_replaced_by_an_older(installer: Installer, packages: Packages) -> None:
    await put(installer, packages.build("2.0"))
    old = packages.build("1.0")
    outcome = await installer.install(INSTALL, "1.0", old.file, old.sha256)
    assert "will not downgrade" in outcome.output
    assert await installer.detector.installed_version(INSTALL) == "2.0"


async def test_a_publication_that_goes_back_replaces_a_newer_version(
    installer: Installer, packages: Packages, root: Path
) -> None:
    await put(installer, packages.build("2.0"))
    old, back = packages.build("1.0"), replace(manifest("1.0", INSTALL), downgrade=True)
    answer = await installer.detector.detected(back)
    assert (answer.holds, answer.words) == (False, "acme 2.0 is installed, and it goes back to 1.0")
    outcome = await installer.install(INSTALL, "1.0", old.file, old.sha256, downgrade=True)
    assert outcome.succeeded, outcome
    assert (root / "opt/acme/version").read_text() == "1.0\n"
    assert (await installer.detector.detected(back)).words == "acme 1.0 is installed"


async def test_a_failing_postinst_is_not_detected_and_goes_back(
    installer: Installer, packages: Packages, root: Path
) -> None:
    old, broken = packages.build("1.0"), packages.build("2.0", postinst="echo the reason; exit 3")
    await put(installer, old)
    before = await installer.detector.installed_version(INSTALL)
    outcome = await installer.install(INSTALL, "2.0", broken.file, broken.sha256)
    assert (outcome.succeeded, outcome.exit_code) == (False, 1)
    assert outcome.words == "dpkg ended with exit code 1"
    assert "the reason" in outcome.output
    answer = await installer.detector.detected(manifest("2.0", INSTALL))
    assert (answer.holds, answer.words) == (False, "acme 2.0 is not whole but half-configured")
    back = await installer.roll_back(INSTALL, "2.0", broken.file, broken.sha256, old, before)
    assert back.succeeded, back
    assert (await installer.detector.detected(manifest("1.0", INSTALL))).words == "acme 1.0 is installed"
    assert (root / "opt/acme/version").read_text() == "1.0\n"


async def test_what_was_there_cannot_come_back_without_its_package(installer: Installer, packages: Packages) -> None:
    new = packages.build("2.0")
    await put(installer, packages.build("1.0"))
    await put(installer, new)
    outcome = await installer.roll_back(INSTALL, "2.0", new.file, new.sha256, None, "1.0")
    assert not outcome.succeeded
    assert outcome.words == ("acme 1.0 was there before, and its package is not kept on this PC")
    assert await installer.detector.installed_version(INSTALL) == "2.0"


async def test_going_back_to_another_version_than_was_there_is_said(installer: Installer, packages: Packages) -> None:
    kept, new = packages.build("1.0"), packages.build("2.0")
    await put(installer, packages.build("1.5"))  # by hand
    await put(installer, new)
    outcome = await installer.roll_back(INSTALL, "2.0", new.file, new.sha256, kept, "1.5")
    assert outcome.words == "dpkg ended with exit code 0; 1.0 is there, not 1.5"


@pytest.mark.parametrize("first", [True, False])
async def test_what_something_else_upgraded_stays(installer: Installer, packages: Packages, first: bool) -> None:
    old, new = packages.build("1.0"), packages.build("2.0")
    before = "" if first else "1.0"
    if not first:
        await put(installer, old)
    await put(installer, new)
    after = await installer.detector.installed_version(INSTALL)
    await put(installer, packages.build("3.0"))  # by hand
    kept = None if first else old
    outcome = await installer.roll_back(INSTALL, "2.0", new.file, new.sha256, kept, before, installed_as=after)
    assert (outcome.succeeded, outcome.words) == (False, "acme 3.0 is there: something else upgraded it; it stays")
    assert await installer.detector.installed_version(INSTALL) == "3.0"


async def test_what_is_still_as_it_was_installed_goes_back(installer: Installer, packages: Packages) -> None:
    old, new = packages.build("1.0"), packages.build("2.0")
    await put(installer, old)
    await put(installer, new)
    outcome = await installer.roll_back(INSTALL, "2.0", new.file, new.sha256, old, "1.0", installed_as="2.0")
    assert outcome.succeeded, outcome
    assert await installer.detector.installed_version(INSTALL) == "1.0"


@pytest.mark.parametrize("postinst", ["exit 0", "exit 1"])
async def test_a_first_installation_is_undone_by_removal(
    installer: Installer, packages: Packages, root: Path, postinst: str
) -> None:
    new = packages.build("1.0", postinst=postinst)
    await installer.install(INSTALL, "1.0", new.file, new.sha256)
    assert await installer.detector.installed_version(INSTALL) == "1.0"
    for expected in ("dpkg ended with exit code 0", "nothing to undo: it is as it was before"):
        outcome = await installer.roll_back(INSTALL, "1.0", new.file, new.sha256, None, "")
        assert (outcome.succeeded, outcome.words) == (True, expected)
    assert await installer.detector.installed_version(INSTALL) == ""
    assert not (root / "opt/acme/version").exists()


@pytest.mark.parametrize("script", ["preinst", "postinst"])
async def test_dpkg_killed_amid_a_script_is_repaired(
    installer: Installer, packages: Packages, root: Path, tmp_path: Path, script: str
) -> None:
    gate, begun, once = fifo(tmp_path / "gate"), fifo(tmp_path / "begun"), tmp_path / "once"
    # the first time it waits until it is killed; after that it goes through
    slow = f"[ -e {once} ] && exit 0; touch {once}; echo $PPID > {begun}; read line < {gate}"
    new = packages.build("1.0", **{script: slow})

    async with trio.open_nursery() as nursery:
        outcomes = []

        async def install() -> None:
            outcomes.append(await installer.install(INSTALL, "1.0", new.file, new.sha256))

        nursery.start_soon(install)
        os.killpg(os.getpgid(int(await line_of(begun))), signal.SIGKILL)
    assert outcomes[0].words == "dpkg was ended by SIGKILL"
    assert not (await installer.detector.detected(manifest("1.0", INSTALL))).holds
    repaired = await installer.repair(INSTALL)
    assert repaired is not None
    assert repaired.succeeded, repaired
    if script == "preinst":  # nothing was unpacked yet: only doing it again helps
        assert not (await installer.detector.detected(manifest("1.0", INSTALL))).holds
        await put(installer, new)
    assert (await installer.detector.detected(manifest("1.0", INSTALL))).holds
    assert (root / "opt/acme/version").exists()


async def test_a_half_installed_package_can_be_removed(installer: Installer, packages: Packages, root: Path) -> None:
    new = packages.build("1.0", preinst="kill -9 $PPID")
    outcome = await installer.install(INSTALL, "1.0", new.file, new.sha256)
    assert outcome.exit_code == -signal.SIGKILL
    assert not (await installer.detector.check(PackageCheck(name="acme", at_least="1.0"))).holds
    outcome = await installer.roll_back(INSTALL, "1.0", new.file, new.sha256, None, "")
    assert outcome.succeeded, outcome
    assert await installer.detector.installed_version(INSTALL) == ""
    await put(installer, packages.build("1.1"))


async def test_repair_waits_for_a_dpkg_that_is_still_at_work(
    installer: Installer, packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = fifo(tmp_path / "gate"), fifo(tmp_path / "begun")
    new = packages.build("1.0", postinst=f"echo > {begun}; read line < {gate}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, installer, new)
        await line_of(begun)
        repairs = []
        locked = trio.Event()
        limits = InstallLimits(lock_poll_seconds=0.01)
        other = Installer(Path(installer._root), tmp_path / "scratch2", limits)  # of a daemon that was started anew
        run = other._run

        async def watched(command, payload=None):
            outcome = await run(command, payload)
            if not outcome.succeeded:
                assert outcome.words.endswith("another program is installing packages at this moment")
                locked.set()
            return outcome

        monkeypatch.setattr(other, "_run", watched)

        async def repair() -> None:
            repairs.append(await other.repair(INSTALL))

        nursery.start_soon(repair)
        with trio.fail_after(10):
            await locked.wait()
            gate.write_text("on\n")
    assert repairs[0] is not None
    assert repairs[0].succeeded
    assert (await installer.detector.detected(manifest("1.0", INSTALL))).holds


async def test_a_package_that_was_changed_is_not_run(installer: Installer, packages: Packages) -> None:
    good, evil = packages.build("1.0"), packages.build("1.1")
    shutil.copy(evil.file, good.file)
    with pytest.raises(PayloadChangedError):
        await installer.install(INSTALL, "1.0", good.file, good.sha256)
    assert await installer.detector.installed_version(INSTALL) == ""


async def test_a_kept_package_that_is_gone_is_said_before_anything_runs(
    installer: Installer, packages: Packages
) -> None:
    old, new = packages.build("1.0"), packages.build("2.0")
    await put(installer, old)
    await put(installer, new)
    old.file.unlink()
    with pytest.raises(PayloadChangedError):
        await installer.roll_back(INSTALL, "2.0", new.file, new.sha256, old, "1.0")
    assert await installer.detector.installed_version(INSTALL) == "2.0"


@pytest.mark.parametrize(("sealed", "in_place"), [(True, True), (True, False), (False, False)])
async def test_what_is_run_is_what_was_proven_though_the_file_is_replaced(
    root: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch, sealed: bool, in_place: bool
) -> None:
    limits = DEFAULT_LIMITS if sealed else InstallLimits(max_sealed_bytes=0)  # as large packages are
    installer = Installer(root, packages.directory / "scratch", limits)
    good, evil = packages.build("1.0"), packages.build("1.1")
    run = installer._run

    async def replaced_first(command, payload=None):
        if in_place:
            good.file.write_bytes(evil.file.read_bytes())
        else:
            evil.file.replace(good.file)
        return await run(command, payload)

    monkeypatch.setattr(installer, "_run", replaced_first)
    await put(installer, good)
    assert await installer.detector.installed_version(INSTALL) == "1.0"


async def test_the_whole_life_of_packages_on_a_pc(
    installer: Installer, packages: Packages, root: Path, tmp_path: Path
) -> None:
    home, candidates, clock = EndpointHome(tmp_path / "home"), list[Candidate](), FakeClock(1e9)

    def candidate(package: KeptPayload) -> None:
        made = manifest(package.version, INSTALL)
        payload = replace(made.payloads[0], sha256=package.sha256, file_name=package.file.name)
        candidates[:] = [Candidate(replace(made, payloads=[payload]), 1, payload, str(package.file))]

    async def damaged(_torrent_hash: str) -> None:
        raise AssertionError("nothing is damaged")

    surroundings = DaemonHooks(lambda: None, damaged, lambda: None)
    installs = Installs(home, installer, lambda: candidates, surroundings, clock, may_restart=False)

    async def settle(version: str) -> InstallRecord:
        while await installs.step() == 0:
            pass
        record = installs.journal.record(PatchRef("acme", version))
        assert record is not None
        return record

    candidate(packages.build("1.0"))
    assert (await settle("1.0")).state == "installed"
    candidate(packages.build("2.0", postinst="echo the reason; exit 3"))
    record = None
    for attempt in (1, 2, 3):
        record = await settle("2.0")
        assert (record.state, record.attempts) == ("rolled_back", {FailureClass.INSTALL: attempt})
        assert (root / "opt/acme/version").read_text() == "1.0\n"
        clock.wall += 30_000
    assert record is not None
    assert record.retry_at is None
    assert "half-configured" in record.reason
    assert any("the reason" in entry.output for entry in installs.journal.history)
    candidate(packages.build("2.1"))
    assert (await settle("2.1")).state == "installed"
    assert (root / "opt/acme/version").read_text() == "2.1\n"
    assert installs.journal.decisions == 5
