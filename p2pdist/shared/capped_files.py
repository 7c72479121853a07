"""Reads whole files up to a size limit, and text files that people write. Blocking."""

import stat
from pathlib import Path

from bandwidth.profiles.text_encoding import TextEncodingError, decode_text
from p2pdist.shared.errors import FaultKind, UserError


class FileTooLargeError(ValueError):
    """A file has more bytes than a file of its kind can have."""


def read_capped(path: Path, max_bytes: int) -> bytes:
    """Return a file's bytes. Raises `FileTooLargeError` when there are more than ``max_bytes``, else `OSError`."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise FileTooLargeError(f"more than {max_bytes} bytes")
    return data


def read_home_text(path: Path, max_bytes: int, too_large: str) -> str | None:
    """Return a text file of a home; None: there is none. ``too_large`` ends the message for a file over the limit.

    Raises `UserError`: STORAGE for a file that cannot be read, BAD_INPUT for one that is too large or no text.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise UserError(f"{path} is no file. Write one in its place, or remove it.", FaultKind.STORAGE)
        return _text(path, max_bytes, too_large)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Check its permissions.", FaultKind.STORAGE) from error


def read_given_text(what: str, path: Path, max_bytes: int, too_large: str) -> str:
    """Return a text file that a command was given, ``what`` in one word.

    ``too_large`` ends the message for a file over the limit. Raises `UserError` (BAD_INPUT).
    """
    try:
        return _text(path, max_bytes, too_large)
    except OSError as error:
        raise UserError(f"Cannot read {what} {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT) from error


def _text(path: Path, max_bytes: int, too_large: str) -> str:
    try:
        return decode_text(read_capped(path, max_bytes))
    except FileTooLargeError as error:
        raise UserError(f"{path} is over {max_bytes} bytes: {too_large}", FaultKind.BAD_INPUT) from error
    except TextEncodingError as error:
        place = f"{path}, line {error.line}" if error.line else str(path)
        raise UserError(f"{place}: {error}", FaultKind.BAD_INPUT) from error
