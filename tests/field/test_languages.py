"""Screens in the language of whoever reads them: nothing is left out, nothing is cut, and tools read English."""

import ast
import gettext
import html.parser
import io
import json
import os
import re
import string
import subprocess
import sys
from pathlib import Path

import jinja2
import msgspec
import pytest
from babel.messages.catalog import Catalog
from rich.cells import cell_len
from rich.console import Console

from bench import catalogs
from p2pdist.commands.main import p2pdist
from p2pdist.commands.views import why_view
from p2pdist.local_api.delivery_answers import WhyAnswer, WhyPatch
from p2pdist.shared.language import TRANSLATIONS, in_words, span, use
from p2pdist.status.reasons import WhyReason
from seed_server.commands.main import seed_server
from seed_server.commands.token_commands import token_table
from seed_server.fleet.standing import StatusQuestion
from seed_server.store.rows import TokenRow
from tests.helpers.sources import ROOT
from tests.helpers.stored_fleet import large_screen, shown

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def _english_again():
    yield
    use("en")


def _own() -> list[tuple[str, ...]]:
    return [(message,) if isinstance(message, str) else message for message in catalogs.own_messages()]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_message_of_ours_is_translated(language: str) -> None:
    catalog = catalogs.read(language)
    known = {_first(message.id): catalogs.strings(message.string) for message in catalog if message.id}
    missing = [message for message in _own() if not all(known.get(message[0], ("",)))]
    assert not missing, "translate them in the .po file, then run: make catalogs"


