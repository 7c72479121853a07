from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.lab.packages import services_stay_off
from bench.lab_benchmark import chosen, chosen_lines, main
from p2pdist import __version__


def test_a_choice_names_what_there_is() -> None:
    known = ["a", "b, c", "d"]
    assert chosen(None, known, "--only") == known
    assert chosen("a,d", known, "--only") == ["a", "d"]
    assert chosen("a; b, c", known, "--only") == ["a", "b, c"]
    with pytest.raises(click.BadParameter, match="no 'x'; choose from: a; b, c; d"):
        chosen("x", known, "--only")


def test_the_release_draws_the_random_lines_unless_a_seed_is_given() -> None:
    assert chosen_lines(None) == (["usual", "real", "random"], __version__)
    assert chosen_lines("random:x") == (["random"], "x")
    assert chosen_lines("real, usual") == (["usual", "real"], __version__)
    with pytest.raises(click.BadParameter, match="no 'fast'; choose from: usual, real, random, random:SEED"):
        chosen_lines("fast")


def test_a_part_of_the_matrix_is_listed() -> None:
    result = CliRunner().invoke(main, ["--list", "--lines", "random:x"])
    assert result.exit_code == 0
    assert all(line.startswith("random line ") for line in result.output.splitlines())


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
