"""Decode msgpack from outside into checked types, and encode them. Pure.

``msgpack`` decodes with explicit caps on every container; ``msgspec`` then
converts strictly (no coercion, and no unknown fields but in a `Document`, an
`Extensible` and a `KeptState`). So a decoded object has exactly the declared shape.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any, TypeVar, cast

import msgpack
import msgspec

from p2pdist.shared.printable_text import printable

T = TypeVar("T")

MAX_NESTING_CONTAINER_ITEMS = 65_536  # bounds memory while decoding; the longest list that we define is far below
MAX_DECODE_ERROR_CHARS = 300  # the words name what was wrong, which may be as long as the message


class DecodeError(ValueError):
    """Bytes from outside do not have the declared shape. The text says what is wrong and where.

    It quotes what was sent, so it is one short line of visible signs, whoever shows it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem[:MAX_DECODE_ERROR_CHARS]))


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything that is decoded from outside: immutable, without unknown fields."""


class Document(Record, frozen=True, forbid_unknown_fields=False):
    """Base of signed documents and their entries: what a newer release added is ignored, as the signature covers it.

    Not for what decides which file a PC takes, what it runs, and when: to ignore part of that is to do something else.
    """


class Extensible(Record, frozen=True, forbid_unknown_fields=False, omit_defaults=True):
    """Base of what releases say to each other: fields that a newer one has added are ignored.

    What is added has a default, and is not sent while it has that: an older release gets the shape that it knows.
    """


class KeptState(Record, frozen=True, forbid_unknown_fields=False):
    """Base of what a program keeps for itself: what a newer release has added is ignored by one that comes back.

    What is added has a default that does no harm when it is lost. What must not be ignored needs a higher ``format``.
    """


class Message(Extensible, frozen=True, tag_field="t"):
    """Base of every message of the origin protocol."""


def encode(value: object) -> bytes:
    """Return ``value`` (Records and builtins) as msgpack."""
    packed: bytes = msgpack.packb(msgspec.to_builtins(value, builtin_types=(bytes,)), use_bin_type=True)
    return packed


def decode(data: bytes, kind: type[T] | Any, *, max_bytes: int, each_text: Callable[[str], str] | None = None) -> T:
    """Return the ``kind`` that ``data`` encodes. Raises `DecodeError`.

    ``each_text`` replaces every text, keys too, before anything is checked.
    """
    value: T = convert(unpack(data, max_bytes=max_bytes), kind, each_text=each_text)
    return value


def unpack(data: bytes, *, max_bytes: int) -> Any:
    """Return the builtins that ``data`` encodes, of any shape. Raises `DecodeError`."""
    if len(data) > max_bytes:
        raise DecodeError(f"{len(data)} bytes are over the cap of {max_bytes}")
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=max_bytes,
            max_bin_len=max_bytes,
            max_array_len=MAX_NESTING_CONTAINER_ITEMS,
            max_map_len=MAX_NESTING_CONTAINER_ITEMS,
            max_ext_len=0,
        )
    except (msgpack.exceptions.UnpackException, ValueError, RecursionError) as error:  # UnicodeDecodeError among them
        raise DecodeError(str(error) or type(error).__name__) from error


def convert(raw: Any, kind: type[T] | Any, *, each_text: Callable[[str], str] | None = None) -> T:
    """Return the ``kind`` that the builtins ``raw`` stand for, as `decode`. Raises `DecodeError`."""
    try:
        if each_text is not None:
            raw = _with_texts(raw, each_text)
        # bytes are bytes, never base64
        holder = msgspec.convert({"value": raw}, _prepared(cast("Hashable", kind)), strict=True, builtin_types=(bytes,))
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError among them
        raise DecodeError(str(error).replace("`$.value", "`$") or type(error).__name__) from error
    value: T = holder.value
    return value


def unknown_fields(data: bytes, value: object) -> list[str]:
    """Return the fields of ``data`` that are not in the `Document` ``value`` that was decoded from it, by their paths.

    For whoever would encode it anew, and with that take away what a newer release has signed.
    """
    known = msgspec.to_builtins(value, builtin_types=(bytes,))
    return sorted(_more_fields(msgpack.unpackb(data, raw=False), known, ""))


def _more_fields(raw: Any, known: Any, path: str) -> Iterator[str]:
    if isinstance(raw, dict):
        for name, item in raw.items():
            if name in known:
                yield from _more_fields(item, known[name], f"{path}.{name}" if path else name)
            else:
                yield f"{path}.{name}" if path else name
    elif isinstance(raw, list):
        for item, part in zip(raw, known, strict=True):
            yield from _more_fields(item, part, path)


@cache
def _prepared(kind: Hashable) -> Any:
    """Return a Struct with a ``value`` of ``kind``.

    For a Struct, msgspec prepares once how to convert it; for a union, at each conversion, which takes longer than most
    messages do.
    """
    return msgspec.defstruct("Holder", [("value", kind)])


def _with_texts(value: Any, replaced: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replaced(value)
    if isinstance(value, list):
        return [_with_texts(item, replaced) for item in value]
    if isinstance(value, dict):
        return {_with_texts(key, replaced): _with_texts(item, replaced) for key, item in value.items()}
    return value
