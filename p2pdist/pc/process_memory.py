"""Keep this process's memory small, by settings of glibc. With other C libraries this does nothing."""

import ctypes
import sys

ARENAS = 2  # by default glibc makes eight per processor, and each keeps the memory that a burst of threads once used

_M_ARENA_MAX = -8  # malloc.h


def keep_small() -> None:
    """Let threads share few malloc arenas. Call before the first thread starts."""
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
