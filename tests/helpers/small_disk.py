"""File systems of a test's own that really fill up."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(directory: Path, mebibytes: int, mode: str = "0755") -> Iterator[Path]:
    """Make ``directory`` a file system of so many MiB (a tmpfs); skip the test where none can be mounted."""
    directory.mkdir()
    options = f"size={mebibytes}m,mode={mode}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a tmpfs can only be mounted by root")
    try:
        yield directory
    finally:
        # what still has a file open there does not keep it
        subprocess.run(["umount", "-l", str(directory)], check=True)
