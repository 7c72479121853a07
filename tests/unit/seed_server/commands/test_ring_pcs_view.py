"""`seed_server.commands.ring_pcs_view`: the PCs behind a rollout's numbers, page by page."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seed_server.commands.main import seed_server
from tests.helpers.rollout_company import TESTERS, Company


def said(company: Company, *words: str) -> str:
    result = CliRunner().invoke(seed_server, ["rollout", "pcs", "1", *words, "--home", str(company.context.home.root)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def under_way(company: Company) -> Company:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "verified", TESTERS[1]: "failed"})
    company.look(10.0)
    return company


def test_those_behind_a_number_are_listed_with_what_became_of_it(under_way: Company) -> None:
    shown = said(under_way, "--ring", "test", "--which", "failed")
    assert TESTERS[1] in shown
    assert TESTERS[0] not in shown
    assert "failed" in shown
    (row,) = json.loads(said(under_way, "--ring", "test", "--which", "done", "--json"))["rows"]
    assert (row["id"], row["ring"], row["outcome"], row["state"]) == (TESTERS[0], "test", "installed", "verified")


def test_a_page_names_the_command_for_the_next_one(under_way: Company) -> None:
    first = said(under_way, "--ring", "test", "--page-size", "1")
    begin = first.index("seed-server rollout pcs")
    words = first[begin:].split()[3:]
    assert words[:5] == ["1", "--ring", "test", "--page-size", "1"]
    second = said(under_way, *words[1:])
    assert TESTERS[0] in first
    assert TESTERS[1] in second


def test_nobody_is_said_to_be_nobody(under_way: Company) -> None:
    assert "No PC of rollout 1 is like that." in said(under_way, "--which", "no_ring")


def test_what_is_not_there_is_refused(under_way: Company, tmp_path: Path) -> None:
    words = ["rollout", "pcs", "1", "--ring", "nothing", "--home", str(under_way.context.home.root)]
    result = CliRunner().invoke(seed_server, words)
    assert result.exit_code != 0
    assert "has no ring" in str(result.exception or result.output)
