"""A TOML text with the line of each of its values, or where it is wrong. Pure."""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bandwidth.profiles.toml_lines import KeyPath, KeyPlaces, TextPlace, places_of

MAX_NESTING = 64  # tables and arrays within each other; what is read here has four, and every reader recurses
# tomllib's work grows with the square of the parts of a dotted key, so a longer one never gets there. The pattern meets
# texts as well: no honest one begins a line or clause with so many words that have nothing but dots between them. It is
# possessive, and begins only where a key can: else its own work would grow with the square of the text
_LONG_KEY = re.compile(
    r"(?m:^|[\[{,])[ \t]*+"
    rf"""(?:(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_NESTING}}}"""
)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

FAULTS = (
    "Cannot declare {key} twice", "Cannot mutate immutable namespace {key}", "Cannot overwrite a value",
    "Cannot redefine namespace {key}", "Duplicate inline table key {key}",
    "Escaped character is not a Unicode scalar value", "Expected '=' after a key in a key/value pair",
    "Expected ']' at the end of a table declaration", "Expected ']]' at the end of an array declaration",
    "Expected newline or end of document after a statement", "Expected {shown}", "Found invalid character {shown}",
    "Illegal character {shown}", "Invalid date or datetime", "Invalid hex value",
    "Invalid initial character for a key part", "Invalid statement", "Invalid value", "Unclosed array",
    "Unclosed inline table", "Unescaped '\\' in a string", "Unterminated string",
)  # fmt: skip
"""What the standard library's parser says is wrong: for the catalogs, which know sentences by the sources."""


class TomlTextError(ValueError):
    """Text that is not TOML; the message says why. ``line`` and ``column`` count from 1."""

    def __init__(self, problem: str, line: int = 1, column: int | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.column = column


@dataclass(frozen=True)
class TomlDocument:
    """What a TOML text says, and where."""

    text: str
    """The text with the line ends of Unix, as the texts in ``values`` have them."""
    values: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "TomlDocument":
        """Return the document that ``text`` is. Raises `TomlTextError`, nothing else."""
        text = text.replace("\r\n", "\n")
        if long := _LONG_KEY.search(text):
            line = text.count("\n", 0, long.end()) + 1
            raise TomlTextError(f"a key has more than {MAX_NESTING} parts", line)
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = _PLACE.search(str(error))
            problem = f"not valid TOML: {_PLACE.sub('', str(error))}"
            if place and place[1]:
                raise TomlTextError(problem, int(place[1]), int(place[2])) from error
            raise TomlTextError(problem, max(1, len(text.rstrip().splitlines()))) from error
        except RecursionError as error:
            raise TomlTextError("values are nested too deeply") from error
        except ValueError as error:  # a number with thousands of digits
            raise TomlTextError(f"a value cannot be read ({error})") from error
        if _is_nested_deeper(values, MAX_NESTING):
            raise TomlTextError(f"values are nested deeper than {MAX_NESTING} levels")
        return cls(text, values)

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of the value at ``path``, else of the nearest one around it that is in the text."""
        place = self.place_of(path)
        return None if place is None else place.line

    def place_of(self, path: KeyPath, *, of_value: bool = False) -> TextPlace | None:
        """Return where the key or element at ``path`` begins, else the nearest one around it that is in the text.

        With ``of_value``, it is where the key's value begins, if it has one.
        """
        if of_value and path in self._places.values:
            return self._places.values[path]
        while path and path not in self._places.keys:
            path = path[:-1]
        return self._places.keys.get(path)

    @cached_property
    def _places(self) -> KeyPlaces:
        try:
            return places_of(self.text)
        except RecursionError:  # nested almost too deeply for a parser
            return KeyPlaces({}, {})


def _is_nested_deeper(values: dict[str, Any], levels: int) -> bool:
    """Return whether ``values`` holds more than ``levels`` of tables and arrays, itself the first. Does not recurse."""
    around: list[Any] = [values]
    for _ in range(levels):
        around = [
            inner
            for outer in around
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not around:
            return False
    return True
