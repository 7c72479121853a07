"""Finds and reads the files that the web port publishes. Blocking."""

import os
from pathlib import Path
from typing import BinaryIO

from p2pdist.shared.identifiers import FILE_NAME_MAX_BYTES

FILE_PART_BYTES = 64 << 10  # of a file at a time: memory for each client that is slow


def find_file(directory: Path, name: str) -> Path | None:
    """Return the file of that relative ``name`` below ``directory``; None for whatever is no file there."""
    parts = name.split("/")
    if any(part == "" or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    if any(len(os.fsencode(part)) > FILE_NAME_MAX_BYTES for part in parts):
        return None
    path = directory.joinpath(*parts)
    try:
        # a link would lead out of the directory
        return path if path.is_file() and path.resolve().is_relative_to(directory.resolve()) else None
    except OSError:  # a path that is too long
        return None


def read_part(file: BinaryIO, left: int) -> bytes:
    """Return the next part of a file of which ``left`` bytes are to come. Raises `OSError`, and `EOFError` for none."""
    part = file.read(min(left, FILE_PART_BYTES))
    if left and not part:
        raise EOFError("the file has become shorter")
    return part
