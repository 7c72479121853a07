"""Everything in which plain values differ from a type, in words for who wrote them. Pure.

msgspec, which converts them, stops at the first difference, and speaks of types; this reads the same types.
"""

import difflib
import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from bandwidth.profiles.toml_lines import KeyPath

_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that its type does not take. ``path`` leads to it."""

    path: KeyPath
    text: str
    of_value: bool = True
    """Whether the value is wrong, and not its key."""


def misfits(value: Any, kind: type[msgspec.Struct]) -> Iterator[Misfit]:
    """Yield all that is wrong in ``value``, what TOML or JSON hold, to become ``kind``."""
    yield from _misfits(value, _type_info(kind), ())


@functools.cache
def _type_info(kind: type[msgspec.Struct]) -> inspect.Type:
    """Return what a type is made of: settings are read for each request, and this takes longer than to read them."""
    return inspect.type_info(kind)


def _misfits(value: Any, kind: inspect.Type, path: KeyPath) -> Iterator[Misfit]:
    kinds = list(_alternatives(kind))
    structs = [one for one in kinds if isinstance(one, inspect.StructType)]
    if structs and isinstance(value, dict):
        yield from _of_struct(value, structs, path)
        return
    lists = [one for one in kinds if isinstance(one, inspect.ListType | inspect.VarTupleType)]
    if lists and isinstance(value, list):
        yield from _of_list(value, lists[0], path)
        return
    dicts = [one for one in kinds if isinstance(one, inspect.DictType)]
    if dicts and isinstance(value, dict):
        yield from _of_dict(value, dicts[0], path)
        return
    words = [str(word) for one in kinds if isinstance(one, inspect.LiteralType) for word in one.values]
    if words and isinstance(value, str):
        if value not in words:
            yield _unknown_value(value, words, path)
        return
    problems = [_of_scalar(value, one) for one in kinds if not isinstance(one, inspect.NoneType)]
    if problems and all(problems):
        yield Misfit(path, f"{_name(path)}: {problems[0]}.")


def _of_struct(value: dict[str, Any], structs: list[inspect.StructType], path: KeyPath) -> Iterator[Misfit]:
    struct = structs[0]
    if struct.tag_field:
        tags = {str(one.tag): one for one in structs}
        tag = value.get(struct.tag_field)
        if struct.tag_field not in value:
            yield Misfit(path, f"{_place(path)}it needs {struct.tag_field}; {_listed(tags)}", of_value=False)
            return
        if not isinstance(tag, str) or tag not in tags:
            yield _unknown_value(tag, tags, (*path, struct.tag_field))
            return
        struct = tags[tag]
    fields = {field.encode_name: field for field in struct.fields}
    known = {*fields, *((struct.tag_field,) if struct.tag_field else ())}
    meant = set()
    for key, inner in value.items():
        if key in fields:
            yield from _misfits(inner, fields[key].type, (*path, key))
        elif key not in known:
            nearest = _nearest(key, known)
            meant.add(nearest)
            hint = f"did you mean {nearest!r}?" if nearest else _listed(known, keys=True)
            yield Misfit((*path, key), f"unknown key {_shown(key)}; {hint}", of_value=False)
    for key, field in fields.items():
        if field.required and key not in value and key not in meant:
            yield Misfit(path, f"{_place(path)}{key} is missing; add it.", of_value=False)


def _unknown_value(value: Any, known: Iterable[str], path: KeyPath) -> Misfit:
    nearest = _nearest(value, known) if isinstance(value, str) else None
    hint = f"did you mean {nearest!r}? Known ones are {_sorted(known)}." if nearest else _listed(known)
    word = path[-1] if path and isinstance(path[-1], str) else "value"  # one of a list has no name of its own
    shown = _shown(value)
    if place := _dotted(path[:-1]):
        return Misfit(path, f"unknown {word} {shown} in {place}; {hint}")
    return Misfit(path, f"unknown {word} {shown}; {hint}")


def _of_list(value: list[Any], kind: inspect.ListType | inspect.VarTupleType, path: KeyPath) -> Iterator[Misfit]:
    where, count, least, most = _name(path), len(value), kind.min_length, kind.max_length
    if least is not None and count < least:
        yield Misfit(path, f"{where}: it has {count} values, and needs at least {least}.")
    elif most is not None and count > most:
        yield Misfit(path, f"{where}: it has {count} values, and may have at most {most} values.")
    for number, inner in enumerate(value):
        yield from _misfits(inner, kind.item_type, (*path, number))


def _of_dict(value: dict[str, Any], kind: inspect.DictType, path: KeyPath) -> Iterator[Misfit]:
    where, count, least, most = _name(path), len(value), kind.min_length, kind.max_length
    if least is not None and count < least:
        yield Misfit(path, f"{where}: it has {count} keys, and needs at least {least}.")
    elif most is not None and count > most:
        yield Misfit(path, f"{where}: it has {count} keys, and may have at most {most} keys.")
    for key, inner in value.items():
        yield from _misfits(inner, kind.value_type, (*path, key))


def _of_scalar(value: Any, kind: inspect.Type) -> str | None:
    """Return what is wrong, with the value in it; None: nothing."""
    shown = _shown(value)
    match kind:
        case inspect.LiteralType():
            values = _sorted(map(str, kind.values))
            return f"{shown} is none of {values}"
        case inspect.BoolType():
            return None if isinstance(value, bool) else f"{shown} is neither true nor false (without quotes)"
        case inspect.StrType():
            if not isinstance(value, str):
                return f"{shown} is no text; put it in quotes"
            return _of_length(value, kind)
        case inspect.IntType() | inspect.FloatType():
            return _of_number(value, kind)
        case inspect.ListType() | inspect.VarTupleType():
            return f"{shown} is no list; write it in brackets: [ … ]"
        case inspect.StructType() | inspect.DictType():
            return f"{shown} is no table"
    return None  # msgspec looks at what is not known here


def _of_number(value: Any, kind: inspect.IntType | inspect.FloatType) -> str | None:
    whole, shown = isinstance(kind, inspect.IntType), _shown(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return f"{shown} is no whole number (without quotes)" if whole else f"{shown} is no number (without quotes)"
    least, most = kind.ge, kind.le
    if kind.lt is not None and whole:
        most = kind.lt - 1
    over = (most is not None and value > most) or (kind.lt is not None and value >= kind.lt)
    under = (least is not None and value < least) or (kind.gt is not None and value <= kind.gt)
    is_number = not (isinstance(value, float) and math.isnan(value))
    if is_number and not over and not under:
        return None
    # each a sentence of its own, as translations need it
    if least is not None and most is not None:
        return f"{shown} is not from {_number(least)} to {_number(most)}"
    if kind.gt is not None and most is not None:
        return f"{shown} is not more than {_number(kind.gt)} and at most {_number(most)}"
    if least is not None:
        return f"{shown} is not at least {_number(least)}"
    if kind.gt is not None:
        return f"{shown} is not over {_number(kind.gt)}"
    if most is not None:
        return f"{shown} is not at most {_number(most)}"
    return f"{shown} is no number" if kind.lt is None else f"{shown} is not under {_number(kind.lt)}"


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _of_length(value: str, kind: inspect.StrType) -> str | None:
    count, least, most = len(value), kind.min_length, kind.max_length
    if least is not None and count < least:
        return f"{_shown(value)} has {count} characters, and needs at least {least}"
    if most is not None and count > most:
        return f"{_shown(value)} has {count} characters, and may have at most {most}"
    return None


# --- words ---------------------------------------------------------------------------------------


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)), None)


def _listed(known: Iterable[str], *, keys: bool = False) -> str:
    values = _sorted(known)
    return f"known keys are {values}." if keys else f"known ones are {values}."


def _sorted(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))


def _name(path: KeyPath) -> str:
    return _dotted(path) or "the file"


def _place(path: KeyPath) -> str:
    return f"{_dotted(path)}: " if path else ""


def _dotted(path: KeyPath) -> str:
    """Return a path as people count: ``detect 2, path``."""
    words: list[str] = []
    for step in path:
        if isinstance(step, int):
            words[-1:] = [f"{words[-1] if words else ''} {step + 1}".strip()]
        else:
            words.append(step)
    return ", ".join(words)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _alternatives(one)
    else:
        yield kind
