"""TOML text into frozen, checked types; an unknown key names the nearest known one. Pure."""

import datetime as dt
import difflib
import re
import tomllib
import typing
from typing import Any, TypeVar

import msgspec

from p2pdist.shared.errors import FaultKind, UserError

T = TypeVar("T", bound=msgspec.Struct)

_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<key>[^`]*)`")
_UNKNOWN_TAG = re.compile(r"Invalid value '(?P<tag>[^']*)' - at `\$\.(?P<path>[^`]*)\.(?P<key>[^`.]*)`")


def parse_toml(text: str, kind: type[T], *, source: str, times_as_text: bool = False) -> T:
    """Return ``text`` as ``kind``, a `wire.codec.Record`.

    ``source`` is the file's name for error messages; with ``times_as_text``,
    dates and times become ISO texts. Raises `UserError` (`FaultKind.BAD_INPUT`)
    that names file, key, and where possible the line and the nearest valid key.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            f"{source} is not valid TOML: {error}. Correct it and try again.", FaultKind.BAD_INPUT
        ) from error
    try:
        return msgspec.convert(_times_to_text(raw) if times_as_text else raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(f"{source}{_explain(str(error), text, kind)}", FaultKind.BAD_INPUT) from error


def _times_to_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _times_to_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_times_to_text(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def _explain(error: str, text: str, kind: type[msgspec.Struct]) -> str:
    if wrong := _UNKNOWN_TAG.search(error):
        key, tag = wrong["key"], wrong["tag"]
        top = re.split(r"[.\[]", wrong["path"])[0]
        (field,) = (field for field in msgspec.structs.fields(kind) if field.encode_name == top)
        place = _line_of(rf".*\b{re.escape(key)}\s*=\s*[\"']{re.escape(tag)}[\"']", text)
        return f"{place}: unknown {key} {tag!r} in {wrong['path']}; {_nearest(tag, _all_tags(field.type), 'ones')}"
    if match := _UNKNOWN_FIELD.search(error):
        key = match["key"]
        place = _line_of(rf"\s*\[*\s*{re.escape(key)}\b", text)
        return f"{place}: unknown key {key!r}; {_nearest(key, _all_keys(kind), 'keys')}"
    return f": {error}. Correct the value and try again."


def _line_of(pattern: str, text: str) -> str:
    line = next((n for n, row in enumerate(text.splitlines(), 1) if re.match(pattern, row)), None)
    return f", line {line}" if line else ""


def _nearest(word: str, known: set[str], what: str) -> str:
    nearest = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"did you mean {nearest[0]!r}?" if nearest else f"known {what} are {', '.join(sorted(known))}."


def _all_keys(kind: Any) -> set[str]:
    keys: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            keys.add(field.encode_name)
            keys |= _all_keys(field.type)
        if kind.__struct_config__.tag_field:
            keys.add(kind.__struct_config__.tag_field)
    for argument in typing.get_args(kind):
        keys |= _all_keys(argument)
    return keys


def _all_tags(kind: Any) -> set[str]:
    """Return the names of all kinds that a table in ``kind`` may be of."""
    tags: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        tag = kind.__struct_config__.tag
        tags |= {str(tag)} if tag is not None else set()
        for field in msgspec.structs.fields(kind):
            tags |= _all_tags(field.type)
    for argument in typing.get_args(kind):
        tags |= _all_tags(argument)
    return tags
