"""`bandwidth.profiles.toml_document`: what is wrong has its place, also where no parser goes on."""

import contextlib
import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.profiles.toml_document import FAULTS, TomlDocument, TomlTextError


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a = 1\nb = = 2", 2, 5, "not valid TOML: Invalid value"),
        ("a = 1\r\nb = = 2", 2, 5, "not valid TOML: Invalid value"),
        ('a = """\n\nb\n\n', 3, None, "not valid TOML"),  # the end is not where anything is
        (f"a = {'9' * 5_000}", 1, None, "a value cannot be read"),
        ("a = " + "[" * 9_000, 1, None, "values are nested too deeply"),
        ("b = 1\na" + ".a" * 64 + " = 1", 2, None, "a key has more than 64 parts"),
        ("b = 1\n[a" + ' . "a\\""' * 64 + "]", 2, None, "a key has more than 64 parts"),
        ("a = [1, {a" + ".'a.'" * 64 + " = 1}]", 1, None, "a key has more than 64 parts"),
        (f"a{'.a' * 63} = {{a = 1}}", 1, None, "values are nested deeper than 64 levels"),
    ],
)
def test_what_is_wrong_has_its_place(text: str, line: int, column: int | None, words: str) -> None:
    with pytest.raises(TomlTextError, match=words) as caught:
        TomlDocument.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "(at " not in str(caught.value)


def test_each_fault_of_the_parser_is_listed_for_the_catalogs() -> None:
    texts = [
        "[a]\n[a]", "a = {b = 1}\na.c = 1", "a = 1\na = 2", "[a.b]\n[[a]]", "a.b = 1\n[a.b]", "a = {b = 1, b = 2}",
        r'a = "\uD800"', "a", "[a", "[[a]", "a = 1 b", "a = 'b\nc'", 'a = "\x01"', "a = 2026-13-01", r'a = "\u00"',
        "= 1", "?", "a = ?", "a = [1", "a = {b = 1", r'a = "\q"', 'a = "b', "a = '''b", "# \x01",
        "[a.b.c]\n[a]\nb.c.d = 1", "a = 2026-02-30", "a. = 1",
    ]  # fmt: skip
    patterns = {fault: re.compile(re.sub(r"\\{.*?\\}", ".+", re.escape(fault))) for fault in FAULTS}
    seen = set()
    for text in texts:
        with pytest.raises(TomlTextError, match=r"^not valid TOML: ") as caught:
            TomlDocument.parse(text)
        said = str(caught.value).removeprefix("not valid TOML: ")
        fitting = {fault for fault, pattern in patterns.items() if pattern.fullmatch(said)}
        assert fitting, f"{text!r}: {said}"
        seen |= fitting
    assert seen == set(FAULTS)


def test_what_is_nested_as_deep_as_allowed_is_read() -> None:
    document = TomlDocument.parse(f"a{'.a' * 63} = 1")
    assert document.line_of(("a",) * 64) == 1
    TomlDocument.parse(f"a = '{'.'.join('a' * 80)}'\nb = 'etc. ...'")


@pytest.mark.parametrize(
    "piece", ["a.", '"\\".', ',"\\', '["\\,', "'a,'.", '{"', "[ ", "a .\n", " ", "a", '"', ",'"], ids=repr
)
def test_no_text_takes_long(piece: str) -> None:
    """A text of 400 kB takes milliseconds; with work that grows with the square of the text, minutes."""
    started = process_time()
    with contextlib.suppress(TomlTextError):
        TomlDocument.parse(piece * (400_000 // len(piece)))
    assert process_time() - started < 3.0


def test_a_line_is_that_of_the_nearest_thing_that_is_there() -> None:
    document = TomlDocument.parse("a = 1\n[[b]]\nc = [\n1,\n2]\n")
    assert document.line_of(("b", 0, "c", 1)) == 5
    assert document.line_of(("b", 0, "c", 9)) == 3
    assert document.line_of(("b", 0, "missing", 1)) == 2
    assert document.line_of(("missing",)) is None
    assert document.line_of(()) is None


@given(st.text())
def test_any_text_is_a_document_or_an_error_with_a_line(text: str) -> None:
    try:
        document = TomlDocument.parse(text)
    except TomlTextError as error:
        lines: list[int | None] = [error.line]
    else:
        lines = [document.line_of((key,)) for key in document.values]
    assert all(line and 1 <= line <= len(text) + 1 for line in lines)
