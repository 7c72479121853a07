"""The packages' own scripts in places of the test's, with commands that only say how they were called."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.sources import ROOT

PACKAGING = ROOT / "packaging"
COMMANDS = ("systemctl", "systemd-run", "deb-systemd-invoke", "adduser", "addgroup")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Debian")


class Scripts:
    """A PC's directories, below one of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        for directory in ("bin", "var/lib", "opt", "etc/p2pdist", "run/systemd/system", "usr/lib/p2pdist-endpoint"):
            (root / directory).mkdir(parents=True)
        self.fails("")
        self._write(root / "usr/lib/p2pdist-endpoint/when-idle", (PACKAGING / "when-idle").read_text())

    def fails(self, name: str) -> None:
        """Let the command ``name`` fail from now on; empty: none."""
        for command in COMMANDS:
            self._write(self.root / "bin" / command, f'#!/bin/sh\necho "${{0##*/}}" "$@" >> {self.calls}\n')
        if name:
            self._write(self.root / "bin" / name, "#!/bin/sh\nexit 1\n")

    def run(self, script: str, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        path = self.root / script
        self._write(path, (PACKAGING / "debian" / script).read_text())
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        return subprocess.run(
            ["/bin/sh", path, *arguments], env=environment, capture_output=True, text=True, timeout=20, check=False
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def _write(self, path: Path, text: str) -> None:
        path.write_text(re.sub(r"(?<![\w/$}])/(?=(opt|var/lib|etc|run/systemd|usr/lib)/)", f"{self.root}/", text))
        path.chmod(0o755)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.mark.parametrize("package", ["endpoint", "server"])
@pytest.mark.parametrize("action", ["upgrade", "remove"])
def test_a_package_goes_though_its_files_are_gone_already(scripts: Scripts, package: str, action: str) -> None:
    ended = scripts.run(f"p2pdist-{package}.prerm", [action])
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_upgrade_is_whole_though_the_daemon_does_not_start(scripts: Scripts) -> None:
    scripts.fails("systemctl")
    assert scripts.run("p2pdist-endpoint.postinst", ["configure", "0.2.0"]).returncode == 0


def test_dpkg_does_not_wait_for_the_daemon_that_is_restarted(scripts: Scripts) -> None:
    scripts.run("p2pdist-endpoint.postinst", ["configure", "0.2.0"])
    assert scripts.called()[-1] == "systemctl --no-block try-restart p2pdist.service"


def test_what_is_removed_is_neither_enrolled_nor_brought_back(scripts: Scripts) -> None:
    scripts.run("p2pdist-endpoint.prerm", ["remove"])
    assert scripts.called() == [
        "systemctl stop p2pdist.service",
        "systemctl --no-block stop p2pdist-upgrade-*.service",
        "systemctl stop p2pdist-enrol.service",
    ]


def test_purging_empties_a_home_that_is_a_link_to_another_disk(scripts: Scripts) -> None:
    disk, home = scripts.root / "disk", scripts.root / "var/lib/p2pdist"
    (disk / "identity").mkdir(parents=True)
    (disk / "identity/key.pem").touch()
    (disk / "identity/away").symlink_to(scripts.root / "etc")
    home.symlink_to(disk)
    assert scripts.run("p2pdist-endpoint.postrm", ["purge"]).returncode == 0
    assert list(disk.iterdir()) == []
    assert not home.is_symlink()
    assert (scripts.root / "etc/p2pdist").is_dir(), "what links lead to stays"


def test_purging_comes_to_its_end_though_the_home_is_the_root_of_a_disk(scripts: Scripts) -> None:
    home = scripts.root / "var/lib/p2pdist"
    (home / "identity").mkdir(parents=True)
    real = "/usr/bin/rm" if Path("/usr/bin/rm").exists() else "/bin/rm"
    busy = f'#!/bin/sh\nfor last; do :; done\ncase $last in {home}) {real} -rf "$last"/*; exit 1 ;; esac\n{real} "$@"\n'
    (scripts.root / "bin/rm").write_text(busy)
    (scripts.root / "bin/rm").chmod(0o755)
    assert scripts.run("p2pdist-endpoint.postrm", ["purge"]).returncode == 0
    assert list(home.iterdir()) == []


def test_purging_the_server_comes_to_its_end_though_its_home_is_a_link(scripts: Scripts) -> None:
    (scripts.root / "disk").mkdir()
    (scripts.root / "var/lib/seed-server").symlink_to(scripts.root / "disk")
    ended = scripts.run("p2pdist-server.postrm", ["purge"])
    assert ended.returncode == 0
    assert "stays, with its keys" in ended.stderr
