"""`seed-server report history` and `archive`: what they print, and how they end."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.fleet.archiving import Archivist
from seed_server.fleet.context import Context
from seed_server.settings.sections import RetentionSettings
from tests.helpers.history_home import copied, let_happen, moment, new_home

NOW = moment(2026, 11, 15)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with two months in files and two in the database; one of the PCs is forgotten since."""
    directory = tmp_path_factory.mktemp("archived")
    context = copied(new_home(directory), directory, NOW)
    with context.database() as database:
        for month in (6, 7, 10, 11):
            let_happen(database, moment(2026, month))
        for _ in range(2):
            Archivist(context, database, RetentionSettings(), others_turn=lambda: None).tidy()
        database.forget_endpoint("b" * 26, NOW)
    return context.home.root


@pytest.fixture
def changing(home: Path, tmp_path: Path) -> Context:
    return copied(home, tmp_path, NOW)


def run(home: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(seed_server, [*words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done


def refused(home: Path, *words: str) -> str:
    error = run(home, *words, code=1).exception
    assert isinstance(error, UserError)
    assert error.kind is FaultKind.BAD_INPUT
    return error.message


def lines(home: Path, *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(home, "report", "history", "--json-lines", *words).stdout.splitlines()]


def test_files_and_database_are_read_as_one(home: Path) -> None:
    rows = lines(home)
    assert len(rows) == 64
    assert {row["hostname"] for row in rows} == {"pc-a", "=pc-b"}, "who is forgotten is named still"
    archived = run(home, "archive", "search", "--json-lines").stdout.splitlines()
    assert list(map(json.loads, archived)) == rows[:32]
    assert len(lines(home, "--endpoint", "pc-a")) == len(lines(home, "--site", "tokyo")) == 32
    assert len(lines(home, "--endpoint", "b" * 26, "--patch", "office@1", "--since", "2026-07-02")) == 12
    assert len(lines(home, "--endpoint", "b" * 4)) == len(lines(home, "--endpoint", "PC-A.corp")) == 32
    assert lines(home, "--endpoint", "b" * 3) == lines(home, "--endpoint", "_" * 6) == []
    assert len(lines(home, "--since", "2026-06", "--until", "2026-06-02")) == 16
    assert len(lines(home, "--until", "2026-06-02T00:00", "--patch", "viewer")) == 8
    assert (
        lines(home, "--patch", "viewer@9")
        == lines(home, "--site", "nowhere")
        == lines(home, "--since", "2027-01")
        == []
    )


def test_pages_follow_each_other_over_months(home: Path) -> None:
    found: list[object] = []
    words = ["report", "history", "--json", "--patch", "office", "--page-size", "5"]
    after: list[str] = []
    while True:
        page = json.loads(run(home, *words, *after).stdout)
        found += page["rows"]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert found == lines(home, "--patch", "office")
    assert "no end of a page" in refused(home, *words, "--after", "x")


def test_a_table_says_how_to_go_on(home: Path) -> None:
    shown = run(home, "report", "history", "--since", "2026-06", "--endpoint", "pc-a").output
    assert "exit code 1603" in shown
    assert "2026-06-02 00:00 UTC" in shown
    shown = run(home, "report", "history", "--since", "2026-06", "--page-size", "3").output
    assert "seed-server report history --since 2026-06 --page-size 3 --after 202606.0:" in shown
    assert "Nothing of that kind is known here." in run(home, "report", "history", "--patch", "other").output


def test_csv_has_no_formula(home: Path) -> None:
    heading, *rows = csv.reader(run(home, "report", "history", "--csv").stdout.splitlines())
    assert heading == ["at", "endpoint_id", "hostname", "site", "patch_id", "version", "state", "install", "because"]
    assert len(rows) == 64
    assert {row[2] for row in rows} == {"pc-a", "'=pc-b"}
    assert rows[0][0] == "2026-06-02T00:00:00Z"
    cut = run(home, "report", "history", "--csv", "--page-size", "2")
    assert len(cut.stdout.splitlines()) == 3
    assert "--after 202606.0:" in cut.stderr


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--since", "2026-13"), ("--since", "2026-07", "--until",
                                   "2026-06"), ("--csv", "--json"), ("--until", "9999-12-31")])  # fmt: skip
def test_what_is_not_understood_is_told(home: Path, words: tuple[str, ...]) -> None:
    assert "Usage" in run(home, "report", "history", *words, code=2).output


def test_an_archive_that_is_missing_is_told_and_the_rest_is_shown(changing: Context) -> None:
    (changing.home.archive / "events-2026-06.archive").unlink()
    done = run(changing.home.root, "report", "history", "--csv", code=1)
    assert len(done.stdout.splitlines()) == 1 + 48
    assert "events-2026-06.archive is not in this: it is missing." in done.stderr
    page = json.loads(run(changing.home.root, "report", "history", "--json", code=1).stdout)
    assert page["unread"] == ["events-2026-06.archive is not in this: it is missing."]


def test_verify_tells_changed_missing_and_unknown_apart(changing: Context) -> None:
    root, folder = changing.home.root, changing.home.archive
    assert "All 2 archives are what the audit log vouches for." in run(root, "archive", "verify").output
    (folder / "events-2026-06.archive").write_bytes(b"?")
    (folder / "events-2026-07.archive").rename(folder / "stray")
    found = json.loads(run(root, "archive", "verify", "--json", code=1).stdout)
    assert not found["whole"]
    assert [(one["file"], one["state"]) for one in found["archives"]] == [
        ("events-2026-06.archive", "changed"), ("events-2026-07.archive", "missing"), ("stray", "unknown"),
    ]  # fmt: skip
    shown = run(root, "archive", "verify", code=1).output
    assert "NOT what the audit log vouches for" in shown
    assert [one["state"] for one in json.loads(run(root, "archive", "list", "--json").stdout)["archives"]] == [
        "present", "missing", "unknown",
    ]  # fmt: skip


def test_a_hold_is_made_shown_and_released(changing: Context) -> None:
    root = changing.home.root
    held = json.loads(run(root, "archive", "hold", "--reason", "case 17", "--json").stdout)
    assert (held["number"], held["reason"], held["released_at"]) == (1, "case 17", None)
    assert "case 17" in run(root, "archive", "list").output
    assert "Legal hold 1 is released." in run(root, "archive", "release", "1").output
    assert "case 17" not in run(root, "archive", "list").output
    assert "No legal hold 1 holds" in refused(root, "archive", "release", "1")
    log = json.loads(run(root, "audit", "list", "--json").stdout)
    assert [entry["operation"] for entry in log[:2]] == ["release history", "hold history"]
