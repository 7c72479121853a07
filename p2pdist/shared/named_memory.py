"""Bytes under a file's name, for a library that reads files alone: where the system can, they never touch a disk."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def named_memory(data: bytes, *, directory: Path | None = None, prefix: str = "") -> Iterator[str]:
    """Hold ``data`` under a name that this process can open, and yield the name.

    On Linux it is memory: a full disk does not matter, and nothing is left behind. Elsewhere it is a file for its
    owner alone in ``directory`` (None: the system's for temporary files), whose name begins with ``prefix``.
    Raises `OSError`.
    """
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("p2pdist"), "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        yield name
    finally:
        Path(name).unlink()
