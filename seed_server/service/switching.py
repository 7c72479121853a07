"""How soon the origin part's event loop gets Python's lock back from a worker thread.

One thread of a process runs Python at a time. Whoever writes a second of all PCs' reports computes for a tenth of one,
and CPython leaves it the lock for 5 ms after the event loop has asked: at each of its turns, and so before most steps
of a controller.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_SECONDS = 0.0005


@contextmanager
def quick_switches() -> Iterator[None]:
    """Within the block, threads of this process give Python's lock away as soon as another one has waited so long."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
