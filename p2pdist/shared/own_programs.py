"""How a module of this program is run as a process of its own: it imports what this process runs, and nothing else."""

import os
import sys
from pathlib import Path

SOURCES = os.fspath(Path(__file__).parents[2])
"""Where the packages of this program lie."""


def own_program(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``module``; -P: nothing is imported from the current directory."""
    return [sys.executable, "-P", "-m", module, *arguments]


def own_environment() -> dict[str, str]:
    """Return this process's environment, in which `own_program` finds its module wherever it is started."""
    return {**os.environ, "PYTHONPATH": SOURCES}