class Texts(html.parser.HTMLParser):
    """What people read in HTML: its texts, and the attributes that are shown or read out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"alt", "aria-label", "placeholder", "title"}]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


VALUE = "¤"
"""Stands for what an expression gives."""
LANGUAGES_BY_THEIR_OWN_NAMES = {"English", "日本語"}


def _untranslated(source: str) -> list[str]:
    marks = {"variable_begin": VALUE, "block_begin": ""}
    data = "".join(
        text if kind == "data" else marks.get(kind, "") for _, kind, text in jinja2.Environment().lex(source)
    )
    texts = (part.strip() for text in Texts(data).found for part in text.split(VALUE))
    return [text for text in texts if re.search(r"[^\W\d_]", text) and text not in LANGUAGES_BY_THEIR_OWN_NAMES]


@pytest.mark.parametrize("path", sorted(catalogs.TEMPLATES.rglob("*.j2")), ids=lambda path: path.name)
def test_templates_say_nothing_but_by_tr(path: Path) -> None:
    assert path.name.endswith(".html.j2"), "others are not collected"
    assert _untranslated(path.read_text()) == []


def test_what_a_template_says_is_collected(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.html.j2").write_text(
        "{% macro a(b=tr('In a default')) %}{{ tr('One {x}', x=b|shown) }}{% endmacro %}<p title='{{ tr(\"Two\") }}'>"
        "Bare{{ trn('{number} PC', '{number} PCs', n) }}{{ tr(name) }}{% if tr('Three') %}{% endif %}</p>"
    )
    assert set(catalogs.template_messages(tmp_path)) == {
        "In a default", "One {x}", "Two", ("{number} PC", "{number} PCs"), "Three",
    }  # fmt: skip
    assert _untranslated((tmp_path / "below" / "one.html.j2").read_text()) == ["Bare"]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_catalog_has_nothing_that_the_sources_have_no_more(language: str) -> None:
    known = {message for pair in _own() for message in pair} | catalogs.finished_sentences()
    stale = [message.id for message in catalogs.read(language) if message.id and _first(message.id) not in known]
    assert not stale, "run: make catalogs"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_has_the_values_of_its_message_and_no_others(language: str) -> None:
    wrong = []
    for message in catalogs.read(language):
        texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
        wrong += [text for text in texts if message.id and _values(text) != _values(_first(message.id))]
    assert not wrong


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_compiled_catalog_is_what_its_text_makes(language: str) -> None:
    path = catalogs.po_path(language)
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    fresh = gettext.GNUTranslations(io.BytesIO(catalogs.compiled(catalogs.read(language))))
    for message in catalogs.read(language):
        if message.id:
            first = _first(message.id)
            assert compiled.gettext(first) == fresh.gettext(first), "run: make catalogs"
            if not isinstance(message.id, str):
                one, many = message.id
                assert compiled.ngettext(one, many, 2) == fresh.ngettext(one, many, 2)


def test_a_message_that_gets_a_plural_keeps_its_translation() -> None:
    before = Catalog("ja")
    before.add("{number} PC", string="{number} 台")
    before.add(("English", "Englishes"), string=("日本語",))
    made = {_first(message.id): message.string for message in catalogs.made("ja", before) if message.id}
    assert made["{number} PC"] == ("{number} 台",)
    assert made["English"] == "日本語"


def _first(message: str | tuple[str, ...] | list[str]) -> str:
    return message if isinstance(message, str) else message[0]


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("reason", list(WhyReason))
def test_why_is_answered_in_both_languages(reason: WhyReason) -> None:
    answer = WhyAnswer([WhyPatch("acme", "2.1", "fetching", 0.5, reason.value, "", 90.0, {reason.value: 90.0})])

    def shown() -> str:
        console = Console(file=io.StringIO(), width=200)
        console.print(why_view(answer))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    assert reason.value in shown()
    use("ja")
    assert len(JAPANESE.findall(shown())) > 4
    assert reason.value not in shown()


def test_columns_stay_in_line_though_signs_are_two_columns_wide() -> None:
    use("ja")
    lines = shown(large_screen(StatusQuestion(size=25)), 80).splitlines()
    rows = [line for line in lines if line.startswith("acme-product-") and " 2.1 " in line]
    table = [line for line in rows if ":" not in line]
    assert len(table) == 25
    assert {cell_len(line.rstrip()) for line in table} == {cell_len(table[0].rstrip())}


@pytest.mark.parametrize("closed", catalogs.CLOSED_LISTS)
def test_every_value_of_a_closed_list_is_read_in_japanese(closed) -> None:
    use("ja")
    assert {member.value for member in closed if in_words(member.value) == member.value} <= {"VPN", "Wi-Fi"}


def test_the_table_of_tokens_is_in_japanese() -> None:
    rows = [
        TokenRow(
            token_id="5f0c6a1b92d4",
            made_at=1_799_990_000.0,
            made_by="root",
            uses_left=20,
            expires_at=1_800_000_000.0,
            tags=("kiosk",),
            approval=approval,
            revoked_at=None,
            enrolled=(),
        )
        for approval in (False, True)
    ]
    use("ja")
    console = Console(file=io.StringIO(), width=240)
    console.print(token_table(rows, 1_799_996_400.0))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert f"あと {span(3600)}" in shown
    assert "有効（承認が必要）" in shown
    for english in ("token", "state", "expires", "open", "approval", " in "):
        assert english not in shown, english


COMMANDS = [path for package in catalogs.PACKAGES for path in sorted((ROOT / package / "commands").glob("*.py"))]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_no_table_has_a_heading_that_no_catalog_knows(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        headings: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_column":
            headings = node.args[:1]
        elif isinstance(node, ast.For) and "add_column" in ast.unparse(node):
            headings = [part for group in ast.walk(node.iter) if isinstance(group, ast.Tuple) for part in group.elts]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_table":
            headings = node.args
        english = [part.value for part in headings if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        assert not {word for word in english if word.strip()} - {"LAN"}, "write: tr(…)"


def test_one_thing_has_one_word() -> None:
    texts = [text for message in catalogs.read("ja") if message.id for text in _texts(message.string)]
    for instead, word in (
        ("端末", "PC"),
        ("版", "バージョン"),
        ("元に戻", "ロールバック"),
        ("復元済", "ロールバック済み"),
    ):
        assert not [text for text in texts if instead in text], f"write: {word}"


def _texts(string: str | list[str] | tuple[str, ...] | None) -> list[str]:
    return [string] if isinstance(string, str) else list(string or ())


def _program(name: str) -> list[str]:
    return [sys.executable, "-c", f"from {name}.commands.main import main; main()"]


@pytest.mark.parametrize("program", ["p2pdist", "seed_server"])
@pytest.mark.parametrize(
    ("arguments", "environment", "japanese"),
    [
        ([], {"LANG": "ja_JP.UTF-8", "PYTHONUTF8": "1"}, True),
        (["--lang", "ja"], {"LANG": "C.UTF-8", "PYTHONUTF8": "1"}, True),
        (["--lang", "en"], {"LANG": "ja_JP.UTF-8", "PYTHONUTF8": "1"}, False),
        ([], {"LC_ALL": "C", "LANG": "ja_JP.UTF-8", "PYTHONIOENCODING": "ascii"}, False),
        (["--lang", "ja"], {"PYTHONIOENCODING": "ascii"}, False),
        (["--lang", "ja"], {"PYTHONIOENCODING": "cp932"}, True),
    ],
)
def test_a_command_speaks_the_language_that_was_asked_for(
    program: str, arguments: list[str], environment: dict[str, str], japanese: bool, tmp_path
) -> None:
    command = [*_program(program), "status", "--home", str(tmp_path / "none"), *arguments]
    run = subprocess.run(command, capture_output=True, check=False, env=os.environ | environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    said = run.stderr.decode("utf-8" if encoding == "ascii" else encoding)  # click takes ASCII for a mistake
    assert run.returncode == 3
    assert ("エラー" in said) is japanese
    assert "Traceback" not in said


@pytest.mark.parametrize("program", ["p2pdist", "seed_server"])
def test_tools_read_english_whatever_the_language_is(program: str, tmp_path) -> None:
    command = [*_program(program), "status", "--home", str(tmp_path / "none"), "--json"]
    run = subprocess.run([*command, "--lang", "ja"], capture_output=True, check=False)
    document = json.loads(run.stdout)
    assert (document["error"]["kind"], document["error"]["exit_code"], run.returncode) == ("not_set_up", 3, 3)
    assert not JAPANESE.search(run.stdout.decode())
    assert msgspec.json.encode(document)


def test_every_command_takes_a_language() -> None:
    for group in (p2pdist, seed_server):
        waiting = list(group.commands.values())
        while waiting:
            command = waiting.pop()
            assert [option.name for option in command.params].count("lang") == 1, command.name
            waiting += getattr(command, "commands", {}).values()
