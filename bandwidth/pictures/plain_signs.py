"""Signs that an output's encoding does not have: what looks like them, and never a traceback."""

import codecs
import io
from typing import IO

READABLE = "readable"
"""The name of the way to deal with such signs, for ``errors=``."""

IN_ASCII = {"×": "x", "÷": "/", "–": "-", "—": "-", "…": "...", "≤": "<=", "≥": ">=", "→": "->", "’": "'", "·": "."}


def readable(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding does not have: by what looks like it, else by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    shown = (IN_ASCII.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(shown), error.end


def make_readable(stream: IO[str]) -> None:
    """Let ``stream`` write any text: a file's name need not be one, and no encoding has every sign."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=READABLE)


codecs.register_error(READABLE, readable)
