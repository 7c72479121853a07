"""Bytes, rates and durations in text, as people read and write them. Pure."""

import difflib
import re
from decimal import Decimal, localcontext

from bandwidth.core.units import LARGEST_LINE, BytesPerSecond

DAY_SECONDS = 86_400
MINUTES_PER_DAY = 24 * 60

_RATE_UNITS = {  # bits per second in one of each
    "Gbit/s": 10**9,
    "Mbit/s": 10**6,
    "kbit/s": 10**3,
    "bit/s": 1,
    "GB/s": 8 * 10**9,
    "MB/s": 8 * 10**6,
    "kB/s": 8 * 10**3,
    "B/s": 8,
}
_BIT_UNITS = tuple(_RATE_UNITS.items())[:4]
_BYTE_UNITS = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3}
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY_SECONDS}
_RATE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,12})?) ?([A-Za-z]+/s)", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_ROUNDS_UP = 0.99995  # 999.95 kB are 1.0 MB, not 1000.0 kB
_SHOWN_CHARACTERS = 200  # of a text that is refused


class QuantityError(ValueError):
    """A text is not such a quantity; the message says what would be."""


def bytes_text(count: float) -> str:
    """Return ``count`` bytes in powers of 1000: ``"12.3 MB"``."""
    for unit, size in _BYTE_UNITS.items():
        if abs(count) >= size * _ROUNDS_UP:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def duration_text(seconds: float) -> str:
    """Return a duration as ``"4.2 s"``, ``"3 m 20 s"``, ``"2 h 05 m"``, or from two days on ``"3 d"``."""
    if round(seconds, 1) < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02} m" if hours < 48 else f"{hours // 24} d"


def age_text(seconds: float) -> str:
    """Return an age with one unit, rounded down: ``"16 m"``, ``"3 h"``, or from two days on ``"3 d"``."""
    minutes = int(max(0.0, seconds)) // 60
    if minutes < 60:
        return f"{minutes} m"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def duration_in_words(seconds: float) -> str:
    """Return a duration for a sentence, roughly: ``"90 minutes"``, ``"40 hours"``, ``"5 days"``."""
    hours = seconds / 3_600
    if hours < 2:
        minutes = max(0, round(seconds / 60))
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{round(hours)} hours" if hours < 72 else f"{round(hours / 24)} days"


def parse_duration(text: str) -> int:
    """Return ``"90s"``, ``"30m"``, ``"4h"`` or ``"7d"`` in seconds. Raises `QuantityError`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise QuantityError(f"{text[:_SHOWN_CHARACTERS]!r} is not a duration such as 30m, 1h or 7d")
    return int(match[1]) * _DURATION_UNITS[match[2]]


def rate_text(bytes_per_second: float) -> str:
    """Return a rate in bits per second, to three digits: ``"2.12 Mbit/s"``."""
    bits = float(f"{8 * bytes_per_second:.3g}")  # rounded first: 999.9 kbit/s are 1 Mbit/s
    unit, size = next((pair for pair in _BIT_UNITS if bits >= pair[1]), ("bit/s", 1))
    return f"{bits / size:g} {unit}"


def parse_rate(text: str) -> BytesPerSecond:
    """Return ``"20 Mbit/s"`` and the like as whole bytes per second, rounded down. Raises `QuantityError`."""
    match = _RATE.fullmatch(text)
    if match is None:
        shown = repr(text[:_SHOWN_CHARACTERS])
        raise QuantityError(f'{shown} is not a rate; write a number and its unit in quotes: "20 Mbit/s"')
    if match[2] not in _RATE_UNITS:
        nearest = difflib.get_close_matches(match[2], sorted(_RATE_UNITS), n=1, cutoff=0.0)[0]
        raise QuantityError(f"{match[2]!r} is no unit; the nearest is {nearest!r}")
    with localcontext() as context:
        context.prec = 60  # exact for every number that the pattern accepts
        found = int(Decimal(match[1]) * _RATE_UNITS[match[2]] // 8)
    if not 1 <= found <= LARGEST_LINE:
        raise QuantityError(f"{text!r} is not from 1 B/s to 1000 Gbit/s; to stop all traffic write a [[blackout]]")
    return BytesPerSecond(found)


def clock_text(minute: int) -> str:
    """Return a minute of the day, up to 24:00, as ``"08:30"``."""
    return f"{minute // 60:02}:{minute % 60:02}"
