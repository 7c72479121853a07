"""`seed-server template`: signed, shown with the fleet's answers, and refused with a reason."""

import inspect
import io
import json
import time
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from click.testing import CliRunner, Result
from rich.console import Console

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import MAX_TEMPLATES, template_target
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.commands.findings_view import findings_tables
from seed_server.commands.main import seed_server
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operations import set_template
from seed_server.fleet.queries import read_findings
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.signing.key_files import OfflineKeys, create_signing_key
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS
from seed_server.signing.templates import read_templates
from seed_server.store.database import Database

TEXT = """
title = "OpenSSL of December"
[[item]]
label = "openssl below 3.0.17"
applies_to = 'os.family == "debian"'
expression = 'package("openssl") < version("3.0.17")'
[[item]]
label = "agent not running"
checks = [{ kind = "unit", unit = "agent.service" }]
"""
NEEDS, FINE, ELSEWHERE, SILENT = ("a" * 26, "b" * 26, "c" * 26, "d" * 26)


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=time.time())
    return home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "openssl.toml"
    path.write_text(TEXT)
    return path


def run(home: ServerHome, command: str, *arguments: str | Path) -> Result:
    options = [] if command == "lint" else ["--home", str(home.root)]
    return CliRunner().invoke(seed_server, ["template", command, *options, *map(str, arguments)], standalone_mode=False)


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return result.exception.message


def version_of(home: ServerHome) -> int:
    return Repository.open(home, load_settings(home)).timestamp_version()


def answer(home: ServerHome, endpoint: str, openssl: bool | None, agent: bool | None, reason: str = "so it is") -> None:
    answers = (
        DiagnosisAnswer(label="openssl below 3.0.17", applies=openssl is not None, needed=openssl, reason=reason),
        DiagnosisAnswer(label="agent not running", applies=agent is not None, needed=agent, reason=""),
        DiagnosisAnswer(label="of an older template", applies=True, needed=True, reason=""),
    )
    with Database.open(home.database) as database:
        database.save_diagnosis(endpoint, Diagnosis(template="december", answers=answers), 9.0)


@pytest.fixture
def answered(home: ServerHome, file: Path) -> ServerHome:
    assert "Every PC is asked december: 2 items" in run(home, "set", "december", file).output
    with Database.open(home.database) as database:
        for number, endpoint in enumerate((NEEDS, FINE, ELSEWHERE, SILENT)):
            database.add_endpoint(endpoint, f"pc-{number}", 1.0, ("kiosk",))
    answer(home, NEEDS, True, False, "openssl 3.0.11 < 3.0.17\x1b[31m")
    answer(home, FINE, False, False)
    answer(home, ELSEWHERE, None, True)
    return home


def test_set_list_remove(home: ServerHome, file: Path) -> None:
    assert "No templates yet" in run(home, "list").output
    assert json.loads(run(home, "list", "--json").output) == []
    run(home, "set", "december", file)
    assert "december: OpenSSL of December (2 items)" in run(home, "list").output
    assert json.loads(run(home, "list", "--json").output) == [
        {"name": "december", "title": "OpenSSL of December", "items": 2}
    ]
    assert "not asked any more" in run(home, "remove", "december").output
    assert "No templates yet" in run(home, "list").output
    assert "There is no template 'december'" in refused(run(home, "remove", "december"))
    assert "There is no template 'december'" in refused(run(home, "show", "december"))


def test_show_counts_the_answers_and_names_who_needs_what(answered: ServerHome) -> None:
    lines = [" ".join(line.split()) for line in run(answered, "show", "december").output.splitlines()]
    assert "item needed not needed not asked no answer" in lines
    assert "openssl below 3.0.17 1 1 1 1" in lines
    assert "agent not running 1 2 0 1" in lines
    assert f"pc-0 {NEEDS} openssl below 3.0.17 openssl 3.0.11 < 3.0.17?[31m" in lines, "what a PC says is not trusted"
    assert f"pc-2 {ELSEWHERE} agent not running" in lines
    assert not any("pc-1" in line or "older template" in line for line in lines)


