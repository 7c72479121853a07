"""What goes into the packages: settings, units, pages; built and installed they are tried in `test_debian`."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from bench.release.debs import debian_version
from bench.release.documents import PROGRAMS, write_completions, write_manual_pages
from bench.release.locked import locked_subset
from bench.release.running import BuildError
from bench.release.staging import PRODUCTS, requirements_of
from bench.release.whole import compare
from p2pdist.install.process_records import write_record
from p2pdist.settings import DEFAULT_HOMES, DaemonSettings, EndpointHome
from seed_server.settings.home import DEFAULT_SERVER_HOME
from tests.helpers.sources import ROOT

PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))


def names_in(requirements: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+)==", requirements.replace("[binary]", ""), re.MULTILINE))


def test_an_endpoint_gets_what_it_needs_with_hashes_and_nothing_of_the_server() -> None:
    endpoint, server = (requirements_of(PRODUCTS[name]) for name in ("endpoint", "server"))
    assert {"libtorrent", "trio", "tuf", "cffi"} <= names_in(endpoint)
    assert not names_in(endpoint) & {"fastapi", "sqlalchemy", "resvg-py", "psycopg", "pytest"}
    assert {"fastapi", "sqlalchemy", "resvg-py", "psycopg"} <= names_in(server)
    for entry in re.split(r"\n(?=\S)", server.strip()):
        assert "--hash=sha256:" in entry


def test_what_is_not_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("click==1 \\\n    --hash=sha256:00\n    # via p2pdist\n")
    assert locked_subset(tmp_path / "requirements.lock", ["click"]) == "click==1 \\\n    --hash=sha256:00\n"
    with pytest.raises(LookupError, match="does not have trio: run make lock"):
        locked_subset(tmp_path / "requirements.lock", ["click", "trio"])


def test_the_configuration_that_is_shipped_shows_each_setting_with_its_default() -> None:
    text = (PACKAGING / "config.toml").read_text()
    assert tomllib.loads(text) == {}
    shown = tomllib.loads("".join(line[2:] for line in text.splitlines(keepends=True) if re.match(r"# \w+ = ", line)))
    assert shown == msgspec.to_builtins(DaemonSettings())


def test_units_and_scripts_name_the_home_that_the_code_does() -> None:
    home = str(DEFAULT_HOMES["linux"])
    assert home == "/var/lib/p2pdist"
    for name in (
        "systemd/p2pdist.service",
        "systemd/p2pdist-enrol.service",
        "when-idle",
        "debian/p2pdist-endpoint.postinst",
    ):
        assert home in (PACKAGING / name).read_text(), name
    assert "StateDirectory=p2pdist\n" in (PACKAGING / "systemd/p2pdist.service").read_text()
    server = str(DEFAULT_SERVER_HOME)
    assert server == "/var/lib/seed-server"
    for name in ("systemd/seed-server.service", "debian/p2pdist-server.postinst"):
        assert server in (PACKAGING / name).read_text(), name
    assert "StateDirectory=seed-server\n" in (PACKAGING / "systemd/seed-server.service").read_text()


def test_packages_and_documents_name_no_other_home() -> None:
    texts = [*PACKAGING.rglob("*"), ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (str(path.relative_to(ROOT)), found)
        for path in texts
        if path.is_file()
        for found in re.findall(r"/var/lib/[\w-]*(?:p2pdist|seed)[\w-]*", path.read_text(errors="replace"))
    }
    assert {found for _, found in named} == {str(DEFAULT_HOMES["linux"]), str(DEFAULT_SERVER_HOME)}, named
    assert {name for name, _ in named} >= {"docs/operations.md", "README.md"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_finds_nothing_wrong_with_the_units() -> None:
    command = ["systemd-analyze", "verify", "--man=no", *map(str, UNITS)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    # the programs are not in their places here; pages and programs are tried where the packages are installed
    wrong = [line for line in said.splitlines() if "is not executable: No such file" not in line]
    assert [line for line in wrong if any(unit.name in line for unit in UNITS)] == []


class Pc:
    """A PC as ``when-idle`` sees it: the daemon's records, and commands that say how they were called."""

    def __init__(self, place: Path) -> None:
        self.script = place / "when-idle"
        text = (PACKAGING / "when-idle").read_text().replace("sleep 1", "sleep 0.02")
        self.script.write_text(text.replace(str(EndpointHome(DEFAULT_HOMES["linux"]).scratch), str(place)))
        for name in ("systemctl", "systemd-run"):
            (place / name).write_text('#!/bin/sh\necho "${0##*/}" "$@"\n')
            (place / name).chmod(0o755)
        self.environment = {"PATH": f"{place}:/usr/bin:/bin"}

    def when_idle(self, action: str) -> str:
        command = ["/bin/sh", str(self.script), action]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=20, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="systemd")
