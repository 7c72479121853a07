"""`bandwidth profiles`: a shipped profile becomes a file of one's own, and never takes the place of one."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bandwidth.commands.main import bandwidth
from bandwidth.profiles.shipped import NAMES, shipped_text


def run(*arguments: str) -> Result:
    return CliRunner().invoke(bandwidth, arguments)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_what_is_shipped_and_a_good_profile(name: str) -> None:
    result = run("profiles", "copy", name)
    assert result.output.splitlines() == [
        f"written: {name}.toml",
        f"Next: edit it, then 'bandwidth check {name}.toml', and 'seed-server profile set SITE {name}.toml'.",
    ]
    assert Path(f"{name}.toml").read_text(encoding="utf-8") == shipped_text(name)
    assert run("check", f"{name}.toml").exit_code == 0
    assert run("profiles", "show", name).output == shipped_text(name)


def test_a_file_that_is_there_is_kept_unless_it_is_forced(here: Path) -> None:
    own = here / "branches.toml"
    own.write_text("mine")
    result = run("profiles", "copy", "gentle", "branches.toml")
    assert (result.exit_code, own.read_text()) == (7, "mine")
    assert "branches.toml is there already, and is kept." in result.output
    assert run("profiles", "copy", "gentle", "branches.toml", "--force").exit_code == 0
    assert own.read_text(encoding="utf-8") == shipped_text("gentle")


def test_a_link_that_leads_nowhere_is_there_already(here: Path) -> None:
    (here / "gentle.toml").symlink_to(here / "elsewhere.toml")
    assert run("profiles", "copy", "gentle").exit_code == 7
    assert not (here / "elsewhere.toml").exists()


def test_a_folder_gets_it_under_its_own_name(here: Path) -> None:
    (here / "profiles").mkdir()
    assert run("profiles", "copy", "overnight", "profiles").exit_code == 0
    assert (here / "profiles" / "overnight.toml").exists()


def test_where_it_cannot_be_written_it_is_said() -> None:
    result = run("profiles", "copy", "gentle", "none/branches.toml")
    assert result.exit_code == 7
    assert "Cannot write none/branches.toml: " in result.output


def test_the_list_says_what_each_is_for() -> None:
    lines = run("profiles", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert "a quarter of the line while people work" in lines[NAMES.index("office-hours")]


def test_a_name_that_is_none_is_answered_with_those_that_are() -> None:
    result = run("profiles", "copy", "office")
    assert (result.exit_code, "'office-hours', 'gentle', 'overnight'" in result.output) == (2, True)


def test_a_shell_completes_them() -> None:
    environment = {
        "_BANDWIDTH_COMPLETE": "bash_complete",
        "COMP_CWORD": "3",
        "COMP_WORDS": "bandwidth profiles copy ge",
    }
    assert CliRunner().invoke(bandwidth, [], prog_name="bandwidth", env=environment).output == "plain,gentle\n"
    environment |= {"COMP_CWORD": "2", "COMP_WORDS": "bandwidth check over"}
    found = CliRunner().invoke(bandwidth, [], prog_name="bandwidth", env=environment).output
    assert found.splitlines() == ["file,over", "plain,overnight"]
