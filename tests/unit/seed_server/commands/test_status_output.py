"""`seed-server status` as a whole: what it costs does not grow with the fleet, and what it prints is one stream."""

import json
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event

from p2pdist.shared.console import json_text
from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, use
from seed_server.answers.standing_documents import standing_document
from seed_server.answers.status_documents import status_document
from seed_server.commands.main import seed_server
from seed_server.commands.status_output import json_parts, status_parts
from seed_server.fleet.context import Context
from seed_server.fleet.overview import read_head
from seed_server.fleet.queries import FleetStatus, read_status
from seed_server.fleet.standing import StandingPage, StatusQuestion, all_standing, reasons_asked
from seed_server.fleet.status import StatusScreen
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.count_rows import StandingFilter
from tests.helpers.large_fleet import enrolled, reported, served
from tests.helpers.stored_fleet import shown, store

FEW, MANY = 40, 160  # PCs


def home_with(directory: Path, pcs: int, patches: int) -> Context:
    context = Context(ServerHome(directory))
    initialise(context.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=context.clock.now())
    published = [served(number) for number in range(1, patches + 1)]
    reports = [reported(pc, patch, place) for place, patch in enumerate(published) for pc in range(pcs) if pc % 20]
    with context.database() as database:
        store(database, FleetStatus("hq", True, published, [enrolled(number) for number in range(pcs)], reports))
    return context