@pytest.mark.parametrize(
    "record", ["running", "installing"]
)  # the installer, and the daemon between two of its programs
def test_scripts_restart_the_daemon_at_once_or_after_the_installation_that_runs(tmp_path: Path, record: str) -> None:
    pc = Pc(tmp_path)
    assert pc.when_idle("try-restart") == "systemctl --no-block try-restart p2pdist.service\n"
    with subprocess.Popen(["/bin/sleep", "100"]) as installer:
        write_record(tmp_path / record, installer.pid)
        said = pc.when_idle("try-restart")
        assert said.startswith("systemd-run ")
        assert said.endswith("wait-try-restart\n")
        assert "$" not in said.replace("$$", ""), "systemd would replace it"
        with subprocess.Popen(["/bin/sh", pc.script, "stop"], env=pc.environment, stdout=subprocess.PIPE) as stop:
            with pytest.raises(subprocess.TimeoutExpired):
                stop.wait(0.1)
            installer.kill()
            assert stop.communicate(timeout=20)[0] == b"systemctl stop p2pdist.service\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_finds_nothing_wrong_with_the_user_s_unit(tmp_path: Path) -> None:
    unit = PACKAGING / "systemd/user/p2pdist-agent.service"
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(unit)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment).stderr
    assert [line for line in said.splitlines() if unit.name in line and "is not executable: No such" not in line] == []


@pytest.mark.parametrize(
    ("version", "expected"), [("0.3.0.dev0", "0.3.0~dev0"), ("1.0rc1", "1.0~rc1"), ("1.2.3", "1.2.3")]
)
def test_what_comes_before_a_release_is_less_for_dpkg(version: str, expected: str) -> None:
    assert debian_version(version) == expected


def test_each_command_has_a_page(tmp_path: Path) -> None:
    write_manual_pages("p2pdist", tmp_path, 1_700_000_000)
    group = PROGRAMS["p2pdist"]
    visible = {name for name, command in group.commands.items() if not command.hidden}
    pages = {path.name for path in tmp_path.iterdir()}
    assert {"p2pdist.1", *(f"p2pdist-{name}.1" for name in visible)} <= pages
    page = (tmp_path / "p2pdist-enrol.1").read_text()
    assert page.startswith('.TH "P2PDIST\\-ENROL" "1" "2023-11-14"')
    assert ".nf\nExamples:\n  p2pdist enrol\n" in page
    assert "\b" not in page
    assert CliRunner().invoke(group, ["enrol", "-h"]).exit_code == 0, "commands are as they were"


def test_each_option_of_a_page_is_explained(tmp_path: Path) -> None:
    for program in PROGRAMS:
        write_manual_pages(program, tmp_path, 0)
    silent = {
        f"{page.name}: {option}"
        for page in tmp_path.iterdir()
        for option in re.findall(r"^\.TP\n(.*)\n(?:\n|\.|$)", page.read_text(), re.MULTILINE)
    }
    assert silent == set()


def test_what_begins_as_a_command_of_roff_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = click.Group("odd", help="\b\n.x\n'y\n\\z")
    monkeypatch.setitem(PROGRAMS, "odd", odd)
    write_manual_pages("odd", tmp_path, 0)
    assert "\\&.x\n\\&'y\n\\ez" in (tmp_path / "odd.1").read_text()


def test_three_shells_complete(tmp_path: Path) -> None:
    write_completions("seed-server", tmp_path)
    assert "_SEED_SERVER_COMPLETE" in (tmp_path / "usr/share/bash-completion/completions/seed-server").read_text()
    assert (tmp_path / "usr/share/zsh/vendor-completions/_seed-server").exists()
    assert (tmp_path / "usr/share/fish/vendor_completions.d/seed-server.fish").exists()


def test_two_builds_that_differ_are_no_release(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "a.deb", tmp_path / "other" / "a.deb"
    for path, data in ((one, b"1"), (other, b"2")):
        path.parent.mkdir()
        path.write_bytes(data)
    compare([one], [one])
    with pytest.raises(BuildError, match=r"not the same: a\.deb"):
        compare([one], [other])
