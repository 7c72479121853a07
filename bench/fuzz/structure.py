"""Change msgpack by its structure: blind changes of bytes hardly ever leave a document that gets past its shape."""

import random
from collections.abc import Callable
from typing import Any

import msgpack

INTERESTING: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 255, 65_535, 65_536, (1 << 50) + 1, 1 << 62, (1 << 64) - 1, -(1 << 63),
    0.0, -0.0, 1e10, float("nan"), float("inf"), "", " ", "..", "\x1b[2J", "\u202e", "a" * 65, "x@1", "true", b"",
    b"\x80", [], {},
)  # fmt: skip
DEEP = 2_000


def changed(data: bytes, max_bytes: int, seed: int, otherwise: Callable[[bytes, int], bytes]) -> bytes:
    """Return ``data`` with a change in its structure, or as ``otherwise`` changes it; half of the time each."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return otherwise(data, max_bytes)
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False)
        packed: bytes = msgpack.packb(_changed(value, chance), use_bin_type=True)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return otherwise(data, max_bytes)
    except msgpack.exceptions.UnpackException:
        return otherwise(data, max_bytes)
    return packed if len(packed) <= max_bytes else otherwise(data, max_bytes)


def _changed(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        copy = dict(value)
        way = chance.random()
        if way < 0.1:
            del copy[key]
        elif way < 0.15:
            copy[chance.choice(("t", "x", "kind"))] = chance.choice(INTERESTING)
        elif way < 0.25:
            copy[key] = value[chance.choice(list(value))]
        else:
            copy[key] = _changed(value[key], chance)
        return copy
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        way = chance.random()
        if way < 0.1:
            return value[:at] + value[at + 1 :]
        if way < 0.2:
            return [*value, *value]
        return [*value[:at], _changed(value[at], chance), *value[at + 1 :]]
    return _leaf(value, chance)


def _leaf(value: Any, chance: random.Random) -> Any:
    way = chance.random()
    if isinstance(value, str) and value and way < 0.6:
        at = chance.randrange(len(value))
        sign = chance.choice(
            ("", "\0", "\x1b", "\u202e", "\u00e9", "/", "..", "@", ":", "-", "9", "\n", value[at] * 70)
        )
        return value[:at] + sign + value[at + 1 :]
    if isinstance(value, int) and way < 0.5:
        return value + chance.choice((-1, 1, 256, -256))
    if way > 0.97:
        nested: Any = value
        for _ in range(chance.choice((3, DEEP))):
            nested = [nested]
        return nested
    return chance.choice(INTERESTING)
