"""`seed-server apply`, as a person and a pipeline run it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import FaultKind
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from tests.helpers.command_results import refused, shown
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import cheap_passwords, copied, new_home

Run = Callable[..., Result]
PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def run(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    cheap_passwords(monkeypatch)
    context, _ = copied(home, tmp_path)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: FakeClock().wall)

    def run(*arguments: str | Path) -> Result:
        env = {"SEED_SERVER_HOME": str(context.home.root)}
        return CliRunner(env=env).invoke(seed_server, ["apply", *map(str, arguments)])

    return run


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    fleet = tmp_path / "fleet"
    (fleet / "profiles").mkdir(parents=True)
    (fleet / "sites.toml").write_text('[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\nline_mbit = 20\n')
    (fleet / "profiles" / "oslo.toml").write_text(PROFILE)
    (fleet / "people.toml").write_text('[[person]]\nname = "nora"\nroles = ["network-admin"]\nsites = ["oslo"]\n')
    (fleet / "settings.toml").write_text("backup_days = 9\n")
    return fleet


def test_a_plan_shows_what_differs_and_changes_nothing(run: Run, fleet: Path) -> None:
    text = shown(run(fleet, "--plan"))
    for words in ("+", "site", "oslo", 'networks ["10.1.0.0/16"]; line_mbit 20.0', "account", "nora", "backup_days"):
        assert words in text
    assert "4 to add, 0 to change, 0 to remove." in text
    assert shown(run(fleet, "--plan")) == text


def test_a_pipeline_tells_by_the_exit_code_whether_anything_differs(run: Run, fleet: Path) -> None:
    assert run(fleet, "--plan", "--exit-code").exit_code == 2
    assert run(fleet, "--plan").exit_code == ExitCode.OK
    shown(run(fleet))
    assert run(fleet, "--plan", "--exit-code").exit_code == ExitCode.OK
    assert run(fleet, "--exit-code").exit_code == ExitCode.USAGE


def test_a_run_says_what_it_does_and_what_is_next_and_another_one_that_there_is_nothing(run: Run, fleet: Path) -> None:
    text = shown(run(fleet))
    for words in ("Done.", "after a restart", "nora has no password yet: seed-server people password nora"):
        assert words in text
    assert shown(run(fleet)) == "Nothing to change.\n"
    (fleet / "people.toml").write_text("")
    assert "Not in the files, and stays: account nora. --prune removes it." in shown(run(fleet))
    pruned = shown(run(fleet, "--prune"))
    assert "0 to add, 0 to change, 1 to remove." in pruned
    assert shown(run(fleet, "--prune", "--plan")) == "Nothing to change.\n"


def test_programs_get_a_document(run: Run, fleet: Path, tmp_path: Path) -> None:
    planned = json.loads(shown(run(fleet, "--plan", "--json")))
    assert (planned["applied"], planned["added"], planned["restart"]) == (False, 4, True)
    assert planned["changes"][0] == {
        "kind": "site",
        "name": "oslo",
        "action": "add",
        "keys": [
            {"key": "networks", "before": "", "after": '["10.1.0.0/16"]'},
            {"key": "line_mbit", "before": "", "after": "20.0"},
        ],
    }
    (tmp_path / "bundles").mkdir()
    done = json.loads(shown(run(fleet, "--json", "--prepare", tmp_path / "bundles")))
    assert done["applied"]
    (bundle,) = done["bundles"]
    assert bundle["path"] == str(tmp_path / "bundles" / "profiles.bundle")
    assert json.loads(shown(run(tmp_path / "out", "--export", "--json")))["files"] == [
        "sites.toml", "people.toml", "settings.toml",
    ]  # fmt: skip


def test_what_is_signed_elsewhere_is_said(run: Run, fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    text = shown(run(fleet, "--prepare", tmp_path / "bundles"))
    assert "change the profiles of oslo" in text
    assert "seed-server sign profiles.bundle --keys DIR" in text


def test_files_are_written_and_read_back(run: Run, fleet: Path, tmp_path: Path) -> None:
    shown(run(fleet))
    assert "4 files are written into" in shown(run(tmp_path / "out", "--export"))
    assert shown(run(tmp_path / "out", "--plan", "--prune")) == "Nothing to change.\n"
    refused(run(tmp_path / "out", "--export"), "is there already", FaultKind.REFUSED)
    assert run(tmp_path / "new", "--export", "--prune").exit_code == ExitCode.USAGE


def test_every_problem_is_told_at_once(run: Run, fleet: Path) -> None:
    (fleet / "people.toml").write_text('[[person]]\nname = "nora"\nroles = ["network-admn"]\n')
    (fleet / "settings.toml").write_text("backup_dayz = 9\n")
    (fleet / "site.toml").write_text("")
    result = run(fleet)
    refused(result, "did you mean 'network-admin'?", FaultKind.BAD_INPUT)
    refused(
        result,
        "settings.toml, line 1, column 1: unknown key 'backup_dayz'; did you mean 'backup_days'?",
        FaultKind.BAD_INPUT,
    )
    refused(result, "Did you mean 'sites.toml'?", FaultKind.BAD_INPUT)