def run(context: Context, *words: str) -> str:
    result = CliRunner().invoke(seed_server, ["status", *words, "--home", str(context.home.root)])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Collect what is asked of databases within the block."""
    asked: list[tuple[str, Any]] = []

    def keep(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", keep)


def rows_read(context: Context, *words: str) -> tuple[int, int]:
    """Return how many statements the command asks, and how many rows it gets."""
    with statements() as asked:
        run(context, *words)
    with sqlite3.connect(context.home.database) as connection:
        rows = [
            len(connection.execute(statement, parameters).fetchall())
            for statement, parameters in asked
            if statement.startswith("SELECT")
        ]
    return len(rows), sum(rows)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    use("en")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return home_with(tmp_path_factory.mktemp("few") / "home", FEW, 5)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return home_with(tmp_path_factory.mktemp("many") / "home", MANY, 5)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["acme-product-02"],
        ["--lacking"],
        ["--site", "leeds"],
        ["--state", "failed"],
        ["--patch", "acme-product-02", "--lacking", "--site", "leeds"],
        ["--reason", "no variant"],
    ],
    ids=" ".join,
)
def test_four_times_the_pcs_cost_no_more_statements_and_rows(few: Context, many: Context, words: list[str]) -> None:
    asked, read = rows_read(few, *words)
    asked_of_many, read_of_many = rows_read(many, *words)
    assert asked_of_many <= asked + 4  # who else gives a reason is asked for each reason
    assert read_of_many <= read + 45, "a look at each PC would read hundreds more"


@pytest.mark.parametrize(("pcs", "patches"), [(15, 25), (40, 1)])
def test_a_fleet_is_shown_on_one_screen(tmp_path: Path, pcs: int, patches: int) -> None:
    context = home_with(tmp_path / "home", pcs, patches)
    assert len(run(context).splitlines()) <= 30


def test_the_document_is_printed_part_by_part_as_it_is_printed_at_once(few: Context) -> None:
    with few.database() as database:
        reports = {row.ref: database.reports_on(row.ref) for row in database.patches()}
        wan = database.wan_bytes()
    status = read_status(few)
    whole = FleetStatus(
        **{**vars(status), "reports": [row for some in reports.values() for row in some], "wan_bytes": wan}
    )
    assert "".join(status_parts(few)) == json_text(status_document(whole)) + "\n"
    assert run(few, "--json") == "".join(status_parts(few))
    only = json.loads(run(few, "acme-product-02", "--json"))
    assert [patch["id"] for patch in only["patches"]] == ["acme-product-02"]
    assert len(only["endpoints"]) == FEW


def test_lists_that_are_empty_or_named_within_others_are_printed_as_they_are() -> None:
    document = {"patches": [], "text": '"patches": []', "inner": {"patches": []}, "endpoints": []}
    parts = json_parts(document, {"patches": iter([{"a": []}, 2]), "endpoints": iter(())})
    expected = {**document, "patches": [{"a": []}, 2]}
    assert "".join(parts) == json_text(expected) + "\n"


def test_a_page_has_what_lines_have_and_the_next_one_goes_on(few: Context) -> None:
    lines = [json.loads(line) for line in run(few, "--lacking", "--json-lines").splitlines()]
    pages, after = [], ""
    while True:
        page = json.loads(run(few, "--lacking", "--json", "--page-size", "7", *(["--after", after] if after else [])))
        assert page["total"] == len(lines)
        pages += page["rows"]
        after = page["next"]
        if after is None:
            break

    def key(row: dict) -> tuple[str, str]:
        return row["patch"], row["id"]

    assert sorted(pages, key=key) == sorted(lines, key=key)
    assert {row["reached"] for row in lines} == {"silent"}, "no server serves: and nobody is at work in this fleet"
    assert {row["state"] for row in lines} == {None}


def test_lines_go_on_behind_a_page(few: Context) -> None:
    page = json.loads(run(few, "acme-product-02", "--json", "--page-size", "7"))
    lines = run(few, "acme-product-02", "--json-lines", "--after", page["next"]).splitlines()
    told = [row["id"] for row in (*page["rows"], *map(json.loads, lines))]
    assert sorted(told) == sorted(
        row["id"] for row in map(json.loads, run(few, "acme-product-02", "--json-lines").splitlines())
    )


def test_lines_hold_no_more_than_a_page(few: Context, many: Context) -> None:
    def peak(context: Context) -> int:
        most = 0
        for _ in range(2):  # the first one loads what it needs
            tracemalloc.start()
            for row in all_standing(context, StatusQuestion(), page_rows=10):
                json_text(standing_document(row), indent=None)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    assert peak(many) <= 1.3 * peak(few)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--patch", "acme-product-99"], "Did you mean 'acme-product-"),
        (["--site", "leed"], "Did you mean 'leeds'?"),
        (["--endpoint", "pc-0003"], "Did you mean 'pc-00"),
        (["--after", "x"], "is no end of a page"),
        (["--site", "le\udcffds"], "Did you mean 'leeds'?"),
        (["--endpoint", "\udcff"], "is enrolled here"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, list) else "",
)
def test_what_is_not_known_is_refused_with_the_nearest_name(few: Context, words: list[str], said: str) -> None:
    result = CliRunner().invoke(seed_server, ["status", *words, "--home", str(few.home.root)])
    assert said in str(result.exception)


@pytest.mark.parametrize(
    "words", [["--json-lines", "--json"], ["--json-lines", "--watch"], ["a", "--patch", "b"], ["--state", "x"]]
)
def test_what_goes_not_together_is_a_wrong_command_line(few: Context, words: list[str]) -> None:
    assert CliRunner().invoke(seed_server, ["status", *words, "--home", str(few.home.root)]).exit_code == 2


def test_a_search_that_stopped_midway_says_so(few: Context) -> None:
    with few.database() as database:
        head = read_head(few, database)
        question = StatusQuestion(lacking=True, state="failed")
        page = StandingPage(head.patches, StandingFilter(), [], None, "3", unfinished_search=True)
    text = shown(StatusScreen(head, question, [], page=page), 200)
    assert "0 found in the patches that were searched" in text
    assert "seed-server status --state failed --lacking --after 3" in text
    assert "No PC answers" not in text


@pytest.mark.parametrize(
    ("language", "reason"),
    [("en", "not_applicable"), ("en", "NO variant for Windows"), ("ja", "not_applicable"), ("ja", "no variant")],
)
def test_a_reason_is_named_by_its_code_or_in_words(few: Context, language: str, reason: str) -> None:
    whole = run(few, "acme-product-02", "--reason", "no variant", "--json")
    assert run(few, "acme-product-02", "--reason", reason, "--json", "--lang", language) == whole
    assert len(json.loads(whole)["rows"]) == 3


def test_a_reason_is_named_as_the_screens_say_it(few: Context) -> None:
    words = in_japanese("no variant for windows")
    assert words != "no variant for windows"
    found = json.loads(run(few, "acme-product-02", "--reason", words[-8:], "--json", "--lang", "ja"))
    assert len(found["rows"]) == 3
    assert json.loads(run(few, "acme-product-02", "--reason", words[-8:], "--json", "--lang", "en"))["rows"] == []
    assert "disk_full, exit_code" in run(few, "--reason", "nobody says this")


def in_japanese(sentence: str) -> str:
    use("ja")
    try:
        return in_words(sentence)
    finally:
        use("en")


def test_more_reasons_than_a_query_can_name_are_refused(few: Context) -> None:
    with few.database() as database:
        assert len(reasons_asked(database, "variant", most=1).of_install) == 1
        with pytest.raises(UserError, match="Give more words"):
            reasons_asked(database, "variant", most=0)


def test_one_pc_is_shown_with_each_patch(few: Context) -> None:
    said = run(few, "--endpoint", "PC-013")
    assert said.count("not applicable") == 5
    assert said.count("no variant for windows") == 5
    assert "pc-013 (" in said
    silent = run(few, "--endpoint", "pc-020", "--lacking")
    assert silent.count("no word yet") == 5
    assert "never seen" in silent
