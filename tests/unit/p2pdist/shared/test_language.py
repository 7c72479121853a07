"""The language of the screens: which one is asked for, and how a finished sentence finds its translation."""

import io
import sys
import threading

import pytest
from babel.messages.catalog import Catalog as Babel
from babel.messages.mofile import write_mo

from p2pdist.shared.language import (
    ENGLISH,
    LANGUAGES,
    MAX_LINES,
    MAX_SENTENCE_CHARS,
    Catalog,
    catalog_of,
    current,
    in_words,
    speaking,
    tr,
    trn,
    use,
    wanted,
)


@pytest.fixture(autouse=True)
def _english_again():
    yield
    use(ENGLISH)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "JA_JP.eucJP@x"}, "ja"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
    ],
)
def test_the_system_s_language_is_used(environment: dict[str, str], language: str) -> None:
    assert wanted(environment) == language


def test_every_language_but_english_has_a_catalog() -> None:
    assert [language for language in LANGUAGES if catalog_of(language) is None] == [ENGLISH]


def test_english_is_what_the_sources_have() -> None:
    use(ENGLISH)
    assert tr("site {name}", name="{x}") == "site {x}"
    assert (trn("{number} PC", "{number} PCs", 1), trn("{number} PC", "{number} PCs", 0)) == ("1 PC", "0 PCs")
    assert in_words("the disk is full") == "the disk is full"


def test_a_finished_sentence_is_found_by_the_message_that_it_was_made_from() -> None:
    use("ja")
    assert in_words("the disk is full") == "ディスクに空きがありません"
    assert in_words("tried again later: msiexec ended with exit code 1603") == (
        "後で再試行します: msiexec が終了コード 1603 で終わりました"
    ), "a value that is a sentence is translated too"
    assert in_words("waits: {reason}") == "待機中: {reason}", "braces in a value stay what they are"


@pytest.mark.parametrize("said", ["", "nobody has ever said this", "x" * (MAX_SENTENCE_CHARS + 1), "%s {0} {x!r}", "{"])
def test_what_no_catalog_has_is_shown_as_it_is(said: str) -> None:
    use("ja")
    assert in_words(said) == said


def test_a_number_swallows_no_words_that_follow_it() -> None:
    use("ja")
    said = in_words('acme ended with exit code 5: it said "no {space}"')
    assert said == "acme が終了コード 5 で終わりました: 出力:「no {space}」"


def test_a_terminal_that_cannot_show_the_language_gets_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    use("ja")
    assert tr("state") == "state"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp932"))
    use("ja")
    assert tr("state") == "状態"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "a.toml, line 3, column 1: error: payload: the file changed while it was read",
            "a.toml（3 行目、1 列目）: エラー: payload: 読み取り中にファイルが変更されました",
        ),
        (
            "severity: unknown severity 'urgent'; known ones are critical, high, low, medium.",
            "severity: severity に 'urgent' は使えません。使える値: critical, high, low, medium",
        ),
        ("version: 2.1 is no text; put it in quotes.", "version: 2.1 は文字列ではありません。引用符で囲んでください。"),
        ("cvss: 11 is not from 0 to 10.", "cvss: 11 は 0 から 10 の範囲外です。"),
        (
            (
                "version: the recipe says '2.0', and the file brings 3.0-1; write '3.0-1'; or add downgrade = true "
                "where PCs go back to it on purpose"
            ),
            (
                "version: レシピは '2.0' ですが、ファイルは 3.0-1 です。'3.0-1' と書いてください。意図的に戻す場合は "
                "downgrade = true を追加してください"
            ),
        ),
        (
            "not detected: /opt/a is missing; nothing was seen to change, so nothing is undone",
            "検出されません: /opt/a がありません。変更が見られないため、ロールバックしません",
        ),
        ("it went away; line: 3", "it went away; line: 3"),
        ("title: done; site: error", "title: done; site: error"),
        (
            "This cannot be published. Correct it and try again:\n  a, line 2: title is missing; add it.",
            "公開できません。修正してもう一度実行してください:\n  a（2 行目）: title がありません。追加してください。",
        ),
    ],
)
def test_a_text_of_parts_is_neither_half_translated_nor_are_its_keys_words(said: str, shown: str) -> None:
    use("ja")
    assert in_words(said) == shown


def test_a_name_in_a_sentence_holds_no_sentence() -> None:
    use("ja")
    assert in_words("acme 2.0 is installed") == "acme 2.0 がインストールされています"
    assert in_words("C:\\Program Files\\Acme Agent\\agent.exe is missing").endswith("agent.exe がありません")
    said = "one way for a PC to say that it is installed"
    assert in_words(said) == said
    assert in_words("nothing here: nothing is installed").startswith("nothing here: ")


def test_a_value_is_translated_where_it_is_a_state_and_not_where_it_is_a_name() -> None:
    use("ja")
    assert (
        in_words("acme 1.0 cannot be deferred: it is installed.")
        == "acme 1.0 は延期できません（状態: インストール済み）。"
    )
    assert in_words("site is not installed") == "site はインストールされていません"


def test_a_text_of_very_many_lines_is_somebody_s_attempt() -> None:
    use("ja")
    said = "\n".join(["the disk is full"] * (MAX_LINES + 1))
    assert in_words(said) == said


def test_one_reader_is_spoken_to_in_their_language_and_nobody_else() -> None:
    said: list[tuple[str, str]] = []

    def read(language: str) -> None:
        with speaking(language):
            barrier.wait()  # both are within at the same time
            said.append((language, in_words("the disk is full")))
            barrier.wait()

    barrier = threading.Barrier(3)
    readers = [threading.Thread(target=read, args=(language,)) for language in ("ja", "en")]  # noqa: TID251
    for one in readers:
        one.start()
    barrier.wait()
    assert (current(), in_words("the disk is full")) == ("en", "the disk is full")
    barrier.wait()
    for one in readers:
        one.join()
    assert dict(said) == {"ja": "ディスクに空きがありません", "en": "the disk is full"}


def test_speaking_to_one_reader_ends_with_them_also_by_an_error() -> None:
    use("ja")
    with speaking("en"):
        assert trn("{number} PC", "{number} PCs", 2) == "2 PCs"
        with pytest.raises(ZeroDivisionError), speaking("ja"):
            raise ZeroDivisionError
        assert (current(), tr("site {name}", name="x")) == ("en", "site x")
    assert current() == "ja"
    with speaking("xx"):  # none that we have
        assert current() == "en"


def test_a_value_at_the_end_of_a_sentence_gives_back_the_full_stop_that_it_took() -> None:
    catalog = Babel(locale="ja")
    catalog.add("the nearest is {value}", string="最も近いものは {value} です")
    catalog.add("not understood: {what}", string="理解できません: {what}")
    catalog.add("an unclosed list", string="リストが閉じられていません")
    catalog.add(".", string="。")
    out = io.BytesIO()
    write_mo(out, catalog)
    finished = Catalog(io.BytesIO(out.getvalue())).finished
    assert finished("the nearest is 'cap'") == "最も近いものは 'cap' です"
    assert finished("the nearest is 'cap'.") == "最も近いものは 'cap' です。"
    assert finished("not understood: an unclosed list.") == "理解できません: リストが閉じられていません。"
    assert finished("not understood: 3.") == "理解できません: 3."  # a value is never changed
    assert finished("an unclosed list.") == "リストが閉じられていません。"
    assert finished("a list.") == "a list."