def test_show_for_tools(answered: ServerHome) -> None:
    facts = json.loads(run(answered, "show", "december", "--json").output)
    assert facts["items"][0] == {
        "label": "openssl below 3.0.17", "needed": 1, "not_needed": 1, "not_applicable": 1, "unanswered": 1,
    }  # fmt: skip
    by_host = {endpoint["hostname"]: endpoint for endpoint in facts["endpoints"]}
    assert [one["needed"] for one in by_host["pc-0"]["answers"]] == [True, False]
    assert by_host["pc-2"]["answers"][0] == {
        "label": "openssl below 3.0.17", "applies": False, "needed": None, "reason": "so it is",
    }  # fmt: skip
    assert (by_host["pc-3"]["answers"], by_host["pc-3"]["answered_at"]) == ([], None)
    assert (by_host["pc-0"]["answered_at"], by_host["pc-0"]["tags"]) == (9.0, ["kiosk"])


def test_table_for_people_ends_somewhere(answered: ServerHome) -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(findings_tables(read_findings(Context(answered), "december"), most_rows=1))
    assert isinstance(console.file, io.StringIO)
    assert "and 1 more: see --json" in console.file.getvalue()


def test_where_nobody_needs_anything(home: ServerHome, file: Path) -> None:
    run(home, "set", "december", file)
    assert "pc-0" not in run(home, "show", "december").output
    with Database.open(home.database) as database:
        database.add_endpoint(FINE, "pc-0", 1.0)
    answer(home, FINE, False, None)
    assert "none of the 1 PCs that have answered" in run(home, "show", "december").output


