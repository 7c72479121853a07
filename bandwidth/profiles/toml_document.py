"""A TOML text with the line of each of its values, or where it is wrong. Pure."""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bandwidth.profiles.toml_lines import KeyPath, line_numbers

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


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
        try:
            return cls(text, tomllib.loads(text))
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

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of the value at ``path``, else of the nearest one around it that is in the text."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        try:
            return line_numbers(self.text)
        except RecursionError:  # nested almost too deeply for a parser
            return {}
