"""Both packages in a minimal Debian with its own systemd: what an administrator does, one thing after the other.

Each test goes on from where the one before it stopped. `make test-deb` builds the packages and runs them all.
"""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.booted_root import BootedRoot
from tests.helpers.debian_packages import Packages
from tests.helpers.debian_root import NEEDS_DEBIAN_ROOT, copy_debian
from tests.helpers.sources import ROOT

BUILT = ROOT / "build" / "release"
ADDRESS = "192.0.2.10"
SERVER = ("runuser", "-u", "seed-server", "--", "seed-server")
HOME = ("--home", "/var/lib/seed-server")
INSTALLED_MIB = 75
SOON_SECONDS = 60.0  # a few; the machine may be busy
SLOW = """#!/bin/sh
echo $$ >> /run/{name}.pid
echo begun
while [ ! -e /run/{name}.go ]; do sleep 0.1; done
echo done
mkdir -p /opt && touch /opt/{name}
"""

pytestmark = [pytest.mark.slow, *NEEDS_DEBIAN_ROOT]


class Company:
    """One machine that is both server and PC."""

    def __init__(self, root: Path, machine: BootedRoot) -> None:
        self.root = root
        self.machine = machine
        self.machine.network("link", "add", "lan0", "type", "veth", "peer", "name", "switch")
        self.machine.network("address", "add", f"{ADDRESS}/24", "dev", "lan0")
        for name in ("lan0", "switch"):
            self.machine.network("link", "set", name, "up")

    def take(self, file: Path) -> str:
        """Copy a file into the root; return its name there."""
        shutil.copy(file, self.root / "srv" / file.name)
        (self.root / "srv" / file.name).chmod(0o644)
        return f"/srv/{file.name}"

    def dpkg(self, *arguments: str) -> str:
        return self.machine.must("dpkg", "--force-confold", *arguments, seconds=180.0)

    def server(self, command: str, *arguments: str) -> str:
        return self.machine.must(*SERVER, command, *HOME, *arguments)

    def property(self, unit: str, name: str) -> str:
        return self.machine.must("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def signal(self, name: str, process: str) -> None:
        self.machine.must("sh", "-c", f"kill -{name} {process}")

    def state(self, patch: str) -> str:
        """What the daemon says has become of a patch; empty: nothing yet."""
        said = self.machine.run("p2pdist", "status", "--json")
        if said.returncode != 0:
            return ""
        return str(json.loads(said.stdout).get("installs", {}).get(patch, ""))

    def until(self, holds: Callable[[], bool], what: str, seconds: float = SOON_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                logs = self.machine.run("journalctl", "--no-pager", "-n", "60").stdout
                raise AssertionError(f"not {what}\n{self.machine.run('p2pdist', 'plan').stdout}\n{logs}")
            time.sleep(0.3)

    def publish_slow(self, name: str) -> None:
        """Publish an installation that takes as long as the test wants, and wait until it has begun."""
        file = self.root / "srv" / f"{name}.sh"
        file.write_text(SLOW.format(name=name))
        options = ("--patch-id", name, "--version", "1", "--install", "script", "--interpreter", "sh")
        self.server("publish", f"/srv/{name}.sh", *options, "--detect", f"file /opt/{name}")
        self.until(lambda: self.machine.run("test", "-s", f"/run/{name}.pid").returncode == 0, f"{name} begun")

    def let_end(self, name: str) -> None:
        self.machine.must("touch", f"/run/{name}.go")
        self.until(lambda: self.state(f"{name}@1") == "installed", f"{name} installed")
        assert len(self.machine.must("cat", f"/run/{name}.pid").split()) == 1, "it was run once"


def built(name: str) -> Path:
    """Return the package that was built last."""
    found = sorted(BUILT.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip("there are no packages yet: make deb")
    return found[-1]


def field(deb: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", deb, name], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with contextlib.ExitStack() as stack:
        place = BUILT.parent / "debian-test"
        shutil.rmtree(place, ignore_errors=True)
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        machine = BootedRoot(copy_debian(place))
        stack.callback(machine.end)
        yield Company(place, machine)


@pytest.fixture(scope="module")
def endpoint() -> Path:
    return built("p2pdist-endpoint")


@pytest.fixture(scope="module")
def later(endpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the endpoint's package with a higher version, and else the same."""
    place = tmp_path_factory.mktemp("later")
    subprocess.run(["dpkg-deb", "-R", endpoint, place / "tree"], check=True)
    control = (place / "tree/DEBIAN/control").read_text()

    def build(addition: str) -> Path:
        version = f"{field(endpoint, 'Version')}{addition}"
        new = re.sub(r"^Version: .*$", f"Version: {version}", control, flags=re.MULTILINE)
        (place / "tree/DEBIAN/control").write_text(new)
        file = place / f"p2pdist-endpoint_{version}_amd64.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", place / "tree", file], check=True)
        return file

    return build


def test_both_are_installed_and_each_says_what_comes_next(company: Company, endpoint: Path) -> None:
    for deb in (endpoint, built("p2pdist-server")):
        company.dpkg("-i", company.take(deb))
    assert company.machine.run("p2pdist", "status").returncode == 3
    assert "not enrolled" in company.machine.run("p2pdist", "status").stderr
    assert company.property("p2pdist", "ActiveState") == "inactive"
    assert company.property("p2pdist", "UnitFileState") == "enabled"
    company.machine.must("getent", "group", "p2pdist-users")
    assert company.machine.must("systemctl", "--global", "is-enabled", "p2pdist-agent.service") == "enabled\n"
    said = company.machine.must("du", "-sm", "/opt/p2pdist/endpoint")
    assert int(said.split()[0]) <= INSTALLED_MIB
    units = [f"{name}.service" for name in ("p2pdist", "p2pdist-enrol", "p2pdist-upgrade", "seed-server")]
    verified = company.machine.run("systemd-analyze", "verify", "--man=no", *units)
    assert not [line for line in verified.stderr.splitlines() if any(unit in line for unit in units)]


def test_libraries_load_stripped_as_they_are(company: Company) -> None:
    code = (
        "import ctypes, pathlib, sys\n"
        "for path in sorted(pathlib.Path(sys.prefix).rglob('*.so*')): ctypes.CDLL(str(path))\n"
        "print('all')"
    )
    for name in ("endpoint", "server"):
        assert company.machine.must(f"/opt/p2pdist/{name}/bin/python3", "-c", code) == "all\n"


def test_a_server_is_made_and_a_pc_enrols_by_its_unit(company: Company) -> None:
    company.server("init", "--name", "hq", "--address", ADDRESS, "--api-port", "0")
    company.machine.must("systemctl", "start", "seed-server")
    assert company.property("seed-server", "StatusText").startswith("serving hq")
    token = company.server("token", "--uses", "1").strip()
    store = company.root / "etc/credstore"
    store.mkdir(mode=0o700, exist_ok=True)
    (store / "p2pdist.token").write_text(f"{token}\n")
    company.machine.must("systemctl", "start", "p2pdist")
    company.until(lambda: company.property("p2pdist", "ActiveState") == "active", "running")
    assert not (store / "p2pdist.token").exists(), "a password is not left there"
    assert company.property("p2pdist", "StatusText")
    assert company.property("p2pdist", "WatchdogUSec") == "2min"
    assert company.property("p2pdist", "WatchdogTimestamp")


def test_a_small_package_is_published_and_installed(company: Company, tmp_path: Path) -> None:
    acme = company.take(Packages(tmp_path).build("1.0").file)
    company.server("publish", acme, "--patch-id", "acme", "--version", "1.0", "--install", "deb", "--title", "Acme 1")
    company.until(lambda: company.state("acme@1.0") == "installed", "installed")
    assert company.machine.must("cat", "/opt/acme/version") == "1.0\n"
    assert "acme" in company.machine.must("p2pdist", "status").lower()
    assert "p2pdist" in company.machine.must("p2pdist", "status"), "its network part has a user of its own"
    company.until(lambda: "installed" in company.server("status", "--patch", "acme@1.0"), "told")


def test_an_upgrade_waits_until_nothing_is_installed(company: Company, later: Callable[[str], Path]) -> None:
    company.publish_slow("first")
    before = company.property("p2pdist", "MainPID")
    company.dpkg("-i", company.take(later("+2")))
    time.sleep(2.0)
    assert company.property("p2pdist", "MainPID") == before
    company.let_end("first")
    company.until(lambda: company.property("p2pdist", "MainPID") not in {before, "0"}, "restarted")
    company.until(lambda: company.property("p2pdist", "ActiveState") == "active", "running")


def test_an_installer_outlives_a_restart(company: Company) -> None:
    company.publish_slow("second")
    installer = company.machine.must("cat", "/run/second.pid").strip()
    before = company.property("p2pdist", "MainPID")
    company.machine.must("systemctl", "restart", "p2pdist", seconds=200.0)
    assert company.property("p2pdist", "MainPID") != before
    company.signal("0", installer)
    company.let_end("second")


def test_p2pdist_upgrades_its_own_package(company: Company, later: Callable[[str], Path]) -> None:
    deb = later("+3")
    name, version = company.take(deb), field(deb, "Version")
    (company.root / "srv/own.toml").write_text(
        f'patch_id = "p2pdist-endpoint"\nversion = "{version}"\n[[payload]]\nfile = "{name}"\narch = "amd64"\n'
        '[install]\nkind = "deb"\npackage = "p2pdist-endpoint"\n[install.self_upgrade]\ncontact_within_minutes = 2\n'
    )
    before = company.property("p2pdist", "MainPID")
    company.server("publish", "--recipe", "/srv/own.toml")
    unit = ("systemctl", "list-units", "--plain", "--no-legend", "p2pdist-upgrade-*")
    company.until(lambda: "running" in company.machine.must(*unit), "in a unit of its own")
    company.until(lambda: company.state(f"p2pdist-endpoint@{version}") == "installed", "upgraded", 180.0)
    assert company.property("p2pdist", "MainPID") != before
    assert company.machine.must("dpkg-query", "-W", "-f", "${Version}", "p2pdist-endpoint") == version


def test_it_is_downgraded(company: Company, endpoint: Path) -> None:
    before = company.property("p2pdist", "MainPID")
    company.dpkg("-i", company.take(endpoint))
    company.until(lambda: company.property("p2pdist", "MainPID") not in {before, "0"}, "restarted")
    company.until(lambda: company.property("p2pdist", "ActiveState") == "active", "running")
    company.until(lambda: company.state("acme@1.0") == "installed", "known")


def test_a_daemon_that_hangs_is_ended_and_started_again(company: Company) -> None:
    drop_in = "/run/systemd/system/p2pdist.service.d"
    company.machine.must("mkdir", "-p", drop_in)
    company.machine.must(
        "sh", "-c", f"printf '[Service]\\nWatchdogSec=6\\nTimeoutAbortSec=2\\n' > {drop_in}/quick.conf"
    )
    company.machine.must("systemctl", "daemon-reload")
    company.machine.must("systemctl", "restart", "p2pdist")
    before = company.property("p2pdist", "MainPID")
    time.sleep(7.0)
    assert company.property("p2pdist", "MainPID") == before, "it says that it lives"
    company.signal("STOP", before)
    company.until(lambda: company.property("p2pdist", "MainPID") not in {before, "0"}, "started again")
    company.until(lambda: company.property("p2pdist", "ActiveState") == "active", "running")


def test_removal_leaves_data_and_purging_does_not(company: Company) -> None:
    company.dpkg("-r", "p2pdist-endpoint", "p2pdist-server")
    assert not (company.root / "opt/p2pdist").exists()
    assert (company.root / "var/lib/p2pdist/identity/identity.json").exists()
    assert (company.root / "etc/p2pdist/config.toml").exists()
    left = company.machine.must("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "/opt/p2pdist" not in left
    company.dpkg("-P", "p2pdist-endpoint", "p2pdist-server")
    assert not (company.root / "var/lib/p2pdist").exists()
    assert not (company.root / "etc/p2pdist").exists()
    assert (company.root / "opt/acme/version").exists(), "what was installed stays"
    assert (company.root / "var/lib/seed-server/server.toml").exists(), "the company's keys are in there"
