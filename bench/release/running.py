"""Runs the tools that build a release."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

TOOL_SECONDS = 1_800.0  # a slow index and a slow disk
SHOWN_CHARS = 4_000


class BuildError(Exception):
    """A tool has failed, or is not here; the text says which, and what it said."""


def run(command: Sequence[str], *, cwd: Path, input_text: str | None = None, **environment: str) -> str:
    """Return what ``command`` prints, with ``environment`` added to ours. Raises `BuildError`."""
    try:
        ended = subprocess.run(
            command,
            cwd=cwd,
            input=input_text,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not here: {error.strerror}.") from error
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr)[-SHOWN_CHARS:]
        raise BuildError(f"{' '.join(command)} has failed with status {ended.returncode}:\n{said}")
    return ended.stdout
