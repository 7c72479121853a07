"""The place of each key, element and value in a TOML text: `tomllib` returns values without their places. Pure.

The scan knows just enough of TOML 1.0 for that: comments, the four kinds of strings, bare, quoted and dotted
keys, tables, arrays of tables, arrays and inline tables. The text must be one that `tomllib` has accepted.
"""

import re
import tomllib
from typing import Any, NamedTuple

KeyPath = tuple[str | int, ...]

_KEY_PART = re.compile(r'[ \t]*("(?:\\.|[^"\\])*"|\'[^\']*\'|[A-Za-z0-9_-]+)[ \t]*')
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")


class TextPlace(NamedTuple):
    """Where something stands in a text; both count from 1."""

    line: int
    column: int


class KeyPlaces(NamedTuple):
    """Where everything stands, by its path in the parsed document."""

    keys: dict[KeyPath, TextPlace]
    """Keys and array elements."""
    values: dict[KeyPath, TextPlace]
    """The values of keys; a table with a header has none."""


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of each key and array element of ``text``; see `places_of`."""
    return {path: place.line for path, place in places_of(text).keys.items()}


def places_of(text: str) -> KeyPlaces:
    """Return the place of each key, array element and value of ``text``.

    A table's line is that of its header, or of the first key that implies it. Raises `RecursionError` for
    values that are nested too deeply, nothing else if `tomllib` accepts ``text``.
    """
    return _Scan(text.replace("\r\n", "\n")).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._line_start = 1, 0
        self._keys_at: dict[KeyPath, TextPlace] = {}
        self._values_at: dict[KeyPath, TextPlace] = {}
        self._elements: dict[KeyPath, int] = {}  # of arrays of tables: the newest element's index

    def run(self) -> KeyPlaces:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_BLANK)
        return KeyPlaces(self._keys_at, self._values_at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        if breaks := match[0].count("\n"):
            self._line += breaks
            self._line_start = match.start() + match[0].rindex("\n") + 1
        return match[0]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _here(self) -> TextPlace:
        return TextPlace(self._line, self._at - self._line_start + 1)

    def _note(self, path: KeyPath, place: TextPlace | None = None) -> None:
        self._keys_at.setdefault(path, place or self._here())

    def _keys(self) -> list[tuple[str, TextPlace]]:
        keys: list[tuple[str, TextPlace]] = []
        while True:
            self._skip(_SPACE)
            place = self._here()
            part = self._skip(_KEY_PART).strip(" \t")
            keys.append((part if part[0] not in "\"'" else _unquoted(part), place))
            if self._peek() != ".":
                return keys
            self._at += 1

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        *parents, (last, place) = self._keys()
        self._at += 1 + is_array
        path: KeyPath = ()
        for key, parent_place in parents:
            path = (*path, key)
            self._note(path, parent_place)
            if path in self._elements:
                path = (*path, self._elements[path])
        path = (*path, last)
        self._note(path, place)
        if is_array:
            self._elements[path] = self._elements.get(path, -1) + 1
            path = (*path, self._elements[path])
            self._note(path, place)
        return path

    def _key_and_value(self, table: KeyPath) -> None:
        path = table
        for key, place in self._keys():
            path = (*path, key)
            self._note(path, place)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._values_at.setdefault(path, self._here())
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._peek()
        if opening == "[":
            self._collection(path, "]")
        elif opening == "{":
            self._collection(path, "}")
        else:
            self._skip(_STRING if opening in "\"'" else _SCALAR)

    def _collection(self, path: KeyPath, closing: str) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._peek() != closing:
            if closing == "]":
                self._note((*path, index))
                self._value((*path, index))
                index += 1
            else:
                self._key_and_value(path)
            self._skip(_BLANK)
            if self._peek() == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1


def _unquoted(key: str) -> str:
    parsed: dict[str, Any] = tomllib.loads(f"k = {key}")
    return str(parsed["k"])
