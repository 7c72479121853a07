"""Writes committed results so that people can compare them, and reads them."""

from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def write_lines(results: msgspec.Struct, path: Path) -> None:
    """Write each item of each list of ``results`` on a line of its own, so that a change of one changes one line."""
    encode = msgspec.json.encode
    parts = [
        b'"' + name.encode() + b'":[\n' + b",\n".join(map(encode, getattr(results, name))) + b"\n]"
        for name in results.__struct_fields__
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{\n" + b",\n".join(parts) + b"\n}\n")


def read_lines(path: Path, kind: type[T]) -> T | None:
    """Return the committed results; None while there are none."""
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None
