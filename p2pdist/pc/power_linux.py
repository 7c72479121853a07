"""Batteries and plugs as Linux shows them below ``/sys/class/power_supply``: plain files that anybody may read.

Batteries of other devices are there too, of mice, headsets and telephones: their ``scope`` says so, and they are passed
over. (psutil takes the first name that looks like a battery's, and has no word for "Not charging".)
"""

from pathlib import Path

from p2pdist.pc.kernel_files import number_in, text_in
from p2pdist.pc.network import Battery

SUPPLIES = Path("/sys/class/power_supply")
MAX_SUPPLIES = 64  # a laptop with a dock has ten
MAX_VALUE_CHARS = 64  # a word or a number

_PLUGGED_IN = frozenset({"charging", "full", "not charging"})


def battery(supplies: Path = SUPPLIES) -> Battery | None:
    """Return the state of this PC's batteries together, or None for a PC without one."""
    own = [supply for supply in _listed(supplies) if _text(supply / "scope") != "device"]
    batteries = [supply for supply in own if _text(supply / "type") == "battery" and _text(supply / "present") != "0"]
    percents = [percent for supply in batteries if (percent := _percent(supply)) is not None]
    if not percents:
        return None
    others = [supply for supply in own if _text(supply / "type") != "battery"]
    return Battery(sum(percents) / len(percents), _on_mains(batteries, others))


def _on_mains(batteries: list[Path], others: list[Path]) -> bool | None:
    """Return whether the PC is plugged in; None where nothing tells.

    A supply that is on line tells best: beside a weak one, a battery may be discharged as well. One that is not may be
    the wrong one: many laptops have two plugs.
    """
    online = [_text(supply / "online") for supply in others]
    if any(value not in ("", "0") for value in online):
        return True
    states = {_text(supply / "status") for supply in batteries}
    if "discharging" in states:
        return False
    if states & _PLUGGED_IN:
        return True
    return False if "0" in online else None


def _percent(supply: Path) -> float | None:
    for kind in ("energy", "charge"):
        now, full = _number(supply / f"{kind}_now"), _number(supply / f"{kind}_full")
        if now is not None and full:
            return _capped(100.0 * now / full)
    capacity = _number(supply / "capacity")
    return None if capacity is None else _capped(float(capacity))


def _capped(percent: float) -> float:
    return min(100.0, max(0.0, percent))


def _listed(supplies: Path) -> list[Path]:
    try:
        return sorted(supplies.iterdir())[:MAX_SUPPLIES]
    except OSError:  # a system without it: most containers
        return []


def _text(path: Path) -> str:
    return text_in(path, MAX_VALUE_CHARS).strip().lower()


def _number(path: Path) -> int | None:
    return number_in(path, MAX_VALUE_CHARS)
