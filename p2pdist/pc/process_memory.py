"""The process's memory, as the C library keeps it: glibc alone can be told, elsewhere nothing is done."""

import ctypes
import sys

ARENAS = 2  # glibc makes eight for each processor, and each keeps what a burst of threads once needed

_M_ARENA_MAX = -8  # malloc.h


def keep_small() -> None:
    """Let threads share few arenas. Call before the first one starts."""
    if (library := _glibc()) is not None:
        library.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give free memory back to the system. Blocking, for milliseconds."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
