import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.profiles.toml_lines import KeyPath, line_numbers

TEXT = '''# a comment with [brackets] and "quotes"
title = "a # no comment"  # a comment
"quoted key" = 1
[table]
a.b = { c = 1, "d.e" = [1, 2] }  # inline
list = [
  "x", # ]
  { deep = "y}" },

  [[3]],
]
text = """
[not.a.table]
key = "\\"" quoted """
after = \'\'\'
\'\' [[neither]]\'\'\'
[[rows]]
name = 'first'
[[rows]]
  [rows.inner]
  name = "second"
  [[rows.more]]
  z = 1979-05-27T07:32:00Z
[ table . "later" ]
w = 08:30:00
'''


def test_lines_of_everything() -> None:
    tomllib.loads(TEXT)
    lines = line_numbers(TEXT)
    expected: dict[KeyPath, int] = {
        ("title",): 2,
        ("quoted key",): 3,
        ("table",): 4,
        ("table", "a"): 5,
        ("table", "a", "b"): 5,
        ("table", "a", "b", "c"): 5,
        ("table", "a", "b", "d.e", 1): 5,
        ("table", "list"): 6,
        ("table", "list", 0): 7,
        ("table", "list", 1): 8,
        ("table", "list", 1, "deep"): 8,
        ("table", "list", 2, 0, 0): 10,
        ("table", "text"): 12,
        ("table", "after"): 15,
        ("rows",): 17,
        ("rows", 0): 17,
        ("rows", 0, "name"): 18,
        ("rows", 1): 19,
        ("rows", 1, "inner"): 20,
        ("rows", 1, "inner", "name"): 21,
        ("rows", 1, "more", 0): 22,
        ("rows", 1, "more", 0, "z"): 23,
        ("table", "later"): 24,
        ("table", "later", "w"): 25,
    }
    assert {path: lines.get(path) for path in expected} == expected


def paths_of(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    own = [path] if path else []
    if isinstance(value, dict):
        return own + [found for key, inner in value.items() for found in paths_of(inner, (*path, key))]
    if isinstance(value, list):
        return own + [found for key, inner in enumerate(value) for found in paths_of(inner, (*path, key))]
    return own


def test_every_path_of_the_document_has_a_line() -> None:
    assert set(paths_of(tomllib.loads(TEXT))) == set(line_numbers(TEXT))


@pytest.mark.parametrize("text", ["", "\n\n", "# only", "a = 1\r\n\r\nb = 2\r\n", "a = '''\r\n'''\r\nb = 2"])
def test_small_texts(text: str) -> None:
    assert set(paths_of(tomllib.loads(text))) == set(line_numbers(text))


PIECES = st.sampled_from(
    [
        *("a", "b", "'q'", '"\\u0041"', ".", " = ", "=", "1", '"s"', "'l'", '"""m\n"""', "'''\n'''"),
        *("[", "]", "[[", "]]", "{", "}", ", ", "\n", "\n", "\r\n", "# c\n", "1979-05-27", "1.5", "true", "d = 1\n"),
        *("[a]\n", "[[a]]\n", "[a.b]\n", "[[a.b]]\n", "a = ", "c = [\n1, ", "2, # x\n3\n]\n"),
        "k = {x = 1, y.z = [1, {w = 2}]}\n",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_whatever_is_toml_is_scanned_to_its_end(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = line_numbers(text)
    assert set(paths_of(document)) == set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
