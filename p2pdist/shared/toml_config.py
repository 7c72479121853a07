"""Read TOML text into frozen, checked types; an error names file, line, key, and what is allowed there. Pure."""

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from bandwidth.profiles.toml_document import TomlDocument, TomlTextError
from bandwidth.profiles.toml_lines import KeyPath
from p2pdist.shared.errors import FaultKind, UserError

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]")
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(?P<word>[^`]*)`")
_UNKNOWN_VALUE = re.compile(r"Invalid (?:enum )?value '(?P<word>.*)'", re.DOTALL)


class TomlFileError(UserError):
    """A file has something wrong in it. The parts of the message are attributes, for other forms of showing it."""

    def __init__(self, source: str, problem: str, line: int | None = None, column: int | None = None) -> None:
        place = f", line {line}" if line else ""
        place += f", column {column}" if column else ""
        super().__init__(f"{source}{place}: {problem}", FaultKind.BAD_INPUT)
        self.problem = problem
        self.line = line
        """Counted from 1, as is ``column``; None: not known, or the file as a whole."""
        self.column = column


@dataclass(frozen=True)
class TomlFile(Generic[T]):
    """A file's checked value, and where each part of it stands."""

    value: T
    source: str
    document: TomlDocument

    def error(self, problem: str, *path: str | int) -> TomlFileError:
        """Return the error to raise when the value at ``path`` is wrong in a way that its type cannot express."""
        return TomlFileError(self.source, problem, self.document.line_of(path))


def parse_toml(text: str, kind: type[T], *, source: str, times_as_text: bool = False) -> T:
    """Return ``text`` as ``kind``; see `parse_toml_file`."""
    return parse_toml_file(text, kind, source=source, times_as_text=times_as_text).value


def parse_toml_file(text: str, kind: type[T], *, source: str, times_as_text: bool = False) -> TomlFile[T]:
    """Return ``text`` as ``kind``, a `wire.codec.Record`, with the lines of its keys.

    ``source`` is the file's name for error messages; with ``times_as_text``, dates and times become ISO texts.
    Raises `TomlFileError`.
    """
    try:
        document = TomlDocument.parse(text)
    except TomlTextError as error:
        raise TomlFileError(source, f"{error}. Correct it and try again.", error.line, error.column) from error
    raw = _times_to_text(document.values) if times_as_text else document.values
    try:
        value = msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        path, problem = _explain(str(error), kind)
        raise TomlFileError(source, problem, document.line_of(path)) from error
    return TomlFile(value, source, document)


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


def _explain(error: str, kind: type[msgspec.Struct]) -> tuple[KeyPath, str]:
    """Return the path of the wrong value, and the problem in words."""
    place = _PLACE.search(error)
    at = place["path"] if place else ""
    path: KeyPath = tuple(step["key"] or int(step["index"]) for step in _STEP.finditer(at))
    if unknown := _UNKNOWN_KEY.match(error):
        word = unknown["word"]
        return (*path, word), f"unknown key {word!r}; {_nearest(word, _keys(_types_at(kind, path)), 'keys')}"
    if invalid := _UNKNOWN_VALUE.match(error):
        word, within = invalid["word"], at.lstrip(".").rpartition(".")[0]
        known = _values(_types_at(kind, path)) or _tags(_types_at(kind, path[:-1]))
        where = f" in {within}" if within else ""
        return path, f"unknown {path[-1] if path else 'value'} {word!r}{where}; {_nearest(word, known, 'ones')}"
    return path, f"{error}. Correct the value and try again."


def _nearest(word: str, known: set[str], what: str) -> str:
    nearest = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    listed = f"known {what} are {', '.join(sorted(known))}."
    return f"did you mean {nearest[0]!r}?" if nearest else listed


def _types_at(kind: type[msgspec.Struct], path: KeyPath) -> list[inspect.Type]:
    """Return every type that the value at ``path`` may have: a table may be one of several kinds."""
    found = list(_alternatives(inspect.type_info(kind)))
    for step in path:
        found = [inner for outer in found for inner in _inside(outer, step)]
    return found


def _inside(kind: inspect.Type, step: str | int) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            if field.encode_name == step:
                yield from _alternatives(field.type)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        yield from _alternatives(kind.item_type)


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _alternatives(one)
    else:
        yield kind


def _keys(kinds: Iterable[inspect.Type]) -> set[str]:
    structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
    fields = {field.encode_name for struct in structs for field in struct.fields}
    return fields | {struct.tag_field for struct in structs if struct.tag_field}


def _values(kinds: Iterable[inspect.Type]) -> set[str]:
    return {str(value) for kind in kinds if isinstance(kind, inspect.LiteralType) for value in kind.values}


def _tags(kinds: Iterable[inspect.Type]) -> set[str]:
    return {str(kind.tag) for kind in kinds if isinstance(kind, inspect.StructType) and kind.tag is not None}
