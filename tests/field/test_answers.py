"""What commands answer: errors are documents for tools, what is wrong here is said, a patch is shown with its title."""

import io
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from bandwidth.commands.main import bandwidth
from p2pdist.commands.main import p2pdist
from p2pdist.commands.status_view import status_view
from p2pdist.install.installer import Installer
from p2pdist.shared.console import ExitCode, run_command_line
from p2pdist.shared.language import in_words, span
from p2pdist.status.reasons import WhyReason
from p2pdist.status.why import Circumstances, detail_of
from seed_server.commands.texts import counted
from tests.helpers.patch_views import file
from tests.unit.p2pdist.commands.test_main import PATCH, STATUS
from tests.unit.p2pdist.install.test_service import service


def test_an_error_is_a_document_where_one_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["p2pdist", "status", "--home", str(tmp_path), "--json"])
    with pytest.raises(SystemExit) as ended:
        run_command_line(p2pdist)
    assert ended.value.code == ExitCode.NOT_SET_UP
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "not_set_up"


def test_one_of_something_is_not_several() -> None:
    assert [in_words(counted(number, "piece")) for number in (1, 2)] == ["1 piece", "2 pieces"]


def test_an_old_age_is_in_days() -> None:
    assert span(9_600 * 3_600.0) == "400 d"


def test_a_pc_shows_the_title_of_a_patch() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(status_view(replace(STATUS, patches=[replace(PATCH, title="Acme Office")]), 80))
    assert isinstance(console.file, io.StringIO)
    assert "acme-office 2.1.12345 (Acme Office)" in console.file.getvalue()


def test_a_pc_that_installs_nothing_says_so_where_people_look(tmp_path: Path) -> None:
    assert "install = false" in service(tmp_path, install=False).problems[0]
    assert "install = false" in detail_of(WhyReason.HERE, file("verified"), Circumstances(installs=False))


def test_a_daemon_that_may_install_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (problem,) = service(tmp_path, Installer(Path("/"), tmp_path / "scratch")).problems
    assert "does not run as root" in problem


def test_a_profile_that_stops_all_for_ever_is_warned_of(tmp_path: Path) -> None:
    profile = tmp_path / "stop.toml"
    profile.write_text('name = "stop"\ntime_zone = "Europe/Oslo"\n[[stop]]\nname = "all"\n')
    assert "nothing is ever sent" in CliRunner().invoke(bandwidth, ["check", str(profile)]).output
