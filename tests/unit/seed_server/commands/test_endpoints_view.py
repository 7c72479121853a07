"""`seed-server endpoints`, and `seed_server.commands.paging`: a page for people, a page or all of them for programs."""

import json
import shlex

import pytest
from click.testing import CliRunner

from p2pdist.shared.console import json_text
from seed_server.answers.status_documents import endpoint_documents
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import PCS_OF_A_PAGE
from seed_server.fleet.queries import read_status
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from tests.helpers.large_fleet import PCS, endpoint_id, large_fleet
from tests.helpers.stored_fleet import store


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    home = Context(ServerHome(tmp_path_factory.mktemp("home") / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=home.clock.now())
    with home.database() as database:
        store(database, large_fleet())
        database.set_denied(endpoint_id(150), True, pending=True)
    return home


def run(context: Context, *words: str) -> str:
    result = CliRunner().invoke(seed_server, ["endpoints", *words, "--home", str(context.home.root)])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout


def test_two_hundred_pcs_are_shown_page_by_page_and_who_waits_comes_first(context: Context) -> None:
    words: list[str] = []
    seen: list[str] = []
    while True:
        lines = run(context, *words).splitlines()
        assert len(lines) <= PCS_OF_A_PAGE + 3
        seen += [word for line in lines for word in line.split() if word.startswith("pc-")]
        if "the next: " not in lines[-1]:
            break
        assert f"{PCS_OF_A_PAGE} of {PCS} shown" in lines[-1]
        words = shlex.split(lines[-1].partition("the next: ")[2])[2:]
    assert "these are the last" in lines[-1]
    assert seen == ["pc-150", *(f"pc-{number:03}" for number in range(PCS) if number != 150)]


def test_the_next_page_is_asked_for_in_the_same_words(context: Context) -> None:
    text = run(context, "--site", "leeds", "--state", "away", "--page-size", "7")
    assert "the next: seed-server endpoints --site leeds --state away --page-size 7 --after 1-" in text
    unseen = run(context, "--sort", "seen", "--page-size", "7")
    assert "the next: seed-server endpoints --sort seen --page-size 7 --after seen0.0-" in unseen
    assert "osaka" not in text


def test_all_of_it_is_printed_part_by_part_as_it_is_printed_at_once(context: Context) -> None:
    whole = list(endpoint_documents(read_status(context)))
    assert len(whole) == PCS
    assert run(context, "--json") == json_text(whole) + "\n"
    leeds = json.loads(run(context, "--json", "--site", "leeds"))
    assert {row["site"] for row in leeds} == {"leeds"}
    assert [row["pending"] for row in json.loads(run(context, "--json", "--state", "pending"))] == [True]


def test_a_page_for_programs_names_the_next_one(context: Context) -> None:
    first = json.loads(run(context, "--json", "--page-size", "3"))
    assert (first["server"], first["serving"], first["total"]) == ("hq", False, PCS)
    second = json.loads(run(context, "--json", "--page-size", "200", "--after", first["next"]))
    assert second["next"] is None
    told = [row["id"] for row in (*first["rows"], *second["rows"])]
    assert len(told) == len(set(told)) == PCS


def test_nobody_and_what_is_no_state_are_said(context: Context) -> None:
    assert "No PC answers to this." in run(context, "--state", "connected"), "no server serves"
    wrong = CliRunner().invoke(seed_server, ["endpoints", "--state", "on", "--home", str(context.home.root)])
    assert wrong.exit_code == 2


def test_pcs_are_chosen_by_name_tag_finding_and_patch(context: Context) -> None:
    begins = json.loads(run(context, "--json", "--begins", "PC-15", "--state", "pending"))
    assert [row["hostname"] for row in begins] == ["pc-150"]
    patch = read_status(context).patches[0].patch_id
    shown = run(context, "--begins", "pc", "--patch", patch, "--lacking", "--page-size", "2")
    assert f"the next: seed-server endpoints --begins pc --patch {patch} --lacking --page-size 2" in shown
    for nobody in (("--tag", "till"), ("--finding", "clock"), ("--begins", "zz")):
        assert "No PC answers to this." in run(context, *nobody)
    wrong = CliRunner().invoke(seed_server, ["endpoints", "--lacking", "--home", str(context.home.root)])
    assert "Name the patch" in str(wrong.exception)
