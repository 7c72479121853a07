"""The battery as Windows tells of it in ``SYSTEM_POWER_STATUS``. The reading runs, and is tested, anywhere.

(psutil makes "not known" of the mains a "no".)
"""

import ctypes
import sys

from p2pdist.pc.network import Battery

NO_BATTERY, NOT_KNOWN = 128, 255  # winbase.h


class _PowerStatus(ctypes.Structure):
    _fields_ = (
        ("line", ctypes.c_ubyte),
        ("flags", ctypes.c_ubyte),
        ("percent", ctypes.c_ubyte),
        ("system", ctypes.c_ubyte),
        ("seconds_left", ctypes.c_uint32),
        ("seconds_full", ctypes.c_uint32),
    )


def battery() -> Battery | None:
    """Return the battery's state, or None for a PC without one, or where Windows does not tell."""
    if sys.platform == "win32":
        status = _PowerStatus()
        if ctypes.windll.kernel32.GetSystemPowerStatus(ctypes.byref(status)):
            return reading(status.line, status.flags, status.percent)
    return None


def reading(line: int, flags: int, percent: int) -> Battery | None:
    """Return what the fields ``ACLineStatus``, ``BatteryFlag`` and ``BatteryLifePercent`` say."""
    if flags & NO_BATTERY or percent == NOT_KNOWN:  # flags that are not known have that bit too
        return None
    return Battery(float(min(percent, 100)), {0: False, 1: True}.get(line))
