"""Writes committed results so that people can compare them."""

from pathlib import Path

import msgspec


def write_lines(results: msgspec.Struct, path: Path) -> None:
    """Write each item of each list of ``results`` on a line of its own, so that a change of one changes one line."""
    encode = msgspec.json.encode
    parts = [
        b'"' + name.encode() + b'":[\n' + b",\n".join(map(encode, getattr(results, name))) + b"\n]"
        for name in results.__struct_fields__
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{\n" + b",\n".join(parts) + b"\n}\n")
