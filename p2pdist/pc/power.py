"""Whether this PC has a battery, how full that is, and whether the PC runs on it: one reading for all who ask.

What differs by system is in `power_linux` and `power_windows`, chosen here and nowhere else. Blocks for a millisecond.
"""

import sys

from p2pdist.pc.network import Battery

if sys.platform == "linux":
    from p2pdist.pc.power_linux import battery as _battery
elif sys.platform == "win32":
    from p2pdist.pc.power_windows import battery as _battery
else:
    from p2pdist.pc.system import battery as _battery


def battery() -> Battery | None:
    """Return the battery's state, or None for a PC without one."""
    return _battery()
