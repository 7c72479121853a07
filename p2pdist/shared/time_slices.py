"""How long Linux lets a thread run before another one's turn: whoever asks for less gets a processor sooner.

Since Linux 6.12 a thread may ask for slices of its own (sched_setattr(2): ``sched_runtime`` of ordinary threads, EEVDF)
and one with short slices that wakes up goes before one in the midst of a longer. Nobody gets more of a processor by it.
Older kernels take the call and change nothing; elsewhere, and where the system refuses, nothing changes.
"""

import ctypes
import platform
import struct
import sys

SHORT_SLICE_SECONDS = 0.0003  # a step of the event loop of a server takes as much; Linux gives 1.4 to 4 ms by itself
USUAL_SLICE_SECONDS = 0.0  # what Linux gives by itself
_NUMBERS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""Of sched_setattr and sched_getattr: libraries have names for them since glibc 2.41 alone."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, deadline, period, two limits
_POLICY_AT, _RUNTIME_AT = 1, 5
_POLICIES = (0, 3)  # SCHED_OTHER, SCHED_BATCH: the others have no slices


def ask_for_slices(seconds: float) -> bool:
    """Ask for slices of this length, for the calling thread and what it starts from now on; niceness and policy stay.

    Return whether it was heard.
    """
    fields = _attributes()
    if fields is None or fields[_POLICY_AT] not in _POLICIES:
        return False
    fields[0], fields[_RUNTIME_AT] = _ATTRIBUTES.size, round(seconds * 1e9)
    return _call(0, ctypes.create_string_buffer(_ATTRIBUTES.pack(*fields)), 0)


def slice_seconds() -> float | None:
    """Return how long the slices of the calling thread are; None: the system does not tell."""
    fields = _attributes()
    return None if fields is None else fields[_RUNTIME_AT] / 1e9


def _attributes() -> list[int] | None:
    held = ctypes.create_string_buffer(_ATTRIBUTES.size)
    return list(_ATTRIBUTES.unpack(held.raw)) if _call(1, held, _ATTRIBUTES.size, 0) else None


def _call(which: int, *arguments: object) -> bool:
    numbers = _NUMBERS.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None
    return numbers is not None and ctypes.CDLL(None).syscall(numbers[which], 0, *arguments) == 0
