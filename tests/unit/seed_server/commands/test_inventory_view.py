"""`seed-server inventory`: what it prints, and how it ends."""

import csv
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.inventory_view import InventoryOptions, show_inventory
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from tests.helpers.history_home import new_home
from tests.helpers.told_inventories import debian, tell

OLD_SSL = 'package("openssl") < version("3.0.17")'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with 44 PCs that have an old openssl, one that has none, and two that have never told anything."""
    home = new_home(tmp_path_factory.mktemp("inventories"))
    now = time.time()
    with Database.open(ServerHome(home).database) as database, database.batch():
        for number in range(45):
            pc = f"{number:026}"
            database.add_endpoint(pc, f"=pc-{number:02}", 1.0)
            packages = {"openssl": f"3.0.{number % 3}"} if number else {}
            tell(database, pc, debian(ram_mb=number, **packages), now - 7_200.0)
    return home


def run(home: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(seed_server, ["inventory", *words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done


def test_a_screen_says_how_many_and_of_how_many_it_is_not_known(home: Path) -> None:
    shown = run(home, OLD_SSL).stdout
    assert "Of 47 PCs: true of 44, false of 1, not known of 2." in shown
    assert "Not known: 2 have told nothing." in shown
    assert "What this goes by is at most 2 h 00 m old." in shown
    assert "=pc-01" in shown
    assert "3.0.1" in shown
    assert "20 of 44 shown; the next: seed-server inventory " in shown


def test_pages_come_to_the_whole(home: Path) -> None:
    page = json.loads(run(home, OLD_SSL, "--json", "--page-size", "16").stdout)
    found = [row["hostname"] for row in page["rows"]]
    while page["next"]:
        page = json.loads(run(home, OLD_SSL, "--json", "--page-size", "16", "--after", page["next"]).stdout)
        found += [row["hostname"] for row in page["rows"]]
    assert found == [f"=pc-{number:02}" for number in range(1, 45)]
    assert (page["total"], page["true"], page["false"], page["unknown"], page["never"]) == (47, 44, 1, 2, 2)


def test_csv_and_lines_print_all(home: Path) -> None:
    heading, *rows = csv.reader(run(home, OLD_SSL, "--columns", "openssl, ram_mb", "--csv").stdout.splitlines())
    assert heading == ["endpoint_id", "hostname", "site", "told_at", "openssl", "ram_mb"]
    assert len(rows) == 44
    assert (rows[0][1], rows[0][4:]) == ("'=pc-01", ["3.0.1", "1"]), "no formula"
    lines = [json.loads(line) for line in run(home, OLD_SSL, "--json-lines").stdout.splitlines()]
    assert [line["values"]["openssl"] for line in lines[:3]] == ["3.0.1", "3.0.2", "3.0.0"]
    assert {line["unknown"] for line in lines} == {None}


def test_a_part_of_all_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = run(home, OLD_SSL, "--csv", "--page-size", "3")
    assert len(part.stdout.splitlines()) == 1 + 3
    assert "more behind: --after" in part.stderr
    options = InventoryOptions(
        expression=OLD_SSL, site="", columns=None, count_only=False, of_unknown=False, package="", max_days=7,
        seconds=30, size=0, after="", as_csv=False, as_lines=True, as_json=False,
    )  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        show_inventory(Context(ServerHome(home)), options, most_rows=40)
    assert ended.value.code == 1
    whole = capsys.readouterr()
    assert len(whole.out.splitlines()) == 40
    after = whole.err.split("--after ")[1].strip()
    assert len(run(home, OLD_SSL, "--json-lines", "--after", after).stdout.splitlines()) == 4


def test_unknown_ones_are_listed_with_why(home: Path) -> None:
    lines = [json.loads(line) for line in run(home, "--unknown", "--json-lines").stdout.splitlines()]
    assert [(line["hostname"], line["unknown"], line["told_at"]) for line in lines] == [
        ("=pc-b", "never", None),
        ("pc-a", "never", None),
    ]
    assert "told nothing" in run(home, "--unknown").stdout
    heading, row, _ = csv.reader(run(home, "--unknown", "--csv").stdout.splitlines())
    assert (heading[4], row[4]) == ("unknown", "never")


def test_a_count_prints_no_names(home: Path) -> None:
    shown = run(home, OLD_SSL, "--count").stdout
    assert "true of 44" in shown
    assert "pc-" not in shown
    document = json.loads(run(home, OLD_SSL, "--count", "--json").stdout)
    assert (document["true"], document["rows"], document["next"]) == (44, [], None)


def test_who_has_which_version(home: Path) -> None:
    shown = run(home, "--packages", "openssl").stdout
    assert [line.split() for line in shown.splitlines()[-4:]] == [
        ["3.0.2", "deb", "15"], ["3.0.1", "deb", "15"], ["3.0.0", "deb", "14"], ["not", "installed", "1"],
    ]  # fmt: skip
    package = json.loads(run(home, "ram_mb < 3", "--packages", "openssl", "--json").stdout)["package"]
    assert [(one["version"], one["pcs"]) for one in package["versions"]] == [("3.0.2", 1), ("3.0.1", 1)]
    assert (package["without"], package["unknown"]) == (1, 0)


@pytest.mark.parametrize(
    "words", [("--csv", "--json"), ("--count", "--csv"), ("--packages", "x", "--unknown"), ("--max-age", "0")]
)
def test_what_does_not_go_together_is_wrong_usage(home: Path, words: tuple[str, ...]) -> None:
    run(home, *words, code=2)


@pytest.mark.parametrize("words", [("moon == 1",), ("true", "--after", "x"), ("true", "--after", "999999")])
def test_bad_input_is_told_as_such(home: Path, words: tuple[str, ...]) -> None:
    error = run(home, *words, code=1).exception
    assert isinstance(error, UserError)
    assert error.kind is FaultKind.BAD_INPUT


def test_withheld_is_told_from_what_could_not_be_read_and_a_server_that_does_not_ask_says_so(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    with Database.open(ServerHome(home).database) as database:
        for pc, packages_told in (("x" * 26, "withheld"), ("y" * 26, "some")):
            database.add_endpoint(pc, f"pc-{packages_told}", 1.0)
            tell(database, pc, debian(told=packages_told), time.time())
    shown = run(home, OLD_SSL, "--unknown").stdout
    assert "1 has its packages withheld by its administrator" in " ".join(shown.split())
    assert "1 could not read all of it" in " ".join(shown.split())
    assert "inventory_minutes" not in shown
    settings = ServerHome(home).settings
    settings.write_text(f"inventory_minutes = 0\n{settings.read_text()}")
    assert "This server asks PCs for nothing (inventory_minutes = 0" in run(home, OLD_SSL).stdout
    document = json.loads(run(home, OLD_SSL, "--json", "--unknown").stdout)
    assert (document["never"], document["withheld"], document["incomplete"], document["asked"]) == (2, 1, 1, False)
    assert [row["unknown"] for row in document["rows"]] == ["never", "never", "incomplete", "withheld"]
