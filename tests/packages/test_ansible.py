"""The Ansible role: what it names is there; and, slowly, run twice on PCs with their own systemd, which SSH reaches.

`make test-ansible` builds the packages, installs Ansible beside them, and runs all of it.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from p2pdist.settings import DaemonSettings
from tests.helpers.booted_root import BootedRoot
from tests.helpers.debian_root import NEEDS_DEBIAN_ROOT, copy_debian
from tests.helpers.sources import ROOT

PLAYBOOKS = ROOT / "packaging" / "ansible"
ROLE = PLAYBOOKS / "roles" / "p2pdist"
BUILT = ROOT / "build" / "release"
ANSIBLE = shutil.which("ansible-playbook", path=f"{ROOT / 'build/ansible/bin'}{os.pathsep}{os.environ['PATH']}")
INCLUDED = ("openssh-server", "python3-apt", "python3-venv")
LAN = "10.77.0"
PCS = {"deb": f"{LAN}.11", "wheel": f"{LAN}.12"}
SERVER_HOME = "/var/lib/seed-server"
SERVER = ("runuser", "-u", "seed-server", "--", "seed-server")


def parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_variables_of_the_role_are_those_that_are_documented() -> None:
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    documented = {
        name for row in re.findall(r"^\| (`p2pdist_.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert parsed(ROLE / "defaults/main.yml").keys() == documented
    assert parsed(PLAYBOOKS / "group_vars_example.yml").keys() <= documented


def test_the_settings_of_the_example_are_ones_that_the_daemon_takes() -> None:
    shown = parsed(PLAYBOOKS / "group_vars_example.yml")["p2pdist_settings"]
    assert shown
    msgspec.convert(shown, DaemonSettings)


def test_the_role_lays_files_that_are_there() -> None:
    tasks = (ROLE / "tasks/wheels.yml").read_text(encoding="utf-8")
    units = re.findall(r"^    - (p2pdist\S*\.service)$", tasks, re.MULTILINE)
    assert units
    assert [name for name in units if not (ROOT / "packaging/systemd" / name).exists()] == []
    assert "../../../when-idle" in tasks
    assert (ROLE / "../../../when-idle").resolve().exists()


def test_the_token_is_for_root_alone_and_is_not_printed() -> None:
    (token,) = (task for task in parsed(ROLE / "tasks/enrol.yml") if task["name"] == "Token")
    assert token["no_log"] is True
    assert token["ansible.builtin.copy"]["mode"] == "0600"


class Office:
    """A server and PCs on one LAN, and the administrator's machine in it."""

    def __init__(self, place: Path, stack: contextlib.ExitStack) -> None:
        self._place = place
        self._stack = stack
        self._lan = f"p2pdist-ansible-{os.getpid()}"
        self._base = copy_debian(place / "base")
        self._include()
        self._command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key"))
        self._command("ip", "netns", "add", self._lan)
        stack.callback(self._command, "ip", "netns", "del", self._lan)
        self._ip("link", "add", "lan", "type", "bridge")
        self._ip("address", "add", f"{LAN}.1/24", "dev", "lan")
        self._ip("link", "set", "lan", "up")

    def boot(self, name: str, address: str) -> BootedRoot:
        """Boot a machine that has what is in the base, and its changes for itself."""
        own = self._place / name
        root = own / "root"
        for directory in (own / "upper", own / "work", root):
            directory.mkdir(parents=True)
        layers = f"lowerdir={self._base},upperdir={own / 'upper'},workdir={own / 'work'}"
        self._command("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
        self._stack.callback(self._command, "umount", "-l", str(root))
        (root / "etc/hostname").write_text(f"{name}\n")
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self._place / "key.pub", root / "root/.ssh/authorized_keys")
        machine = BootedRoot(root)
        self._stack.callback(machine.end)
        # its end of the cable comes from the LAN: a name of this process's own network would be everybody's
        self._ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(machine._init))
        self._ip("link", "set", f"to-{name}", "master", "lan", "up")
        machine.network("address", "add", f"{address}/24", "dev", "eth0")
        machine.network("link", "set", "eth0", "up")
        return machine

    def play(self, playbook: str, *arguments: str) -> tuple[str, dict[str, dict[str, int]]]:
        """Run a playbook; return what it printed and what it counted for each PC."""
        command = ["ip", "netns", "exec", self._lan, str(ANSIBLE), "-i", str(self._place / "inventory.ini"), playbook]
        settings = {"ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8", "HOME": str(self._place)}
        ended = subprocess.run(
            [*command, *arguments],
            cwd=PLAYBOOKS,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        recap = re.findall(r"^(\w+) +: (.*)$", ended.stdout.partition("PLAY RECAP")[2], re.MULTILINE)
        counted = {name: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", counts)} for name, counts in recap}
        assert counted, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr, counted

    def write(self, name: str, text: str) -> None:
        """Write a file of the administrator's inventory."""
        path = self._place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def _include(self) -> None:
        self._command("mount", "-t", "proc", "proc", str(self._base / "proc"))
        try:
            for command in (("update",), ("install", "--no-install-recommends", *INCLUDED)):
                quiet = ["chroot", str(self._base), "apt-get", "-qq", "-y", *command]
                ended = subprocess.run(
                    quiet,
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if ended.returncode != 0:
                    pytest.skip(f"no mirror gives {', '.join(INCLUDED)}: {ended.stderr[-300:]}")
        finally:
            self._command("umount", str(self._base / "proc"))

    def _ip(self, *arguments: str) -> None:
        self._command("ip", "-n", self._lan, *arguments)

    @staticmethod
    def _command(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)


def built(pattern: str) -> Path:
    found = sorted(BUILT.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip("there are no packages yet: make deb")
    return found[-1]


@pytest.fixture(scope="module")
def office() -> Iterator[tuple[Office, dict[str, BootedRoot]]]:
    if ANSIBLE is None or shutil.which("ssh") is None:
        pytest.skip("ansible-playbook or ssh is missing: make test-ansible")
    endpoint, server, wheel = built("p2pdist-endpoint_*.deb"), built("p2pdist-server_*.deb"), built("p2pdist-*.whl")
    place = BUILT.parent / "ansible-test"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        office = Office(place, stack)
        collect = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir"]
        subprocess.run([*collect, str(place / "wheels"), str(wheel)], check=True, capture_output=True)
        machines = {name: office.boot(name, address) for name, address in {"hq": f"{LAN}.10", **PCS}.items()}
        hq = machines["hq"]
        shutil.copy(server, place / "hq/root/srv/server.deb")
        hq.must("dpkg", "-i", "/srv/server.deb", seconds=180)
        hq.must(*SERVER, "init", "--home", SERVER_HOME, "--name", "hq", "--address", f"{LAN}.10", "--api-port", "0")
        hq.must("systemctl", "start", "seed-server")
        token = hq.must(*SERVER, "token", "--home", SERVER_HOME, "--uses", "9").strip()
        ssh = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        hosts = "".join(f"{name} ansible_host={address}\n" for name, address in PCS.items())
        access = f"ansible_user=root\nansible_ssh_private_key_file={place / 'key'}\nansible_ssh_common_args={ssh}\n"
        office.write("inventory.ini", f"[pcs]\n{hosts}[pcs:vars]\n{access}")
        office.write(
            "group_vars/pcs.yml",
            f"p2pdist_package: {endpoint}\np2pdist_token: {token}\n"
            "p2pdist_settings:\n  serve_from_battery_percent: 40.0\n",
        )
        office.write("host_vars/wheel.yml", f"p2pdist_package: {place / 'wheels'}\n")
        yield office, machines


SLOW = [pytest.mark.slow, *NEEDS_DEBIAN_ROOT]


def marked(test: Any) -> Any:
    """Mark a test that goes on from where the one before it stopped."""
    for mark in SLOW:
        test = mark(test)
    return test


@marked
def test_a_trial_changes_nothing(office: tuple[Office, dict[str, BootedRoot]]) -> None:
    ansible, machines = office
    said, counted = ansible.play("install.yml", "--check", "--diff")
    assert {name: counts["failed"] for name, counts in counted.items()} == dict.fromkeys(PCS, 0), said
    assert all(counts["changed"] for counts in counted.values())
    for name in PCS:
        assert machines[name].run("test", "-e", "/usr/bin/p2pdist").returncode != 0
        assert machines[name].run("test", "-e", "/etc/credstore/p2pdist.token").returncode != 0


@marked
def test_a_token_that_is_refused_is_told_and_nothing_stays_open(office: tuple[Office, dict[str, BootedRoot]]) -> None:
    ansible, _ = office
    said, counted = ansible.play("install.yml", "-e", "p2pdist_token=p2pd-wrong")
    assert {name: counts["failed"] for name, counts in counted.items()} == dict.fromkeys(PCS, 1), said
    assert "This is not a whole enrolment token" in said


@marked
def test_two_hundred_would_be_installed_enrolled_and_connected(office: tuple[Office, dict[str, BootedRoot]]) -> None:
    ansible, machines = office
    said, counted = ansible.play("install.yml")  # waits until they are connected
    assert {name: counts["failed"] for name, counts in counted.items()} == dict.fromkeys(PCS, 0), said
    assert "p2pd-" not in said
    for name in PCS:
        assert machines[name].must("systemctl", "is-enabled", "p2pdist").strip() == "enabled"
        assert machines[name].run("test", "-e", "/etc/credstore/p2pdist.token").returncode != 0
        assert "serve_from_battery_percent = 40.0" in machines[name].must("cat", "/var/lib/p2pdist/config.toml")
    listed = machines["hq"].must(*SERVER, "endpoints", "--home", SERVER_HOME)
    assert listed.count("connected") == len(PCS)


@marked
@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_run_again_it_changes_nothing(office: tuple[Office, dict[str, BootedRoot]], arguments: tuple[str, ...]) -> None:
    ansible, machines = office
    since = {name: started(machines[name]) for name in PCS}
    said, counted = ansible.play("install.yml", *arguments)
    assert {name: (counts["changed"], counts["failed"]) for name, counts in counted.items()} == dict.fromkeys(
        PCS, (0, 0)
    ), said
    assert {name: started(machines[name]) for name in PCS} == since


@marked
def test_it_is_removed_and_its_identity_only_when_that_is_wanted(office: tuple[Office, dict[str, BootedRoot]]) -> None:
    ansible, machines = office
    for purge, stays in (("false", True), ("true", False)):
        for changes in (True, False):
            said, counted = ansible.play("remove.yml", "-e", f"p2pdist_purge={purge}")
            assert {
                name: (counts["changed"] > 0, counts["failed"]) for name, counts in counted.items()
            } == dict.fromkeys(PCS, (changes, 0)), said
        for name in PCS:
            machine = machines[name]
            assert machine.run("pgrep", "-f", "/opt/p2pdist").returncode != 0
            assert machine.run("test", "-e", "/opt/p2pdist").returncode != 0
            identity = machine.run("test", "-e", "/var/lib/p2pdist/identity/identity.json").returncode == 0
            assert identity is stays


def started(machine: BootedRoot) -> str:
    return machine.must("systemctl", "show", "--value", "--property=ActiveEnterTimestampMonotonic", "p2pdist")
