"""p2pdist's own package sent as a patch: it stops and starts the daemon that installs it.

The installer runs outside of the daemon, once; the daemon that comes back takes up what has come of it; an upgrade
after which the daemon is not well goes back by itself, and a PC that is merely offline does not.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.local_api.messages import PatchOrder
from p2pdist.shared.manifest.recipe import DebInstall, SelfUpgrade
from tests.field.test_installers import with_dpkg
from tests.helpers.debian_packages import Packages
from tests.helpers.field_pc import FieldPc
from tests.helpers.service_manager import ServiceManager
from tests.helpers.upgraded_daemon import CONTACT_SECONDS
from tests.helpers.upgraded_pc import UpgradedPc


@pytest.fixture(params=["systemd", "without systemd"])
def pc(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[UpgradedPc]:
    made = UpgradedPc(tmp_path, systemd=request.param == "systemd")
    yield made
    made.close()


@pytest.fixture
def with_systemd(tmp_path: Path) -> Iterator[UpgradedPc]:
    made = UpgradedPc(tmp_path)
    yield made
    made.close()


def test_the_manager_of_one_test_takes_no_order_of_the_next(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    manager = ServiceManager(tmp_path)
    (serving,) = set(threading.enumerate()) - threads
    manager.close()
    assert not serving.is_alive(), "it would go on to accept by the number of a descriptor that is another's now"


@pytest.mark.slow
@with_dpkg
async def test_a_package_that_restarts_the_daemon_is_installed_once_and_the_new_daemon_says_so(pc: UpgradedPc) -> None:
    await pc.install_first()
    pc.offer("2.0", pc.build("2.0"))
    pc.wait_until(lambda: pc.row["state"] == "installed", "installed")
    assert (pc.version, pc.dpkg_says) == ("2.0", "2.0 install ok installed")
    assert pc.postinsts == ["configure 2.0"]
    assert pc.starts == ["1.0", "2.0"]


@pytest.mark.slow
@with_dpkg
@pytest.mark.parametrize("bad", ["2.0-dead", "2.0-mute"])
async def test_an_upgrade_after_which_no_daemon_speaks_with_the_server_goes_back(
    with_systemd: UpgradedPc, bad: str
) -> None:
    pc = with_systemd
    await pc.install_first()
    pc.serve()
    pc.offer(bad, pc.build(bad))
    pc.wait_until(lambda: pc.row["state"] == "rolled_back", "rolled back")
    assert (pc.version, pc.dpkg_says) == ("1.0", "1.0 install ok installed")
    assert pc.postinsts == [f"configure {bad}", "configure 1.0"]
    assert pc.starts[-1] == "1.0"
    words = "no daemon runs" if "dead" in bad else "has not spoken with its server, which answers this PC"
    assert words in pc.row["reason"]


@pytest.mark.slow
@with_dpkg
async def test_a_pc_that_is_merely_offline_does_not_go_back(with_systemd: UpgradedPc) -> None:
    pc = with_systemd
    await pc.install_first()
    pc.server = {"address": "127.0.0.1", "port": 9, "authority": ""}
    pc.offer("2.0", pc.build("2.0", more=f"rm {pc.network}"))
    pc.wait_until(lambda: "the server cannot be reached" in pc.row["reason"], "offline")
    await trio.sleep(2 * CONTACT_SECONDS)
    assert pc.row["state"] == "installing"
    assert pc.version == "2.0"
    pc.network.touch()
    pc.wait_until(lambda: pc.row["state"] == "installed", "installed")
    assert pc.postinsts == ["configure 2.0"]


@pytest.mark.slow
@with_dpkg
async def test_the_installer_killed_in_the_middle_is_repaired_once(with_systemd: UpgradedPc) -> None:
    pc = with_systemd
    await pc.install_first()
    once = pc.directory / "once"
    pc.offer("2.0", pc.build("2.0", more=f"[ -e {once} ] || {{ touch {once}; kill -9 $PPID; exit 1; }}"))
    pc.wait_until(lambda: pc.row["state"] == "installed", "installed")
    assert (pc.version, pc.dpkg_says) == ("2.0", "2.0 install ok installed")
    assert any("interrupted" in line for line in pc.history)


@pytest.mark.slow
@with_dpkg
async def test_a_supervisor_killed_in_the_middle_is_started_again_and_installs_no_second_time(
    with_systemd: UpgradedPc,
) -> None:
    pc = with_systemd
    await pc.install_first()
    gate = pc.directory / "gate"
    pc.offer("2.0", pc.build("2.0", more=f"while [ ! -e {gate} ]; do sleep 0.05; done"))
    pc.wait_until(lambda: pc.postinsts != [], "in the middle")
    (unit,) = [name for name in pc.manager.units if name.startswith("p2pdist-upgrade")]
    pc.manager.kill(unit)
    pc.manager.kill("p2pdist")
    gate.touch()
    pc.wait_until(lambda: pc.row["state"] == "installed", "installed")
    assert pc.postinsts == ["configure 2.0"]
    assert (pc.version, pc.dpkg_says) == ("2.0", "2.0 install ok installed")


@with_dpkg
async def test_a_version_that_somebody_installed_by_hand_is_kept_for_the_way_back_once_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc, packages = FieldPc(tmp_path, monkeypatch), Packages(tmp_path)
    await pc.installs.load()
    own = DebInstall(package="p2pdist", timeout_seconds=20, self_upgrade=SelfUpgrade())
    package = packages.build("1.0", name="p2pdist")
    (pc.root / "var/lib/dpkg/updates").mkdir(parents=True)
    by_hand = ["dpkg", f"--root={pc.root}", "--force-script-chrootless", "--install", str(package.file)]
    await trio.run_process(by_hand, capture_stdout=True)
    pc.offer("1.0", package, own)
    record = await pc.settle()
    assert (record.state, record.own is not None, record.decision) == ("installed", True, 0)
    assert (pc.home.kept / "acme/1.0" / package.file.name).exists()
    await pc.orders.roll_back(PatchOrder("acme"))
    record = await pc.settle()
    assert (record.state, record.reason.rpartition("; ")[2]) == (
        "failed",
        "not rolled back: nothing of it was there before, and p2pdist does not remove itself",
    )
