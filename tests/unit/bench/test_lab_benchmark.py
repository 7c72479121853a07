from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.lab.packages import services_stay_off
from bench.lab_benchmark import chosen, main, read_runs


def test_a_choice_names_what_there_is() -> None:
    known = ["a", "b, c", "d"]
    assert chosen(None, known, "--only") == known
    assert chosen("a,d", known, "--only") == ["a", "d"]
    assert chosen("a; b, c", known, "--only") == ["a", "b, c"]
    with pytest.raises(click.BadParameter, match="no 'x'; choose from: a; b, c; d"):
        chosen("x", known, "--only")


def test_a_run_that_was_cut_off_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    runs = tmp_path / "runs.jsonl"
    assert read_runs(runs) == {}
    runs.write_text('{"scenario":"x","meth')
    assert read_runs(runs) == {}


def test_the_list_needs_no_root() -> None:
    result = CliRunner().invoke(main, ["--list"])
    assert result.exit_code == 0
    assert "idle line / p2pdist" in result.output.splitlines()


def test_installed_services_stay_off_and_an_existing_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with services_stay_off(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()
    policy.write_text("mine")
    with services_stay_off(policy):
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"
