"""Loads modules without looking for garbage in between: there is none, and a command would start a tenth later."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def quick_loading() -> Iterator[None]:
    """Let a block that only imports run without the collector."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
