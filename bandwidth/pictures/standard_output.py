"""Standard output and error of a command, whatever they are: closed, full, without a reader, of any encoding."""

import os
import sys
import traceback
from pathlib import Path

from bandwidth.pictures.plain_signs import make_readable


def open_standard_streams() -> None:
    """Let both take any text; one that is closed loses what is written to it, as everywhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        make_readable(getattr(sys, name))


def failed_output(error: BaseException) -> str:
    """Return why what was written could not be, after a command has ended with ``error``; "" where it could.

    Also "" where nobody reads it any more. Nothing is written there afterwards: Python would try again at its end, and
    print a traceback.
    """
    found = error if isinstance(error, OSError) and _by_output(error) else None
    try:
        sys.stdout.flush()
    except OSError as held_back:
        found = held_back
    if found is None:
        return ""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return "" if isinstance(found, BrokenPipeError) else found.strerror or str(found)


def _by_output(error: OSError) -> bool:
    """Whether what prints has raised it: a file of ours is not written by these libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parent.name in ("click", "rich")
