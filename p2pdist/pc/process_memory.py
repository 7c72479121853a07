"""Keep this process's memory small, by what is loaded, and by settings of glibc: not with other C libraries."""

import ctypes
import sys

ARENAS = 2  # by default glibc makes eight per processor, and each keeps the memory that a burst of threads once used

OF_TERMINALS = ("pygments", "rich")
"""What libraries load to draw on a terminal. A process that is on every PC does without."""

_M_ARENA_MAX = -8  # malloc.h


def keep_small() -> None:
    """Let threads share few malloc arenas. Call before the first thread starts."""
    if (library := _glibc()) is not None:
        library.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give free memory back to the system. Blocking, for milliseconds."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def leave_out(*modules: str) -> None:
    """Let libraries do without ``modules``, which they load where these are installed. Call before they are loaded."""
    for name in modules:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # Python's own way to say that there is none


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
