"""`bandwidth.profiles.toml_document`: what is wrong has its place, also where no parser goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.profiles.toml_document import TomlDocument, TomlTextError


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a = 1\nb = = 2", 2, 5, "not valid TOML: Invalid value"),
        ("a = 1\r\nb = = 2", 2, 5, "not valid TOML: Invalid value"),
        ('a = """\n\nb\n\n', 3, None, "not valid TOML"),  # the end is not where anything is
        (f"a = {'9' * 5_000}", 1, None, "a value cannot be read"),
        ("a = " + "[" * 9_000, 1, None, "values are nested too deeply"),
    ],
)
def test_what_is_wrong_has_its_place(text: str, line: int, column: int | None, words: str) -> None:
    with pytest.raises(TomlTextError, match=words) as caught:
        TomlDocument.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "(at " not in str(caught.value)


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
