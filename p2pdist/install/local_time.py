"""Find the PC's time zone."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")


def zone(now: float, localtime: Path = LOCALTIME) -> tzinfo:
    """Return the PC's time zone, with its changes of the clock where the system names it; else the offset at ``now``.

    A laptop travels, so ask each time.
    """
    for name in (os.environ.get("TZ", "").removeprefix(":"), _linked_name(localtime)):
        if name:
            try:
                return ZoneInfo(name)
            except (ValueError, OSError, KeyError):  # a zone not known here (KeyError), or not a name of one
                continue
    offset = datetime.fromtimestamp(now, UTC).astimezone().tzinfo
    assert offset is not None
    return offset


def named_zone(environment: Mapping[str, str], localtime: Path = LOCALTIME) -> str:
    """Return the time zone's name, as the system says it, whether there are data for it or not; empty: it says none."""
    return environment.get("TZ", "").removeprefix(":") or _linked_name(localtime)


def _linked_name(localtime: Path) -> str:
    try:
        target = localtime.readlink()
    except OSError:
        return ""
    return str(target).partition("zoneinfo/")[2]
