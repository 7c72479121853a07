"""Read TOML text into frozen, checked types; an error names file, line, key, and what is allowed there. Pure."""

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import msgspec

from bandwidth.profiles.toml_document import TomlDocument, TomlTextError
from bandwidth.profiles.toml_lines import KeyPath
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_misfits import misfits

T = TypeVar("T", bound=msgspec.Struct)

MAX_PROBLEMS = 50  # that are told of one file: who has more corrects these first


@dataclass(frozen=True, slots=True)
class TomlProblem:
    """Something wrong in a file, and where."""

    path: KeyPath
    text: str
    line: int | None = None
    """Counted from 1, as is ``column``; None: not known, or the file as a whole."""
    column: int | None = None

    def explained(self, source: str) -> str:
        """Return the text after its place in the file ``source``."""
        place = f", line {self.line}" if self.line else ""
        place += f", column {self.column}" if self.column else ""
        return f"{source}{place}: {self.text}"


class TomlFileError(UserError):
    """A file has something wrong in it: all of it is in ``problems``, for other forms of showing it."""

    def __init__(self, source: str, *problems: TomlProblem) -> None:
        super().__init__("\n".join(problem.explained(source) for problem in problems), FaultKind.BAD_INPUT)
        self.problems = problems


@dataclass(frozen=True)
class TomlFile(Generic[T]):
    """A file's checked value, and where each part of it stands."""

    value: T
    source: str
    document: TomlDocument

    def error(self, problem: str, *path: str | int) -> TomlFileError:
        """Return the error to raise when the value at ``path`` is wrong in a way that its type cannot express."""
        return TomlFileError(self.source, placed_problem(self.document, path, problem, of_value=True))


def parse_toml(text: str, kind: type[T], *, source: str, times_as_text: bool = False) -> T:
    """Return ``text`` as ``kind``; see `parse_toml_file`."""
    return parse_toml_file(text, kind, source=source, times_as_text=times_as_text).value


def parse_toml_file(text: str, kind: type[T], *, source: str, times_as_text: bool = False) -> TomlFile[T]:
    """Return ``text`` as ``kind``, a `wire.codec.Record`, with the places of its keys.

    ``source`` is the file's name for error messages; with ``times_as_text``, dates and times become ISO texts.
    Raises `TomlFileError`, which names all that is wrong.
    """
    document, raw = _read(text, source, times_as_text=times_as_text)
    if problems := _problems(document, raw, kind):
        raise TomlFileError(source, *problems)
    try:
        return TomlFile(msgspec.convert(raw, kind, strict=True), source, document)
    except msgspec.ValidationError as error:  # of a type that `misfits` does not know
        raise TomlFileError(source, _unknown_problem(str(error))) from error


def parse_toml_partly(
    text: str, kind: type[T], *, source: str, times_as_text: bool = False
) -> tuple[TomlFile[T], list[TomlProblem]]:
    """Return what is right in ``text``, and all that is wrong.

    A key whose value is wrong counts as not written, or the whole key of the top that it is in, where it is needed
    there or is in a list. Each key of the top of ``kind`` has a default. Raises `TomlFileError` for what is no TOML.
    """
    document, raw = _read(text, source, times_as_text=times_as_text)
    problems = _problems(document, raw, kind)
    right: dict[str, Any] = {}
    for key, value in raw.items():
        paths = [problem.path for problem in problems if problem.path[:1] == (key,)]
        with contextlib.suppress(msgspec.ValidationError):
            left = _without({key: value}, paths)
            msgspec.convert(left, kind, strict=True)
            right |= left
    if right.keys() != raw.keys() and not problems:  # of a type that `misfits` does not know
        problems = [_unknown_problem()]
    return TomlFile(msgspec.convert(right, kind), source, document), problems


def _without(raw: dict[str, Any], paths: Iterable[KeyPath]) -> dict[str, Any]:
    """Return a copy of ``raw`` without what is at ``paths``; of what is in a list, without all of the list."""
    left = {key: _without(value, ()) if isinstance(value, dict) else value for key, value in raw.items()}
    for path in paths:
        table = left
        for number, key in enumerate(path):
            inner = table.get(str(key))
            if number == len(path) - 1 or not isinstance(inner, dict):
                table.pop(str(key), None)
                break
            table = inner
    return left


def _read(text: str, source: str, *, times_as_text: bool) -> tuple[TomlDocument, dict[str, Any]]:
    try:
        document = TomlDocument.parse(text)
    except TomlTextError as error:
        problem = TomlProblem((), f"{error}. Correct it and try again.", error.line, error.column)
        raise TomlFileError(source, problem) from error
    return document, _times_to_text(document.values) if times_as_text else document.values


def _problems(document: TomlDocument, raw: dict[str, Any], kind: type[msgspec.Struct]) -> list[TomlProblem]:
    return [
        placed_problem(document, found.path, found.text, of_value=found.of_value)
        for found in islice(misfits(raw, kind), MAX_PROBLEMS)
    ]


def _unknown_problem(error: str = "a value is not what its key takes") -> TomlProblem:
    return TomlProblem((), f"{error}. Correct it and try again.")


def placed_problem(document: TomlDocument, path: KeyPath, text: str, *, of_value: bool) -> TomlProblem:
    """Return the problem with the place of the key, or its value's, at ``path`` or the nearest one around it."""
    line, column = document.place_of(path, of_value=of_value) or (None, None)
    return TomlProblem(path, text, line, column)


def path_of_place(where: str) -> KeyPath:
    """Return the path of a place that is written for people: ``detect 2, path``, ``install (deb), directory``."""
    path: KeyPath = ()
    for part in where.split(", "):
        name, _, number = part.partition(" ")
        path = (*path, name, int(number) - 1) if number.isdecimal() else (*path, name)
    return path


def _times_to_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _times_to_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_times_to_text(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value