def test_changed_template_forgets_the_answers_and_the_same_one_does_not(answered: ServerHome, file: Path) -> None:
    version = version_of(answered)
    run(answered, "set", "december", file)
    assert version_of(answered) == version
    with Database.open(answered.database) as database:
        assert len(database.diagnoses("december")) == 9
        file.write_text(TEXT.replace("3.0.17", "3.0.18"))
        run(answered, "set", "december", file)
        assert version_of(answered) == version + 1
        assert database.diagnoses("december") == []
        answer(answered, NEEDS, True, True)
        run(answered, "remove", "december")
        assert database.diagnoses("december") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not valid TOML"),
        ('title = "x"', "item"),
        (TEXT.replace("label =", "lable ="), "did you mean 'label'"),
        (TEXT.replace("os.family", "os.familie"), "item 1, applies_to: column 1"),
        (TEXT.replace('"3.0.17")', "3)"), "item 1, expression"),
        (TEXT.replace("agent.service", "-x"), "item 2, checks 1"),
        (TEXT.replace('kind = "unit"', 'kind = "registry"'), "registry"),
        (TEXT.replace("agent not running", "openssl below 3.0.17"), "there twice"),
        (TEXT + "#" * (64 << 10), "over 65536 bytes"),
        (TEXT + '"\xff"', "not valid TOML"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_changes_nothing(
    home: ServerHome, file: Path, text: str, words: str
) -> None:
    version = version_of(home)
    file.write_text(text)
    for result in (run(home, "set", "december", file), run(home, "lint", file)):
        assert words in refused(result)
        assert isinstance(result.exception, UserError)
        assert result.exception.kind is FaultKind.BAD_INPUT
    assert version_of(home) == version


def test_lint_needs_no_server_and_no_key(file: Path) -> None:
    result = CliRunner().invoke(seed_server, ["template", "lint", str(file)], standalone_mode=False)
    assert "is good: 2 items" in result.output


def test_names_and_files_that_are_none(home: ServerHome, file: Path, tmp_path: Path) -> None:
    assert "template name" in refused(run(home, "set", "../december", file))
    assert "Cannot read" in refused(run(home, "set", "december", tmp_path / "none.toml"))
    file.write_bytes(b"title = '\xff'")
    assert "not UTF-8" in refused(run(home, "set", "december", file))


def test_no_more_templates_than_a_pc_takes(home: ServerHome, file: Path) -> None:
    context, actor, keys = Context(home), Actor.local_user("ada"), OfflineKeys(home.offline_keys)
    set_template(context, actor, "december", file, keys, most=1)
    with pytest.raises(UserError, match="There are 1 templates already.* Remove one first"):
        set_template(context, actor, "january", file, keys, most=1)
    file.write_text(TEXT.replace("3.0.17", "3.0.18"))
    assert set_template(context, actor, "december", file, keys, most=1).name == "december"
    assert inspect.signature(set_template).parameters["most"].default == MAX_TEMPLATES == 50


def test_key_that_nobody_trusts_is_refused_and_keeps_the_answers(
    answered: ServerHome, file: Path, tmp_path: Path
) -> None:
    for name in OFFLINE_KEYS:
        (tmp_path / "keys").mkdir(exist_ok=True)
        create_signing_key(tmp_path / "keys" / f"{name}.pem", None)
    file.write_text(TEXT.replace("3.0.17", "3.0.18"))
    assert "patches key" in refused(run(answered, "set", "december", file, "--offline-keys", tmp_path / "keys"))
    with Database.open(answered.database) as database:
        assert len(database.diagnoses("december")) == 9


def test_signed_template_of_another_version_can_be_taken_away(home: ServerHome) -> None:
    repository = Repository.open(home, load_settings(home))
    key = OfflineKeys(home.offline_keys).load("patches")
    repository.change_document("patches", template_target("newer"), b"junk", key=key, now=time.time())
    assert read_templates(repository) == {}
    assert "not asked any more" in run(home, "remove", "newer").output
    assert repository.templates() == {}


def test_answers_to_what_is_no_template_do_not_stay(answered: ServerHome, file: Path) -> None:
    """A removal that was cut short, and a PC that answers after it."""

    def late() -> None:
        with Database.open(answered.database) as database:
            answers = (DiagnosisAnswer(label="x", applies=True, needed=True, reason=""),)
            database.save_diagnosis(NEEDS, Diagnosis(template="november", answers=answers), 9.0)

    version = version_of(answered)
    for command, words in (
        (("set", "december", file), ""),
        (("remove", "november"), "There is no template"),
    ):
        late()
        result = run(answered, *command)
        assert not words or words in refused(result)
        with Database.open(answered.database) as database:
            assert (len(database.diagnoses("november")), len(database.diagnoses("december"))) == (0, 9)
    assert version_of(answered) == version, "nothing had to be signed"
    late()
    run(answered, "remove", "december")
    with Database.open(answered.database) as database:
        assert (database.diagnoses("november"), database.diagnoses("december")) == ([], [])


async def test_running_server_takes_answers_to_what_is_signed(home: ServerHome, file: Path) -> None:
    from seed_server.service.watches import Watches

    send, receive = trio.open_memory_channel[frozenset[str]](8)

    class Origin:
        def replace_templates(self, names: frozenset[str]) -> None:
            send.send_nowait(names)

        def replace_profiles(self, profiles: object) -> None:
            pass

        def replace_rollouts(self, rollouts: object) -> None:
            pass

        async def repository_changed(self, version: int, renewed: object = None) -> None:
            pass

    repository = Repository.open(home, load_settings(home))
    nothing = cast("Any", None)
    watches = Watches(home, nothing, repository)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watches.watch_repository, cast("Any", Origin()), repository.timestamp_version())
            await trio.to_thread.run_sync(run, home, "set", "december", file)
            assert await receive.receive() == {"december"}
            await trio.to_thread.run_sync(run, home, "remove", "december")
            assert await receive.receive() == set()
            nursery.cancel_scope.cancel()
